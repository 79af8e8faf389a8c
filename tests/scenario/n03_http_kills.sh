# SPDX-License-Identifier: Apache-2.0
# The same while workers are killed: each 202 is delivered exactly once, a request without an answer as a whole or not at all, and none hangs.
# seconds: 150
command -v python3 >/dev/null || skip "no python3"
load=$WEIR_SOURCE/tests/scenario/http_load.py
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >spec.yaml <<YAML
pipeline: http
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: net, source: http, listen: '127.0.0.1:$port', path: /in, wait: 50ms}
  - {name: slow, operator: throttle, rate: 2000/s, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>stderr &
run=$!
wait_until 30 grep -q "listening at" stderr
kill_randomly http "$(rounds 100 1000)" >kills &
killer=$!
python3 "$load" load "$port" "$(rounds 4 60)" 48 5 load >said || fail "load: $(cat said)"
cat said
touch ended
weir drain http >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 20 stderr)"
wait "$killer"
python3 "$load" check load out 5 || fail "not what was answered"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$(wc -l <out) true" ledger
echo "$(cat kills) kills"
[ "$(cat kills)" -ge "$(rounds 5 30)" ] || fail "only $(cat kills) kills: the run is too short to mean anything"
grep -q "202=" said || fail "nothing was taken in: $(cat said)"
