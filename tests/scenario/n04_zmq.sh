# SPDX-License-Identifier: Apache-2.0
# Messages from and to plain programs of libzmq, over all four kinds of sockets: each arrives once, in order, is held up where there is no room, and strangers at the
# port cost nobody anything.
# seconds: 90
peer=$WEIR_BUILD/tests/zmq_peer
n=$(rounds 20000 1000000)

# program PUSH -> pull, push -> program PULL; the receiver comes late, so everybody waits for it.
cat >work.yaml <<'YAML'
pipeline: work
stages:
  - {name: in, source: zmq, type: pull, bind: 'ipc://in', queue: 100}
  - {name: out, sink: zmq, type: push, connect: 'ipc://out', topic: work}
YAML
assert_exit 0 weir check work.yaml >checked
weir run --json work.yaml 2>stderr &
run=$!
wait_until 30 test -S in
"$peer" push connect ipc://in "$n" a & a=$!
"$peer" push connect ipc://in "$n" b & b=$!
wait_until 30 running work
"$peer" pull bind ipc://out >got & receiver=$!
wait_until 60 eval '[ "$(wc -l <got)" -eq $((2 * n)) ]'
kill "$a" "$b"
wait "$a" && wait "$b" || fail "a sender"
weir drain work >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr)"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$((2 * n)) true" ledger
for word in a b; do
	seq -f "work|$word %.0f" "$n" >expected
	grep -F "work|$word " got >one
	assert_file_equal one expected "what $word has sent"
done
[ ! -e in ] || fail "the socket is left behind"
kill "$receiver" && wait "$receiver" || fail "the receiver"

# program PUB -> sub, pub -> program SUB, over TCP; of two kinds one is subscribed to.
port=$((20000 + RANDOM % 20000))
cat >news.yaml <<YAML
pipeline: news
stages:
  - {name: in, source: zmq, type: sub, connect: 'tcp://127.0.0.1:$port', subscribe: ['trade '], queue: 1000000}
  - {name: keep, sink: file, path: kept}
  - {name: tell, from: in, sink: zmq, type: pub, bind: 'tcp://127.0.0.1:$((port + 1))', queue: 1000000, linger: 10s}
YAML
weir run --json news.yaml 2>stderr &
run=$!
wait_until 30 running news
"$peer" sub connect "tcp://127.0.0.1:$((port + 1))" 'trade ' >got & receiver=$!
"$peer" pub bind "tcp://127.0.0.1:$port" 200 quote || fail "the first publisher"
# Who subscribes to what is published misses what came before: so it is published until it has come all the way.
tries=0
until [ -s got ]; do
	[ "$((tries += 1))" -le 100 ] || fail "nothing comes"
	"$peer" pub bind "tcp://127.0.0.1:$port" 1 "trade early" || fail "the second publisher"
done
"$peer" pub bind "tcp://127.0.0.1:$port" 2000 trade || fail "the third publisher"
wait_until 60 grep -q -x 'trade 2000' got
weir drain news >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr)"
seq -f "trade %.0f" 2000 >expected
grep -v early got >one
assert_file_equal one expected "what was published"
grep -v early kept >one
assert_file_equal one expected "what was kept"
kill "$receiver" && wait "$receiver" || fail "the subscriber"

# Strangers at the port: a browser, somebody who says nothing, and an address that is taken.
sed -e "s|ipc://in|tcp://127.0.0.1:$port|; s/sink:.*/sink: file, path: kept2}/" work.yaml >open.yaml
weir run --json open.yaml 2>stderr &
run=$!
wait_until 30 running work
for i in 1 2 3 4 5 6 7 8; do
	(printf 'GET /%d HTTP/1.1\r\nHost: somebody\r\nUser-Agent: %080d\r\n\r\n' "$i" 0 >"/dev/tcp/127.0.0.1/$port") 2>/dev/null # hung up on, in the middle
done
exec 9<>"/dev/tcp/127.0.0.1/$port"
sed 's/pipeline: work/pipeline: other/; s/path: kept2/path: other/' open.yaml >other.yaml
assert_exit 75 weir run other.yaml
assert_contains stderr "cannot bind tcp://127.0.0.1:$port: Address already in use; another program has it: end it, or choose another address"
"$peer" push connect "tcp://127.0.0.1:$port" 1000 honest & a=$!
wait_until 60 eval '[ "$(wc -l <kept2)" -ge 1000 ]'
exec 9>&-
kill "$a" && wait "$a" || fail "the honest sender"
weir drain work >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr)"
seq -f "honest %.0f" 1000 >expected
assert_file_equal kept2 expected "what the honest one has sent"
