# SPDX-License-Identifier: Apache-2.0
# Programs in frame mode at the beginning of a pipeline: what is committed is told, each item comes once through kills of program and worker, a drain and the next run go
# on at the position.
# seconds: 120
program=$WEIR_SOURCE/tests/scenario/frame_ends.py
# spec PROGRAM_OPTIONS [STAGE_OPTIONS] [STAGES_BETWEEN] [SINK_OPTIONS]
spec() {
	cat >spec.yaml <<YAML
pipeline: given
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: give, source: exec, command: [python3, $program, $WEIR_SOURCE/python, source, told, $1], mode: frame, grace: 5s, dead_letter: {path: letters}${2-}}
${3-}
  - {name: write, sink: file, path: out${4-}}
YAML
	rm -rf out letters told "$WEIR_STATE_DIR"
}
accepted() { grep '^accepted' told | tr ' ' '\n' | grep -v accepted; }

spec count=2000
assert_exit 0 weir run --json spec.yaml
seq 1 2000 >expected
assert_file_equal out expected
accepted | cmp - expected >&2 || fail "not all was told, in order"
assert_eq "$(final stderr delivered) $(final stderr balanced) $(restarts stderr) $(grep -c "^closed False$" told)" "2000 true 0 1" "ledger"
# The next run goes on behind that, unless it is told not to.
assert_exit 0 weir run --json spec.yaml
assert_eq "$(final stderr accepted) $(grep -c '^begin 2000$' told)" "0 1" "the next run"
assert_exit 0 weir run --json --set stages.give.keep_position=false spec.yaml
assert_eq "$(final stderr accepted) $(grep -c '^begin 0$' told)" "2000 2" "a run that keeps no position"

# Values; and text that weir decodes.
spec 'count=10, values=yes' ', items: values, in_flight: 4' '' ', encode: json'
assert_exit 0 weir run spec.yaml
assert_eq "$(tr '\n' ' ' <out)" "$(seq 1 10 | sed 's/.*/{"n":&}/' | tr '\n' ' ')" values
spec 'count=10' ', decode: json' '' ', encode: json'
assert_exit 0 weir run spec.yaml
assert_eq "$(tr '\n' ' ' <out)" "$(seq 1 10 | tr '\n' ' ')" decoded

# What an item brings along goes with it and no other; one that brings too much is a dead letter, one whose time is over ends.
cat >trace.py <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
import weir
def read(feed):
    yield weir.New("1", baggage={"trace": "t-1", "who": b"me"}, left=1000.0)
    yield weir.New("2")
    yield weir.New("3", baggage={"trace": "x" * 500})
    yield weir.New("4", left=0)
    yield weir.New("5", baggage={"trace": b"t-5"})
def tell(item):
    print("told", item.data.decode(), item.baggage, item.deadline is not None, file=open("heard", "a"))
    return item.data
if sys.argv[2] == "read":
    weir.source(read, refused=lambda new, why: print("refused", new.data, why, file=open("heard", "a")))
else:
    weir.serve(tell)
PYTHON
rm -rf "$WEIR_STATE_DIR" out
cat >trace.yaml <<YAML
pipeline: trace
stages:
  - {name: give, source: exec, command: [python3, -B, trace.py, $WEIR_SOURCE/python, read], mode: frame, dead_letter: {path: heavy}}
  - {name: tell, exec: [python3, -B, trace.py, $WEIR_SOURCE/python, tell], mode: frame, baggage: [trace]}
  - {name: write, sink: file, path: traced}
YAML
assert_exit 3 weir run --json trace.yaml
assert_eq "$(grep told heard | sort | tr '\n' ' ')" "told 1 {'trace': b't-1'} True told 2 {} False told 5 {'trace': b't-5'} False " "baggage"
assert_contains heard "refused 3 it brings too much baggage along; it is a dead letter"
assert_contains heavy "brings more along than 488 bytes of baggage"
assert_eq "$(final stderr delivered) $(final stderr expired) $(final stderr balanced)" "3 1 true" "the ledger of what is brought along"

