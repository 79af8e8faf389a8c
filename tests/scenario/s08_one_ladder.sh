# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# takes: 16
# Workers that are to end while others go on take the ladder: a cancelled stage, and a sibling of one that has died, hear the cancel with its
# cause, run their cleaners and leave; who hears nothing gets SIGTERM, then SIGKILL. Whatever they do, no item is lost or done twice.
plugins=$WEIR_BUILD/tests/plugins

# ---- a stage that heeds its cancel: hook, calls and cleaners hear the cause, and nobody else is touched ----
cat >heeds.yaml <<YAML
pipeline: heeds
drain: 60s
stages:
  - {name: read, source: exec, command: 'until grep -q -s budget heeds.trace; do sleep 0.02; done; seq 1 100; until test -e go-on; do sleep 0.02; done; seq 101 1000'}
  - {name: scoped, from: read, plugin: $plugins/scoped.so, trace: heeds.trace}
  - {name: part, from: scoped, sink: file, path: part.out}
  - {name: keep, from: read, sink: file, path: keep.out}
YAML
weir run --json heeds.yaml >heeds.json 2>&1 &
run=$!
wait_until 60 grep -q -s -x 100 part.out
assert_exit 0 weir cancel heeds/scoped --cause config --timeout 60s
touch go-on
wait "$run"
assert_eq $? 3 "exit code"
assert_eq "$(sed 1,3d heeds.trace)" "hook: config
run: cancelled
cleaner outer 2: config
cleaner inner 2: config
cleaner inner 1: config
cleaner outer 1: config
close" "what the stage hears, and what runs"
assert_contains heeds.json "left when it was cancelled; a stand-in takes its seat"
if grep -q "is told to end by SIGKILL\|was killed" heeds.json; then fail "somebody was killed"; fi
assert_eq "$(final heeds.json balanced) $(final heeds.json cancelled)" "true 900"
seq 1 1000 >expected
assert_file_equal keep.out expected "the branch beside it"
head -n 100 expected >first
assert_file_equal part.out first "the branch behind it"

# ---- siblings: each effect outside that was begun is finished or undone, and nothing is lost or done twice ----
cat >siblings.yaml <<YAML
pipeline: siblings
strategy: one_for_all
drain: 60s
stages:
  - {name: make, source: generate, count: 1500, text: "{n}"}
  - {name: effect, plugin: $plugins/effect.so, trace: siblings.trace, pause: 2ms}
  - {name: mortal, plugin: $plugins/mortal.so}
  - {name: write, sink: file, path: siblings.out}
YAML
pid_of() { weir ps "$1" --json 2>/dev/null | grep -o "\"name\":\"$2\".*" | grep -o '"index":[0-9]*,"pid":[0-9]*' | head -n 1 | sed 's/.*://'; }
ends_heard() { [ "$(grep -c -s sibling_failed siblings.trace)" -ge "$1" ]; }
weir run --json siblings.yaml >siblings.json 2>&1 &
run=$!
wait_until 60 test -s siblings.out
for round in 1 2 3; do
	wait_until 60 eval 'kill -KILL "$(pid_of siblings mortal)" 2>/dev/null'
	wait_until 60 ends_heard "$round"
	wait_until 60 running siblings
	wait_until 60 eval '[ -n "$(pid_of siblings mortal)" ]'
done
wait "$run"
assert_eq $? 0 "exit code with siblings"
seq 1 1500 >expected
assert_file_equal siblings.out expected "siblings: each item once, in order"
awk '$1 == "begin" { open = $2 } $1 == "end" { if ($2 != open) bad = 1; open = 0 } $1 == "undone" { if ($2 != open ":") bad = 1; open = 0 }
	$1 == "clean" && open { bad = 1 } END { exit bad || open }' siblings.trace || { tail -n 20 siblings.trace >&2; fail "half an effect is left"; }
assert_contains siblings.json "left when it was cancelled; it comes back with its sibling"
assert_eq "$(grep -c "clean 0: none" siblings.trace)" 1 "the natural end"

# ---- who hears nothing: SIGTERM at grace; who does not hear that either, or is stopped: SIGKILL, and no neighbour waits for it ----
for how in spin deaf stopped; do
	grace=3s # from SIGTERM on it is all that who hears it has
	[ "$how" != deaf ] || grace=200ms
	rm -f ladder.json keep.out
	plugin="plugin: $plugins/stuck.so, how: ${how/stopped/sleep}, at: 10"
	cat >ladder.yaml <<YAML
pipeline: ladder
drain: 60s
stages:
  - {name: make, source: generate, count: 100000, text: "{n}"}
  - {name: stuck, from: make, $plugin, grace: $grace}
  - {name: part, from: stuck, sink: discard}
  - {name: keep, from: make, sink: file, path: keep.out, lane: 64KiB}
YAML
	weir run --json ladder.yaml >ladder.json 2>&1 &
	run=$!
	busy() { weir ps ladder --json 2>/dev/null | grep -o '"name":"stuck".*' | grep -q '"state":"busy"'; }
	wait_until 60 busy
	[ "$how" = stopped ] && kill -STOP "$(pid_of ladder stuck)"
	assert_exit 0 weir cancel ladder/stuck --timeout 60s
	wait "$run"
	assert_eq $? 3 "$how: exit code"
	assert_eq "$(final ladder.json balanced) $(final ladder.json in_flight)" "true 0" "$how"
	seq 1 100000 >expected
	assert_file_equal keep.out expected "$how: the branch beside it"
	assert_contains ladder.json "SIGTERM: it does not stop for its cancel (user)"
	if [ "$how" = deaf ]; then
		assert_contains ladder.json "is told to end by SIGKILL"
		assert_contains ladder.json "was killed by SIGKILL; a stand-in takes its seat"
	else
		assert_contains ladder.json "exited with status 143; a stand-in takes its seat"
	fi
done

# ---- the rest of a dropped branch: its other workers have their cleaners, too ----
cat >branch.yaml <<YAML
pipeline: branch
drain: 60s
stages:
  - {name: make, source: generate, count: 40000, text: "{n}"}
  - {name: effect, plugin: $plugins/effect.so, trace: branch.trace, pause: 5ms, workers: 3, balance: round-robin, on_failure: drop_branch, restart: {type: temporary}}
  - {name: write, sink: discard}
YAML
weir run --json branch.yaml >branch.json 2>&1 &
run=$!
wait_until 60 test -s branch.trace
wait_until 60 eval 'kill -KILL "$(pid_of branch effect)" 2>/dev/null'
wait "$run"
assert_eq $? 3 "exit code of the dropped branch"
assert_eq "$(final branch.json balanced)" true
assert_eq "$(grep -c 'sibling_failed' branch.trace)" 2 "cleaners of the two that were left"
