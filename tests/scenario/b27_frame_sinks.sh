# SPDX-License-Identifier: Apache-2.0
# Programs in frame mode at the end of a pipeline: an item is delivered when its program has said so, through kills of program and worker, and a repeat is known by its
# identity. A program that dies when it has answered everything has lost nothing.
# seconds: 120
program=$WEIR_SOURCE/tests/scenario/frame_ends.py
# spec COUNT PROGRAM_OPTIONS [STAGE_OPTIONS]
spec() {
	cat >spec.yaml <<YAML
pipeline: ends
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: $1, text: '{n}'}
  - {name: keep, from: count, sink: exec, command: [python3, $program, $WEIR_SOURCE/python, sink, out$2], mode: frame, grace: 5s, dead_letter: {attempts: 2, path: letters}${3-}}
YAML
	rm -f out letters
}
# stored FILE: the data, each once, whatever was stored twice under one identity
stored() { sort -u -k1,1 "$1" | awk '{ print $3 }' | sort -n; }

# One at a time, many, and in batches: each is stored, and once, as nobody was killed.
all_stored() {
	spec 300 "$@"
	assert_exit 0 weir run --json spec.yaml
	assert_eq "$(awk '{ print $3 }' out | sort -n | sha256sum)" "$(seq 1 300 | sha256sum)" "stored: $*"
	assert_eq "$(awk '{ print $1 }' out | sort -u | wc -l)" 300 "identities: $*"
	assert_eq "$(final stderr delivered) $(final stderr balanced) $(restarts stderr)" "300 true 0" "ledger: $*"
}
all_stored '' ''
all_stored '' ', in_flight: 64'
all_stored ', batch=50' ', in_flight: 200'

# What is refused, and what fails each time, also amid a batch, which is stored all the same.
for batch in '' ', batch=20'; do
	spec 100 ", refuse=50, fail=60$batch" ', in_flight: 40'
	assert_exit 3 weir run --json spec.yaml
	assert_eq "$(awk '{ print $3 }' out | sort -n | sha256sum)" "$(seq 1 100 | grep -v -x -e 50 -e 60 | sha256sum)" "stored$batch"
	assert_eq "$(grep -c '"cause":"rejected".*refused it: not this one' letters) $(grep -c '"cause":"attempts".*ValueError: what is this' letters) $(wc -l <letters)" "1 1 2" "letters$batch"
done

# All is answered. Who is killed then has lost nothing; who says by its exit code that something is wrong is believed.
spec 10 ', end=kill' ', in_flight: 4'
assert_exit 0 weir run --json spec.yaml
assert_contains stderr "killed by signal 9 (KILL) at the end, when all items were answered: nothing is lost"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "10 true" "killed at the end"
spec 10 ', end=exit' ', in_flight: 4'
assert_exit 3 weir run --json spec.yaml
assert_contains stderr "has answered all items, but then: exit status 7"

# Programs and workers are killed: whatever was not answered, or whose answer was not committed, is given again, under the same identity.
count=$(rounds 3000 200000)
spec "$count" ', batch=8, slow=0.01' ', in_flight: 64, workers: 2'
sed -i 's/dead_letter: {attempts: 2,/dead_letter: {attempts: 5,/' spec.yaml
weir run --json spec.yaml 2>stderr &
run=$!
wanted=$(rounds 6 200) programs=0 workers=0
# Only who has stored more than a batch is killed: three programs in a row that have come to nothing end their stage, and rightly.
victim() {
	kill -0 "$run" 2>/dev/null || return 0
	for pid in $(worker_pids ends | shuf); do
		child=$(pgrep -P "$pid" python3)
		[ "$(cat out 2>/dev/null | grep -c " $child\$")" -gt 16 ] && return 0
	done
	return 1
}
while [ "$((programs + workers))" -lt "$wanted" ] && kill -0 "$run" 2>/dev/null; do
	child='' pid=''
	wait_until 60 victim
	if [ "$(((programs + workers) % 3))" -gt 0 ]; then
		kill -KILL "$child" 2>/dev/null && programs=$((programs + 1))
	else
		kill -KILL "$pid" 2>/dev/null && workers=$((workers + 1))
	fi
done
wait "$run"
assert_eq $? 0 "exit code"
assert_eq "$(stored out | sha256sum)" "$(seq 1 "$count" | sha256sum)" "stored through kills"
assert_eq "$(awk '{ print $1, $3 }' out | sort -u | wc -l)" "$count" "identities with their items"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$count true" "ledger"
[ ! -e letters ] || fail "somebody innocent was given up"
[ "$((programs + workers))" -ge 3 ] || fail "only $programs programs and $workers workers were killed"
echo "$programs programs, $workers workers killed; $(($(wc -l <out) - count)) of $count items stored twice"
