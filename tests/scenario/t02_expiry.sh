# SPDX-License-Identifier: Apache-2.0
# Items that have travelled too long are begun by no stage, and items that find no room are let in within a time or not at all: each is counted
# where that was found, all others arrive once, and the books balance, also when workers are killed all the while.
# seconds: 120
plugins=$WEIR_BUILD/tests/plugins

# number FILE STAGE LINE: of the ledger, in the summary
number() {
	grep '"type":"summary"' "$1" | grep -o "\"name\":\"$2\".*" | grep -o "\"$3\":[0-9]*" | head -n 1 | sed 's/.*://'
}

travel() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	expires: 3s
	stages:
	  - {name: numbers, source: generate, count: 3000, text: '{n}'}
	  - {name: mill, plugin: $plugins/stuck.so, how: slow, pause: 2ms}
	  - {name: out, sink: file, path: $1.out}
	YAML
}

travelled() {
	sort -n "$1.out" >sorted
	sort -nu "$1.out" >once
	assert_file_equal sorted once "$1: nothing twice"
	delivered=$(final "$1.log" delivered)
	assert_eq "$(final "$1.log" balanced) $(final "$1.log" in_flight) $(final "$1.log" accepted)" "true 0 3000" "$1: ledger"
	assert_eq "$(wc -l <"$1.out")" "$delivered" "$1: delivered"
	assert_eq "$((delivered + $(number "$1.log" mill expired) + $(number "$1.log" out expired)))" 3000 "$1: delivered and expired"
	[ "$(number "$1.log" mill expired)" -gt 0 ] || fail "$1: nothing has expired at the slow stage"
	assert_contains "$1.log" "from 'numbers' has expired (run: 3.0 s from its source on)"
	weir dlq ls "$1" >letters
	assert_contains letters "no dead letters"
}

travel patient
assert_exit 3 weir run --json patient.yaml
mv stderr patient.log
travelled patient
[ "$(wc -l <patient.out)" -gt 0 ] || fail "nothing arrived in time"

travel killed
{ weir run --json killed.yaml 2>killed.log; touch ended; } &
wait_until 30 running killed
kill_randomly killed 100 8 >/dev/null
wait
travelled killed

# The door: a lane that takes two items and a reader that takes its time.
cat >door.yaml <<-YAML
pipeline: door
stages:
  - {name: numbers, source: generate, count: 40, text: '{n} $(printf '%30000s')', admission: 50ms}
  - {name: mill, plugin: $plugins/stuck.so, how: slow, pause: 150ms, lane: 64KiB, batch: 1}
  - {name: out, sink: file, path: door.out}
YAML
assert_exit 3 weir run --json door.yaml
assert_eq "$(final stderr balanced) $(final stderr accepted)" "true 40" "door: ledger"
expired=$(number stderr numbers expired)
[ "$expired" -gt 0 ] || fail "door: everything was let in"
assert_eq "$((expired + $(final stderr delivered)))" 40 "door: let in or not"
assert_contains stderr "an item has waited for room for 50 ms (admission) and is not let in"
awk '{ print $1 }' door.out | sort -nu | wc -l >once
assert_eq "$(cat once)" "$(final stderr delivered)" "door: once"

# While it runs: what was not let in is counted for the source, what was too long on its way for the stage that found it, and both agree with the ledger.
cat >counted.yaml <<-YAML
pipeline: counted
expires: 100ms
stages:
  - {name: numbers, source: generate, text: '{n} $(printf '%30000s')', admission: 20ms}
  - {name: mill, plugin: $plugins/stuck.so, how: slow, pause: 150ms, lane: 64KiB, batch: 1}
  - {name: out, sink: discard}
YAML
# value METRIC LABELS
value() {
	sed -n "s/^weir_$1{pipeline=\"counted\",$2} //p" now
}
both() {
	weir metrics counted >now 2>/dev/null && [ "$(value timeouts_total 'stage="numbers",level="admission"')" -gt 2 ] &&
		[ "$(value timeouts_total 'stage="mill",level="run"')" -gt 2 ]
}
weir run --json --progress=never counted.yaml >counted.json 2>&1 &
run=$!
wait_until 60 both
for place in numbers,admission mill,run; do
	stage=${place%,*}
	assert_eq "$(value timeouts_total "stage=\"$stage\",level=\"${place#*,}\"")" "$(value items_total "stage=\"$stage\",line=\"expired\"")" "$stage: time-outs and ledger"
done
for place in numbers,run mill,admission out,admission mill,item; do
	assert_eq "$(value timeouts_total "stage=\"${place%,*}\",level=\"${place#*,}\"")" 0 "$place: other time-outs"
done
assert_exit 0 weir drain counted
wait "$run"
assert_eq "$(final counted.json balanced)" true "counted: ledger"
