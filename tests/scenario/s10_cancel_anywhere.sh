# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# takes: 16
# sanitizers: no, it cancels at other times than s06_cancel_stage, s07_cancel_scope and s08_one_ladder, by the same code
# A stage is cancelled wherever that can come: the source, the sink, one in a loop, all of them one after the other, one that waits for its
# restart, one whose worker is stopped, while the pipeline drains, and while a drain is taken back. It ends each time, and the ledger is exact.
plugins=$WEIR_BUILD/tests/plugins
pid_of() { weir ps "$1" --json 2>/dev/null | grep -o "\"name\":\"$2\".*" | grep -o '"index":[0-9]*,"pid":[0-9]*' | head -n 1 | sed 's/.*://'; }

# account FILE WHAT: everything accepted has arrived or is counted
account() {
	assert_eq "$(final "$1" balanced) $(final "$1" in_flight)" "true 0" "$2: ledger"
}

# spec NAME [ARGUMENTS]: two branches behind one source, one of them in two steps
spec() {
	cat >"$1.yaml" <<YAML
pipeline: $1
drain: 100s
restart: {intensity: 1000, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: make, source: generate, count: 60000, rate: 40000, text: "{n}"}
  - {name: first, from: make, plugin: $plugins/mortal.so, workers: 2, lane: 64KiB}
  - {name: second, from: first, exec: [cat], mode: line, lane: 64KiB}
  - {name: part, from: second, sink: file, path: $1.part, lane: 64KiB}
  - {name: keep, from: make, sink: file, path: $1.keep, lane: 64KiB}
YAML
	rm -f "$1.part" "$1.keep" "$1.json"
	weir run --json "${@:2}" "$1.yaml" >"$1.json" 2>&1 &
	run=$!
	wait_until 60 test -s "$1.part"
}

# One stage at a time, with kills.
for stage in make first second part keep; do
	spec "one"
	kill_randomly one 10 2 >/dev/null
	weir cancel one/$stage --timeout 60s >/dev/null || fail "cancel of $stage"
	kill_randomly one 10 3 >/dev/null
	wait "$run"
	assert_eq $? 3 "exit code without $stage"
	account one.json "without $stage"
	case $stage in
	make) assert_eq "$(sort -n -u one.keep | wc -l)" "$(final one.json accepted)" "what the source had given" ;;
	keep) assert_eq "$(sort -n -u one.part | wc -l)" 60000 "the branch without keep" ;;
	*) assert_eq "$(sort -n -u one.keep | wc -l)" 60000 "the branch without $stage" ;;
	esac
	assert_eq "$(sort -n one.part | uniq -d | wc -l) $(sort -n one.keep | uniq -d | wc -l)" "0 0" "twice without $stage"
done

# All of them, one after the other, from either end; and all at once.
for order in "make first second part keep" "keep part second first make"; do
	spec "all"
	for stage in $order; do
		weir cancel all/$stage --timeout 60s >/dev/null 2>stderr || grep -q "no pipeline 'all'" stderr || fail "cancel of $stage in '$order': $(cat stderr)"
	done
	wait "$run"
	assert_eq $? 3 "exit code of $order"
	account all.json "$order"
done
spec "all"
cancels=
for stage in make first second part keep; do
	weir cancel all/$stage --no-wait >/dev/null 2>&1 &
	cancels="$cancels $!"
done
wait $cancels
wait "$run"
assert_eq $? 3 "exit code of all at once"
account all.json "all at once"

# While it drains, and while that is taken back.
spec "drains" --set stages.first.slow_us=2000 --set stages.make.rate=2k
weir drain drains --no-wait >/dev/null
weir resume drains >/dev/null 2>&1 &
weir cancel drains/second --timeout 60s >/dev/null || fail "cancel in a drain: $?"
wait "$!"
weir resume drains 2>refused && fail "resumed though a stage was cancelled"
wait "$run"
assert_eq $? 3 "exit code of the drain"
account drains.json "drain"
assert_eq "$(sort -n -u drains.keep | wc -l)" "$(final drains.json accepted)" "the branch beside it in a drain"

# Stopped workers: of the stage, and of its neighbours.
spec "stopped"
for stage in first second; do kill -STOP "$(pid_of stopped $stage)"; done
assert_exit 4 weir cancel stopped/second --timeout 100ms
assert_contains stderr "not acknowledged by: second#0"
weir cancel stopped/second --timeout 60s >/dev/null || fail "the stopped one does not go"
kill -CONT "$(pid_of stopped first)"
wait "$run"
assert_eq $? 3 "exit code with stopped workers"
account stopped.json "stopped workers"
assert_eq "$(sort -n -u stopped.keep | wc -l)" 60000 "the branch beside stopped workers"

# One that waits for its restart.
cat >waits.yaml <<YAML
pipeline: waits
drain: 100s
stages:
  - {name: make, source: generate, count: 20000, text: "{n}"}
  - {name: dies, from: make, exec: 'read -r line; kill -KILL \$PPID; cat', mode: line, restart: {backoff: 1h, backoff_max: 1h}}
  - {name: part, from: dies, sink: discard}
  - {name: keep, from: make, sink: file, path: waits.keep, lane: 64KiB}
YAML
weir run --json waits.yaml >waits.json 2>&1 &
run=$!
wait_until 60 grep -q "restart in" waits.json
assert_exit 0 weir cancel waits/dies --timeout 60s
wait "$run"
assert_eq $? 3 "exit code of one that waits for its restart"
account waits.json "one that waits"
assert_eq "$(wc -l <waits.keep) $(final waits.json cancelled)" "20000 20000" "one that waits"

# A stage of a loop: its head, and another one.
for stage in head again; do
	cat >loop.yaml <<YAML
pipeline: loop
drain: 100s
stages:
  - {name: make, source: generate, count: 50000, rate: 30000, text: "{n}"}
  - {name: head, from: [make, {stage: again, credit: 64}], plugin: $plugins/again.so}
  - {name: again, from: head, exec: [cat], mode: line}
  - {name: write, from: again, sink: discard}
  - {name: keep, from: make, sink: file, path: loop.keep}
YAML
	weir check loop.yaml >/dev/null 2>loop.err || fail "$(cat loop.err)"
	rm -f loop.keep
	weir run --json loop.yaml >loop.json 2>&1 &
	run=$!
	wait_until 60 test -s loop.keep
	weir cancel loop/$stage --timeout 60s >/dev/null || fail "cancel of $stage in a loop"
	wait "$run"
	assert_eq $? 3 "exit code of the loop without $stage"
	account loop.json "the loop without $stage"
	assert_eq "$(wc -l <loop.keep)" 50000 "the branch beside the loop without $stage"
done
