# SPDX-License-Identifier: Apache-2.0
# A server that fails now and then, also when it has taken the items, while workers are killed: with what weir says of who they are it has each item
# exactly once. And weir at both ends: 202, 429, 503 and a drain, nothing lost.
# seconds: 180
command -v python3 >/dev/null || skip "no python3"
python3 "$WEIR_SOURCE/tests/scenario/http_server.py" port items & server=$!
wait_until 30 test -s port

# through_kills OPTIONS: as long as the kills take
through_kills() {
	local count n=$(rounds 6 300)
	rm -f items* ended
	: >items
	cat >spec.yaml <<YAML
pipeline: kills
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: gen, source: generate, text: '{"n":{n}}', decode: json}
  - {name: post, sink: http, url: 'http://127.0.0.1:$(cat port)/flaky', encode: json, backoff: 1ms, backoff_max: 20ms, timeout: 20s, $1, dead_letter: {path: letters, attempts: 100}}
YAML
	weir run --json spec.yaml 2>stderr & run=$!
	wait_until 30 test -s items
	assert_eq "$(kill_randomly kills 100 "$n")" "$n" "kills: $(tail -n 20 stderr)"
	wait_until 60 test -s items.twice
	weir drain kills >/dev/null
	wait "$run" || fail "exit code $?: $(tail -n 20 stderr)"
	[ ! -e items.errors ] || fail "the server: $(cat items.errors)"
	count=$(final stderr accepted)
	assert_eq "$(cut -f 2 items | sort | sha256sum)" "$(seq "$count" | sed 's/.*/{"n":&}/' | sort | sha256sum)" "what the server has, with $1"
	assert_eq "$(final stderr delivered) $(final stderr balanced)" "$count true" ledger
	[ ! -e letters ] || fail "letters: $(head -n 3 letters)"
	echo "$1: $n kills, $(wc -l <items.requests) requests, $(wc -l <items.twice) of $count items came again"
}
through_kills "requests: 16"
through_kills "batch_count: 20, requests: 4, workers: 2, compress: gzip, body: array"

# Retry-After: a second between the first request and the second.
rm -f items*
cat >spec.yaml <<YAML
pipeline: slowly
stages:
  - {name: gen, source: generate, count: 1, text: '{n}'}
  - {name: post, sink: http, url: 'http://127.0.0.1:$(cat port)/status/429/Retry-After: 1', backoff: 1ms, attempts: 2, requests: 1}
YAML
sed -i "s/: 1'/:1'/" spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(awk 'NR > 1 && NR % 2 == 0 && $1 - before < 1 { n++ } { before = $1 } END { print n + 0, NR }' items.requests)" "0 2" "Retry-After: $(cat items.requests)"
kill "$server"
wait "$server" 2>/dev/null

# weir at the other end, which is slow, drains in the middle and comes again.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >net.yaml <<YAML
pipeline: net
stages:
  - {name: net, source: http, listen: '127.0.0.1:$port', path: /in, wait: 1ms, connections: 20, retry_after: 1s}
  - {name: slow, operator: throttle, rate: 10000/s, lane: 64KiB}
  - {name: write, sink: file, path: out, existing: append}
YAML
cat >post.yaml <<YAML
pipeline: post
stages:
  - {name: gen, source: generate, count: $(rounds 10000 200000), text: 'item {n}'}
  - {name: post, sink: http, url: 'http://127.0.0.1:$port/in', batch_count: 100, requests: 8, backoff: 5ms, backoff_max: 50ms, denied: wait}
YAML
weir run --json net.yaml 2>net1 & net=$!
wait_until 30 grep -q "listening at" net1
weir run --json post.yaml 2>stderr & post=$!
wait_until 30 test -s out
weir drain net >/dev/null
wait "$net" || fail "exit code $? of the other end: $(tail -n 20 net1)"
weir run --json net.yaml 2>net2 & net=$!
wait "$post" || fail "exit code $?: $(tail -n 20 stderr)"
weir drain net >/dev/null
wait "$net" || fail "exit code $? of the other end: $(tail -n 20 net2)"
assert_eq "$(sort -u out | sha256sum)" "$(seq "$(rounds 10000 200000)" | sed 's/^/item /' | sort | sha256sum)" "weir to weir"
assert_contains stderr "it is tried again in"
grep -q "503\|429\|connect" stderr || fail "never refused: $(cat stderr)"

# A drain sends what was accepted; a cancel leaves at once what is under way, also where nobody answers.
rm -f port items*
python3 "$WEIR_SOURCE/tests/scenario/http_server.py" port items & server=$!
wait_until 30 test -s port
cat >hang.yaml <<YAML
pipeline: hang
stages:
  - {name: gen, source: generate, text: 'item {n}', rate: 1000}
  - {name: post, sink: http, url: 'http://127.0.0.1:$(cat port)/never', timeout: 1h, in_flight: 64}
YAML
weir run --json hang.yaml 2>stderr & run=$!
wait_until 30 test -s items.requests
begin=$SECONDS
weir cancel hang >/dev/null
wait "$run"
[ "$((SECONDS - begin))" -lt 15 ] || fail "a cancel took $((SECONDS - begin)) s"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "0 true" "after a cancel"
sed -e "s/pipeline: hang/pipeline: drain/; s/never/ok/" hang.yaml >drain.yaml
weir run --json drain.yaml 2>stderr & run=$!
wait_until 30 test -s items
weir drain drain >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 20 stderr)"
assert_eq "$(final stderr accepted)" "$(wc -l <items)" "after a drain"

# Scopes are cancelled: what waits, or is alone in a request under way, ends at once; what is one of several that were sent ends with them.
scoped() { # OPTIONS SENT CANCELLED SCOPE...
	local sent=$2 expected=$3 scope run
	rm -f items* go
	: >items
	cat >scopes.yaml <<YAML
pipeline: scopes
stages:
  - {name: gen, source: generate, count: 40, text: '{n}', scopes: 20}
  - {name: post, sink: http, url: 'http://127.0.0.1:$(cat port)/gate', timeout: 1h, $1}
YAML
	shift 3
	weir run --json scopes.yaml 2>stderr & run=$!
	wait_until 30 all_sent "$sent"
	for scope; do weir cancel scopes --scope "$scope" >/dev/null || fail "cancel of scope $scope"; done
	wait_until 30 cancelled "$expected"
	touch go
	wait "$run"
	assert_eq $? 3 "exit code of a run that has lost items"
	assert_eq "$(final stderr delivered) $(final stderr cancelled) $(final stderr balanced) $(restarts stderr)" "$((40 - expected)) $expected true 0" "ledger, scopes $*"
}
all_sent() { [ "$(cat items.requests 2>/dev/null | wc -l)" -ge "$1" ]; }
cancelled() { weir ps scopes --json 2>/dev/null | grep -q "\"cancelled\":$1,"; }
scoped "requests: 4" 4 4 3 7 # 3 is under way
assert_eq "$(cut -f 2 items | grep -v -x 3 | sort -n | tr '\n' ' ')" "$(seq 40 | grep -v -x -e 3 -e 23 -e 7 -e 27 | tr '\n' ' ')" "without two scopes"
scoped "requests: 1, batch_count: 10, batch_age: 1s" 1 1 7 # in the batch under way
assert_eq "$(cut -f 2 items | sort -n | tr '\n' ' ')" "$(seq 40 | grep -v -x 27 | tr '\n' ' ')" "without one item"
kill "$server"
wait "$server" 2>/dev/null
exit 0
