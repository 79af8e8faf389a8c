# SPDX-License-Identifier: Apache-2.0
# A stage goes by its load: more work than one worker can do is answered by more workers, a stage behind that is slow is not, and when there is less
# to do there are fewer again. Every decision is in the log with its numbers; every item arrives once, in order.
# seconds: 120
# takes: 9
cat >slow.py <<'PY'
import sys, time
for line in sys.stdin:
    time.sleep(0.01)
    sys.stdout.write(line)
    sys.stdout.flush()
PY
wants() { # NAME: workers that the stage is to have
	weir metrics "$1" 2>/dev/null | sed -n 's/^weir_workers_wanted{.*stage="work".*} //p'
}
has() { [ "$(wants "$1")" = "$2" ]; }
has_more_than() { [ "$(wants "$1" | grep . || echo 0)" -gt "$2" ]; }
lines_of_out() { wc -l <out 2>/dev/null || echo 0; }
has_passed() { [ "$(lines_of_out)" -ge "$1" ]; }
: >in
cat >load.yaml <<YAML
pipeline: load
stages:
  - {name: numbers, source: file, path: $PWD/in, follow: true}
  - {name: work, exec: [python3, -u, $PWD/slow.py], mode: line, order: fifo, workers: {min: 1, max: 4, target_age: 50ms, cool_down: 500ms}}
  - {name: write, sink: file, path: out}
YAML
weir run --json load.yaml 2>stderr &
pid=$!
wait_until 60 running load
assert_eq "$(wants load)" 1 "at first"
rounds=$(rounds 1 20)
given=0
for ((round = 0; round < rounds; round++)); do
	begun=$(date +%s%N)
	seq $((given + 1)) $((given + 1200)) >>in
	given=$((given + 1200))
	wait_until 60 has_more_than load 1
	echo "answered after $((($(date +%s%N) - begun) / 1000000)) ms"
	wait_until 60 has_passed "$given"
	wait_until 60 has load 1
done
grep -q 'is to have [234] workers instead of [123] (load: oldest item .*, target 50 ms; [0-9]* % are busy' stderr || fail "growing is not in the log"
grep -q 'is to have [123] worker.* instead of [234] (load: for .* fewer would do; at most [0-9]* % were busy' stderr || fail "shrinking is not in the log"
weir drain load >/dev/null || fail drain
wait "$pid"
status=$?
[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status"; }
assert_eq "$(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "0 true 0" ledger
seq "$given" | cmp - out >&2 || fail "not every item once, in order"

# The stage behind takes 100 items a second: whatever waits, waits for that one.
rm out
cat >behind.yaml <<YAML
pipeline: behind
stages:
  - {name: numbers, source: generate, count: 100000}
  - {name: work, exec: [cat], mode: line, workers: {min: 1, max: 4, target_age: 50ms, cool_down: 500ms}, lane: 64KiB}
  - {name: slow, operator: throttle, rate: 100/s, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
weir run --json behind.yaml 2>stderr &
pid=$!
wait_until 60 running behind
wait_until 60 grep -q 'stays with [0-9] worker.*: more would wait for the stages behind it, too (load: oldest item' stderr
n=$(grep -c 'is to have' stderr)
has_passed_more() { has_passed $((before + 100)); }
before=$(lines_of_out)
wait_until 60 has_passed_more
assert_eq "$(grep -c 'is to have' stderr)" "$n" "changes while the stage behind is slow"
weir cancel behind >/dev/null
wait "$pid"
echo "held up: stays with $(grep -o 'stays with [0-9]' stderr | tail -c 2), $n changes before"
