# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# The table of cancelled scopes is full: the next cancel is refused, a person is told when there will be room, a stage in the log; what stands in
# the table holds, and a place that is free again is given to the next one.
cat >full.yaml <<YAML
pipeline: full
drain: 60s
stages:
  - {name: make, source: generate, count: 4200, rate: 2000, text: "cancel 9000{n}"}
  - {name: ask, plugin: $WEIR_BUILD/tests/plugins/errand.so}
  - {name: write, sink: file, path: full.out}
  - {name: more, source: exec, command: 'exec tail -n +1 -f items'}
  - {name: stamp, from: more, plugin: $WEIR_BUILD/tests/plugins/errand.so}
  - {name: keep, from: stamp, sink: file, path: kept}
YAML
echo '@1 before' >items
weir run --json full.yaml >full.json 2>&1 &
run=$!
wait_until 60 running full
assert_exit 0 weir cancel full --scope 5 --for 8s
wait_until 60 grep -q "and it is not: 4096 scopes are cancelled" full.json
weir cancel full --scope 6 2>refused
assert_eq $? 75 "a full table"
assert_contains refused "4096 scopes are cancelled, and the table has no room for more; the next one leaves it in"
printf '@5 dropped\n@6 passes\n@90001 dropped\n' >>items
wait_until 60 grep -q -s passes kept
free() { weir cancel full --scope 6 2>/dev/null; }
wait_until 60 free
printf '@6 dropped\n@5 passes too\n' >>items
wait_until 60 grep -q "passes too" kept
assert_exit 0 weir drain full
wait "$run"
printf '@1 before\n@6 passes\n@5 passes too\n' >expected
assert_file_equal kept expected
assert_eq "$(final full.json cancelled) $(final full.json balanced) $(grep -c 'and it is not' full.json)" "3 true 105"
