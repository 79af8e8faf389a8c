# SPDX-License-Identifier: Apache-2.0
# parse, whole: a log in three formats against an awk that knows nothing of weir, each line once and in order, through kills of everybody, by one worker and by
# three; what one pattern can't read goes to the next; a pattern that never comes back costs its item, and one worker at most.
# seconds: 240
rows=$(rounds 20000 1000000)
kills=$(rounds 8 150)

LC_ALL=C awk -v rows="$rows" 'BEGIN {
	for (i = 1; i <= rows; i++) {
		at = sprintf("%02d/Nov/2026:%02d:%02d:%02d +0100", i % 28 + 1, i % 24, i % 60, i % 59)
		if (i % 1000 == 500) print "-- rotated " i " --"
		else if (i % 5 == 0) printf "level=info id=%d msg=\"took \\\"%d\\\" ms\" ms=%d.5\n", i, i % 300, i % 300
		else printf "10.0.%d.%d - u%d [%s] \"GET /p/%d?q=\xc3\xa4 HTTP/1.1\" %d %s\n", i % 256, i % 7, i % 9, at, i, 200 + i % 4, i % 3 ? i : "-"
	}
}' >in.log
LC_ALL=C awk '
	/^level/ {
		split($2, id, "="); split($0, quote, "\\\\\""); split($NF, ms, "=")
		printf "{\"level\":\"info\",\"id\":%d,\"msg\":\"took \\\"%s\\\" ms\",\"ms\":%s}\n", id[2], quote[2], ms[2] >"expected.pairs"
		next
	}
	/^10/ {
		split(substr($4, 2), t, "[/:]"); hour = t[4] - 1; day = t[1]
		if (hour < 0) { hour = 23; day-- }
		at = day ? sprintf("2026-11-%02dT%02d:%s:%sZ", day, hour, t[5], t[6]) : sprintf("2026-10-31T%02d:%s:%sZ", hour, t[5], t[6])
		printf "{\"ip\":\"%s\",\"user\":\"%s\",\"at\":\"%s\",\"method\":\"GET\",\"path\":\"%s\",\"status\":%d%s}\n", $1, $3, at, $7, $9, $10 == "-" ? "" : ",\"bytes\":" $10 >"expected.access"
		next
	}
	{ print >"expected.rest" }' in.log
cat >spec.yaml <<'YAML'
pipeline: parse
drain: 100s
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: now.log, follow: true}
  - {name: access, operator: parse, deadline: 20s, pattern: '^(?<ip>\S+) \S+ (?<user>\S+) \[(?<at>[^\]]+)\] "(?<method>\w+) (?<path>\S+)[^"]*" (?<status>\d+) (?:(?<bytes>\d+)|-)$',
     types: {at: 'time(%d/%b/%Y:%H:%M:%S %z)', status: int, bytes: int}}
  - {name: logfmt, from: access.errors, operator: parse, pattern: '^(?<pairs>level=.*)', deadline: 20s}
  - {name: pairs, from: logfmt, operator: parse, format: logfmt, field: pairs, types: {id: int, ms: float}}
  - {name: write, from: access, sink: file, path: out.access, encode: json}
  - {name: more, from: pairs, sink: file, path: out.pairs, encode: json}
  - {name: rest, from: logfmt.errors, sink: file, path: out.rest}
YAML
assert_exit 0 weir check spec.yaml >checked
assert_exit 0 weir graph spec.yaml >graph
assert_contains graph "of access: errors"
split -n "l/$kills" in.log part.

# arrived OUTPUT...: as many lines as there should be
arrived() {
	local output
	for output in "$@"; do
		[ "$(cat "out.$output" 2>/dev/null | wc -l)" -ge "$(wc -l <"../expected.$output")" ] || return
	done
}
# through_kills WORKERS: the log grows by a part, somebody is killed over it, and so on
through_kills() {
	local part
	sed "s/operator: parse/&, workers: $1, order: fifo/" ../spec.yaml >now.yaml
	: >now.log
	{ weir run --json --progress=never now.yaml 2>log; echo $? >code; } &
	wait_until 60 running parse
	for part in ../part.*; do
		cat "$part" >>now.log
		pause_up_to 100
		kill_randomly parse 1 1 >/dev/null
	done
	wait_until 200 arrived access pairs rest
	weir drain parse >/dev/null || fail "exit code $? of the drain"
	wait
	assert_eq "$(cat code)" 0 "exit code: $(tail -n 3 log)"
	for output in access pairs rest; do
		assert_file_equal "out.$output" "../expected.$output" "$output"
	done
	assert_eq "$(final log balanced) $(final log in_flight) $(final log rejected)" "true 0 0" "ledger"
	[ "$(restarts log)" -ge $((kills / 2)) ] || fail "only $(restarts log) of $kills kills hit a worker"
}

# A pattern that goes back for ever is stopped at the deadline. Where each step looks through megabytes nothing stops it, but its worker's end.
goes_back_for_ever() {
	x() { head -c "$1" /dev/zero | tr '\0' x; echo; }
	{ x 4000; echo a=b; x 3000000; echo c=d; } >slow.txt
	cat >slow.yaml <<'YAML'
pipeline: slow
stages:
  - {name: read, source: file, path: slow.txt}
  - name: work
    operator: parse
    deadline: 100ms
    grace: 10s
    lane: 8MiB
    steps: 4000M
    pattern: '(*NO_START_OPT)(?i)^(?:(?<long>(?:.{60000}){20}).*?\k<long>;|.*.*.*(?<a>\w)=(?<b>\w))'
  - {name: show, sink: stdout, encode: json}
YAML
	assert_exit 3 timeout 100 weir run --json --progress=never slow.yaml >out
	assert_eq "$(tr '\n' ' ' <out)" '{"a":"a","b":"b"} {"a":"c","b":"d"} ' "what came behind it"
	weir dlq ls slow >letters
	assert_eq "$(grep -c "the pattern was still at work when the stage's deadline was over\$" letters)" 1 "$(cat letters)"
	assert_eq "$(grep -c "the pattern was still at work when the stage's deadline was over, in a function that can't be stopped" letters)" 1 "$(cat letters)"
}

beside slow goes_back_for_ever
beside one through_kills 1
beside three through_kills 3
all_beside
