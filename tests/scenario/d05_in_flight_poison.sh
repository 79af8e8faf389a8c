# SPDX-License-Identifier: Apache-2.0
# One of a thousand items in flight kills its worker, as it is given or while it is pending. It alone is given up; nobody else is counted.
# seconds: 120
plugin=$WEIR_BUILD/tests/plugins/delay_async.so
for when in process due; do
	rm -f out bad.ndjson
	cat >spec.yaml <<YAML
pipeline: calls
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: 10000, text: '{n}'}
  - {name: call, plugin: $plugin, in_flight: 1000, delay: 5ms, die: '7777', die_at: $when, dead_letter: {attempts: 2, path: bad.ndjson}}
  - {name: write, sink: file, path: out}
YAML
	assert_exit 3 weir run --json spec.yaml
	assert_eq "$(sort -n out | sha256sum)" "$(seq 1 10000 | grep -v -x 7777 | sha256sum)" "result, killed in $when"
	assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr dead_lettered) $(final stderr balanced)" "10000 9999 1 true" ledger
	assert_eq "$(wc -l <bad.ndjson) $(grep -c '"attempts":2' bad.ndjson)" "1 1" "dead letters"
	assert_contains bad.ndjson '"payload":"7777"'
	# a thousand, 125, 15, one: at most three to find it, and two that it may cost
	[ "$(restarts stderr)" -le 5 ] || fail "$(restarts stderr) workers died"
	assert_contains stderr "at a time until they are through"
done
