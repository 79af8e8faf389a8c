# SPDX-License-Identifier: Apache-2.0
# What docs/zmq.md says of SIGKILL: of a source that pulls, nothing comes twice or out of order, and what is lost is at most what lay in libzmq and in the
# connections; of a sink that pushes, at most a batch comes twice for each kill, and hardly anything is lost;
# who asks a router until he is answered loses nothing. Everybody connects again by himself.
# seconds: 120
peer=$WEIR_BUILD/tests/zmq_peer
kills=$(rounds 4 100)

cat >pull.yaml <<'YAML'
pipeline: pull
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: in, source: zmq, type: pull, bind: 'ipc://in', queue: 10}
  - {name: slow, operator: throttle, rate: 10000/s}
  - {name: out, sink: file, path: out}
YAML
weir run --json pull.yaml 2>stderr &
run=$!
wait_until 30 running pull
"$peer" push connect ipc://in 100000000 item 1000 & sender=$!
for ((i = 1; i <= kills; i++)); do
	before=$(wc -l <out)
	wait_until 30 eval '[ "$(wc -l <out)" -gt $((before + 300)) ]'
	pid=$(weir ps pull --json | grep -o '"name":"in".*' | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://')
	kill -KILL "$pid" || fail "no worker to kill"
	wait_until 30 eval '! kill -0 "$pid" 2>/dev/null && running pull'
done
before=$(wc -l <out)
wait_until 30 eval '[ "$(wc -l <out)" -gt $((before + 300)) ]'
kill "$sender" # it is about to send for ever
wait "$sender"
weir drain pull >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr)"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$(wc -l <out) true" ledger
[ "$(restarts stderr)" -ge "$kills" ] || fail "only $(restarts stderr) kills"
# In order and once: each number is larger than the one before. Gaps: 10 messages here, 1,000 in the sender's queue, and what a connection's buffers hold.
awk '$2 <= last { print "behind " last " comes " $2; bad = 1 } { if ($2 > last + 1) { gaps++; lost += $2 - last - 1 } last = $2 }
	END { print gaps + 0, lost + 0; exit bad }' out >gaps || fail "$(head -n 1 gaps)"
read -r gaps lost <gaps
echo "pull: $(restarts stderr) kills, $(wc -l <out) came, $lost lost in $gaps gaps"
[ "$lost" -le "$((kills * 3000))" ] || fail "$lost are lost, and $kills workers were killed"

n=$(rounds 40000 1000000)
cat >push.yaml <<YAML
pipeline: push
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: make, source: generate, count: $n, rate: $(rounds 20000 40000)/s}
  - {name: out, sink: zmq, type: push, connect: 'ipc://jobs'}
YAML
"$peer" pull bind ipc://jobs >got & receiver=$!
{ weir run --json push.yaml 2>stderr; echo $? >code; touch ended; } &
wait_until 30 eval '[ -s got ]'
for ((i = 1; i <= kills; i++)); do
	pause_up_to 300
	pid=$(weir ps push --json 2>/dev/null | grep -o '"name":"out".*' | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://')
	[ -z "$pid" ] || kill -KILL "$pid"
done
wait_until 100 test -e ended
assert_eq "$(cat code) $(final stderr delivered) $(final stderr balanced)" "0 $n true" "ledger: $(tail -n 3 stderr | cut -c1-300)"
killed=$(restarts stderr)
[ "$killed" -ge 2 ] || fail "only $killed kills: the run is too short to mean anything"
wait_until 30 grep -q -x "item $n" got
kill "$receiver" && wait "$receiver" || fail "the receiver"
came=$(awk '!seen[$0]++' got | wc -l)
twice=$(($(wc -l <got) - came))
echo "push: $killed kills, $((n - came)) lost, $twice twice"
[ "$twice" -le "$((killed * 64))" ] || fail "$twice came twice, and $killed workers were killed"
[ "$((n - came))" -le "$((killed * 8192 / 8))" ] || fail "$((n - came)) are lost, and $killed workers were killed"

# Who is told: nothing is lost, and what comes twice was on its way.
rm -f out ended
n=$(rounds 1500 30000)
sed -e 's/pipeline: pull/pipeline: ask/; s/type: pull/type: router/' pull.yaml >ask.yaml
weir run --json ask.yaml 2>stderr &
run=$!
wait_until 30 running ask
for i in 1 2; do "$peer" req connect ipc://in "$n" "asks$i" >"again$i" & askers[i]=$!; done
for ((i = 1; i <= kills; i++)); do
	before=$(wc -l <out)
	wait_until 30 eval '[ "$(wc -l <out)" -gt $((before + 50)) ] || [ "$(wc -l <out)" -ge $((2 * n)) ]'
	pid=$(weir ps ask --json | grep -o '"name":"in".*' | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://')
	[ -z "$pid" ] || kill -KILL "$pid"
done
for i in 1 2; do wait "${askers[i]}" || fail "asker $i"; done
weir drain ask >/dev/null
wait "$run" || fail "exit code $?: $(tail -n 3 stderr | cut -c1-300)"
for i in 1 2; do
	seq -f "asks$i %.0f" "$n" >expected
	awk -v w="asks$i" '$1 == w && !seen[$0]++' out >got
	assert_file_equal got expected "what asker $i was told to be safe, in order"
done
killed=$(restarts stderr)
twice=$(($(wc -l <out) - 2 * n))
again=$(($(cat again1) + $(cat again2)))
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$(wc -l <out) true" ledger
echo "router: $killed kills, asked again $again times, $twice twice"
[ "$killed" -ge 2 ] || fail "only $killed kills: the run is too short to mean anything"
[ "$twice" -le "$again" ] || fail "$twice came twice, and it was asked again $again times"
