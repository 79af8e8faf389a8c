# SPDX-License-Identifier: Apache-2.0
# weir trace record: babeltrace2 reads what it has written as it stands, events of all processes in one order; who slept and was woken finds who has
# rung, by lane and position. A kill and what follows it are there. Events that were overwritten before they could be read are said.
# seconds: 120
# sanitizers: no, unit tests read and write rings and files, o07 comes to the door with sanitizers
command -v babeltrace2 >/dev/null || skip "no babeltrace2"
cat >traced.yaml <<'YAML'
pipeline: traced
restart: {intensity: 100, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: numbers, source: generate, rate: 5k, text: '{n}'}
  - {name: pass, operator: filter, expr: 'true', workers: 2}
  - {name: call, exec: [cat], mode: line}
  - {name: out, sink: file, path: traced.out}
YAML
assert_exit 3 weir trace record traced -o none
assert_exit 2 weir trace record traced
assert_exit 2 weir trace replay traced -o none
[ ! -e none ] || fail "a folder for nothing"
weir run traced.yaml 2>stderr.run &
arrived() { [ "$(cat traced.out 2>/dev/null | wc -l)" -ge "$1" ]; }
wait_until 60 arrived 500
assert_exit 75 weir trace record traced -o traced.out
assert_contains stderr "can not make the folder traced.out"

# A worker is killed while it is recorded; the end of the pipeline ends it.
weir trace record traced -o trace >record.out &
record=$!
made() { [ -s trace/metadata ]; }
wait_until 30 made
victim=$(weir ps traced --json | grep -o '"name":"call".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')
kill -KILL "$victim"
restarted() { grep -q "pid=$victim .*was killed by SIGKILL" stderr.run; }
wait_until 30 restarted
wait_until 60 arrived $(($(wc -l <traced.out) + 500))

# Another one is held up until its rings have gone round.
weir trace record traced -o late >late.out &
late=$!
made_late() { [ -s late/supervisor ] || [ -e late/supervisor ]; }
wait_until 30 made_late
kill -STOP "$late"
wait_until 60 arrived $(($(wc -l <traced.out) + 8000))
kill -CONT "$late"
assert_exit 0 weir drain traced
wait "$record" || fail "record: $(cat record.out)"
wait "$late" || fail "late: $(cat late.out)"
wait

grep -q '^traced: [0-9]* events of 5 workers in trace, .*; the pipeline has ended; to read it: babeltrace2 trace$' record.out || fail "$(cat record.out)"
babeltrace2 --clock-cycles trace >trace.txt 2>trace.err || { cat trace.err >&2; fail "babeltrace2 does not read it"; }
assert_eq "$(wc -l <trace.txt)" "$(sed 's/^traced: \([0-9]*\) events.*/\1/' record.out)"
python3 "$WEIR_SOURCE/tests/scenario/trace_pairs.py" trace.txt "$(sed 's/.*, \([0-9]*\) lost.*/\1/' record.out)" || fail "pairs"

# From the start to the end, and the death between them.
for what in 'phase: { worker = "supervisor" }, { phase = ( "running"' 'spawn: .*seat = ( "call#0" .* generation = 0, pid = '"$victim" \
	'exit: { worker = "supervisor" }, { seat = ( "call#0" : container = 3 ), status = 0, signal = 9, pid = '"$victim" \
	'repair: .*seat = ( "call#0"' 'spawn: .*seat = ( "call#0" .* generation = 1' 'seat: { worker = "call#0" }, { generation = 1' \
	'take: { worker = "call#0" }, { lane = ( "pass#[01]->call#0" ' 'emit: { worker = "numbers#0" }, { lane = ( "numbers#0->pass#1" ' \
	'state: { worker = "out#0" }, { state = ( "ended" '; do
	grep -q "$what" trace.txt || fail "not there: $what"
done

lost=$(sed 's/.*, \([0-9]*\) lost.*/\1/' late.out)
[ "$lost" -gt 0 ] || fail "nothing was lost: $(cat late.out)"
babeltrace2 late >late.txt 2>late.err || { cat late.err >&2; fail "babeltrace2 does not read it"; }
grep -qi 'discarded [0-9]* events' late.err || { cat late.err >&2; fail "babeltrace2 does not say that events were lost"; }
