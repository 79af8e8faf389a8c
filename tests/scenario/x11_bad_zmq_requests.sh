# SPDX-License-Identifier: Apache-2.0
# Clients who ask and never listen, ask and go, or ask what nobody understands cost an honest one nothing but time.
# seconds: 120
peer=$WEIR_BUILD/tests/zmq_peer
n=$(rounds 400 20000)
cat >ask.yaml <<'YAML'
pipeline: ask
stages:
  - {name: ask, source: zmq, type: router, bind: 'ipc://in', answer: reply, within: 60s, requests: 100, queue: 100, size_max: 64KiB}
  - {name: work, operator: map, expr: '. + "!"'}
  - {name: tell, sink: zmq, type: reply, to: ask}
YAML
weir run --json ask.yaml 2>stderr &
run=$!
wait_until 30 running ask
"$peer" ask connect ipc://in "$n" honest 60000 >got 2>again & honest=$!
wait_until 30 test -s got
# Each asks far more than is kept for him, and reads nothing of it.
for i in 1 2 3; do "$peer" flood connect ipc://in "$(rounds 3000 100000)" "deaf$i" & deaf[i]=$!; done
"$peer" rubbish connect ipc://in "$(rounds 500 20000)" what || fail rubbish
# Who goes in the middle of it.
"$peer" flood connect ipc://in 1000000 gone & gone=$!
wait_until 30 eval '[ "$(wc -l <got)" -ge $((n / 4)) ]'
kill -KILL "$gone"
wait "$gone" 2>/dev/null
for i in 1 2 3; do wait "${deaf[i]}" || fail "flood $i"; done
wait "$honest" || fail "the honest one: $(cat again)"
assert_eq "$(cat again)" 0 "asked again"
seq -f 'honest %.0f!' "$n" >expected
assert_file_equal got expected "what the honest one was answered"
weir drain ask >/dev/null
wait "$run"
code=$?
# What was refused is in the store, and that is what the exit code says.
[ "$(final stderr rejected_at_source)" -gt 0 ] || fail "nothing was refused: $(grep summary stderr | cut -c1-400)"
assert_eq "$code $(final stderr balanced) $(final stderr in_flight)" "3 true 0" "ledger: $(tail -n 3 stderr | cut -c1-300)"
grep -q 'a client that asked has gone, or takes no answer' stderr || fail "nobody was deaf"
