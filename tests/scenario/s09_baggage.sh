# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# What an item brings along goes on with the answer of a program in line mode, whoever is killed meanwhile; and a log line that a stage writes
# with an item in hand says which one it is about, in each form of the log.
errand=$WEIR_BUILD/tests/plugins/errand.so
n=$(rounds 100000 400000)
kills=$(rounds 15 100)

# Every third brings nothing along. Each stamped one becomes '?', goes through two programs, and tells at the end what it has brought.
awk -v n="$n" 'BEGIN { for (i = 1; i <= n; i++) print i % 3 ? "@" i " t-" i : "plain " i }' >lines
awk -v n="$n" 'BEGIN { for (i = 1; i <= n; i++) print i % 3 ? i " t-" i : "plain " i }' >expected
cat >baggage.yaml <<YAML
pipeline: baggage
drain: 100s
restart: {intensity: 1000, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: now, follow: true}
  - {name: stamp, plugin: $errand, say: '?', lane: 64KiB}
  - {name: one, exec: [cat], mode: line, lane: 64KiB}
  - {name: two, exec: 'while read -r line; do echo "\$line"; done', mode: line, lane: 64KiB}
  - {name: tell, plugin: $errand, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
: >now
weir run --json baggage.yaml >baggage.json 2>&1 &
run=$!
wait_until 60 running baggage
# A part of the lines, and somebody is killed over it.
split -n "l/$kills" lines part.
for part in part.*; do
	cat "$part" >>now
	pause_up_to 40
	kill_randomly baggage 1 1 >/dev/null
done
arrived() { [ "$(cat out 2>/dev/null | wc -l)" -ge "$n" ]; }
wait_until 120 arrived
assert_exit 0 weir drain baggage
wait "$run"
assert_eq $? 0 "exit code; $(tail -n 3 baggage.json)"
assert_file_equal out expected "what came with what, after $kills kills"
[ "$(restarts baggage.json)" -ge $((kills / 2)) ] || fail "only $(restarts baggage.json) of $kills kills hit a worker"

# A cancelled scope holds behind a program, too: what its lines become is stepped over.
cat >held.yaml <<YAML
pipeline: held
drain: 60s
stages:
  - {name: read, source: exec, command: 'exec tail -n +1 -f items'}
  - {name: stamp, plugin: $errand}
  - {name: slow, exec: 'while read -r line; do echo "\$line" >>seen; until test -e go-on; do sleep 0.02; done; echo "\$line"; done', mode: line}
  - {name: write, sink: file, path: held.out}
YAML
printf '@7 a\n@8 b\n@7 c\n' >items
weir run --json held.yaml >held.json 2>&1 &
run=$!
wait_until 60 test -s seen
assert_exit 0 weir cancel held --scope 7
touch go-on
wait_until 60 test -s held.out
assert_exit 0 weir drain held
wait "$run"
assert_eq "$(cat held.out)" "@8 b" "behind the program"
assert_eq "$(final held.json cancelled) $(final held.json balanced)" "2 true"

# The log.
for form in json logfmt text; do
	rm -f go-on
	cat >log.yaml <<YAML
pipeline: log
stages:
  - {name: read, source: exec, command: 'exec tail -n +1 -f said'}
  - {name: stamp, plugin: $errand, say: wait}
  - {name: work, plugin: $errand}
  - {name: write, sink: discard}
YAML
	printf '@4711 4bf92f\n' >said
	weir run --log-format $form log.yaml >log.$form 2>&1 &
	run=$!
	in_hand() { weir ps log --json 2>/dev/null | grep -o '"name":"work".*' | grep -q '"state":"busy"'; }
	wait_until 60 in_hand
	assert_exit 0 weir cancel log --scope 4711 --no-wait
	wait_until 60 grep -q "scope is cancelled" log.$form
	assert_exit 0 weir drain log
	wait "$run"
done
assert_contains log.json '"trace_id":"4bf92f","scope":4711,"message":"the item'"'"'s scope is cancelled: user"'
grep -Eq '"worker":0,"pid":[0-9]+,"generation":0,"monotonic_ns":[0-9]+,"sequence":0,"trace_id":"4bf92f"' log.json || fail "who has said it: $(cat log.json)"
assert_contains log.logfmt 'trace_id=4bf92f scope=4711 msg="the item'"'"'s scope is cancelled: user"'
assert_contains log.text "the item's scope is cancelled: user [trace-id 4bf92f] [scope 4711]"
