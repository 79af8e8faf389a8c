# SPDX-License-Identifier: Apache-2.0
# A thousand items of about 10 ms each are in flight at the same time in one worker, which is killed at random: each arrives once.
# seconds: 120
plugin=$WEIR_BUILD/tests/plugins/delay_async.so
count=$(rounds 100000 2000000)
cat >spec.yaml <<YAML
pipeline: calls
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: $count, text: '{n}'}
  - {name: call, plugin: $plugin, in_flight: 1000, delay: 10ms, peak: peak}
  - {name: write, sink: file, path: out}
YAML

# Undisturbed: one at a time this would take 10 ms an item.
started=$(date +%s%N)
assert_exit 0 weir run --json --set stages.count.count=5000 spec.yaml
took_ms=$((($(date +%s%N) - started) / 1000000))
assert_eq "$(sort -n out | sha256sum)" "$(seq 1 5000 | sha256sum)" "result without kills"
assert_eq "$(cat peak)" 1000 "most that were in flight"
[ "$took_ms" -lt 25000 ] || fail "$took_ms ms for 5000 items of 10 ms: they did not run at the same time"

total=0
for workers in 1 2; do
	rm -f out ended peak
	kill_randomly calls 50 >kills &
	killer=$!
	weir run --json --set stages.call.workers=$workers spec.yaml 2>stderr
	status=$?
	touch ended
	wait "$killer"
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status with $workers workers"; }
	assert_eq "$(sort -n out | sha256sum)" "$(seq 1 "$count" | sha256sum)" "result with $workers workers"
	assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr balanced)" "$count $count true" "ledger with $workers workers"
	assert_eq "$(final stderr dead_lettered) $(final stderr rejected)" "0 0" "nobody is guilty"
	grep -q 'items in flight' stderr && in_flight=yes
	echo "$workers workers: $(cat kills) kills, $(restarts stderr) restarts"
	total=$((total + $(restarts stderr)))
done
[ "$total" -ge 5 ] || fail "only $total deaths: the run is too short to mean anything"
[ "${in_flight-}" = yes ] || fail "no worker died with items in flight"
