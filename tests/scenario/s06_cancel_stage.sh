# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# One stage is cancelled, and the pipeline goes on: what comes to it is discarded and counted, with kills in between; whoever else reads from
# the stage before it gets everything. A stage that hears nothing is ended, too. What is not there, or can't be, is refused with a reason.
stuck=$WEIR_BUILD/tests/plugins/stuck.so
n=300000

cat >branch.yaml <<YAML
pipeline: branch
drain: 100s
stages:
  - {name: make, source: generate, count: $n, rate: 60000, text: "{n}"}
  - {name: slow, from: make, exec: [cat], mode: line, workers: 2}
  - {name: archive, from: slow, sink: file, path: archive.out}
  - {name: write, from: make, sink: file, path: write.out}
YAML
weir run --json branch.yaml >branch.json 2>&1 &
run=$!
wait_until 60 test -s archive.out
weir cancel branch/nothing 2>refused
assert_eq $? 75 "a stage that is not there"
assert_contains refused "there is no stage 'nothing'; there are make, slow, archive, write"
assert_exit 2 weir cancel branch/slow --scope 7
kill_randomly branch 50 4 >/dev/null
assert_exit 0 weir cancel branch/slow --cause downstream_gone
assert_exit 0 weir cancel branch/slow
weir metrics branch >metrics || fail "no metrics"
assert_eq "$(sed -n '/^weir_cancels_total.* [1-9]/s/.*cause=//p' metrics)" '"downstream_gone"} 1' "cancels by cause"
kill_randomly branch 50 6 >/dev/null
wait "$run"
assert_eq $? 3 "exit code"
assert_eq "$(final branch.json balanced)" true
seq 1 "$n" >expected
assert_file_equal write.out expected "the branch that nobody cancelled"
arrived=$(wc -l <archive.out)
[ "$arrived" -lt "$n" ] || fail "nothing was discarded"
assert_eq "$(sort -n -u archive.out | wc -l)" "$arrived" "twice behind the stage"
assert_contains branch.json "is cancelled (weir cancel, cause downstream_gone): what comes to it is discarded"

# What never returns from its stage goes, too, and the source ends, for nobody is left who listens.
cat >deaf.yaml <<YAML
pipeline: deaf
stages:
  - {name: make, source: generate, text: "{n}"}
  - {name: deaf, plugin: $stuck, how: spin, at: 10, grace: 300ms}
  - {name: drop, sink: discard}
YAML
weir run --json deaf.yaml >deaf.json 2>&1 &
run=$!
in_loop() { weir ps deaf --json 2>/dev/null | grep -o '"name":"deaf".*' | grep -q '"state":"busy"'; }
wait_until 60 in_loop
assert_exit 0 weir cancel deaf/deaf --timeout 60s
wait "$run"
assert_eq $? 3 "exit code of the deaf one"
assert_eq "$(final deaf.json balanced)" true

# In flight: what was completed out of order could not be told from the rest.
cat >calls.yaml <<YAML
pipeline: calls
stages:
  - {name: make, source: generate, rate: 100}
  - {name: call, plugin: $WEIR_BUILD/tests/plugins/delay_async.so, delay: 10ms, in_flight: 8}
  - {name: drop, sink: discard}
YAML
weir run --json calls.yaml >calls.json 2>&1 &
run=$!
wait_until 60 running calls
weir cancel calls/call 2>refused
assert_eq $? 75 "a stage with in_flight"
assert_contains refused "has in_flight: 8"
assert_exit 0 weir drain calls
wait "$run"
assert_eq $? 0 "it went on"
