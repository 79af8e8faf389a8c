# SPDX-License-Identifier: Apache-2.0
# batch: arrays of items, by count, size and age; nothing is lost or comes twice through kills; and its answer to bad input.
# seconds: 240
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/batch.yaml" >out
assert_eq "$(wc -l <out) $(tail -n 1 out)" '5 ["reading 41","reading 42"]' "42 readings by ten"
assert_eq "$(final stderr consumed) $(final stderr delivered) $(final stderr balanced)" "42 5 true" ledger

count=$(rounds 100000 2000000)
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 1; i <= n; i++) printf "{\"id\":%d,\"of\":\"%*s\"}\n", i, rand() * 60, "x" }' >in
spec() {
	cat <<YAML
pipeline: gather
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in, decode: $1}
  - {name: gather, operator: batch, dead_letter: {attempts: 100}, $2}
  - {name: write, sink: file, path: out, encode: $1}
YAML
}
# Batches taken apart again: an item a line.
apart() { sed -e 's/^\[//; s/\]$//; s/},{/}\n{/g' "$1"; }
total=0
# killed NAME FORMAT OPTIONS
killed() {
	rm -f out
	spec "$2" "$3" >spec.yaml
	run_with_kills 0 "$(rounds 40 1000)"
	assert_eq "$(final stderr consumed) $(final stderr in_flight) $(final stderr balanced)" "$count 0 true" "ledger: $1"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts"
	total=$((total + $(restarts stderr)))
}
killed "by count" json "count: 100"
assert_eq "$(wc -l <out)" "$((count / 100))" "each batch is full"
apart out >got
cmp got in || fail "by count: items are lost, twice or out of order"
killed "by size, text" raw "bytes: 10000"
apart out >got
cmp got in || fail "by size: items are lost, twice or out of order"
awk '{ if (length($0) > 10000) exit 1; if (NR > 1 && last + length($0) <= 10000 - 100) short++; last = length($0) } END { exit short > 1 }' out ||
	fail "a batch is larger than it may be, or smaller than it need be"
killed "by age and count, four workers" json "age: 5ms, count: 1000, workers: 4"
apart out | LC_ALL=C sort >got
LC_ALL=C sort in | cmp - got || fail "by age: items are lost or twice"
killed "in runs" raw "bytes: 4000, workers: 3, order: fifo"
apart out >got
cmp got in || fail "in runs: items are lost, twice or out of order"
[ "$total" -ge 20 ] || fail "only $total deaths: the runs are too short to mean anything"

# What is no element of a batch is refused, with the reason, and the others are gathered without it.
printf '{"a":1}\nno JSON\n\n[2]\n%s\n3\n' "$(printf '"%0300d"' 0)" >in
spec raw "count: 3, bytes: 200" >spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(cat out)" '[{"a":1},[2],3]' "the others"
assert_eq "$(final stderr rejected) $(final stderr balanced)" "3 true" "ledger: bad items"
weir dlq ls gather --json >letters
assert_contains letters "it is no JSON, as text: json wants: byte 1"
assert_contains letters "as an array of one it is larger than"
spec raw "count: 3, text: strings" >spec.yaml
printf 'a"b\n\377\n\nc\n' >in
assert_exit 3 weir run --json spec.yaml
assert_eq "$(cat out)" '["a\"b","","c"]' "strings"

# Cancelled: what is held is not lost in silence.
spec raw "count: 1000000, text: lines" | sed 's/source: file, path: in, decode: raw/source: generate, rate: 1000/' >spec.yaml
weir run --json spec.yaml 2>stderr &
pipeline=$!
wait_until 20 running gather
wait_until 20 sh -c "weir metrics gather 2>/dev/null | grep -q '^weir_items_held{.*} [1-9]'"
weir drain gather >/dev/null
wait "$pipeline" || fail "exit code $? after a drain"
[ "$(wc -l <out)" = "$(final stderr accepted)" ] || fail "the drain left $(wc -l <out) of $(final stderr accepted)"
assert_eq "$(final stderr balanced) $(final stderr delivered)" "true 1" "ledger: drained"
