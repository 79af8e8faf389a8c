# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the supervisor: a second later neither a worker nor a grandchild is alive, and the next run starts as if nothing were.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
cat >spec.yaml <<'YAML'
pipeline: orphans
stages:
  - {name: chatter, source: exec, command: 'yes | cat | cat', env: [FAMILY]}
  - {name: blocks, exec: 'cat | cat', workers: 2, env: [FAMILY]}
  - {name: stubborn, exec: "trap '' TERM; cat | (trap '' TERM; sleep 1000)", env: [FAMILY]}
  - {name: end, sink: exec, command: 'cat >/dev/null; sleep 1000', env: [FAMILY]}
YAML
# All processes that were started with the mark in their environment.
family() {
	grep -l -z "^FAMILY=$1\$" /proc/[0-9]*/environ 2>/dev/null
}
grown_up() {
	running orphans && [ "$(family "$1" | wc -l)" -ge 12 ]
}
nobody() {
	[ -z "$(family "$1")" ]
}
for round in $(seq "$(rounds 5 100)"); do
	FAMILY=$round weir run spec.yaml >stdout 2>stderr &
	pid=$!
	wait_until 20 grown_up "$round"
	pause_up_to 200
	kill -KILL $pid
	wait $pid
	sleep 1
	nobody "$round" || fail "alive a second after the supervisor in round $round: $(for p in $(family "$round"); do
		tr '\0' ' ' <"${p%/environ}/cmdline"; echo; done)"
done
assert_exit 0 weir run <<'YAML' - >out
pipeline: orphans
stages:
  - {name: one, source: generate, count: 1}
  - {name: show, sink: stdout}
YAML
assert_eq "$(cat out)" "item 1" "the run after it"
