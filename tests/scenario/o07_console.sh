# SPDX-License-Identifier: Apache-2.0
# weir console: what it serves over a unix socket and over TCP, to whom not, that it sees a death, that killing and stopping it harms nobody, and that
# it ends with its pipeline, or stays for the next run if it is told to.
# seconds: 120
cat >spec.yaml <<'YAML'
pipeline: seen
stages:
  - {name: count, source: generate, rate: 500/s}
  - {name: cat, exec: [cat], mode: line, workers: 2}
  - {name: end, sink: discard}
YAML
runs=$WEIR_RUN_DIR/seen
# over the unix socket: ask PATH; the status is in `status`, the body in `body`
ask() {
	curl -s -m 20 --unix-socket "$runs/console" -o body -w '%{http_code}' "http://localhost$1" >status
}
answers() {
	ask "$1" && [ "$(cat status)" = "$2" ]
}
has() {
	answers "$1" 200 && grep -q -F -e "$2" body
}
assert_exit 3 weir console seen
assert_contains stderr "no pipeline 'seen' is running"
assert_exit 2 weir console ../seen
assert_exit 2 weir console seen --wait
assert_exit 75 weir console seen --wait --listen nonsense

weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 running seen
weir console seen 2>said &
console=$!
wait_until 60 answers /ready 200
assert_contains said "seen at unix:$runs/console"
assert_eq "$(stat -c %a "$runs/console")" 600 "mode of the socket"
for path in / /console.js /console.css /live /startup /metrics /api /api/plan /api/now /api/worker/3 /api/events /api/why /api/letters /api/metrics /api/status; do
	answers "$path" 200 || fail "$path: $(cat status)"
done
for path in plan now worker/3 events why letters metrics status; do
	ask "/api/$path" && cp body "json.${path##*/}"
done
python3 -c 'import json, sys; [json.load(open(path)) for path in sys.argv[1:]]' json.* || fail "some of it is no JSON"
assert_eq "$(ls json.* | wc -l)" 8 "answers"
answers /nothing 404 || fail "/nothing: $(cat status)"
ask /metrics
grep -q '^weir_workers{pipeline="seen",stage="cat"} 2$' body || fail "no metrics of the supervisor's"
grep -q '^weir_stage_turns_total{pipeline="seen",stage="cat"} [1-9]' body || fail "no metrics of the segments"
assert_eq "$(grep '^# TYPE' body | sort | uniq -d)" "" "a metric twice"
assert_exit 75 weir console seen # another one is there
assert_contains stderr "is another console there"

# A worker is killed: an event says so.
kill -KILL "$(worker_pids seen | sed -n 2p)"
wait_until 60 has /api/events '"kind":"replaced","summary":"a worker has died, and another one has its seat","stage":"cat"'
# A worker that is stopped while items wait: not ready, with the reason.
kill -STOP "$(worker_pids seen | tail -n 1)"
wait_until 60 answers /ready 503
grep -q '"ready":false,"reasons":\["end#0' body || fail "no reason: $(cat body)"
kill -CONT "$(worker_pids seen | tail -n 1)"
wait_until 60 answers /ready 200
# The supervisor is stopped: that it does not answer is known within a bound; what is in the segments can be read all the same.
kill -STOP "$run"
wait_until 60 answers /live 503
grep -q "does not answer" body || fail "no reason: $(cat body)"
has /metrics weir_stage_turns_total || fail "nothing of the segments while the supervisor is stopped"
kill -CONT "$run"
wait_until 60 answers /live 200

# Another spec is in force: observers are told.
sed -i 's/exec: .cat./exec: [cat, -u]/' spec.yaml
assert_exit 0 weir reload seen spec.yaml --probation 20ms >/dev/null
wait_until 60 has /api/events '"kind":"reloaded"'
has /api/plan '"generation":2' || fail "it has the old plan: $(cat body)"

# It is killed: nobody notices; the next one takes its place.
kill -KILL "$console"
wait "$console"
weir console seen 2>said &
console=$!
wait_until 60 answers /ready 200
weir console seen --wait --listen 127.0.0.1:0 --host console.example 2>said.tcp &
tcp=$!
wait_until 60 grep -q "http://127.0.0.1:" said.tcp
port=$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' said.tcp)
python3 "$WEIR_SOURCE/tests/scenario/http_hostile.py" 127.0.0.1 "$port" >hostile || { cat hostile >&2; fail "it is not as it should be"; }
assert_eq "$(curl -s -m 20 -o body -w '%{http_code}' -H 'Host: console.example' "http://127.0.0.1:$port/live")" 200 "a name that was given"
kill -STOP "$tcp" # and one that stands still holds up nobody

assert_exit 0 weir drain seen >/dev/null
wait "$run"
assert_eq "$? $(final log balanced) $(final log in_flight)" "0 true 0" "exit code, ledger"
wait "$console"
assert_eq "$?" 0 "exit code of a console whose pipeline has ended"
[ ! -e "$runs/console" ] || fail "its socket is left"
kill -CONT "$tcp"
tcp_answers() {
	[ "$(curl -s -m 20 -o body -w '%{http_code}' "http://127.0.0.1:$port$1")" = "$2" ]
}
wait_until 60 tcp_answers /live 503
grep -q "not running" body || fail "no reason: $(cat body)"
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 tcp_answers /ready 200
assert_exit 0 weir drain seen >/dev/null
wait "$run"
kill -TERM "$tcp"
wait "$tcp"
assert_eq "$?" 0 "exit code of a console that was told to end"
