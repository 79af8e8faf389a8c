# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, an example; its stages are in scenarios of their own
# examples/orderlog stores each order of a log once, and the sums that an awk finds, while the log is rotated and workers are killed.
# seconds: 240
example=$WEIR_SOURCE/examples/orderlog
lines=$(rounds 8000 16000)
{ cat "$example/orderlog.yaml"; echo "restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}"; } >spec.yaml
# Whoever is killed thrice at random with the same item in hand, which may wait for room there, is not its victim.
patient=()
for stage in clean rest mask orders minutes sums; do patient+=(--set "stages.$stage.dead_letter={attempts: 100}"); done
stored() { [ "$(sqlite3 orders.db 'SELECT count(*) FROM orders' 2>/dev/null)" = $((lines - lines / 50)) ]; }

# Each in a folder of its own: the second run goes on behind the files of the first.
for pace in calm killed; do
	mkdir "$pace"
	cd "$pace" || fail "no folder"
	cp "$example/mask.lua" .
	weir run --json --progress=never "${patient[@]}" ../spec.yaml 2>log &
	pipeline=$!
	wait_until 60 running orderlog
	[ "$pace" = calm ] || { kill_randomly orderlog 60 "$(rounds 12 300)" >kills & killer=$!; }
	"$example/make" "$lines" "$(rounds 700 5000)"
	wait_until 100 stored
	[ "$pace" = calm ] || wait "$killer"
	assert_exit 0 weir drain orderlog >out
	wait "$pipeline" || fail "$pace: exit code $?: $(tail -n 3 log | cut -c 1-300)"
	assert_eq "$(final log balanced) $(final log in_flight)" "true 0" "$pace: ledger"
	for table in orders minutes; do
		file=orders.db
		[ "$table" = orders ] || file=sums.db
		sqlite3 "$file" "SELECT * FROM $table" | LC_ALL=C sort >got
		cat orders.log* | awk -v table="$table" -f "$example/expected.awk" | LC_ALL=C sort >expected
		assert_file_equal got expected "$pace: $table"
	done
	cd ..
done
[ "$(restarts killed/log)" -ge 3 ] || fail "only $(restarts killed/log) kills: the run is too short to mean anything"
