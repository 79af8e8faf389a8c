# SPDX-License-Identifier: Apache-2.0
# A second pipeline of the same name is refused, and does not disturb the first.
cat >spec.yaml <<'YAML'
pipeline: twin
stages:
  - {name: tick, source: generate, rate: 100/s}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>first &
pid=$!
wait_until 20 running twin
cp out before
assert_exit 75 weir run spec.yaml
assert_contains stderr twin
assert_contains stderr running
assert_contains stderr "$pid"
running twin || fail "the first one is gone"
assert_exit 0 weir drain twin
wait $pid || fail "exit code $? of the first"
assert_eq "$(wc -l <out)" "$(final first delivered)" "lines of the first"

assert_exit 3 weir drain twin
assert_contains stderr twin
