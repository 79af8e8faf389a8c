# SPDX-License-Identifier: Apache-2.0
# What a sink http does where nothing seems to go on: requests that never get full, items whose time is over while their neighbours' is not, servers
# that are away while the pipeline drains.
# seconds: 120
command -v python3 >/dev/null || skip "no python3"
python3 "$WEIR_SOURCE/tests/scenario/http_server.py" port items & server=$!
wait_until 30 test -s port
base=http://127.0.0.1:$(cat port)

# spec SOURCE URL OPTIONS
spec() {
	rm -f letters go
	: >items
	: >items.requests
	cat >spec.yaml <<YAML
pipeline: odd
restart: {backoff: 1ms}
drain: 60s
stages:
  - {name: gen, $1}
  - {name: post, sink: http, url: '$2', backoff: 1ms, backoff_max: 20ms, $3, dead_letter: {path: letters}}
YAML
}
requests() { grep -c " $1 odd.post" items.requests; } # of so many items
has() { weir ps odd --json 2>/dev/null | grep -q "\"in_flight\":$1[,}]"; }
end() { # CODE
	wait "$run"
	assert_eq "$?" "$1" "exit code: $(tail -n 5 stderr | cut -c1-300)"
	assert_eq "$(final stderr balanced)" true ledger
}

# ---- a request that will never be full leaves when nobody can come any more, however long it might wait: at the end, at a drain, after a kill
waiting="batch_count: 100, batch_age: 1h"
spec "source: generate, count: 250, text: '{n}'" "$base/ok" "$waiting"
assert_exit 0 weir run --json spec.yaml
assert_eq "$(wc -l <items) $(requests 100) $(requests 50)" "250 2 1" "items, full requests, the last one"
seq 30 >in
spec "source: file, path: in, follow: true" "$base/ok" "$waiting"
weir run --json spec.yaml 2>stderr & run=$!
wait_until 30 has 30
[ ! -s items ] || fail "somebody did not wait: $(cat items.requests)"
kill -KILL "$(weir ps odd --json | grep -o '"name":"post".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')"
wait_until 30 test -s items # the next worker may have fewer at a time until it is past these
weir drain odd >/dev/null
end 0
assert_eq "$(cut -f 2 items | sort -n | tr '\n' ' ')" "$(seq 30 | tr '\n' ' ')" "through a kill and a drain"

# ---- one item's time is over while it is under way with others: they are sent again without it
for s in 2 10 40; do # on a slow machine it may be over before
	for n in 1 2 3; do echo "{\"n\":$n,\"w\":\"$([ "$n" = 2 ] && echo "$s" || echo 9000)s\"}"; done >"in.$s"
	spec "source: file, path: in.$s, decode: json, expires: within(.w)" "$base/gate" "encode: json, batch_count: 3, batch_age: 1h, requests: 1, timeout: 1h"
	weir run --json spec.yaml 2>stderr & run=$!
	wait_until 120 eval '[ "$(requests 2)" = 1 ] || [ -s letters ]'
	[ "$(requests 3)" = 0 ] || break
	touch go
	wait "$run"
done
wait_until 30 eval '[ "$(requests 2)" = 1 ]'
touch go
end 3
assert_eq "$(final stderr delivered) $(wc -l <letters) $(requests 3)" "2 1 1" "delivered, letters, requests of three"
assert_contains letters 'it was not delivered within its time; no answer has come'
assert_contains letters '"sequence":1,'

# ---- a drain waits for a server that takes its time, and not for ever for one that is away
seq 20 >in.slow
spec "source: file, path: in.slow, follow: true" "$base/gate" "requests: 2, timeout: 1h"
weir run --json spec.yaml 2>stderr & run=$!
wait_until 30 eval '[ "$(requests 1)" = 2 ]'
weir drain odd --no-wait >/dev/null || fail "drain"
wait_until 30 eval 'weir ps odd --json | grep -q draining'
touch go
end 0
assert_eq "$(cut -f 2 items | sort -n | tr '\n' ' ')" "$(seq 20 | tr '\n' ' ')" "through a drain that had to wait"
closed=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
seq 20 >in.away # the next run of a pipeline goes on where the last one has read
spec "source: file, path: in.away, follow: true" "http://127.0.0.1:$closed/" "requests: 2"
sed -i 's/drain: 60s/drain: 1s/' spec.yaml
weir run --json spec.yaml 2>stderr & run=$!
wait_until 30 grep -q "it is tried again" stderr
wait_until 30 has 20
weir drain odd >/dev/null
end 4
assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr in_flight)" "20 0 20" "while the server is away"

kill "$server"
wait "$server" 2>/dev/null
[ ! -e items.errors ] || fail "the server: $(cat items.errors)"
