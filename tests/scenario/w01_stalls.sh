# SPDX-License-Identifier: Apache-2.0
# What keeps a pipeline from moving is named in the log, once, and by `weir why`: a sink that is stopped, a stage that never returns, one asleep
# in a system call, a loop that stands still, a stage that puts everything aside.
# seconds: 400
# takes: 12
plugins=$WEIR_BUILD/tests/plugins

# begin SPEC-LINES...: runs the pipeline `stuck` in the background
begin() {
	{
		printf 'pipeline: stuck\ngrace: 200ms\ndrain: 1s\nstages:\n'
		printf '  - %s\n' "$@"
	} >spec.yaml
	weir run --json spec.yaml 2>log >/dev/null &
	run=$!
	wait_until 60 running stuck
}

is_stuck() {
	weir why stuck --window 0 >why 2>/dev/null
	[ $? = 1 ]
}

# named KIND FRAGMENT...: in the log, before anybody asks, and in the answer
named() {
	local kind=$1 fragment
	shift
	wait_until 120 grep -q "\"$kind: " log
	wait_until 120 is_stuck
	grep "\"$kind: " log >said
	for fragment in "$@"; do
		assert_contains said "$fragment"
		assert_contains why "$fragment"
	done
	assert_contains why "what to do: "
	assert_eq "$(grep -c "\"$kind: " log)" 1 "told so often"
	weir why stuck --window 0 --json >why.json
	assert_eq "$? $(grep -c '"stuck":true' why.json)" "1 1" "weir why --json"
	assert_exit 1 weir why >/dev/null
}

finish() {
	kill -INT "$run"
	wait "$run"
	assert_eq "$(final log balanced)" true ledger
}

# A sink that is stopped: not a deadlock, though everybody waits. It goes on, and that is told too.
stopped() {
	local sink
	begin "{name: numbers, source: generate, text: '{n}'}" "{name: pass, exec: [cat]}" "{name: out, sink: file, path: out}"
	sink=$(worker_pids stuck | tail -n 1)
	kill -STOP "$sink"
	named stall "out#0 (pid $sink) has been stopped by a signal" "numbers#0 -> pass#0 -> out#0"
	kill -CONT "$sink"
	wait_until 120 grep -q "the stall of out#0 (stopped) is over after" log
	assert_exit 0 weir why stuck --window 0 >why
	assert_contains why "stuck: nothing is stuck"
	grep -q deadlock log && fail "a stopped sink was called a deadlock"
	finish
}

# A stage that computes for ever, and one that sleeps: on which item, and how.
for_ever() {
	begin "{name: numbers, source: generate, text: '{n}'}" "{name: mill, plugin: $plugins/stuck.so, how: spin, at: 1000}" "{name: out, sink: discard}"
	named stall "mill#0 (pid " "has been in its stage for" "on item 999 from 'numbers'" "numbers#0 -> mill#0"
	kill -KILL "$(worker_pids stuck | sed -n 2p)"
	wait_until 120 grep -q "the stall of mill#0 (callback) is over after .*: its worker has ended" log
	finish
}
asleep() {
	begin "{name: one, source: generate, count: 1}" "{name: mill, plugin: $plugins/stuck.so, how: sleep}" "{name: out, sink: discard}"
	named stall "mill#0 (pid " "has been in its stage for" "on item 0 from 'one'" "the process is asleep"
	finish
}

# A program that does not read on.
deaf() {
	begin "{name: numbers, source: generate, text: '{n}'}" "{name: deaf, exec: [sleep, '1000'], mode: line}" "{name: out, sink: discard}"
	named stall "deaf#0 (pid " "has waited for something outside of weir for" "its program sleep (pid " "numbers#0 -> deaf#0"
	finish
}

# A loop whose stages put more into it than they take out.
growing_loop() {
	begin "{name: numbers, source: generate, text: '{n} 0'}" \
		"{name: head, from: [numbers, {stage: again, credit: 64}], plugin: $plugins/unlucky.so, worker: 63, lane: 64KiB}" \
		"{name: again, plugin: $plugins/again.so, rounds: 1000000, copies: 2, lane: 64KiB}" "{name: done, from: again, sink: discard}"
	named deadlock "head#0 (pid " "waits for room at again#0" "from head#0"
	finish
}

# A stage that defers and never settles.
unsettled() {
	begin "{name: numbers, source: generate, text: '{n}'}" "{name: mill, plugin: $plugins/stuck.so, how: defer, at: 1000, in_flight: 8}" \
		"{name: out, sink: discard}"
	named deadlock "mill#0 (pid " "sleeps and nobody will wake it" "with 8 items put aside" "numbers#0 -> mill#0"
	finish
}

AT_ONCE=6
for case in stopped for_ever asleep deaf growing_loop unsettled; do
	beside $case $case
done
all_beside

assert_exit 3 weir why stuck
assert_contains stderr "no pipeline 'stuck' is running"
assert_exit 2 weir why ../stuck
