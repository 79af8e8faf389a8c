# SPDX-License-Identifier: Apache-2.0
# Times of a schedule: each comes once, in order, through kills of the worker; what is missed while it stands still is left out, or not, as the spec says;
# five fields in a zone; a schedule that is wrong is named by the check.
# seconds: 90
count=$(rounds 60 2000)
cat >spec.yaml <<YAML
pipeline: cron
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: tick, source: cron, schedule: '@every 50ms', missed: all, count: $count, text: '{n} {time} {missed}'}
  - {name: write, sink: file, path: out}
YAML
tick_pid() {
	weir ps cron --json 2>/dev/null | grep -o '"name":"tick".*' | grep -o '"index":0,"pid":[0-9]*' | head -n 1 | sed 's/.*://'
}
# Numbers, and milliseconds of the day: each 50 behind the one before.
awk_steps='function ms(t) { split(substr(t, 12, 12), p, /[:Z]/); return (p[1] * 60 + p[2]) * 60000 + int(p[3] * 1000 + 0.5) }
	{ at = ms($2); if (NR > 1 && (at - last + 86400000) % 86400000 != 50 * ($3 + 1)) { print "behind " before ": " $0; bad = 1 } last = at; before = $0 }
	$1 != NR { print "not number " NR ": " $0; bad = 1 }
	END { exit bad }'

{ weir run --json spec.yaml 2>stderr; echo $? >code; touch ended; } &
wait_until 30 eval '[ -s out ]'
killed=0
while [ "$killed" -lt "$(rounds 12 400)" ] && [ ! -e ended ]; do
	pause_up_to 150
	pid=$(tick_pid)
	[ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null && killed=$((killed + 1))
done
wait_until 200 test -e ended
assert_eq "$(cat code) $(final stderr delivered) $(final stderr balanced)" "0 $count true" "$(tail -n 2 stderr | cut -c1-300)"
awk "$awk_steps" out || fail "a time is lost, or came twice, with $killed kills"
assert_eq "$(wc -l <out)" "$count" times
[ "$(restarts stderr)" -ge "$(rounds 3 100)" ] || fail "only $(restarts stderr) kills: the run is too short to mean anything"
echo "$(restarts stderr) kills"

# Asleep for a second, with 100 ms of patience: of some ten times in a row one is given, which says how many are not.
rm -f out ended
sed -e 's/missed: all/missed: once, late: 100ms/; s/count: [0-9]*/count: 40/' spec.yaml >once.yaml
{ weir run once.yaml 2>stderr; echo $? >code; touch ended; } &
wait_until 30 eval '[ -s out ]'
pid=$(tick_pid)
kill -STOP "$pid"
sleep 1
kill -CONT "$pid"
wait_until 60 test -e ended
assert_eq "$(cat code)" 0 "$(tail -n 2 stderr)"
awk "$awk_steps" out || fail "times and what was left out do not fit"
awk '$3 >= 10 { found = 1 } END { exit !found }' out || fail "a second was slept, and nothing is missed"
assert_contains stderr "times of '@every 50ms' were missed, and are left out (missed: once)"

# Drained, and resumed: what is not in the output yet comes later. A schedule of fields has its time in the zone that it says.
cat >fields.yaml <<'YAML'
pipeline: fields
stages:
  - {name: tick, source: cron, schedule: '* * * * *', timezone: Asia/Kolkata}
  - {name: write, sink: stdout}
YAML
weir run fields.yaml >out 2>stderr &
run=$!
wait_until 30 running fields
weir drain fields >/dev/null
wait "$run" || fail "exit code $?: $(cat stderr)"
assert_exit 1 weir check <(sed 's/\* \* \* \* \*/* * * */; s/Kolkata/Kolkatta/' fields.yaml)
assert_contains stderr "schedule: expected 5 fields (minute, hour, day of the month, month, day of the week), and there are 4"
assert_contains stderr "timezone: this host does not know that time zone"
