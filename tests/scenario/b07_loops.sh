# SPDX-License-Identifier: Apache-2.0
# Feedback edges: items come back until they are done, nothing is lost, and the pipeline ends by itself once the loop is empty.
# seconds: 240
# takes: 23
plugins=$WEIR_BUILD/tests/plugins
count=$(rounds 20000 20000 4000)
cat >spec.yaml <<YAML
pipeline: loop
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: $count, text: '{n} 0'}
  - {name: head, from: [numbers, {stage: again, credit: 64}], plugin: $plugins/unlucky.so, worker: 63}
  - {name: middle, exec: [cat], block: 8KiB, block_wait: 5ms, workers: 2}
  - {name: again, plugin: $plugins/again.so, workers: 2}
  - {name: done, from: again, sink: file, path: out}
YAML

# check WHAT COUNT ROUNDS
check() {
	sort -n out >sorted
	seq -f "%.0f $3" "$2" >expected
	cmp sorted expected >&2 || fail "$1: not every item exactly once, after $3 rounds ($(wc -l <out) lines)"
	assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "$2 0 true" "$1: ledger"
}

assert_exit 0 weir run --json spec.yaml
check "three rounds" "$count" 3

# The smallest credit, and items of which only a few fit into the loop at a time, the last of them larger than its gate lets in otherwise.
rm -f out
assert_exit 0 weir run --json --set stages.again.workers=1 --set stages.middle.workers=1 --set stages.numbers.count=300 \
	--set 'stages.head.from=[numbers, {stage: again, credit: 1}]' spec.yaml
check "a credit of one" 300 3
rm -f out
assert_exit 0 weir run --json --set stages.numbers.size=8000 --set stages.numbers.count=2k --set stages.head.lane=64KiB \
	--set stages.again.lane=64KiB --set stages.middle.lane=64KiB spec.yaml
assert_eq "$(cut -d' ' -f2 out | grep -c '^3')  $(wc -l <out)" "2000  2000" "large items"

# Narrow lanes, large items, many rounds: without the gate the head would fill the loop until everybody waits for room.
cat >narrow.yaml <<YAML
pipeline: narrow
stages:
  - {name: numbers, source: generate, count: 500, text: '{n} 0 ', size: 8000}
  - {name: head, from: [numbers, {stage: again, credit: 1}], plugin: $plugins/unlucky.so, worker: 63, lane: 64KiB}
  - {name: middle, plugin: $plugins/unlucky.so, worker: 63, lane: 64KiB}
  - {name: again, plugin: $plugins/again.so, rounds: 30, lane: 64KiB}
  - {name: done, from: again, sink: file, path: out}
YAML
rm -f out
assert_exit 0 timeout 60 weir run --json narrow.yaml
assert_eq "$(cut -d' ' -f2 out | grep -c '^30$') $(wc -l <out)" "500 500" "narrow lanes"

# A stage that still emits into the loop when its input has ended: that comes too late, is counted, and nobody waits for it.
cat >late.yaml <<YAML
pipeline: late
stages:
  - {name: numbers, source: generate, count: 100, text: '{n} 0'}
  - {name: head, from: [numbers, {stage: again, credit: 64}], plugin: $plugins/unlucky.so, worker: 63}
  - {name: again, plugin: $plugins/again.so, late: 50}
  - {name: done, from: again, sink: file, path: out}
YAML
rm -f out
assert_exit 3 timeout 60 weir run --json late.yaml
assert_eq "$(wc -l <out) $(final stderr cancelled) $(final stderr balanced)" "100 50 true" "what comes too late"

# Somebody behind the loop has enough: that reaches the endless source, whichever stage the exit is at.
rm -f out
cat >enough.yaml <<YAML
pipeline: enough
stages:
  - {name: numbers, source: generate, text: '{n} 0'}
  - {name: head, from: [numbers, {stage: again, credit: 64}], plugin: $plugins/unlucky.so, worker: 63}
  - {name: middle, exec: [cat], block: 8KiB, block_wait: 5ms, workers: 2}
  - {name: again, plugin: $plugins/again.so, workers: 2}
  - {name: some, from: again, operator: take, count: 1000}
  - {name: done, sink: file, path: out}
