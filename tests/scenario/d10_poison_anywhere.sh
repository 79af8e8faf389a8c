# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# Poison where there is no process(): an item that kills the worker of a loop, as it is received or once it has been sent on, costs exactly
# `attempts` lives, its neighbours arrive once. Who dies with nothing in hand, and a source that always dies at the same place, though it
# looks round in vain before, end by their intensity, which is said; what was accepted arrives.
plugins=$WEIR_BUILD/tests/plugins

# pipeline SOURCE [STAGE]
pipeline() {
	cat >spec.yaml <<-YAML
	pipeline: poison
	restart: {intensity: 6, period: 30s, backoff: 1ms, backoff_max: 5ms}
	stages:
	  - {name: make, $1}
	  ${2:+- {name: loop, $2\}}
	  - {name: write, sink: file, path: out}
	YAML
	rm -f out
}

for when in received sent; do
	for keys in 'dead_letter: {attempts: 1}' 'dead_letter: {attempts: 4}' 'dead_letter: {attempts: 2}, workers: 3, order: fifo'; do
		attempts=$(expr "$keys" : '.*attempts: \([0-9]\)')
		pipeline "source: generate, count: 3000, text: '{n}'" "plugin: $plugins/poison_loop.so, 'on': 500, when: $when, $keys"
		assert_exit 3 weir run --json spec.yaml
		seq 1 3000 | grep -vx 500 >expected
		sort -n out >sorted
		assert_file_equal sorted expected "$when, $keys: neighbours"
		assert_eq "$(restarts stderr) $(final stderr dead_lettered) $(final stderr balanced)" "$attempts 1 true" "$when, $keys: lives"
		weir dlq export poison >letter
		assert_eq "$(grep -o '"attempts":[0-9]*,\|"payload":"[0-9]*"' letter | tr '\n' ' ')" "\"attempts\":$attempts, \"payload\":\"500\" " "$when, $keys: letter"
		assert_eq "$(grep -o 'was killed by SIGKILL' letter | wc -l)" "$attempts" "$when, $keys: story"
		weir dlq purge poison --all >/dev/null
	done
done

# ends WHERE STAGE N: after N deaths, by the intensity; nobody is blamed
ends() {
	assert_exit 3 weir run --json spec.yaml
	assert_eq "$(grep -c 'was killed by SIGKILL' stderr) $(restarts stderr)" "$3 $(($3 - 1))" "$1: deaths"
	assert_contains stderr "stage '$2' failed: more than 6 deaths without progress in 30.0 s (restart: intensity, period); no item was lost"
	assert_eq "$(final stderr balanced) $(final stderr in_flight) $(final stderr dead_lettered)" "true 0 0" "$1: ledger"
	assert_eq "$(final stderr delivered) $(final stderr accepted)" "$(wc -l <out) $(wc -l <out)" "$1: what was accepted arrives"
	seq 1 "$(wc -l <out)" | cmp - out || fail "$1: what has arrived"
	assert_eq "$(weir dlq ls poison)" "no dead letters" "$1"
}

pipeline "source: exec, command: 'exec sleep 1000'" "plugin: $plugins/poison_loop.so, 'on': 1000000, when: idle"
ends "a pause" loop 7
for idle in 0 3; do
	pipeline "plugin: $plugins/poison_producer.so, 'on': 500, idle: $idle"
	ends "produce() after $idle looks" make 8 # the first has got on
	assert_eq "$(wc -l <out)" 499 "produce() after $idle looks: up to there"
done
pipeline "plugin: $plugins/poison_counter.so, 'on': 500"
ends "run() of a source" make 8
