# SPDX-License-Identifier: Apache-2.0
# Halves, floods, resets and rubbish beside honest requests: those are all answered, memory does not grow, and nothing but them comes in.
# seconds: 120
command -v python3 >/dev/null || skip "no python3"
load=$WEIR_SOURCE/tests/scenario/http_load.py
cat >spec.yaml <<'YAML'
pipeline: http
stages:
  - {name: net, source: http, listen: '127.0.0.1:0', path: /in, timeout: 300ms, buffer: 1MiB, request: 256KiB, connections: 200}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>stderr &
run=$!
wait_until 30 grep -q "listening at" stderr
port=$(grep -o 'listening at 127.0.0.1:[0-9]*' stderr | head -n 1 | sed 's/.*://')
pid=$(worker_pids http | head -n 1)
rss() { awk '/^RssAnon/ { print $2 }' "/proc/$pid/status"; }
python3 "$load" hostile "$port" 1 "$RANDOM" || fail hostile
python3 "$load" unclear "$port" || fail unclear
before=$(rss)
python3 "$load" hostile "$port" "$(rounds 3 30)" "$RANDOM" &
hostile=$!
python3 "$load" load "$port" "$(rounds 3 30)" 8 5 honest >said || fail "honest: $(cat said)"
wait "$hostile" || fail hostile
cat said
after=$(rss)
# A sanitizer keeps what was freed.
sanitized || [ "$((after - before))" -le 4096 ] || fail "from $before to $after KiB"
weir drain http >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 20 stderr)"
python3 "$load" check honest out 5 || fail "not what was answered"
[ ! -s honest.unknown ] || fail "no answer to $(wc -l <honest.unknown) requests"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$(wc -l <out) true" ledger
[ -s honest.202 ] || fail "nothing was taken in"
if grep -v '^honest[0-9.]* [0-4]$' out | head -n 1 | grep -q .; then fail "something else came in: $(grep -v '^honest' out | head -c 200)"; fi

# The address is taken.
python3 -c 'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); open("bound", "w").write(str(s.getsockname()[1])); time.sleep(60)' &
taken=$!
wait_until 30 test -s bound
sed -e "s/127.0.0.1:0/127.0.0.1:$(cat bound)/" spec.yaml >taken.yaml
assert_exit 75 weir run taken.yaml
assert_contains stderr "Address already in use; another program listens there"
kill "$taken"
wait "$taken" 2>/dev/null
exit 0
