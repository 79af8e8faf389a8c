# SPDX-License-Identifier: Apache-2.0
# Specs that can not be: exit code 1, the place, what was meant. Never a crash, never a long wait.
# refuse FRAGMENT <<spec
refuse() {
	cat >spec.yaml
	assert_exit 1 weir check spec.yaml >out
	cat out >>stderr
	assert_contains stderr "$1"
	assert_exit 1 weir run spec.yaml >out
	assert_contains stderr "$1"
}
refuse "spec.yaml:4:" <<'YAML'
pipeline: typo
stages:
  - {name: one, source: generate, count: 1}
  - {name: show, sink: stdou}
YAML
assert_contains stderr "stdout"
refuse "sorce" <<'YAML'
pipeline: typo
stages:
  - {name: one, sorce: generate}
  - {name: show, sink: stdout}
YAML
refuse "spec.yaml:3:" <<'YAML'
pipeline: unread
stages:
  - {name: one, source: generate, count: 1}
YAML
refuse "nobody" <<'YAML'
pipeline: lost
stages:
  - {name: one, source: generate, count: 1}
  - {name: show, from: nobody, sink: stdout}
YAML
refuse "spec.yaml:1:1: error: a spec is a map" <<'YAML'
just a sentence
YAML
# No pipes into refuse: what fails in a subshell of a pipe fails nothing.
refuse "spec.yaml" </dev/null
assert_contains stderr "nothing is in it"
refuse "spec.yaml:1:11: error: a control character" < <(printf 'pipeline: \001\377\n')
refuse "spec.yaml:3:5: error: this { is never closed" < <(printf 'pipeline: p\nstages:\n  - {name: one')
assert_exit 1 weir check no-such-file.yaml >out
assert_contains stderr no-such-file.yaml
assert_exit 1 weir check "$WEIR_SOURCE" >out

# A gigabyte, and ten thousand levels: refused in seconds.
started=$SECONDS
truncate -s 1G huge.yaml
assert_exit 1 weir check huge.yaml >out
assert_contains stderr huge.yaml
awk 'BEGIN { printf "pipeline: deep\nstages: "; for (i = 0; i < 10000; i++) printf "["; print "" }' >deep.yaml
assert_exit 1 weir check deep.yaml >out
assert_contains stderr deep.yaml
[ $((SECONDS - started)) -le 60 ] || fail "$((SECONDS - started)) s to refuse two senseless specs"
assert_exit 2 weir
assert_exit 2 weir rnu spec.yaml
assert_contains stderr run
assert_exit 2 weir run
