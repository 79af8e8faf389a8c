# SPDX-License-Identifier: Apache-2.0
# examples/risk finds what an independent awk finds, for one worker and for two, and while workers are killed.
# seconds: 300
# sanitizers: no, an example; its stages are in scenarios of their own
n=$(rounds 60000 1000000)
cp "$WEIR_SOURCE"/examples/risk/*.lua .
awk -v n="$n" -f "$WEIR_SOURCE/examples/risk/expected.awk" | LC_ALL=C sort >expected
for reason in large often much moved; do
	grep -q "$reason" expected || fail "nothing is '$reason' among $n payments"
done

# of WORKERS: the example as it stands, but as fast as it can, and so many of them
of() {
	sed -e '/^expires:/d' -e "s,rate: 23148/s,count: $n," -e "s,workers: 2,workers: $1," "$WEIR_SOURCE/examples/risk/risk.yaml"
	echo "restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}"
}
judged() {
	LC_ALL=C sort alerts-*.ndjson >got
	assert_file_equal got expected "$1"
	rm alerts-*.ndjson
}
for workers in 1 2; do
	of "$workers" >spec.yaml
	assert_exit 0 weir run --quiet spec.yaml
	judged "$workers workers"
done

# Somebody dies again and again.
weir run --json --progress=never spec.yaml 2>stderr &
pipeline=$!
kill_randomly risk 100 "$(rounds 10 200)" >kills &
killer=$!
wait "$pipeline" || fail "exit code $?: $(tail -n 3 stderr | cut -c 1-300)"
touch ended
wait "$killer"
judged "with $(restarts stderr) deaths"
[ "$(restarts stderr)" -ge 1 ] || fail "nobody died"

# As it stands it runs until it is told to end; what was late is counted and the rest is judged.
cp "$WEIR_SOURCE/examples/risk/risk.yaml" .
weir run --json --progress=never risk.yaml 2>log &
pipeline=$!
alerts_come() { cat .alerts-*.part 2>/dev/null | grep -q .; } # a file has its name once it is complete
wait_until 60 alerts_come
assert_exit 0 weir drain risk >out
status=0
wait "$pipeline" || status=$?
[ "$status" = 0 ] || [ "$status" = 3 ] || fail "exit code $status: $(tail -n 3 log | cut -c 1-300)"
assert_eq "$(final log balanced)" true ledger
