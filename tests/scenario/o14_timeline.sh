# SPDX-License-Identifier: Apache-2.0
# weir trace export: the trace viewer (trace_viewer.py) reads the timeline as it stands, with a track for each worker, and flows joined; flame graphs' lines add up to the
# time that there was. What is no trace, a file that is cut off, a full disk: an answer each.
# seconds: 200
# sanitizers: no, unit tests read and write the same
program=$WEIR_SOURCE/tests/scenario/frames.py
cat >timed.yaml <<YAML
pipeline: timed
restart: {intensity: 100, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: numbers, source: generate, rate: 400/s, text: '{n}'}
  - {name: pass, operator: filter, expr: 'true', workers: 2}
  - {name: call, exec: [python3, $program, $WEIR_SOURCE/python, delay=0.01], mode: frame, in_flight: 8}
  - {name: out, sink: file, path: timed.out}
YAML
weir run timed.yaml 2>stderr.run &
run=$!
arrived() { [ "$(cat timed.out 2>/dev/null | wc -l)" -ge "$1" ]; }
wait_until 60 arrived 50
weir trace record timed -o trace >record.out &
record=$!
made() { [ -s trace/metadata ]; }
wait_until 30 made
victim=$(worker_pids timed | tail -n 1)
kill -KILL "$victim"
restarted() { grep -q "pid=$victim .*was killed by SIGKILL" stderr.run; }
wait_until 30 restarted
wait_until 60 arrived $(($(wc -l <timed.out) + 200))
assert_exit 0 weir drain timed
wait "$record" || fail "record: $(cat record.out)"
wait "$run"

assert_exit 0 weir trace export trace --perfetto timed.json --folded timed.folded
assert_contains stderr "weir: trace: $(sed 's/^timed: \([0-9]*\) events.*/\1/' record.out) events of pipeline 'timed'"
weir trace export trace --perfetto - --quiet | cmp - timed.json || fail "standard output has another one"
for what in '"name":"exit","args":{"by":"supervisor","seat":"out#0","status":"0","signal":"9"' '"name":"repair"' '"name":"phase","args":{"by":"supervisor","phase":"running"}' \
	'"ph":"b","pid":4,"tid":4,.*"cat":"item"' '"name":"wait-ext"' '"events_lost":"0"'; do
	grep -q "$what" timed.json || fail "not there: $what"
done

# Workers are asleep or awake all the time that is recorded, and never both; who ends early has had less of it.
span=$(grep -o '"ts":[0-9]*' timed.json | sed 's/.*://' | sort -n | tail -n 1)
awk -v span="$span" '
	!/^[a-z]+;[^ ;]+(;[^ ;]+)? [0-9]+$/ { print "no line of a flame graph: " $0; exit bad = 1 }
	{ split($1, at, ";"); sum[at[1]] += $2 }
	END {
		for (stage in sum) {
			n = stage == "pass" ? 2 : 1
			least = stage == "call" || stage == "out" ? 0.5 : 0.01
			if (sum[stage] > 1.001 * n * span || sum[stage] < least * n * span) { print stage ": " sum[stage] " of " n " * " span; bad = 1 }
		}
		exit bad || length(sum) != 4
	}' timed.folded >&2 || fail "$(cat timed.folded)"
grep -q '^pass;wait-in;numbers#0->pass#1 ' timed.folded || fail "$(cat timed.folded)"

# Answers.
assert_exit 2 weir trace export trace
assert_exit 2 weir trace export trace --folded x -o y
assert_exit 2 weir trace record timed -o y --folded x
assert_exit 3 weir trace export nowhere --folded x
assert_contains stderr "nowhere is no recorded trace: its metadata can not be read: No such file or directory"
assert_exit 75 weir trace export trace --perfetto /dev/full
assert_contains stderr "can not write /dev/full: No space left on device; what is there is not whole"
assert_exit 75 weir trace export trace --folded nowhere/x
cp -r trace whole
ln "trace/call#0" linked
for path in trace/metadata "trace/call#0" linked; do
	assert_exit 2 weir trace export trace --perfetto "$path"
	assert_contains stderr "$path is a file of the trace trace itself"
done
diff -r trace whole || fail "it has written into what it reads"
assert_exit 2 weir trace export trace --perfetto one --folded ./one
assert_contains stderr "--perfetto one and --folded ./one are one file: give each its own"
[ ! -e one ] || fail "it is there, and nothing was written"
cp timed.json kept.json
assert_exit 2 weir trace export trace --perfetto kept.json --folded kept.json
assert_exit 75 weir trace export trace --perfetto kept.json --folded nowhere/x
cmp timed.json kept.json || fail "it is another one, and nothing was written"
assert_exit 2 weir trace export trace --perfetto - --folded - >mixed
assert_exit 2 weir trace export trace --perfetto mixed --folded - >mixed
[ ! -s mixed ] || fail "two texts in one"
cp -r trace other
sed -i 's/name = "take"/name = "took"/' other/metadata
assert_exit 3 weir trace export other --folded x
assert_contains stderr "its metadata describes other events: it was recorded by another version of weir"
cp -r trace cut
truncate -s -7 "cut/numbers#0"
assert_exit 0 weir trace export cut --folded cut.folded
assert_contains stderr "1 files of cut end in the middle"
cp -r trace broken
printf 'nonsense' | dd of="broken/call#0" bs=1 seek=60 conv=notrunc status=none
assert_exit 75 weir trace export broken --folded x
assert_contains stderr "the events of call#0 can not be read"

python=/usr/bin/python3 # Debian's modules are there for Debian's Python
static=$(echo /usr/share/go-*/src/cmd/trace/static)
[ -e "$static/trace_viewer_full.html" ] || skip "Debian's Go has no trace viewer here"
command -v chromium >/dev/null && command -v chromedriver >/dev/null && "$python" -c 'import selenium' 2>/dev/null || skip "no chromium with chromedriver and python3-selenium here"
export HOME=$PWD XDG_CONFIG_HOME=$PWD/config XDG_CACHE_HOME=$PWD/cache
"$python" -B "$WEIR_SOURCE/tests/scenario/trace_viewer.py" timed.json "$static" >viewer.log 2>&1 || { cat viewer.log >&2; fail "the viewer"; }
cat viewer.log
