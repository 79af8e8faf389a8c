# SPDX-License-Identifier: Apache-2.0
# weir tap goes on when its supervisor is killed and another one started, to what it was told at the start: so long, so many.
# seconds: 120
# takes: 28
# sanitizers: no, o12_tap runs the same code
touch "$WEIR_WORK/orphans-expected"
cat >spec.yaml <<'YAML'
pipeline: quiet
restart: {intensity: 100000, period: 10s}
stages:
  - {name: read, source: generate, text: '{n}', rate: 100/s}
  - {name: write, sink: discard}
YAML
# As a service manager would: whoever is killed is started again, unless there is a file `last`.
serve() {
	local status
	while :; do
		weir run --json --progress=never --keep "$PWD/keep" spec.yaml 2>>log &
		echo $! >supervisor.new
		mv supervisor.new supervisor
		wait $!
		status=$?
		[ "$status" = 137 ] && [ ! -e last ] || break
		sleep 0.5 # nobody is there for a while
	done 2>/dev/null
}
kill_supervisor() {
	local pid
	pid=$(cat supervisor)
	kill -KILL "$pid" || fail "no supervisor: $(tail -n 3 log)"
	wait_until 60 followed "$pid"
	wait_until 60 running quiet
}
followed() {
	[ "$(cat supervisor)" != "$1" ]
}
lines() {
	[ "$(wc -l <"$2")" -ge "$1" ]
}
serve &
server=$!
wait_until 60 test -s supervisor
wait_until 60 running quiet

# --- so many, all told: those before the kill count
weir tap quiet --count 40 --rate 10 --raw >count.txt 2>count.log &
tap=$!
wait_until 60 lines 5 count.txt
kill_supervisor
wait "$tap" || fail "--count: exit code $?: $(cat count.log)"
assert_eq "$(wc -l <count.txt)" 40 "--count 40 over a kill"
assert_contains count.log "weir: 40 items shown of "

# --- so long, all told: it ends, however often they are killed
weir tap quiet --for 8s --quiet >for.txt 2>for.log &
tap=$!
wait_until 60 test -s for.txt
for ((i = 0; i < 30; i++)); do
	kill -0 "$tap" 2>/dev/null || break
	kill_supervisor
done
[ "$i" -lt 30 ] || { kill "$tap"; fail "--for 8s has not ended after 30 kills"; }
wait "$tap" || fail "--for: exit code $?: $(cat for.log)"
assert_eq "$(cat for.log)" "" "nothing is said"

# --- nobody follows
weir tap quiet --for 300s >gone.txt 2>gone.log &
tap=$!
wait_until 60 test -s gone.txt
touch last
kill -KILL "$(cat supervisor)"
wait "$tap"
assert_eq "$?" 75 "nobody follows: $(cat gone.log)"
assert_contains gone.log "weir: the supervisor of pipeline 'quiet' is gone"
wait "$server"
rm last
serve &
server=$!
wait_until 60 running quiet
weir drain quiet >/dev/null || fail "drain: $(tail -n 3 log)"
wait "$server"