# From the shell: see examples/frame.
cat >tick.yaml <<YAML
pipeline: tick
stages:
  - {name: tick, source: exec, command: [$WEIR_SOURCE/examples/frame/tick.sh, 3, 0.1], mode: frame}
  - {name: write, sink: file, path: ticks}
YAML
assert_exit 0 weir run tick.yaml
assert_eq "$(grep -c '^..:..:..$' ticks) $(wc -l <ticks)" "3 3" "ticks from the shell"

# An item that the lane does not take: a dead letter, and the program hears it.
spec 'count=10, large=5'
assert_exit 3 weir run --json spec.yaml
assert_eq "$(tr '\n' ' ' <out)" "1 2 3 4 6 7 8 9 10 " "without the large one"
assert_contains told "refused 5 it is larger than the lane takes"
assert_eq "$(grep -c '"cause":"rejected".*item 5 of .* has 200000 bytes' letters)" 1 letters

# Behind its end: a bad exit code is believed, a kill has cost nothing.
spec 'count=10, end=exit'
assert_exit 3 weir run --json spec.yaml
assert_contains stderr "has said 'end', but then: exit status 7"
assert_eq "$(final stderr delivered)" 10 "all the same"
spec 'count=10, end=kill'
assert_exit 0 weir run --json spec.yaml
assert_contains stderr "has said 'end', but then: killed by signal 9 (KILL); nothing is lost"

# A drain, taken back, and then not; the next run goes on where it ended.
spec 'count=100000, rest=0.001'
weir run --json spec.yaml 2>stderr &
run=$!
grown() { [ "$(cat out 2>/dev/null | wc -l)" -gt "$1" ]; }
wait_until 30 grown 50
weir drain given >/dev/null || fail "drain"
wait "$run" || fail "exit code $?"
n=$(wc -l <out)
seq 1 "$n" >expected
assert_file_equal out expected "what came before the drain"
accepted | cmp - expected >&2 || fail "not all that came before the drain was told"
assert_eq "$(tail -n 1 told)" "closed True"
weir run --json spec.yaml 2>stderr &
run=$!
begun() { grep -q "^begin $n$" told; }
wait_until 30 begun
# A cancel: the program hears it.
wait_until 30 grown 10
weir cancel given >/dev/null || fail "cancel"
wait "$run"
assert_eq "$(tail -n 1 told) $(final stderr balanced)" "closed True true" "a cancelled run"

# Programs and workers are killed, while there is mostly no room.
count=$(rounds 3000 100000)
spec "count=$count, pad=200" ', in_flight: 100' '  - {name: slow, operator: throttle, rate: 1000, lane: 64KiB}'
weir run --json spec.yaml 2>stderr &
run=$!
wanted=$(rounds 6 100) programs=0 workers=0
while [ "$((programs + workers))" -lt "$wanted" ] && kill -0 "$run" 2>/dev/null; do
	seen=$(cat out 2>/dev/null | wc -l)
	for pid in $(worker_pids given); do
		child=$(pgrep -P "$pid" python3)
		[ -n "$child" ] || continue
		if [ "$(((programs + workers) % 3))" = 2 ]; then
			kill -KILL "$pid" 2>/dev/null && workers=$((workers + 1))
		else
			kill -KILL "$child" 2>/dev/null && programs=$((programs + 1))
		fi
	done
	moved() { grown "$((seen + 200))" || ! kill -0 "$run" 2>/dev/null; }
	wait_until 60 moved
done
wait "$run" || { cat stderr >&2; fail "exit code $?"; }
seq 1 "$count" >expected
awk '{ print $1 }' out | cmp - expected >&2 || fail "not each item once, in order, through kills"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$count true" ledger
[ "$programs" -ge 2 ] && [ "$workers" -ge 1 ] || fail "only $programs programs and $workers workers were killed"
echo "$programs programs, $workers workers killed"
