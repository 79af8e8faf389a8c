# SPDX-License-Identifier: Apache-2.0
# weir profile: who holds which lane full and empty, for whom, how long; as a table, as JSON, and as a file that pprof reads: strictly decoded here,
# and by `go tool pprof` where there is one.
# seconds: 120
# takes: 3
# sanitizers: no, the numbers are those of unit.broker.observe.pairs and unit.broker.observe.pace_look
cat >spec.yaml <<YAML
pipeline: slow
grace: 200ms
drain: 1s
stages:
  - {name: numbers, source: generate, text: '{n}'}
  - {name: mill, plugin: $WEIR_BUILD/tests/plugins/stuck.so, how: slow, at: 1000000000, pause: 4ms, lane: 64KiB}
  - {name: out, sink: discard}
YAML
assert_exit 3 weir profile slow
assert_contains stderr "no pipeline 'slow' is running"
assert_exit 2 weir profile ../slow
assert_exit 2 weir profile slow --window 10ms
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 running slow

# The source waits for room at mill, and out for items of it. Until the lane has filled there is nothing to wait for.
both() {
	weir profile slow --window 500ms >table 2>said || { cat said >&2; return 1; }
	grep -q '^numbers#0  *room  *mill#0 ' table && grep -q '^out#0  *items  *mill#0 ' table
}
wait_until 60 both
grep -v -E '^slow: seen for|^WAITS|^numbers#0  *room  *mill#0|^out#0  *items  *mill#0|^mill#0  *(room|items)' table && fail "who else waits"
weir profile slow --window 500ms --json --pprof profile.pb.gz >json || fail "exit code $?"
python3 - json profile.pb.gz <<'PYTHON' || fail "the file, or the JSON, is not as it should be"
import gzip, json, sys

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        assert shift <= 70, "a varint without an end"
        if not byte & 0x80:
            return value, at

def fields(data):
    """(number, value) of each field; bytes, or an int. Nothing may be left over."""
    at, found = 0, []
    while at < len(data):
        key, at = varint(data, at)
        assert key & 7 in (0, 2), f"wire type {key & 7}"
        value, at = varint(data, at)
        if key & 7 == 2:
            assert at + value <= len(data), "longer than what it is in"
            value, at = data[at : at + value], at + value
        found.append((key >> 3, value))
    assert at == len(data)
    return found

def packed(data):
    at, values = 0, []
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values

profile = fields(gzip.open(sys.argv[2]).read())
strings = [value.decode() for number, value in profile if number == 6]
assert strings[0] == "" and {number for number, _ in profile} <= {1, 2, 4, 5, 6, 9, 10}
types = [dict(fields(value)) for number, value in profile if number == 1]
assert [(strings[t[1]], strings[t[2]]) for t in types] == [("contentions", "count"), ("delay", "nanoseconds")], types
functions, locations = {}, {}
for number, value in profile:
    if number == 5:
        function = dict(fields(value))
        assert function[1] and function[1] not in functions
        functions[function[1]] = strings[function[2]]
    elif number == 4:
        location = dict(fields(value))
        assert location[1] and location[1] not in locations
        locations[location[1]] = dict(fields(location[4]))[1]
found = []
for number, value in profile:
    if number == 2:
        sample = dict(fields(value))
        n_waits, waited_ns = packed(sample[2])
        assert n_waits >= 1 and waited_ns >= 1
        found.append(([functions[locations[place]] for place in packed(sample[1])], n_waits, waited_ns))
duration_ns = dict(profile)[10]
assert 0.4e9 < duration_ns and dict(profile)[9] > 1e18, (duration_ns, dict(profile)[9])

told = json.load(open(sys.argv[1]))
assert told["pipeline"] == "slow" and abs(told["seconds"] * 1e9 - duration_ns) < 2e6
name = lambda worker: f"{worker['stage']}#{worker['index']}"
wanted = []
for pair in told["pairs"]:
    waiter, holder = pair["waiter"], pair["holder"]
    first, last = (waiter, holder) if pair["lane"] == "full" else (holder, waiter)
    lane = f"{first['stage']} -> {last['stage']}: {pair['lane']}"
    wanted.append(([name(holder), lane, name(waiter)], pair["sleeps"], round(pair["seconds"] * 1e9)))
assert found == wanted and wanted, (found, wanted)
assert ["mill#0", "numbers -> mill: full", "numbers#0"] in [stack for stack, _, _ in found], found
PYTHON
if command -v go >/dev/null && HOME=$PWD go tool pprof -top profile.pb.gz >top 2>top.err; then
	assert_contains top "Type: delay"
	assert_contains top "mill#0"
else
	echo "go tool pprof: not there"
fi
# Where it can't be written is told before the window. What was there stays there, whatever it is; what is new and not whole does not.
assert_exit 75 timeout 60 weir profile slow --window 1h --pprof /proc/nowhere >/dev/null
assert_contains stderr "can not write /proc/nowhere"
ln -s /dev/full full
assert_exit 75 weir profile slow --window 100ms --pprof full >/dev/null
assert_contains stderr "can not write full: No space left on device"
[ -L full ] || fail "the way to a device is gone"
echo old >old
(trap '' XFSZ; ulimit -f 0; for path in old new; do weir profile slow --window 100ms --pprof $path; done 2>&1 >/dev/null) | cat >said
assert_contains said "can not write old: File too large"
assert_contains said "can not write new: File too large"
[ -e old ] || fail "a file that was there is gone"
[ ! -e new ] || fail "a file is there that is not whole"
yes | head -c 100000 >profile.pb.gz
assert_exit 0 weir profile slow --window 100ms --pprof profile.pb.gz >/dev/null
gzip -t profile.pb.gz || fail "something of what was there is there"

# A pipeline that ends is not waited for: a profile tells what it has seen, why that it has ended.
looks() { grep -q memfd "/proc/$1/maps"; }
is_over() { ! kill -0 "$1" 2>/dev/null; }
weir profile slow --window 1h --pprof ended.pb.gz >ended 2>ended.said & profile=$!
weir why slow --window 1h >why 2>why.said & why=$!
wait_until 60 looks "$profile"
wait_until 60 looks "$why"
sleep 2 # of which something is to be seen
kill -INT "$run"
wait "$run"
wait_until 60 is_over "$profile"
wait_until 60 is_over "$why"
wait "$profile" || fail "exit code $?: $(cat ended.said)"
grep -q '^numbers#0  *room  *mill#0 ' ended || fail "$(cat ended)"
assert_contains ended.said "; this was seen up to then"
gzip -t ended.pb.gz || fail "no profile"
wait "$why"
grep -q "does not answer" ended.said why.said && fail "it has ended: $(cat ended.said why.said)"
assert_eq "$(final log balanced)" true ledger

# One that ends between two questions.
cat >quick.yaml <<YAML
pipeline: quick
stages:
  - {name: numbers, source: generate, text: '{n}', rate: 100/s, count: 600}
  - {name: out, sink: discard}
YAML
weir run --progress=never quick.yaml 2>quick.log &
run=$!
wait_until 60 running quick
weir why quick --window 1h >why 2>why.said & why=$!
assert_exit 0 timeout 120 weir profile quick --window 1h >ended
assert_contains ended "quick: seen for"
assert_contains stderr "; this was seen up to then"
wait "$run" || fail "$(cat quick.log)"
wait_until 60 is_over "$why"
grep -q "does not answer" stderr why.said && fail "it has ended: $(cat stderr why.said)"
true
