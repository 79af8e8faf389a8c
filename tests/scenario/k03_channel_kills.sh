# SPDX-License-Identifier: Apache-2.0
# Stages with a loop of their own, all of them killed at random: each item once, in order where it was asked for.
# seconds: 180
n=$(rounds 300000 6000000)
plugins=$WEIR_BUILD/tests/plugins
cat >ordered.yaml <<YAML
pipeline: ordered
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, plugin: $plugins/count.so, count: $n}
  - {name: relay, plugin: $plugins/relay.so, workers: 3, order: fifo}
  - {name: again, plugin: $plugins/relay.so}
  - {name: slow, exec: 'sleep 0.01; cat', block: 32KiB}
  - {name: write, sink: file, path: out}
YAML
cat >merged.yaml <<YAML
pipeline: merged
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: a, plugin: $plugins/count.so, count: $n}
  - {name: b, plugin: $plugins/count.so, count: $((n / 2))}
  - {name: merge, from: [a, b], plugin: $plugins/interleave.so}
  - {name: relay, plugin: $plugins/relay.so, workers: 2, idle: 5ms}
  - {name: slow, exec: 'sleep 0.01; cat', block: 64KiB}
  - {name: write, sink: file, path: out}
YAML

# killed NAME: runs it while its workers are killed
killed() {
	rm -f out ended
	kill_randomly "$1" 50 >kills &
	local killer=$!
	weir run --json "$1.yaml" 2>stderr
	local status=$?
	touch ended
	wait "$killer"
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "$1: exit code $status"; }
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts"
	[ "$(cat kills)" -ge 5 ] || fail "$1: only $(cat kills) kills: the run is too short to mean anything"
	assert_eq "$(final stderr balanced)" true "$1: ledger"
}

killed ordered
seq 1 "$n" >expected
assert_file_equal out expected "ordered"

killed merged
{ seq -f '0 %.0f' 1 "$n"; seq -f '1 %.0f' 1 $((n / 2)); } | LC_ALL=C sort >expected
grep -v idle out | LC_ALL=C sort >sorted
assert_file_equal sorted expected "merged"
