# SPDX-License-Identifier: Apache-2.0
# A stage grows from 1 to 8 and shrinks back several times, under load and random kills: every item arrives exactly once, in the order that
# the stage keeps: all of it (fifo), that of each key, or none. Seats that rest hold no process, and are said to rest.
# seconds: 240
# takes: 9
spec() {
	cat >spec.yaml <<YAML
pipeline: $1
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: file, path: $PWD/in, follow: true}
  - {name: pace, operator: throttle, rate: 20k/s}
  - {name: work, $2, workers: {min: 1, max: 8, target_age: 0}, dead_letter: {attempts: 100}}
  - {name: write, sink: file, path: out}
YAML
}

working() { # how many workers of the stage live
	weir ps "$1" --json 2>/dev/null | grep -o '"name":"work".*"name":"write"' | grep -o '"index":[0-9]*,"pid":[0-9]' | wc -l
}

blocks() { # of 512 bytes that the segment of the last worker's seat has
	local fd
	for fd in /proc/"$pipeline"/fd/*; do
		[[ $(readlink "$fd") != "/memfd:weir-work-7"* ]] || { stat -L -c %b "$fd"; return; }
	done
}

# ups_and_downs NAME ROUNDS: so many at least, and until all kills are done; each change is waited for, and is what was asked for
ups_and_downs() {
	local n=0
	until [ "$n" -ge "$2" ] && [ -s kills ]; do
		n=$((n + 1))
		for workers in 8 $((2 + RANDOM % 6)) 1; do
			weir scale "$1" work=$workers --timeout 120s >scaled 2>&1 || { cat scaled stderr >&2; fail "$1: work=$workers"; }
		done
	done
}

# scaled NAME STAGE CHECK: a run with changes and kills; then what came out is checked
scaled() {
	local killer status
	rm -f out ended kills
	spec "$1" "$2"
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	wait_until 60 running "$1"
	assert_eq "$(working "$1") $(weir ps "$1" | grep -c 'work#[1-7] *resting')" "1 7" "$1: at first"
	[ "$(blocks)" -lt 300 ] || fail "$1: a seat that rests has the pages of its lane: $(blocks) blocks"
	kill_workers "$pipeline" "$(rounds 12 1000)" 3 0.05 >kills &
	killer=$!
	ups_and_downs "$1" "$(rounds 2 50)"
	wait "$killer"
	[ "$(blocks)" -ge 512 ] || fail "$1: a seat that has worked has $(blocks) blocks"
	wait_until 60 test "$(working "$1")" = 1
	weir drain "$1" >/dev/null || fail "$1: drain"
	wait "$pipeline"
	status=$?
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "$1: exit code $status"; }
	assert_eq "$(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "0 true 0" "$1: ledger"
	$3
	echo "$1: $(wc -l <out) items, $(cat kills) kills, $(grep -c 'workers\? now' stderr) changes"
}

each_once() {
	head -n "$(wc -l <out)" in >expected
	sort -n out | cmp - expected >&2 || fail "not every item once"
}
in_order() {
	head -n "$(wc -l <out)" in >expected
	cmp out expected >&2 || fail "not every item once, in order"
}
keys_in_order() {
	each_once
	awk '$1 <= last[$2] { print $0 " after " last[$2]; exit 1 } { last[$2] = $1 }' out >&2 || fail "a key is out of order"
}
seq "$(rounds 1000000 20000000)" | awk '{ print $1, "k" $1 % 17 }' >in
scaled fifo "exec: [cat], mode: line, order: fifo" in_order
scaled keys "exec: [cat], mode: line, order: key, balance: 'key(field(2))'" keys_in_order
scaled loose "exec: [cat], mode: line" each_once
