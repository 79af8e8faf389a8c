# SPDX-License-Identifier: Apache-2.0
# No memory for the lanes: exit code 75 before anything was accepted, with a sentence, and nothing is left behind.
[[ $(ldd "$WEIR_BUILD/bin/weir") != *asan* ]] || skip "AddressSanitizer needs more address space than this limit leaves"
cat >spec.yaml <<'YAML'
pipeline: large
stages:
  - {name: count, source: generate, count: 10}
  - {name: cat, exec: [cat], workers: 8, lane: 16MiB}
  - {name: write, sink: file, path: out, lane: 16MiB}
YAML
assert_exit 0 weir check spec.yaml >out.check
assert_contains out.check "memory at most"
limited() {
	(ulimit -v 250000 && exec weir "$@")
}
assert_exit 75 limited run spec.yaml
assert_contains stderr "memory"
[ ! -s out ] || fail "it ran"
