# SPDX-License-Identifier: Apache-2.0
# Below the obituary of a worker stand the last events of its flight recorder, the oldest first: its own, also when it is the second that
# dies in that seat. A slow stage's last item is among them. With `recorder: off` there are none, and the memory for them is not wanted either.
# seconds: 120
# sanitizers: no, unit tests read and write rings, and all scenarios record
spec() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	recorder: $2
	restart: {intensity: 100, backoff: 1ms, backoff_max: 5ms}
	stages:
	  - {name: numbers, source: generate, rate: 50, text: '{n}'}
	  - {name: slow, exec: 'while read -r line; do sleep 0.002; echo "\$line"; done', mode: line}
	  - {name: out, sink: file, path: $1.out}
	YAML
}
has_items() { [ "$(cat "$1.out" 2>/dev/null | wc -l)" -ge "$2" ]; }
deaths() { [ "$(grep -c 'generation [0-9]* was killed by SIGKILL' "$1.log")" -ge "$2" ]; }
# kill_slow NAME NTH
kill_slow() {
	kill -KILL "$(weir ps "$1" --json | grep -o '"name":"slow".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')"
	wait_until 30 deaths "$1" "$2"
}
run() {
	spec "$1" "$2"
	weir run "$1.yaml" 2>"$1.log" &
	wait_until 60 has_items "$1" 5
	kill_slow "$1" 1
	wait_until 60 has_items "$1" $(($(wc -l <"$1.out") + 5))
	kill_slow "$1" 2
	assert_exit 0 weir drain "$1"
	wait
	seq 1 "$(wc -l <"$1.out")" | cmp - "$1.out" || fail "$1: not every item arrived once"
}
run recorded on
run unrecorded off

# Six lines follow each obituary, in their order; they name this worker's lanes.
[ "$(grep -c ' stage=slow .*last event [1-6] of 6, .* before its death: ' recorded.log)" = 12 ] || { cat recorded.log >&2; fail "not six events below each"; }
grep -A6 'was killed by SIGKILL' recorded.log | grep -o 'killed by\|last event [1-6]' >order
for _ in 1 2; do printf '%s\n' 'killed by' 'last event 1' 'last event 2' 'last event 3' 'last event 4' 'last event 5' 'last event 6'; done >wanted
cmp order wanted || fail "$(cat order)"
grep -q 'before its death: \(take numbers#0->slow#0\|process numbers#0->slow#0\|emit slow#0->out#0\) .*sequence [0-9]' recorded.log ||
	{ cat recorded.log >&2; fail "no item among the last events"; }
grep -q 'last event' unrecorded.log && fail "recorder: off: $(cat unrecorded.log)"

bound() { weir check "$1.yaml" --json | grep -o '"memory_bound_bytes":[0-9]*' | sed 's/.*://'; }
assert_eq $(($(bound recorded) - $(bound unrecorded))) $((3 * 33 * 4096))
