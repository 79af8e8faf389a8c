# SPDX-License-Identifier: Apache-2.0
# Requests beyond what the pipeline can do: each 202 is delivered exactly once, every refusal is a 429 or a 503, none hangs, and memory is flat. During a
# drain who comes is answered with 503, and all that was taken in arrives.
# seconds: 120
command -v python3 >/dev/null || skip "no python3"
load=$WEIR_SOURCE/tests/scenario/http_load.py
cat >spec.yaml <<'YAML'
pipeline: http
stages:
  - {name: net, source: http, listen: '127.0.0.1:0', path: /in, wait: 50ms, connections: 40}
  - {name: slow, operator: throttle, rate: 2000/s, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>stderr &
run=$!
wait_until 30 grep -q "listening at" stderr
port=$(grep -o 'listening at 127.0.0.1:[0-9]*' stderr | head -n 1 | sed 's/.*://')
pid=$(worker_pids http | head -n 1)
rss() { awk '/^RssAnon/ { print $2 }' "/proc/$pid/status"; }

python3 "$load" load "$port" 1 48 5 first || fail "first load"
before=$(rss)
python3 "$load" load "$port" "$(rounds 2 60)" 48 5 second >said || fail "second load: $(cat said)"
cat said
after=$(rss)
# A sanitizer keeps what was freed.
sanitized || [ "$((after - before))" -le 4096 ] || fail "from $before to $after KiB"
grep -q "429=" said && grep -q "503=" said && grep -q "202=" said || fail "not beyond capacity: $(cat said)"

python3 "$load" load "$port" 2 8 5 third >said &
third=$!
wait_until 30 test -e third.202
sleep 0.3
weir drain http >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 20 stderr)"
wait "$third" || fail "third load"
cat said
grep -q "503=" said || fail "nobody was told of the drain: $(cat said)"
cat first.202 second.202 third.202 >all.202
cat first.no second.no third.no >all.no
cat first.unknown second.unknown third.unknown >all.unknown
python3 "$load" check all out 5 || fail "not what was answered"
[ ! -s second.unknown ] || fail "no answer to $(wc -l <second.unknown) requests"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$(wc -l <out) true" ledger
