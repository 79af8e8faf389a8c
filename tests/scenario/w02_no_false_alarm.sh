# SPDX-License-Identifier: Apache-2.0
# Waiting is no stall: a slow sink, a loop at its gate, a rendezvous, more busy workers than processors. Nothing is named, and `weir why` shows who
# waits for whom all the same. And a pipeline at rest costs its supervisor nothing.
# seconds: 240
# takes: 26
# sanitizers: no, it waits beside busy loops; the looks are those of w01_stalls
plugins=$WEIR_BUILD/tests/plugins
cat >pressure.yaml <<YAML
pipeline: pressure
grace: 200ms
drain: 1s
stages:
  - {name: numbers, source: generate, text: '{n} 0'}
  - {name: head, from: [numbers, {stage: again, credit: 64}], plugin: $plugins/unlucky.so, worker: 63, lane: 64KiB}
  - {name: again, plugin: $plugins/again.so, workers: 2}
  - {name: pass, from: again, exec: [cat], workers: 2, lane: 64KiB}
  - {name: slow, plugin: $plugins/stuck.so, how: slow, at: 1000000000, pause: 300ms, lane: 64KiB}
  - {name: out, capacity: 0, sink: discard}
YAML
cat >rest.yaml <<'YAML'
pipeline: rest
grace: 200ms
drain: 1s
stages:
  - {name: lines, source: exec, command: 'seq 5; exec sleep 100000'}
  - {name: pass, exec: [cat], workers: 2, block_wait: 20ms}
  - {name: out, sink: discard}
YAML
weir run --json --progress=never --quiet pressure.yaml 2>pressure.err >/dev/null &
pressure=$!
weir run --json --progress=never --quiet rest.yaml 2>rest.err >/dev/null &
rest=$!
wait_until 60 running pressure
wait_until 60 running rest

burners=()
for _ in $(seq $((2 * $(nproc)))); do
	while :; do :; done &
	burners+=($!)
done
# On a machine this full an answer may take longer than a person waits for it: `weir why` says so (75), and that is no alarm.
answers=0 late=0
end=$((SECONDS + $(rounds 12 3600)))
while [ "$SECONDS" -lt "$end" ] || [ "$answers" = 0 ]; do
	weir why pressure --window 0 >why 2>why.stderr
	status=$?
	case $status in
	0) answers=$((answers + 1)) ;;
	75) late=$((late + 1)) ;;
	*) cat why why.stderr >&2; fail "exit code $status of weir why" ;;
	esac
	sleep 1
done
echo "$answers times nothing was stuck, $late times no answer in time"
kill "${burners[@]}"
wait "${burners[@]}" 2>/dev/null
answered() { weir why pressure --window 0 >why 2>/dev/null; }
wait_until 60 answered
assert_contains why "pressure: nothing is stuck"
assert_contains why "numbers#0 waits for room at head#0"
for log in pressure.err rest.err; do
	grep -E 'stall|deadlock' $log >&2 && fail "a false alarm in $log"
done

# At rest: after a while the supervisor sleeps for good.
switches() { grep -h ctxt "/proc/$rest/status" | awk '{ n += $2 } END { print n }'; }
sleeps() {
	local before
	before=$(switches)
	sleep 4
	[ "$(switches)" = "$before" ]
}
wait_until 60 sleeps
kill -INT "$rest" "$pressure"
wait "$rest"
wait "$pressure"
assert_eq "$(final rest.err balanced) $(final pressure.err balanced)" "true true" ledgers
