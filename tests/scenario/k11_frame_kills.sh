# SPDX-License-Identifier: Apache-2.0
# Sixty-four items at a time in a program, which is killed at random, and so are the workers: each item arrives once. And one that kills it.
# seconds: 180
# takes: 23
program=$WEIR_SOURCE/tests/scenario/frames.py
count=$(rounds 25000 400000)
cat >spec.yaml <<YAML
pipeline: calls
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: $count, text: '{n}'}
  - {name: call, exec: [python3, $program, $WEIR_SOURCE/python, delay=0.02], mode: frame, in_flight: 64, dead_letter: {path: letters}}
  - {name: write, sink: file, path: out}
YAML

# The programs themselves: children of the workers. Not so often that they never get ready, or that an innocent item is alone in hand thrice. Also
# at their end: one that is killed when it has answered all and has yet to exit has lost nothing.
kill_programs() {
	local n=0 pid programs
	while [ ! -e ended ]; do
		for pid in $(worker_pids calls); do
			programs=($(pgrep -P "$pid" python3))
			[ "${#programs[@]}" -eq 0 ] || { kill -KILL "${programs[0]}" 2>/dev/null && n=$((n + 1)); }
		done
		sleep 2.5
	done
	echo "$n"
}

for workers in 1 2; do
	rm -f out ended
	kill_programs >programs &
	programs=$!
	kill_randomly calls 1500 >kills &
	killer=$!
	weir run --json --set stages.call.workers=$workers spec.yaml 2>stderr
	status=$?
	touch ended
	wait "$killer" "$programs"
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status with $workers workers"; }
	assert_eq "$(sort -n out | sha256sum)" "$(seq 1 "$count" | sha256sum)" "result with $workers workers"
	assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr balanced)" "$count $count true" "ledger with $workers workers"
	[ ! -e letters ] || fail "somebody innocent was given up"
	echo "$workers workers: $(cat programs) programs, $(cat kills) workers killed"
	[ "$(cat programs)" -ge 2 ] || fail "only $(cat programs) programs were killed"
done

# An item that kills its program: it alone is given up, the worker never dies, and the others are not counted.
cat >poison.yaml <<YAML
pipeline: poison
stages:
  - {name: count, source: generate, count: 2000, text: '{n}'}
  - {name: call, exec: [python3, $program, $WEIR_SOURCE/python, poison=777], mode: frame, in_flight: 64, dead_letter: {attempts: 2, path: letters}}
  - {name: write, sink: file, path: out}
YAML
assert_exit 3 weir run --json poison.yaml
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 2000 | grep -v -x 777 | sha256sum)" "without the poison"
assert_eq "$(wc -l <letters) $(grep -c '"cause":"attempts".*"attempts":2' letters) $(restarts stderr)" "1 1 0" "letters, workers"
assert_contains letters '"payload":"777"'
assert_contains stderr "at a time until they are through"
[ "$(grep -c 'is started again' stderr)" -le 4 ] || fail "it took $(grep -c 'is started again' stderr) programs to find it"
