# SPDX-License-Identifier: Apache-2.0
# Programs that are missing, fail, flood standard error, or do not read to the end.
# with CODE FRAGMENT EXEC [MORE]: runs 1000 items through the program; standard error must say FRAGMENT
with() {
	cat >spec.yaml <<YAML
pipeline: program
drain: 3s
restart: {intensity: 3, period: 10s, backoff: 1ms}
stages:
  - {name: count, source: generate, count: 1000}
  - {name: tool, exec: $3${4-}}
  - {name: write, sink: file, path: out}
YAML
	rm -f out
	assert_exit "$1" weir run spec.yaml
	assert_contains stderr "$2"
}
with 1 "no-such-program" "[no-such-program]"
with 1 "/etc/passwd" "[/etc/passwd]"
with 3 "tool" "[false]"
assert_contains stderr "in flight"
with 3 "exit" "'cat >/dev/null; exit 7'"
with 0 "delivered 1,000" "'cat; exit 7'" ", ok_exit: [0, 7]"
with 0 "delivered 1,000" "'yes complaint | head -n 100000 >&2; cat'"
[ "$(wc -l <stderr)" -lt 20000 ] || fail "a flood on standard error reached the terminal: $(wc -l <stderr) lines"
assert_contains stderr complaint
assert_contains stderr 'not shown'
with 0 "delivered 1" "[head, -n, 1]"
with 0 "delivered 0" "'exec >&-; cat >/dev/null'"
with 3 "tool" "'kill -SEGV \$\$'"
# line mode: closes standard output, or answers too late
with 3 "tool" "'exec >&-; cat >/dev/null'" ", mode: line, answer_within: 500ms"
with 3 "tool" "[sleep, 1000]" ", mode: line, answer_within: 100ms"
