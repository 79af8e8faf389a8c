# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# A process that is stopped while it writes into the dead letters keeps all others from it: a worker, which is then named as the one whom the
# others wait for, or somebody who is none of the pipeline, who is named by his number. The items of those who wait overrun nothing
# meanwhile; when it goes on, or is killed, each letter is there. A pipeline ends without it.
. "$WEIR_SOURCE/tests/scenario/stop.sh"
cat >spec.yaml <<YAML
pipeline: held
stages:
  - {name: some, source: generate, count: 30, text: '{n}'}
  - {name: idle, source: generate, text: tick, rate: 1}
  - {name: others, source: exec, command: 'exec tail -n +1 -f lines'}
  - {name: first, from: some, plugin: $WEIR_BUILD/tests/plugins/picky.so, shortest: 1000}
  - {name: pick, from: others, plugin: $WEIR_BUILD/tests/plugins/picky.so, shortest: 1000, deadline: 1s, dead_letter: {attempts: 1}}
  - {name: write, from: [first, pick, idle], sink: discard}
YAML
serve() {
	: >lines
	"$@" weir run --json --progress=never spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running held
}
# why PATTERN: what `weir why` says by now
why_says() { weir why held --window 0 >why 2>&1; grep -q "$1" why; }
ends() {
	wait_until 60 has_letters 60
	weir drain held >/dev/null || fail "$1: drain"
	wait "$run"
	assert_eq "$(final stderr.run balanced) $(final stderr.run rejected) $(final stderr.run dead_lettered)" "true 60 0" "$1: ledger"
	! grep -q 'has overrun' stderr.run || { grep 'has overrun' stderr.run >&2; fail "$1: who waited was blamed"; }
	assert_eq "$(weir dlq export held --raw | sort -n | tr '\n' ' ')" "$(seq 1 60 | tr '\n' ' ')" "$1: letters"
	weir dlq purge held --all >/dev/null
}

# A worker, that goes on again, or is killed.
for end in CONT KILL; do
	touch stops
	serve env LD_PRELOAD="$PWD/stop.so" WEIR_STOPS="$PWD/stops"
	wait_until 60 why_says 'stall: first#0 (pid [0-9]*) has been stopped by a signal'
	seq 31 60 >>lines
	wait_until 60 why_says 'stall: first#0 (pid [0-9]*) has been stopped by a signal.*; 1 worker waits for it'
	assert_eq "$(grep -c 'pick#0 waits for the dead letters, into which writes first#0, ' why)" 1 "$end: who waits: $(cat why)"
	assert_eq "$(grep -c 'stall: ' why)" 1 "$end: one culprit: $(cat why)"
	sleep 3 # three deadlines
	kill "-$end" "$(sed -n 's/.*stall: first#0 (pid \([0-9]*\)).*/\1/p' why)"
	ends "$end"
done

# Somebody who is none of the pipeline.
serve
wait_until 60 has_letters 30
stop_a_purge --stage first
seq 31 60 >>lines
wait_until 60 why_says "stall: pick#0 (pid [0-9]*) has waited for its turn to write a dead letter.*; it is that of process $purge, which is none of this pipeline"
grep -q 'stall: .*has been in its stage' why && fail "who waits is blamed: $(cat why)"
kill_purge
ends "somebody else"

# Nor is the end of a pipeline held up, which looks once more which of its letters are left.
serve
wait_until 60 has_letters 30
stop_a_purge --stage first
assert_exit 0 weir drain held
wait "$run"
assert_eq "$? $(final stderr.run balanced) $(final stderr.run rejected)" "3 true 30" "an end without its letters"
kill_purge
weir dlq purge held --all >/dev/null
