# SPDX-License-Identifier: Apache-2.0
# The source http at a socket that weir was started with: while its workers are killed and the supervisor goes on under --keep nobody is refused, and each item that was
# answered with 202 arrives.
# seconds: 60
# sanitizers: no, u04_handed_sockets and n03_http_kills run the same code there
touch "$WEIR_WORK/orphans-expected"
cat >spec.yaml <<'YAML'
pipeline: handed
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: web, source: http, listen: '203.0.113.1:1', path: /in}
  - {name: write, sink: file, path: out}
YAML
cat >post.py <<'PY'
"""post.py PORT: posts lines until ./enough is there; each again until it is answered. How many were answered is in ./sent, who was refused in ./refused."""
import http.client
import os
import sys

n, connection = 0, None
while not os.path.exists("enough"):
    try:
        if not connection:
            connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=50)
        connection.request("POST", "/in", body=f"line {n + 1}\n")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            continue
        n += 1
        with open("sent.new", "w", encoding="ascii") as file:
            file.write(str(n))
        os.rename("sent.new", "sent")
    except ConnectionRefusedError as error:
        with open("refused", "a", encoding="ascii") as file:
            print(error, file=file)
        connection = None
    except (OSError, http.client.HTTPException):  # its worker was killed: again
        connection = None
PY
python3 "$WEIR_SOURCE/tests/scenario/handed.py" web=0 -- weir run --keep "$PWD/keep" --json spec.yaml 2>stderr &
pipeline=$!
wait_until 60 [ -s port ]
python3 post.py "$(cat port)" &
load=$!
has_got_on() {
	[ "$(cat sent 2>/dev/null || echo 0)" -ge $((at + 20)) ]
}
at=0
wait_until 60 has_got_on
for _ in 1 2 3; do
	at=$(cat sent)
	kill -KILL "$(worker_pids handed | head -n 1)" # of the first stage
	wait_until 60 has_got_on
done
at=$(cat sent)
kill -KILL "$pipeline"
wait "$pipeline" 2>/dev/null
weir run --keep "$PWD/keep" --json spec.yaml 2>stderr2 &
pipeline=$!
wait_until 60 has_got_on
touch enough
wait "$load" || fail "client: exit code $?"
kill -TERM "$pipeline"
wait "$pipeline"
assert_eq "$?" 143 "exit code: $(tail -n 3 stderr2)"
assert_contains stderr2 "goes on with the run"
[ ! -e refused ] || fail "who connected was refused: $(sort refused | uniq -c)"
for i in $(seq "$(cat sent)"); do echo "line $i"; done | LC_ALL=C sort >wanted
[ -z "$(LC_ALL=C sort -u out | comm -13 - wanted)" ] || fail "not all that was answered has arrived"
