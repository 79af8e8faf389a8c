# SPDX-License-Identifier: Apache-2.0
# Every item that was scattered has one result, whichever worker is killed, as often as one likes; and what it says is true.
# seconds: 180
count=$(rounds 6000 200000)
enough=$(rounds 60s 1h) # 2000 kills hold everybody up for minutes
total=0
# killed NAME WITHIN OPTIONS RATE EXPR
killed() {
	rm -f out
	cat >spec.yaml <<YAML
pipeline: join
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
# Who is killed thrice at random with the same item in hand is not its victim.
stages:
  - {name: read, source: generate, count: $count, rate: $4, text: '{"n":{n}}', decode: json}
  - {name: split, operator: scatter, workers: 2, dead_letter: {attempts: 100}}
  - {name: a, from: split, plugin: $WEIR_BUILD/tests/plugins/delay_async.so, delay: 5ms, in_flight: 64, dead_letter: {attempts: 100}}
  - {name: b, from: split, operator: map, expr: '$5', dead_letter: {attempts: 100}}
  - {name: c, from: b, operator: delay, for: 20ms, dead_letter: {attempts: 100}}
  - {name: join, from: [split, a, c], operator: gather, scatter: split, within: $2, $3, dead_letter: {attempts: 100}}
  - {name: write, sink: file, path: out, encode: json, dead_letter: {attempts: 100}}
YAML
	run_with_kills 0 "$(rounds 60 2000)" 6
	sed 's/[^0-9]*\([0-9]*\).*/\1/' out | LC_ALL=C sort -n >got
	cmp got <(seq 1 "$count") >&2 || fail "$1: not each item has one result: $(wc -l <out) results"
	# Whatever is there is of the same item.
	awk -F'"n":' '{ for (i = 3; i <= NF; i++) if ($i + 0 != $2 + 0) exit 1 }' out || fail "$1: answers of two items in one"
	assert_eq "$(final stderr balanced) $(final stderr in_flight)" "true 0" "ledger: $1"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts, $(grep -vc '"missing":\[\]' out) partial"
	total=$((total + $(restarts stderr)))
}
killed "time enough" "$enough" "batch: 64, open: 200" 4k/s .
assert_eq "$(grep -vc '"missing":\[\]' out)" 0 "missing, with time enough"
# With two answers of b: the second is one too many, and comes when the result is out.
killed "two workers" "$enough" "workers: 2, balance: key(.n), open: 200" 4k/s '., .'
assert_eq "$(grep -vc '"missing":\[\]' out)" 0 "missing, with time enough and two workers"
killed "too short a time" 40ms "open: 500" 4k/s .
[ "$total" -ge 20 ] || fail "only $total deaths: the runs are too short to mean anything"
