# SPDX-License-Identifier: Apache-2.0
# examples/orderlog into PostgreSQL: each order of a log once, and the sums that an awk finds, while the log is rotated, workers are killed, and the
# server goes and comes back.
# seconds: 240
. "$WEIR_SOURCE/tests/scenario/postgres.sh"
example=$WEIR_SOURCE/examples/orderlog
lines=$(rounds 8000 200000)
kills=$(rounds 12 300)
cp "$example/mask.lua" .
{ cat "$example/postgres.yaml"; echo "restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}"; } >spec.yaml
# Where they store is all that differs.
diff "$example/orderlog.yaml" "$example/postgres.yaml" | grep '^[<>]' | grep -v -E '^[<>] (# |    (sink|path|create|batch|mode): )' && fail "the two specs differ in more than the sinks (shown above)"
postgres_begin
export PGHOST=$postgres_data PGDATABASE=postgres PGUSER=weir
# Whoever is killed thrice at random with the same item in hand, which may wait for room there, is not its victim.
patient=()
for stage in clean rest mask orders minutes sums; do patient+=(--set "stages.$stage.dead_letter={attempts: 100}"); done
stored() { [ "$(sql 'SELECT count(*) FROM orders' 2>/dev/null)" = $((lines - lines / 50)) ]; }

weir run --json --progress=never "${patient[@]}" spec.yaml 2>log &
pipeline=$!
wait_until 60 running orderlog
kill_randomly orderlog 60 "$kills" >killed &
killer=$!
for part in 0 1 2 3 4 5 6 7; do
	"$example/make" "$(((part + 1) * lines / 8))" "$(rounds 700 5000)" "$((part * lines / 8 + 1))"
	[ "$part" != 3 ] || postgres_stop QUIT
	pause_up_to "$(rounds 200 2000)"
	[ "$part" != 5 ] || postgres_start
done
wait "$killer"
wait_until 200 stored
assert_exit 0 weir drain orderlog >out
wait "$pipeline" || fail "exit code $?: $(tail -n 3 log | cut -c 1-300)"
assert_eq "$(final log balanced) $(final log in_flight)" "true 0" ledger
export PGTZ=UTC
rfc3339="'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"
sql "SELECT id, to_char(at, $rfc3339), shop, customer, card, cents FROM orders" | LC_ALL=C sort >orders
sql "SELECT shop, to_char(begin, $rfc3339), orders, cents FROM minutes" | LC_ALL=C sort >minutes
for table in orders minutes; do
	cat orders.log* | awk -v table="$table" -f "$example/expected.awk" | LC_ALL=C sort >expected
	assert_file_equal "$table" expected "$table"
done
assert_eq "$(grep -c . no-orders.log)" $((lines / 50)) "lines that are no orders"
echo "$(cat killed) kills, $(restarts log) deaths, a restart of the server, $(wc -l <orders) orders, $(wc -l <minutes) minutes"
[ "$(restarts log)" -ge 3 ] || fail "only $(restarts log) deaths: the run is too short to mean anything"
