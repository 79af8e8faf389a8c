# SPDX-License-Identifier: Apache-2.0
# Items that say themselves until when they may be on their way: in a field, as a time of day or as a duration. Those that are over are begun
# by nobody and counted, those that say nothing have no end, those that talk nonsense are dead letters; all others arrive once, through stages of
# every kind, by reference, and through kills. A letter that is given again has no deadline any more.
# seconds: 180
plugins=$WEIR_BUILD/tests/plugins

# number FILE STAGE LINE: of the ledger, in the summary
number() {
	grep '"type":"summary"' "$1" | grep -o "\"name\":\"$2\".*" | grep -o "\"$3\":[0-9]*" | head -n 1 | sed 's/.*://'
}

# Of 5000 records every fifth was over long ago, every fifth is far off, as a number or as a time, every fifth says nothing, one in a hundred nonsense.
records() {
	awk -v far="$(($(date +%s) + 3600))000" -v text="$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)" 'BEGIN { for (i = 1; i <= 5000; i++) {
		end = i % 5 == 0 ? 1000 : i % 5 == 1 ? far : i % 5 == 2 ? "\"" text "\"" : i % 5 == 3 ? "null" : ""
		if (i % 100 == 51) end = "\"tomorrow\""
		printf end == "" ? "{\"n\": %d%s}\n" : "{\"n\": %d, \"end\": %s}\n", i, end } }'
}
records >records
grep -v '"end": 1000}\|tomorrow' records >expected

# travel NAME STAGE...: through these stages, killed all the while if `kills` is set
travel() {
	local name=$1
	shift
	{
		printf 'pipeline: %s\ndrain: 100s\nstages:\n  - {name: read, source: file, path: records, expires: at(.end)}\n' "$name"
		printf '  - {%s}\n' "$@"
		printf '  - {name: write, sink: file, path: %s.out}\n' "$name"
	} >"$name.yaml"
	rm -f ended
	{ weir run --json --progress=never "$name.yaml" 2>"$name.log" >/dev/null; echo $? >"$name.code"; touch ended; } &
	if [ -n "${kills-}" ]; then
		wait_until 60 test -s "$name.log" -o -e "$name.code"
		kill_randomly "$name" 30 20 >/dev/null
	fi
	wait
	assert_eq "$(cat "$name.code")" 3 "$name: exit code"
	assert_eq "$(final "$name.log" balanced) $(final "$name.log" accepted) $(final "$name.log" in_flight)" "true 5000 0" "$name: ledger"
	sort -t: -k2 -n "$name.out" >sorted
	sort -t: -k2 -n expected >wanted
	assert_file_equal sorted wanted "$name: what arrived"
	assert_eq "$(number "$name.log" read rejected_at_source)" 50 "$name: refused"
	assert_eq "$(weir dlq ls "$name" --json | grep -o '"reason":"what it says of its deadline, .tomorrow' | wc -l)" 50 "$name: letters"
}

travel plain "name: pass, plugin: $plugins/relay.so"
assert_eq "$(number plain.log pass expired) $(number plain.log write expired)" "1000 0" "plain: who found them"
assert_contains plain.log "has expired (run: a deadline of its own)"
assert_contains plain.log "is no time: expected a time such as 2026-11-22T06:00:00Z, or milliseconds since 1970"
kills=1 travel killed "name: pass, plugin: $plugins/relay.so, workers: 2" "name: slow, plugin: $plugins/stuck.so, how: slow, pause: 200us"
kills=1 travel flight "name: call, plugin: $plugins/delay_async.so, delay: 3ms, in_flight: 64"
kills=1 travel block "name: pass, exec: [cat], block: 2KiB, block_wait: 20ms" "name: slow, plugin: $plugins/stuck.so, how: slow, pause: 200us"
assert_eq "$(number block.log pass expired) $(number block.log write expired)" "1000 0" "block: who found them"
kills=1 travel order "name: pass, plugin: $plugins/stuck.so, how: slow, pause: 100us, workers: 3, order: fifo"

# What was in time at first, and is over when it has waited; a stage with a loop of its own; and, from 4 KiB on, by reference.
cat >late.yaml <<YAML
pipeline: late
stages:
  - {name: make, source: generate, count: 40, text: '{n} 400 $(printf '%6000s')', expires: "within(field(2))"}
  - {name: pass, plugin: $plugins/large_forward.so, batch: 1}
  - {name: slow, plugin: $plugins/stuck.so, how: slow, pause: 100ms, lane: 1MiB}
  - {name: write, sink: file, path: late.out}
YAML
assert_exit 3 weir run --json late.yaml
assert_eq "$(final stderr balanced) $(final stderr accepted)" "true 40" "late: ledger"
over=$(($(number stderr slow expired) + $(number stderr pass expired) + $(number stderr write expired)))
[ "$over" -ge 30 ] || fail "late: only $over of 40 are over"
assert_eq "$(wc -l <late.out)" "$((40 - over))" "late: delivered"

# A block is not gathered until what is in it has expired: it is run before, long before its own time.
cat >gather.yaml <<YAML
pipeline: gather
stages:
  - {name: few, source: generate, rate: 3, text: '{n}', expires: 5s}
  - {name: block, exec: [sort, -n], block_wait: 1h}
  - {name: write, sink: file, path: gather.out}
YAML
weir run --json --progress=never gather.yaml >gather.log 2>&1 &
run=$!
wait_until 120 test -s gather.out
assert_exit 0 weir drain gather
wait "$run"
assert_eq "$(number gather.log block expired) $(final gather.log balanced)" "0 true" "gather"

# A letter whose time is over: it says so. Given again it is begun all the same (and refused once more), and not counted as expired.
echo '! 300' >again.in
cat >again.yaml <<YAML
pipeline: again
stages:
  - {name: read, source: exec, command: 'exec tail -n +1 -f again.in', expires: "within(field(2))"}
  - {name: pick, plugin: $plugins/relay.so}
  - {name: write, sink: discard}
YAML
weir run --json --progress=never again.yaml >again.log 2>&1 &
run=$!
is_letter() { weir dlq ls again --json 2>/dev/null | grep -q '"id":1,'; }
wait_until 60 is_letter
sleep 0.4
weir dlq show again 1 >letter
grep -q '^deadline  *20..-..-..T' letter || fail "the letter does not say its deadline: $(cat letter)"
weir dlq ls again --json | grep -q '"deadline":"20' || fail "no deadline in JSON"
weir dlq replay again 1 --timeout 60s >replayed 2>&1
assert_contains replayed "of 1 letter 0 were taken, 1 came back"
weir dlq show again 1 | grep -q '^deadline  *20..-..-..T' || fail "its deadline is forgotten"
assert_exit 0 weir drain again
wait "$run"
assert_eq "$(number again.log pick expired) $(number again.log pick rejected) $(final again.log balanced)" "0 2 true" "again"
