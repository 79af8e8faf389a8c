# SPDX-License-Identifier: Apache-2.0
# weir metrics of a running pipeline: well formed, the same series from first to last, counters that never go back, and what has happened counted: a
# death, a stall, a drain whose time was up, a cancel by its cause, how long it took to be seen and how long to exit.
# seconds: 120
# takes: 16
cat >spec.yaml <<'YAML'
pipeline: numbers
grace: 4s
stages:
  - {name: count, source: generate, rate: 500/s}
  - {name: cat, exec: [cat], mode: line, workers: 2}
  - {name: end, sink: discard}
YAML
# value METRIC LABELS: of the last scrape; LABELS without pipeline
value() {
	sed -n "s/^$1{pipeline=\"numbers\"$2} //p" now
}
scrape() {
	weir metrics numbers >now || return
	! command -v promtool >/dev/null || promtool check metrics <now || fail "promtool refuses it"
}
is_counted() {
	scrape && [ "$(value "$1" "$2")" = "$3" ]
}
series() {
	grep -v '^#' "$1" | sed 's/ [^ ]*$//'
}
assert_exit 3 weir metrics numbers
assert_contains stderr "no pipeline 'numbers' is running"
assert_exit 2 weir metrics ../numbers

weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 running numbers
scrape || fail "no metrics"
cp now first
assert_eq "$(value weir_workers ',stage="cat"') $(value weir_timeouts_total ',stage="",level="drain"')" "2 0" "at first"
weir metrics numbers --json >json
python3 -c 'import json; d = json.load(open("json")); assert d["pipeline"] == "numbers" and all(m["samples"] for m in d["metrics"])' || fail "no good JSON"
kill -KILL "$(worker_pids numbers | sed -n 2p)"
wait_until 60 is_counted weir_restarts_total ',stage="cat",reason="signal"' 1

# A stall that is over has lasted so long, and no longer.
stuck() {
	value weir_stuck_seconds_total ',stage="end",kind="stopped"'
}
rests() {
	scrape && lasted=$(stuck) && scrape && [ "$(stuck)" = "$lasted" ]
}
kill -STOP "$(worker_pids numbers | tail -n 1)"
wait_until 60 is_counted weir_stalls_total ',stage="end",kind="stopped"' 1
named=$(stuck)
kill -CONT "$(worker_pids numbers | tail -n 1)"
wait_until 60 rests
awk -v named="$named" -v lasted="$lasted" 'BEGIN { exit !(named > 0 && lasted >= named) }' || fail "a stall of $named s has lasted $lasted s"

# A stopped sink: named as a stall; then what was accepted can't be finished in the drain's time, and is cancelled. It hears that with its SIGTERM only,
# so there is time to look.
kill -STOP "$(worker_pids numbers | tail -n 1)"
wait_until 60 is_counted weir_stalls_total ',stage="end",kind="stopped"' 2
assert_exit 0 weir drain numbers --timeout 16s --no-wait >/dev/null
wait_until 60 is_counted weir_timeouts_total ',stage="",level="drain"' 1
assert_eq "$(value weir_cancels_total ',cause="drain_deadline"') $(value weir_cancels_total ',cause="user"')" "1 0" cancels
awk -v first="$lasted" -v both="$(stuck)" 'BEGIN { exit !(both > first + 1) }' || fail "a stall of no time: $(grep stuck now)"
# Everybody but the sink was through before: these have heard the order to drain, and have exited for it.
assert_eq "$(value weir_exit_seconds_count ',order="drain"') $(value weir_exit_seconds_count ',order="cancel"')" "3 0" exits
assert_eq "$(value weir_order_seen_seconds_count ',order="drain"') $(value weir_order_seen_seconds_bucket ',order="drain",le="+Inf"')" "3 3" "orders seen"
series first >series.first
series now >series.now
assert_file_equal series.first series.now "another set of series"
assert_eq "$(sort series.now | uniq -d)" "" "a series twice"
paste -d ' ' first now | awk '/^#/ { gauge = $4 == "gauge"; next } !gauge && $2 > $4 { print; bad = 1 } END { exit bad }' || fail "a counter went back"
wait "$run"
assert_eq "$? $(final log balanced)" "4 true" "exit code, ledger"
[ "$(value weir_items_total ',stage="count",line="accepted"')" = "$(final log accepted)" ] || fail "accepted: $(value weir_items_total ',stage="count",line="accepted"') of $(final log accepted)"
