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
assert_eq $? 2 "a stage that is not there"
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

# In flight: what was completed out of order counts, whoever is killed meanwhile; what was pending, and what still comes, is discarded.
for kills in 0 6; do
	rm -f calls.json calls.out
	cat >calls.yaml <<YAML
pipeline: calls
drain: 100s
stages:
  - {name: make, source: generate, count: 100000, rate: 30000, text: "{n}"}
  - {name: call, plugin: $WEIR_BUILD/tests/plugins/delay_async.so, delay: 20ms, in_flight: 512, workers: 2, lane: 64KiB}
  - {name: write, sink: file, path: calls.out}
YAML
	weir run --json calls.yaml >calls.json 2>&1 &
	run=$!
	wait_until 60 test -s calls.out
	kill_randomly calls 30 "$kills" >/dev/null
	wait_until 60 running calls
	assert_exit 0 weir cancel calls/call --timeout 60s
	kill_randomly calls 30 "$kills" >/dev/null
	wait "$run"
	assert_eq $? 3 "exit code with in_flight and $kills kills"
	arrived=$(wc -l <calls.out)
	assert_eq "$(sort -n -u calls.out | wc -l)" "$arrived" "twice"
	assert_eq "$(final calls.json balanced) $(final calls.json in_flight) $(($(final calls.json cancelled) + $(final calls.json unwanted) + arrived))" \
		"true 0 $(final calls.json accepted)" "each item that was accepted arrived, or is counted"
done

# The same when such a stage fails for good and its branch is dropped.
cat >poison.yaml <<YAML
pipeline: poison
drain: 100s
stages:
  - {name: make, source: generate, count: 20000, text: "{n}"}
  - {name: call, plugin: $WEIR_BUILD/tests/plugins/delay_async.so, delay: 5ms, in_flight: 64, die: 700, restart: {type: temporary}, on_failure: drop_branch}
  - {name: write, sink: file, path: poison.out}
YAML
assert_exit 3 weir run --json poison.yaml
arrived=$(wc -l <poison.out)
assert_eq "$(sort -n -u poison.out | wc -l)" "$arrived" "twice in the dropped branch"
assert_eq "$(final stderr balanced) $(final stderr in_flight) $(($(final stderr cancelled) + arrived))" "true 0 $(final stderr accepted)" "the dropped branch"
[ "$arrived" -ge 600 ] && [ "$arrived" -lt 20000 ] || fail "$arrived arrived"
