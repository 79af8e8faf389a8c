# SPDX-License-Identifier: Apache-2.0
# Programs that ignore SIGTERM or never read: the ladder still ends by its deadline, and says what has not arrived.
cat >spec.yaml <<'YAML'
pipeline: stubborn
drain: 2s
grace: 300ms
stages:
  - {name: count, source: generate, rate: 1000/s}
  - {name: deaf, exec: "trap '' TERM INT; while :; do sleep 1000; done", block_wait: 100ms}
  - {name: show, sink: discard}
YAML
for order in INT drain; do
	weir run --json spec.yaml 2>stderr &
	pid=$!
	wait_until 20 running stubborn
	sleep 0.5
	started=$SECONDS
	if [ "$order" = drain ]; then
		weir drain stubborn >drain 2>&1
	else
		kill -"$order" $pid
	fi
	wait $pid
	assert_eq $? 4 "exit code of a drain that could not end ($order)"
	[ $((SECONDS - started)) -le 60 ] || fail "it took $((SECONDS - started)) s with drain: 2s"
	assert_eq "$(final stderr balanced)" true "ledger ($order)"
	[ "$(final stderr in_flight)" -gt 0 ] || fail "nothing in flight, though nothing can have arrived"
done

# A second and third ^C skip rungs: no waiting for the deadline.
sed -i 's/drain: 2s/drain: 600s/; s/grace: 300ms/grace: 100s/' spec.yaml
weir run --json spec.yaml 2>stderr &
pid=$!
wait_until 20 running stubborn
sleep 0.3
started=$SECONDS
for rung in 1 2 3 4; do
	kill -INT $pid 2>/dev/null
	sleep 0.3
done
wait $pid
[ $((SECONDS - started)) -le 60 ] || fail "four SIGINTs took $((SECONDS - started)) s"
assert_eq "$(final stderr balanced)" true ledger
