# SPDX-License-Identifier: Apache-2.0
# weir history: starts, a death, a restart, a stall and its end, a cancelled stage, orders and the exit code, while it runs and after its end; of the last run, and of all.
# seconds: 240
# sanitizers: no, what keeps and reads events is in unit.broker.supervise.history and unit.broker.cli.history_file
command -v python3 >/dev/null || skip "no python3"
cat >spec.yaml <<'YAML'
pipeline: past
stages:
  - {name: read, source: generate, text: '{n}', rate: 1000/s}
  - {name: price, from: read, exec: [cat], mode: line, workers: 2}
  - {name: write, from: price, sink: discard}
  - {name: other, from: read, sink: discard}
YAML
pid_of() {
	weir ps past --json | grep -o "\"name\":\"$1\".*" | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://'
}
says() {
	weir history past >history.txt && grep -q -E "$1" history.txt
}
assert_exit 3 weir history past
assert_contains stderr "nothing of its history is kept"

weir run --progress=never spec.yaml 2>run.log &
run=$!
wait_until 60 running past
weir history past --follow --json >follow.json &
follow=$!
kill -KILL "$(pid_of price)"
wait_until 60 says 'price#0 generation 1  started \(restart\)  pid [0-9]+$'
says 'price#0 generation 0  died \(signal\)  was killed by SIGKILL.*; restart in 0' || fail "no death: $(cat history.txt)"
stopped=$(pid_of write)
kill -STOP "$stopped"
wait_until 60 says 'write#0 generation 0  stall \(stopped\)  write#0 \(pid [0-9]+\) has been stopped by a signal'
kill -CONT "$stopped"
wait_until 60 says 'write#0 generation 0  stall-over \(stopped\)'
weir cancel past/other >/dev/null || fail "weir cancel past/other"
wait_until 60 says ' other  cancel \(user\)  weir cancel'
assert_exit 0 weir drain past
wait "$run" || :
wait "$follow" || fail "weir history --follow: $?"

# --- after the end the same is in the state folder, and who followed has seen all of it, once
weir history past --json >after.json || fail "weir history after the end"
assert_file_equal follow.json after.json "what was followed and what is kept"
python3 - <<'PYTHON' || fail "$(cat after.json)"
import json
events = [json.loads(line) for line in open("after.json")]
assert [event["number"] for event in events] == list(range(1, len(events) + 1))
kinds = [event["event"] for event in events]
assert kinds[0] == "began" and kinds[-1] == "exit" and "drain" in kinds
assert sum(kind == "started" for kind in kinds) >= 6
assert [event["cause"] for event in events if event["event"] == "phase"][:3] == ["starting", "running", "draining"]
death, = [event for event in events if event["event"] == "died" and event["stage"] == "price"]
assert death["worker"] == 0 and death["generation"] == 0 and death["cause"] == "signal" and death["slot"] == 1
assert all(a["time"] <= b["time"] for a, b in zip(events, events[1:]))
PYTHON

# --- another run: it alone is shown, unless all are wanted
lines=$(wc -l <after.json)
weir run --progress=never --set stages.read.count=10 spec.yaml 2>run.log || fail "the second run: $(cat run.log)"
weir history past --json >second.json
grep -q '"event":"died"' second.json && fail "the second run has the first one's death"
assert_eq "$(weir history past --all --json | wc -l)" "$((lines + $(wc -l <second.json)))" "lines of both runs"
printf 'no line of ours\n{"torn":' >>"$WEIR_STATE_DIR/past/history" # the host has died meanwhile
weir history past --json | cmp - second.json || fail "lines that make no sense are in the way"
