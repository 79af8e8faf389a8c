# SPDX-License-Identifier: Apache-2.0
# Nobody looks at a pipeline at rest. When it begins to work again the looks begin, too: a stall on the first item after the rest is named.
# seconds: 400
# takes: 16
# sanitizers: no, it waits for a rest; the looks are those of w01_stalls
cat >spec.yaml <<YAML
pipeline: woken
grace: 200ms
drain: 1s
stages:
  - {name: lines, source: exec, command: 'echo a; while ! [ -e go ]; do sleep 0.1; done; echo b; exec sleep 100000'}
  - {name: mill, plugin: $WEIR_BUILD/tests/plugins/stuck.so, how: spin, at: 2}
  - {name: out, sink: discard}
YAML
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 running woken
switches() { grep -h ctxt "/proc/$run/status" | awk '{ n += $2 } END { print n }'; }
rests() {
	local before
	before=$(switches)
	sleep 3
	[ "$(switches)" = "$before" ]
}
wait_until 120 rests
touch go
wait_until 240 grep -q 'stall: mill#0 (pid [0-9]*) has been in its stage' log
kill -INT "$run"
wait "$run"
assert_eq "$(final log balanced)" true ledger
