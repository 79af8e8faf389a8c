# SPDX-License-Identifier: Apache-2.0
# on_failure: drop_branch. A stage fails for good, and everybody else goes on as if it had left: the other branch gets every item exactly once,
# what came to the failed stage is counted as cancelled, nothing waits for it, and the exit code says that there were losses.
# seconds: 240
plugins=$WEIR_BUILD/tests/plugins
seq 20000 >expected
pad=$(printf 'x%.0s' $(seq 60))

# spec MIDDLE: numbers -> keep; numbers -> bad -> behind -> out, and `bad` is as MIDDLE says
spec() {
	cat <<YAML
pipeline: branches
restart: {intensity: 3, period: 60s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 20k, text: '{n} $pad', restart: {intensity: 1000}}
  - {name: keep, from: numbers, sink: file, path: keep, lane: 64KiB, restart: {intensity: 1000}}
  - {name: bad, from: numbers, lane: 64KiB, on_failure: drop_branch, $1}
  - {name: behind, plugin: $plugins/mortal.so, lane: 64KiB, restart: {intensity: 1000}, dead_letter: {attempts: 100}}
  - {name: out, sink: file, path: out, lane: 64KiB, restart: {intensity: 1000}}
YAML
}

# run WHAT ARGUMENTS...: the kept branch is whole, the books balance, nothing is left in flight
run() {
	local what=$1
	shift
	rm -f keep out
	assert_exit 3 weir run --json "$@" spec.yaml
	assert_contains stderr "its branch is dropped"
	cut -d ' ' -f 1 keep >kept
	cmp kept expected >&2 || fail "$what: not every item exactly once in the other branch ($(wc -l <keep) lines)"
	assert_eq "$(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "0 true 0" "$what: ledger"
}

# What came to it is delivered, or cancelled: nothing else.
account() {
	assert_eq "$(($(final stderr cancelled) + $(cat out 2>/dev/null | wc -l)))" 20000 "$1: cancelled and delivered"
}

# Dies of every item once it has passed on 5000; those it has passed on arrive, those it has not are cancelled.
spec "plugin: $plugins/unlucky.so, worker: 64, after: 5000, dead_letter: {attempts: 100}" >spec.yaml
run "dies too often"
cut -d ' ' -f 1 out >passed
seq 5000 >first
assert_file_equal passed first "what it had passed on"
account "dies too often"
assert_contains stderr "stage 'bad' failed: more than 3 deaths"

# With several workers, in order, and with items dealt by key: all of its seats are taken over.
for more in "order: fifo" "order: key, balance: key(item)" "full: drop-old"; do
	spec "plugin: $plugins/unlucky.so, worker: 1, after: 500, workers: 3, dead_letter: {attempts: 100}, $more" >spec.yaml
	run "$more"
	cut -d ' ' -f 1 out | sort -n | uniq -d >twice
	[ ! -s twice ] || fail "$more: twice: $(head -n 3 twice)"
	case $more in
	*fifo*) cut -d ' ' -f 1 out | sort -n -c || fail "$more: out of order" ;;
	esac
done

# It says that it can't go on.
sed -e '/name: behind/,$d' -e '/name: bad/d' spec.yaml >head.yaml
{ cat head.yaml; echo '  - {name: bad, from: numbers, sink: file, path: /dev/full, lane: 64KiB, on_failure: drop_branch}'; } >spec.yaml
run "says so"
assert_eq "$(final stderr cancelled)" 20000 "says so: cancelled"

# A temporary one ends with its first death; with items held in a block that nobody can finish.
spec "exec: 'kill -KILL \$PPID; cat', block: all, restart: {type: temporary}" >spec.yaml
run "temporary"
assert_contains stderr "stage 'bad' failed: a temporary worker died"
account "temporary"

# A stage behind it that adds up must not take for the end what is none: it says nothing rather than half of it.
spec "plugin: $plugins/unlucky.so, worker: 64, after: 5000, dead_letter: {attempts: 100}" |
	sed -e "s|name: behind, plugin: [^,]*|name: behind, exec: [wc, -l], block: all|" >spec.yaml
grep -q 'wc, -l' spec.yaml || fail "the spec has no sum"
run "a sum"
[ ! -s out ] || fail "a sum of a part: $(cat out)"

# A stage to which nobody else listens: an endless source ends.
cat >spec.yaml <<YAML
pipeline: alone
restart: {intensity: 3, period: 60s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, text: '{n}'}
  - {name: before, exec: [cat], mode: line}
  - {name: bad, plugin: $plugins/unlucky.so, worker: 64, after: 100, on_failure: drop_branch, dead_letter: {attempts: 100}}
  - {name: out, sink: file, path: out}
YAML
rm -f out
assert_exit 3 weir run --json spec.yaml
seq 100 >first
assert_file_equal out first "nobody else listens"
assert_eq "$(final stderr in_flight) $(final stderr balanced)" "0 true" "nobody else listens"

# A stage that reads from it and from others does all that they give it; its own on_failure says nothing of that.
cat >spec.yaml <<YAML
pipeline: mixed
strategy: one_for_all
restart: {intensity: 3, period: 60s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 20k, text: '{n}'}
  - {name: bad, from: numbers, plugin: $plugins/unlucky.so, worker: 64, after: 500, on_failure: drop_branch, dead_letter: {attempts: 100}}
  - {name: good, from: numbers, exec: [cat], mode: line}
  - {name: both, from: [bad, good], plugin: $plugins/mortal.so}
  - {name: keep, sink: file, path: keep}
YAML
rm -f keep
assert_exit 3 weir run --json spec.yaml
{ seq 20000; seq 500; } | LC_ALL=C sort >all
LC_ALL=C sort keep >kept
assert_file_equal kept all "a stage with another input"
assert_eq "$(final stderr in_flight) $(final stderr balanced) $(final stderr cancelled)" "0 true 19500" "a stage with another input"

# A source that fails ends, and the other one goes on.
cat >spec.yaml <<YAML
pipeline: sources
stages:
  - {name: numbers, source: generate, count: 20k, text: '{n}'}
  - {name: bad, source: exec, command: 'echo 20001; exit 7', on_failure: drop_branch}
  - {name: keep, from: [numbers, bad], sink: file, path: keep}
YAML
rm -f keep
assert_exit 3 weir run --json spec.yaml
seq 20001 >expected
sort -n keep >kept
assert_file_equal kept expected "two sources"
seq 20000 >expected
assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "20001 0 true" "two sources"

# Random kills of everybody, stand-ins too.
total=0
spec "plugin: $plugins/unlucky.so, worker: 64, after: 2000, workers: 2, dead_letter: {attempts: 100}" >spec.yaml
for round in $(seq "$(rounds 2 100)"); do
	rm -f ended
	kill_randomly branches 20 40 >kills &
	killer=$!
	run "kills, round $round" --set stages.numbers.rate=20k --set stages.numbers.dead_letter.attempts=100 --set stages.keep.dead_letter.attempts=100 --set stages.bad.restart.intensity=30
	touch ended
	wait "$killer"
	account "kills, round $round"
	total=$((total + $(cat kills)))
done
echo "$total kills"
[ "$total" -ge 20 ] || fail "only $total kills: the run is too short to mean anything"