YAML
assert_exit 0 timeout 60 weir run --json enough.yaml
assert_eq "$(cut -d' ' -f2 out | grep -c '^3$') $(final stderr delivered) $(final stderr balanced)" "1000 1000 true" "enough of a loop"
rm -f out
cat >early.yaml <<YAML
pipeline: early
stages:
  - {name: numbers, source: generate, text: '{n}'}
  - {name: head, from: [numbers, {stage: back, credit: 64}], plugin: $plugins/unlucky.so, worker: 63}
  - {name: middle, from: head, plugin: $plugins/unlucky.so, worker: 63}
  - {name: back, from: middle, exec: [sed, -n, 's/7$/8/p'], block: 4KiB, block_wait: 5ms}
  - {name: some, from: middle, operator: take, count: 1000}
  - {name: done, sink: file, path: out}
YAML
assert_exit 0 timeout 60 weir run --json early.yaml
assert_eq "$(wc -l <out) $(final stderr delivered) $(final stderr balanced)" "1000 1000 true" "an exit before the way back"

# A stage that sends two items round for each that it takes: no room is enough, so the loop stands still. It must say so, and end when told to.
cat >growing.yaml <<YAML
pipeline: growing
grace: 1s
drain: 1s
stages:
  - {name: numbers, source: generate, text: '{n} 0'}
  - {name: head, from: [numbers, {stage: again, credit: 64}], plugin: $plugins/unlucky.so, worker: 63, lane: 64KiB}
  - {name: again, plugin: $plugins/again.so, rounds: 1000000, copies: 2, lane: 64KiB}
  - {name: done, from: again, sink: file, path: out}
YAML
rm -f out
weir run --json growing.yaml 2>stderr &
run=$!
wait_until 60 grep -q "stands still" stderr
assert_contains stderr "waits for room to 'again'"
assert_contains stderr "come back from 'again'"
kill -INT "$run"
wait "$run"
status=$?
[ "$status" = 4 ] || { cat stderr >&2; fail "exit code $status of a loop that stands still"; }
assert_eq "$(final stderr balanced)" true "ledger of a loop that stands still"

# Items that end inside of the loop, where nobody tells the head.
rm -f out
assert_exit 0 weir run --json --set stages.again.lose=2 spec.yaml
assert_eq "$(wc -l <out) $(final stderr in_flight) $(final stderr balanced)" "$((count / 2)) 0 true" "half of them lost"

# One item, a hundred thousand times.
cat >pingpong.yaml <<YAML
pipeline: pingpong
stages:
  - {name: one, source: generate, count: 1, text: '1 0'}
  - {name: ping, from: [one, {stage: pong, credit: 1}], plugin: $plugins/unlucky.so, worker: 63}
  - {name: pong, plugin: $plugins/again.so, rounds: $(rounds 100000 1000000)}
  - {name: done, from: pong, sink: file, path: out}
YAML
rm -f out
assert_exit 0 weir run --json pingpong.yaml
check "ping-pong" 1 "$(rounds 100000 1000000)"

# Killed at random, every stage of it.
total=0
for round in $(seq "$(rounds 3 100)"); do
	for pipeline in pingpong loop; do
		rm -f out ended
		kill_randomly $pipeline 15 >kills &
		killer=$!
		if [ $pipeline = loop ]; then
			weir run --json --set stages.numbers.rate=30k spec.yaml 2>stderr
		else
			weir run --json --set restart='{intensity: 1000, backoff: 1ms}' --set stages.pong.rounds=20k pingpong.yaml 2>stderr
		fi
		status=$?
		touch ended
		wait "$killer"
		[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status of $pipeline in round $round"; }
		if [ $pipeline = loop ]; then check "round $round" "$count" 3; else check "round $round" 1 20000; fi
		total=$((total + $(cat kills)))
	done
done
echo "$total kills"
[ "$total" -ge 20 ] || fail "only $total kills: the run is too short to mean anything"
