# SPDX-License-Identifier: Apache-2.0
# Who asks gets what the pipeline made of his request, and of no other, once, whichever worker is killed: of all but the source's he notices nothing. Who was
# taken in before a drain is answered before its end.
# seconds: 120
peer=$WEIR_BUILD/tests/zmq_peer
kills=$(rounds 6 100)
n=$(rounds 1500 40000)
cat >ask.yaml <<'YAML'
pipeline: ask
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: ask, source: zmq, type: router, bind: 'ipc://in', answer: reply, within: 60s}
  - {name: work, operator: map, expr: '. + "!"', workers: 2}
  - {name: tell, sink: zmq, type: reply, to: ask, workers: 2}
YAML
# The first worker of this stage.
kill_one() {
	local pid
	pid=$(weir ps ask --json 2>/dev/null | grep -o "\"name\":\"$1\".*" | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://')
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
}
answered() { cat got1 got2 2>/dev/null | wc -l; }
# asked PATIENCE STAGE...: both ask n things, while a worker of the stages is killed now and then
asked() {
	local patience=$1 i before
	shift
	rm -f got1 got2
	weir run --json ask.yaml 2>stderr &
	run=$!
	wait_until 30 running ask
	for i in 1 2; do "$peer" ask connect ipc://in "$n" "asks$i" "$patience" >"got$i" 2>"again$i" & askers[i]=$!; done
	for ((i = 0; i < kills; i++)); do
		before=$(answered)
		wait_until 30 eval '[ "$(answered)" -gt $((before + 100)) ] || [ "$(answered)" -ge $((2 * n)) ]'
		kill_one "${@:$((i % $# + 1)):1}"
	done
	for i in 1 2; do wait "${askers[i]}" || fail "asker $i: $(cat "again$i")"; done
	weir drain ask >/dev/null
	wait "$run" || fail "exit code $?: $(tail -n 3 stderr | cut -c1-300)"
	for i in 1 2; do
		seq -f "asks$i %.0f!" "$n" >expected
		assert_file_equal "got$i" expected "what asker $i was answered"
	done
	assert_eq "$(final stderr balanced)" true ledger
	[ "$(restarts stderr)" -ge 2 ] || fail "only $(restarts stderr) kills: the run is too short to mean anything"
	again=$(($(cat again1) + $(cat again2)))
	echo "$*: $(restarts stderr) kills, asked again $again times"
}
asked 60000 tell work
assert_eq "$again $(final stderr accepted)" "0 $((2 * n))" "asked again, taken in"
asked 500 ask tell
[ "$(final stderr accepted)" -ge "$((2 * n))" ] || fail "$(final stderr accepted) are fewer than asked"

# What takes its time is answered during the drain; what is filtered has no answer, and holds nobody up once all sinks have ended.
cat >slow.yaml <<'YAML'
pipeline: ask
drain: 60s
stages:
  - {name: ask, source: zmq, type: router, bind: 'ipc://in', answer: reply, within: 60s}
  - {name: keep, from: ask, sink: file, path: asked}
  - {name: later, from: ask, operator: delay, for: 700ms}
  - {name: some, from: later, operator: filter, expr: '. != "nothing 1"'}
  - {name: tell, sink: zmq, type: reply, to: ask}
YAML
weir run --json slow.yaml 2>stderr &
run=$!
wait_until 30 running ask
for i in 1 2 3; do "$peer" ask connect ipc://in 1 "slow$i" 60000 >"got$i" 2>"again$i" & askers[i]=$!; done
"$peer" ask connect ipc://in 1 nothing 60000 >nothing 2>&1 & nobody=$!
wait_until 30 eval '[ -e asked ] && [ "$(wc -l <asked)" -eq 4 ]'
began=$SECONDS
weir drain ask >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr | cut -c1-300)"
[ "$((SECONDS - began))" -lt 30 ] || fail "the one that has no answer held up the drain"
for i in 1 2 3; do
	wait "${askers[i]}" || fail "asker $i"
	assert_eq "$(cat "got$i") $(cat "again$i")" "slow$i 1 0" "answered during the drain"
done
kill "$nobody"
wait "$nobody"
assert_eq "$(final stderr delivered) $(final stderr filtered) $(final stderr balanced)" "7 1 true" ledger

# The example, as it stands.
weir run --json "$WEIR_SOURCE/configs/replies.yaml" 2>stderr &
run=$!
wait_until 30 running replies
"$peer" ask connect ipc://replies.ask 3 5 60000 >got1 2>again1 || fail "the example: $(cat again1)"
assert_eq "$(tr '\n' ' ' <got1)" "6 7 8 " "sums"
weir drain replies >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr | cut -c1-300)"
