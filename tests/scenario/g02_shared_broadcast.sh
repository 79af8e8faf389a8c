# SPDX-License-Identifier: Apache-2.0
# One source, three readers of different speed: each item is written once, each reader gets all of them, whole and in order, also
# when workers die, and the slowest sets the pace without anybody's memory growing.
# seconds: 120
items=$(rounds 400 4000)
cat >spec.yaml <<YAML
pipeline: shared
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, plugin: $WEIR_BUILD/tests/plugins/large_source.so, count: $items, size: 256KiB}
  - {name: fast, from: read, plugin: $WEIR_BUILD/tests/plugins/large_check.so, count: $items, size: 256KiB, lane: 2MiB}
  - {name: pass, from: read, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 1MiB}
  - {name: last, from: pass, plugin: $WEIR_BUILD/tests/plugins/large_check.so, count: $items, size: 256KiB, lane: 1MiB, pause: 2ms}
  - {name: slow, from: read, plugin: $WEIR_BUILD/tests/plugins/large_check.so, count: $items, size: 256KiB, lane: 1MiB, pause: 5ms}
YAML
for kills in no yes; do
	rm -f ended
	[ $kills = no ] || kill_randomly shared 60 >kills &
	weir run --json spec.yaml 2>stderr
	status=$?
	touch ended
	wait
	[ "$status" = 0 ] || { tail -n 20 stderr >&2; fail "exit code $status"; }
	assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr balanced)" "$items $((items * 3)) true" "ledger"
done
echo "$(cat kills) kills, $(restarts stderr) restarts"
[ "$(cat kills)" -ge 5 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
