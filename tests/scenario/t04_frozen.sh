# SPDX-License-Identifier: Apache-2.0
# Supervisor and workers stand still for longer than the deadline of a stage, as under a debugger or when a container is paused; the supervisor is
# the first to go on. Nobody is blamed for that time, neither for an item in hand nor for those put aside: attempts: 1, and all arrive.
# seconds: 60
# takes: 17
# sanitizers: no, it stands still; the deadlines are those of t01_item_deadlines
plugins=$WEIR_BUILD/tests/plugins

pipeline() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	stages:
	  - {name: numbers, source: generate, count: $2, text: '{n}'}
	  - {name: mill, $3, deadline: 12s, dead_letter: {attempts: 1}}
	  - {name: out, sink: file, path: $1.out}
	YAML
}
working() { weir ps "$1" --json 2>/dev/null | grep -o '"name":"mill".*' | grep -q "\"state\":\"$2\""; }
supervisor() { weir ps "$1" --json | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://'; }

pipeline hand 3 "plugin: $plugins/stuck.so, how: slow, pause: 2s"
pipeline aside 100 "plugin: $plugins/delay_async.so, delay: 2s, in_flight: 64"
for name in hand aside; do
	{ weir run --json --progress=never "$name.yaml" 2>"$name.log" >/dev/null; echo $? >"$name.code"; } &
done
wait_until 60 working hand busy
wait_until 60 working aside wait-ext
supervisors="$(supervisor hand) $(supervisor aside)"
workers="$(worker_pids hand) $(worker_pids aside)"
kill -STOP $supervisors $workers
sleep 13
kill -CONT $supervisors
sleep 0.1
kill -CONT $workers
wait
for name in hand aside; do
	assert_eq "$(cat "$name.code") $(restarts "$name.log") $(final "$name.log" balanced)" "0 0 true" "$name: exit code, restarts, ledger"
	grep 'has overrun' "$name.log" && fail "$name: blamed for time in which nobody ran"
done
assert_eq "$(wc -l <hand.out) $(wc -l <aside.out)" "3 100" "arrived"
