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

# A stage with a loop of its own reads what it refers to, too, and sends nothing more to an output that it has closed.
cat >loop.yaml <<YAML
pipeline: loop
stages:
  - {name: numbers, source: generate, count: 2000, text: '{n} ', size: 8000}
  - {name: plain, from: numbers, sink: file, path: plain}
  - {name: relay, from: numbers, plugin: $WEIR_BUILD/tests/plugins/relay.so, first: 10}
  - {name: first, from: relay, sink: file, path: first}
  - {name: all, from: relay, sink: file, path: all}
YAML
assert_exit 0 weir run --json loop.yaml
assert_file_equal all plain "what the loop has read"
head -n 10 plain | cmp - first >&2 || fail "more or less than ten items in the output that was closed"
assert_eq "$(final stderr balanced) $(final stderr in_flight)" "true 0" "ledger of the loop"
