# SPDX-License-Identifier: Apache-2.0
# An endless source ends by itself once somebody downstream has enough: exactly the first items, exit 0, also with a filter in between,
# a source that waits, and random kills of any worker.
# seconds: 120
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/first.yaml" >out
seq -f 'number %.0f' 1000 >expected
assert_file_equal out expected "the first thousand"
assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "1000 0 true" ledger

# Through an operator, and from a source that sleeps outside for ever: it has to be woken.
cat >spec.yaml <<'YAML'
pipeline: waiting
stages:
  - {name: lines, source: exec, command: 'seq 5; exec sleep 1000'}
  - {name: odd, exec: [grep, '[135]'], block_wait: 50ms}
  - {name: two, operator: take, count: 2}
  - {name: show, sink: stdout}
YAML
assert_exit 0 weir run --json spec.yaml >out
assert_eq "$(tr '\n' ' ' <out)" "1 3 " "the first two odd ones"

# Two readers: the source goes on for the one that wants everything.
cat >spec.yaml <<'YAML'
pipeline: both
stages:
  - {name: numbers, source: generate, count: 5k, text: '{n}'}
  - {name: some, from: numbers, operator: take, count: 10}
  - {name: first, from: some, sink: file, path: first}
  - {name: all, from: numbers, sink: file, path: all}
YAML
assert_exit 0 weir run --json spec.yaml
assert_eq "$(wc -l <first) $(wc -l <all)" "10 5000" "lines for each"
assert_eq "$(final stderr unwanted)" 4990 "what came after the tenth"

# Stages with a loop of their own: an endless source is told, an operator passes it on, and one that has enough just returns.
cat >spec.yaml <<YAML
pipeline: loops
stages:
  - {name: numbers, plugin: $WEIR_BUILD/tests/plugins/count.so, count: 1000000000}
  - {name: relay, plugin: $WEIR_BUILD/tests/plugins/relay.so}
  - {name: ten, operator: take, count: 10}
  - {name: show, sink: file, path: ten}
YAML
assert_exit 0 timeout 60 weir run --json spec.yaml
seq 10 >expected
assert_file_equal ten expected "ten through a run() operator"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "10 true" "ledger of a run() operator"
assert_exit 0 timeout 60 weir run --json --set stages.relay.stop=100 --set stages.ten.count=1000 spec.yaml
seq 100 >expected
assert_file_equal ten expected "a hundred, then run() returns"
assert_eq "$(final stderr cancelled) $(final stderr balanced)" "0 true" "ledger of a run() that returns"

# Killed at random: take's own count, the leaving and the end of the source are all exactly once.
cat >spec.yaml <<'YAML'
pipeline: taken
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, rate: 40k, text: '{n}'}
  - {name: pass, exec: [cat], mode: block, block: 16KiB, block_wait: 20ms}
  - {name: some, operator: take, count: 60k}
  - {name: all, sink: file, path: out}
YAML
total=0
for round in $(seq "$(rounds 3 100)"); do
	rm -f out ended
	kill_randomly taken 40 >kills &
	killer=$!
	weir run --json spec.yaml 2>stderr
	status=$?
	touch ended
	wait "$killer"
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status in round $round"; }
	seq 60000 | cmp - out || fail "round $round: not exactly the first 60,000"
	assert_eq "$(final stderr delivered) $(final stderr balanced)" "60000 true" "ledger in round $round"
	total=$((total + $(cat kills)))
done
echo "$total kills"
[ "$total" -ge 20 ] || fail "only $total kills: the run is too short to mean anything"
