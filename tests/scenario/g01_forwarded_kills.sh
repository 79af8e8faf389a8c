# SPDX-License-Identifier: Apache-2.0
# Items of 1 MiB go over four stages that pass them on, while a random worker of any stage dies every 50 ms. The sink checks every
# word and the order; nothing is lost, nothing comes twice, and no process keeps more than it did at the start.
# seconds: 180
items=$(rounds 3000 60000)
cat >spec.yaml <<YAML
pipeline: forwarded
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, plugin: $WEIR_BUILD/tests/plugins/large_source.so, count: $items}
  - {name: a, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 4MiB}
  - {name: b, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 4MiB}
  - {name: c, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 4MiB}
  - {name: d, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 4MiB}
  - {name: check, plugin: $WEIR_BUILD/tests/plugins/large_check.so, count: $items, lane: 4MiB}
YAML
# Private memory of the largest worker, in KiB: lanes are shared, and bounded by the plan.
private_kib() {
	for pid in $(worker_pids forwarded); do
		awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null
	done | sort -n | tail -n 1
}
{ wait_until 20 running forwarded && private_kib >early; } &
kill_randomly forwarded 50 >kills &
{ late=0
while [ ! -e ended ]; do
	now=$(private_kib)
	[ "${now:-0}" -le "$late" ] || { late=$now; echo "$late" >late; }
	sleep 0.1
done; } &
weir run --json spec.yaml 2>stderr
status=$?
touch ended
wait
[ "$status" = 0 ] || { tail -n 20 stderr >&2; fail "exit code $status"; }
assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr balanced)" "$items $items true" "ledger"
echo "$(cat kills) kills, $(restarts stderr) restarts, private memory $(cat early) KiB early, $(cat late) KiB at most"
[ "$(cat kills)" -ge 8 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
[ "$(cat late)" -le $(($(cat early) + 4096)) ] || fail "grew from $(cat early) to $(cat late) KiB"
