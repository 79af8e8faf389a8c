# SPDX-License-Identifier: Apache-2.0
# on_failure: degrade. One of three workers dies of every item: it is retired, what waited for it goes to its siblings, every item arrives
# exactly once, and the exit code is 0. Also when the source has long given out all that it had, and with random kills of the others.
# seconds: 180
plugin=$WEIR_BUILD/tests/plugins/unlucky.so
cat >spec.yaml <<YAML
pipeline: unlucky
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 100k, text: '{n}'}
  - name: work
    plugin: $plugin
    workers: 3
    on_failure: degrade
    restart: {intensity: 12, period: 60s, backoff: 1ms, backoff_max: 1ms}
    dead_letter: {attempts: 100}
  - {name: all, sink: file, path: out}
YAML
seq 100000 | LC_ALL=C sort >expected

# How many workers of the stage were retired, by the summary: the progress lines of a slow run say it too.
retired() {
	grep '"type":"summary"' stderr | grep -o '"retired":[1-9][0-9]*' | sed 's/.*://'
}

check() {
	LC_ALL=C sort out >sorted
	cmp sorted expected >&2 || fail "$1: not every item exactly once ($(wc -l <out) lines)"
	assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "100000 0 true 0" "$1: ledger"
	assert_eq "$(retired)" 1 "$1: retired"
	assert_contains stderr "is retired: more than 12 deaths"
}

# At once; in the middle; at the end of the stream, when small lanes hold all that the source ever had.
for after in 0 3000 12000; do
	rm -f out
	assert_exit 0 weir run --json --set stages.work.after=$after spec.yaml
	check "after $after"
done
rm -f out
sed -e 's/count: 100k/count: 2k/' spec.yaml >short.yaml
assert_exit 0 weir run --json short.yaml
seq 2000 >short
sort -n out >sorted
assert_file_equal sorted short "a short stream"

# Killed at random, the producer in the middle of moving too; not so often that a second worker has used up its restarts.
total=0
for round in $(seq "$(rounds 3 100)"); do
	rm -f out ended
	kill_randomly unlucky 20 24 >kills &
	killer=$!
	weir run --json --set stages.work.after=$((RANDOM % 8000)) --set stages.numbers.rate=120k spec.yaml 2>stderr
	status=$?
	touch ended
	wait "$killer"
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status in round $round"; }
	check "round $round"
	total=$((total + $(cat kills)))
done
echo "$total kills"
[ "$total" -ge 20 ] || fail "only $total kills: the run is too short to mean anything"

# When nobody is left the stage has failed, as without degrade.
assert_exit 3 weir run --json --set stages.work.worker=64 --set stages.numbers.count=1k spec.yaml
assert_contains stderr "stage 'work' failed: more than 12 deaths"
assert_eq "$(final stderr balanced) $(retired)" "true 2" "all of them"
