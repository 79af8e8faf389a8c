# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# Somebody stands still in the middle of writing into the dead letters (^Z, SIGSTOP), and is none of the pipeline. A run whose time has come ends
# all the same, with a supervisor that answers; what it could not settle it says, with who kept it from that, and nothing is lost or done twice.
# Who gives letters again or purges says for whom it waits, and waits no longer than it was told to.
. "$WEIR_SOURCE/tests/scenario/stop.sh"
# In order and with several workers a letter waits for the next run, and here none comes: its mark stands until the end.
spec() {
	cat >spec.yaml <<-YAML
	pipeline: held
	drain: 60s
	stages:
	  - {name: lines, source: exec, command: 'exec tail -n +1 -f --pid=\$(cat alive) lines'}
	  - {name: pick, plugin: $WEIR_BUILD/tests/plugins/picky.so, shortest: $1, workers: 2, order: fifo}
	  - {name: write, sink: file, path: out}
	YAML
}
serve() {
	sleep 1000 &
	alive=$!
	echo "$alive" >alive
	weir run --json --progress=never spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running held
}
ended() { ! kill -0 "$run" 2>/dev/null; }

# Its input ends: nothing was given again, so there is nothing to settle, and what is left is read without any turn.
spec 1000
seq 4 >lines
serve
wait_until 60 has_letters 4
stop_a_purge 1
kill "$alive"
wait_until 60 ended
wait "$run"
assert_eq "$?" 3 "exit code with letters left"
grep -q 'could not\|may still be in the store' stderr.run && fail "said what is not so: $(cat stderr.run)"
kill_purge
assert_eq "$(letters)" 4 "letters"

# Who purges, and who gives again, says for whom he waits.
spec 0
: >lines
rm -f out
serve
stop_a_purge 1
assert_exit 75 timeout 60 weir dlq replay held --all --timeout 2s >answer
assert_contains stderr "process $purge (weir dlq purge held 1), which is stopped, has the turn to write"
assert_contains stderr "(kill -CONT $purge)"
assert_contains stderr "nothing was given again"
weir dlq purge held 2 >purged.2 2>stderr.2 &
second=$!
wait_until 60 grep -q "process $purge (weir dlq purge held 1), which is stopped, has the turn to write into the dead letters; this waits" stderr.2
kill_purge
wait "$second" || fail "purge after the wait: $?"
assert_eq "$(cat purged.2) $(letters)" "held: 1 letter purged 3" "purge"

# Marks stand, and the run is told to end.
assert_exit 0 weir dlq replay held --all --no-wait >answer
stop_a_purge 1
weir drain held --timeout 60s >drained 2>&1 || fail "drain: $? $(cat drained)"
wait_until 60 ended
wait "$run"
assert_eq "$?" 3 "exit code of a run that could not settle its letters"
grep '"type":"summary"' stderr.run >summary
assert_contains summary "ended with losses: no item was lost; some dead letters that were given again may still be in the store"
assert_contains summary "process $purge (weir dlq purge held 1), which is stopped, has the turn to write"
kill_purge
kill "$alive" 2>/dev/null
assert_eq "$(letters)" 3 "letters that nobody has taken"

# The next run gives them, once.
rm -f out
seq 101 104 >lines
serve
weir dlq replay held --all --no-wait >answer || fail "replay: $?"
# Runs for them to join, of each worker.
n=104
all_given() { n=$((n + 1)); echo "$n" >>lines; has_letters 0; }
wait_until 60 all_given
kill "$alive"
wait_until 60 ended
wait "$run"
assert_eq "$?" 0 "exit code of the next run"
assert_eq "$(sort -n out | tr '\n' ' ')" "1 3 4 $(seq 101 $n | tr '\n' ' ')" "each once"
