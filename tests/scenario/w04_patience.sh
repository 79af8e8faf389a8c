# SPDX-License-Identifier: Apache-2.0
# With more workers than processors, who waits for room is in SCHED_BATCH, and who waits for items is not; a class that somebody chose stays.
# seconds: 60
cat >spec.yaml <<YAML
pipeline: patient
stages:
  - {name: numbers, source: generate, count: 3000000}
  - {name: pass, plugin: $WEIR_BUILD/tests/plugins/relay.so}
  - {name: hold, workers: $(($(nproc) + 1)), sink: exec, command: 'while ! [ -e go ]; do sleep 0.1; done; exec cat >/dev/null'}
YAML
pid_of() {
	weir ps patient --json | grep -o "\"name\":\"$1\".*" | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://'
}
in_class() {
	chrt -p "$(pid_of "$1")" 2>/dev/null | grep -q "policy: $2\$"
}
run_in() {
	rm -f go
	"$@" weir run --json --progress=never spec.yaml 2>log >/dev/null &
	run=$!
	wait_until 60 running patient
}
finish() {
	touch go
	wait "$run" || fail "exit code $?"
	assert_eq "$(final log delivered)" 3000000 delivered
	assert_eq "$(final log balanced)" true ledger
}

run_in env
wait_until 60 in_class numbers SCHED_BATCH
wait_until 60 in_class pass SCHED_BATCH
in_class hold SCHED_OTHER || fail "who waits for its program is patient"
finish

run_in chrt --idle 0
wait_until 60 weir why patient --window 0 >/dev/null
in_class numbers SCHED_IDLE || fail "another class than the one that was chosen"
in_class pass SCHED_IDLE || fail "another class than the one that was chosen"
finish
