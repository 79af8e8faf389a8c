# SPDX-License-Identifier: Apache-2.0
# weir drain and weir resume under load, with kills between: the pipeline runs again, and nothing is lost or repeated. What can't be taken
# back is refused with the reason, and stays what it was.
# seconds: 120
cat >spec.yaml <<'YAML'
pipeline: to-and-fro
drain: 60s
stages:
  - {name: count, source: generate, text: '{n}', lane: 64KiB}
  - {name: slow, exec: [sh, -c, 'while read -r line; do echo "$line"; sleep 0.0005; done'], workers: 2, order: fifo, block: 1KiB, block_wait: 20ms, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
draining() {
	weir ps to-and-fro --json 2>/dev/null | grep -q '"phase":"draining"'
}
more_than() {
	[ "$(wc -l <out)" -gt "$1" ]
}
kill_one() {
	local pids
	pids=($(worker_pids to-and-fro))
	[ "${#pids[@]}" = 0 ] || kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
}

assert_exit 3 weir resume to-and-fro
weir run --json spec.yaml >stdout 2>log &
pid=$!
touch out
wait_until 30 running to-and-fro
wait_until 30 more_than 50
assert_exit 75 weir resume to-and-fro
assert_contains stderr 'it is not draining'
for round in $(seq "$(rounds 3 40)"); do
	before=$(wc -l <out)
	weir drain --no-wait to-and-fro >/dev/null || fail "drain in round $round"
	draining || fail "round $round: not draining"
	pause_up_to 60
	[ $((round % 2)) = 0 ] && kill_one
	weir resume to-and-fro >said 2>stderr || fail "round $round: resume: exit code $?: $(cat stderr; tail -n 5 log)"
	assert_contains said 'runs again'
	running to-and-fro || fail "round $round: it does not run"
	# More than the lanes held when it drained: the source goes on.
	wait_until 60 more_than $((before + 100))
	[ $((round % 3)) = 0 ] && kill_one
done
weir drain to-and-fro >/dev/null || fail "the last drain"
wait $pid
assert_eq $? 0 "exit code: $(tail -n 3 log)"
seq "$(wc -l <out)" | cmp - out || fail "the sink does not hold 1, 2, 3 ..."
assert_eq "$(final log accepted) $(final log delivered) $(final log in_flight) $(final log balanced)" "$(wc -l <out) $(wc -l <out) 0 true" "ledger"

# A source that has ended, for all that it gave was taken, does not begin again: draining it stays, and comes to its end.
cat >ended.yaml <<'YAML'
pipeline: one-way
drain: 60s
stages:
  - {name: few, source: generate, text: '{n}', count: 600}
  - {name: pass, exec: [cat], block_wait: 5ms}
  - {name: slow, exec: [sh, -c, 'while read -r line; do echo "$line"; sleep 0.002; done'], block: 1KiB, block_wait: 20ms}
  - {name: write, sink: file, path: out}
YAML
rm -f out
weir run --json ended.yaml >stdout 2>log &
pid=$!
touch out
wait_until 30 more_than 100
weir drain --no-wait one-way >/dev/null || fail "drain"
weir resume one-way >said 2>stderr
status=$?
[ "$status" = 75 ] || [ "$status" = 4 ] || fail "resumed, or something else: exit code $status: $(cat said stderr)"
grep -q 'ended its stream' stderr || fail "no reason: $(cat stderr)"
wait $pid
assert_eq $? 0 "exit code after a refused resume: $(tail -n 3 log)"
seq 600 | cmp - out || fail "the sink does not hold 1 .. 600"
