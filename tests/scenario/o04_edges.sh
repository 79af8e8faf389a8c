# SPDX-License-Identifier: Apache-2.0
# An edge seen from outside: a reader that is stopped lets its lane fill up, and its writer waits; then all of it flows off.
# seconds: 180
# takes: 3
# sanitizers: no, what it looks at is test_lane_look's and test_blocked's
cat >spec.yaml <<'YAML'
pipeline: edge
stages:
  - {name: feed, source: exec, command: 'until [ -e go ]; do sleep 0.05; done; seq 10000 29999; until [ -e end ]; do sleep 0.05; done', resume: rerun}
  - {name: store, sink: discard, lane: 64KiB}
YAML
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
# value METRIC [LABELS]: of the last scrape
value() {
	sed -n "s/^$1{pipeline=\"edge\",${2:-from=\"feed\",to=\"store\"}} //p" now
}
scrape() {
	weir metrics edge >now || return
	! command -v promtool >/dev/null || promtool check metrics <now || fail "promtool refuses it"
}
wait_until 60 running edge
scrape || fail "no metrics"
assert_eq "$(value weir_edge_items) $(value weir_edge_bytes) $(value weir_edge_oldest_seconds)" "0 0 0.000000000" "an empty edge"
assert_eq "$(value weir_edge_capacity_bytes)" 65536 capacity
for stage in feed store ''; do
	[ "$(value weir_resident_bytes "stage=\"$stage\"")" -gt 100000 ] || fail "memory of '$stage': $(grep resident now)"
	[ "$(value weir_private_bytes "stage=\"$stage\"")" -gt 10000 ] || fail "private memory of '$stage': $(grep private now)"
done
for name in turns_total busy_seconds_total slowest_turn_seconds open_files; do
	grep -q -E "^weir_supervisor_$name\\{pipeline=\"edge\"\\} [0-9.]*[1-9]" now || fail "no $name: $(grep supervisor now)"
done

# Each record has 32 bytes of header and 5 of its own, rounded up to 40: 1638 of them fill the lane.
store=$(worker_pids edge | tail -n 1)
kill -STOP "$store"
touch go
is_full() {
	scrape && [ "$(value weir_edge_items)" -gt 1500 ]
}
wait_until 60 is_full
items=$(value weir_edge_items) bytes=$(value weir_edge_bytes)
[ "$bytes" -le 65536 ] && [ $((bytes / 40)) -eq "$items" ] || fail "$items items in $bytes bytes"
first=$(value weir_edge_oldest_seconds)
scrape
awk -v first="$first" -v second="$(value weir_edge_oldest_seconds)" 'BEGIN { exit !(first > 0 && second > first) }' || fail "the oldest does not get older: $first"

kill -CONT "$store"
is_empty() {
	scrape && [ "$(value weir_edge_out_bytes_total)" = 800000 ]
}
wait_until 60 is_empty
assert_eq "$(value weir_edge_items) $(value weir_edge_bytes) $(value weir_edge_in_bytes_total)" "0 0 800000" "when all is through"
awk -v blocked="$(value weir_edge_blocked_seconds_total)" 'BEGIN { exit !(blocked > 0) }' || fail "nobody has waited for room"
touch end
wait "$run"
assert_eq $? 0 "exit code"
