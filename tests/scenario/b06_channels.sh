# SPDX-License-Identifier: Apache-2.0
# Stages with a loop of their own: a receive with a deadline, a select over two inputs, an output that is closed early, a rejected item.
plugins=$WEIR_BUILD/tests/plugins

# Deadline: the source says nothing until the relay's 'idle' has come out at the other end.
cat >idle.yaml <<YAML
pipeline: idle
stages:
  - {name: read, source: exec, command: 'echo one; until [ -e seen ]; do sleep 0.02; done; echo two'}
  - {name: relay, plugin: $plugins/relay.so, idle: 20ms}
  - {name: write, sink: file, path: idle-out}
YAML
weir run --json idle.yaml 2>stderr &
run=$!
wait_until 30 grep -q -s idle idle-out
touch seen
wait "$run" || { cat stderr >&2; fail "the relay with a deadline failed"; }
assert_eq "$(grep -v idle idle-out | tr '\n' ' ')" "one two " items
assert_eq "$(final stderr balanced)" true "ledger with deadlines"

# Select: all of both inputs, the order of each kept, and the short one does not wait for the end of the long one.
cat >select.yaml <<YAML
pipeline: select
stages:
  - {name: long, plugin: $plugins/count.so, count: 200000}
  - {name: short, plugin: $plugins/count.so, count: 500}
  - {name: merge, from: [long, short], plugin: $plugins/interleave.so}
  - {name: write, sink: file, path: select-out}
YAML
assert_exit 0 weir run --json select.yaml
assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr balanced)" "200500 200500 true" "ledger of a select"
seq 1 200000 >long
seq 1 500 >short
sed -n 's/^0 //p' select-out >merged-long
sed -n 's/^1 //p' select-out >merged-short
assert_file_equal merged-long long
assert_file_equal merged-short short
[ "$(tail -n 1 select-out)" = "0 200000" ] || fail "the short input came last: it was starved"

# Close: 'sort' sees the end of its input while the relay still waits for its own.
cat >close.yaml <<YAML
pipeline: close
stages:
  - {name: read, source: exec, command: 'seq 1 20; echo "!bad"; until [ -e sorted ]; do sleep 0.02; done; seq 21 30'}
  - {name: relay, plugin: $plugins/relay.so, first: 10, dead_letter: {path: dead.jsonl}}
  - {name: sort, from: relay, exec: [sort, -n], block: all}
  - {name: sorted, from: sort, sink: file, path: first}
  - {name: all, from: relay, sink: file, path: all}
YAML
weir run --json close.yaml 2>stderr &
run=$!
wait_until 30 grep -q -s -x 10 first
touch sorted
wait "$run"
assert_eq "$?" 3 "exit code with a rejected item"
seq 1 10 >expected
assert_file_equal first expected "the output that was closed early"
seq 1 30 >expected
assert_file_equal all expected "the other output"
assert_eq "$(final stderr rejected) $(final stderr balanced)" "1 true" "ledger with a close"
assert_contains dead.jsonl "exclamation mark"
