# SPDX-License-Identifier: Apache-2.0
# What the tables of a database have refused, given again: not before the tables are mended, once then, also while the sink is killed; and never if
# the database had it before it became a dead letter, be it in a later run.
# seconds: 120
. "$WEIR_SOURCE/tests/scenario/postgres.sh"
n=$(rounds 2000 20000)
postgres_begin

# spec SINK CHECK; a clock, so that it goes on
spec() {
	cat <<YAML
pipeline: again
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: $n, text: '{"id":{n}}', decode: json}
  - {name: clock, source: generate, rate: 50, text: '{"tick":{n}}', decode: json}
  - name: store
    from: [numbers, clock]
    sink: $1
    table: t
    columns: {id: .id, tick: .tick}
    create: CREATE TABLE t (id bigint CHECK ($2), tick bigint)
    dead_letter: {attempts: 100}
YAML
}
has_letters() { [ "$(weir dlq ls again --json | grep -c '"id":')" = "$1" ]; }
table_sqlite() { sqlite3 -cmd '.timeout 20000' -bail rows.db "$1"; }
table_postgres() { sql "$1"; }
# mend_KIND CHECK: the table gets another rule
mend_sqlite() {
	table_sqlite "BEGIN IMMEDIATE; ALTER TABLE t RENAME TO old; CREATE TABLE t (id bigint CHECK ($1), tick bigint);
		INSERT INTO t SELECT * FROM old; DROP TABLE old; COMMIT"
}
mend_postgres() { sql "ALTER TABLE t DROP CONSTRAINT t_id_check, ADD CONSTRAINT t_id_check CHECK ($1)"; }

refused=$((n / 20))
for kind in sqlite postgres; do
	where="path: rows.db"
	[ "$kind" = sqlite ] || where="connect: $connect"
	spec "$kind" "id % 20 <> 7" | sed "s|^    table:|    $where\n&|" >spec.yaml
	weir run --json --progress=never spec.yaml 2>log &
	run=$!
	wait_until 60 has_letters "$refused"

	assert_exit 1 weir dlq replay again --all >answer
	assert_eq "$(cat answer)" "again: of $refused letters 0 were taken, $refused came back, 0 were not given" "$kind: not mended"
	assert_eq "$("table_$kind" 'SELECT count(*) FROM t WHERE id % 20 = 7')" 0 "$kind: not mended"

	"mend_$kind" "id <> 7" || fail "$kind: the table can not be mended"
	weir chaos again --kill 20ms --stage store --count 20 -q >/dev/null &
	chaos=$!
	assert_exit 1 weir dlq replay again --all >answer
	assert_eq "$(cat answer)" "again: of $refused letters $((refused - 1)) were taken, 1 came back, 0 were not given" "$kind: half mended"
	wait "$chaos" || fail "$kind: chaos"

	"mend_$kind" "id > 0" || fail "$kind: the table can not be mended"
	assert_exit 0 weir dlq replay again --all >answer
	assert_eq "$(cat answer)" "again: of 1 letter 1 was taken, 0 came back, 0 were not given" "$kind: mended"
	assert_eq "$(weir dlq ls again)" "no dead letters"
	assert_exit 0 weir drain again >out
	wait "$run" || fail "$kind: exit code $?: no letter is left"
	"table_$kind" "SELECT id FROM t WHERE id IS NOT NULL ORDER BY id" >rows
	seq "$n" | cmp - rows || fail "$kind: not each item once: $(uniq -d rows | wc -l) twice, $(wc -l <rows) rows"
	ticks=$("table_$kind" "SELECT max(tick) || ' ' || count(tick) || ' ' || count(DISTINCT tick) FROM t")
	assert_eq "$ticks" "${ticks%% *} ${ticks%% *} ${ticks%% *}" "$kind: the clock's rows"
	assert_eq "$(final log delivered) $(final log in_flight) $(final log balanced)" "$((n + ${ticks%% *})) 0 true" "$kind: ledger"
	# The one that came back under kills may be counted or not, if one of them came between the store and the commit.
	[[ " $((2 * refused)) $((2 * refused + 1)) " = *" $(final log replayed) "* ]] || fail "$kind: $(final log replayed) letters were given again"
	[ "$(restarts log)" -ge 5 ] || fail "$kind: only $(restarts log) deaths"
done

# Killed while the server is at COMMIT, with the item's last life: the database has it, and the store has it, too. It is the only one of its turn, and
# the last one of its run.
sql "DROP TABLE t; CREATE TABLE t (id bigint, tick bigint)"
commits_wait() {
	sql "ALTER SYSTEM SET synchronous_standby_names = '$1'"
	sql "SELECT pg_reload_conf()" >/dev/null
	wait_until 20 eval '[ "$(sql "SHOW synchronous_standby_names")" = "'"$1"'" ]'
}
is_at_commit() { [ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")" ]; }
one_row() { [ "$(sql 'SELECT count(*) FROM t WHERE id = 1')" = 1 ]; }
last() {
	cat <<YAML
pipeline: last
stages:
  - {name: read, source: file, path: in, decode: json, follow: true}
  - {name: store, sink: postgres, connect: "$connect", table: t, columns: {id: .id}, dead_letter: {attempts: 1}}
YAML
}
last >spec.yaml
touch in
weir run --json --progress=never spec.yaml 2>log &
run=$!
wait_until 60 running last
commits_wait nobody
echo '{"id":1}' >>in
wait_until 60 is_at_commit
kill -KILL "$(weir ps last --json | grep -o '"name":"store".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')"
commits_wait ''
wait_until 60 one_row
wait_until 60 eval '[ "$(weir dlq ls last --json | grep -c "\"id\":")" = 1 ]'
weir drain last >/dev/null
wait "$run"
assert_eq "$(final log dead_lettered) $(final log balanced)" "1 true" "killed at COMMIT"
weir run --json --progress=never spec.yaml 2>log &
run=$!
wait_until 60 running last
assert_exit 0 weir dlq replay last --all >answer
assert_exit 0 weir drain last >out
wait "$run" || fail "killed at COMMIT: exit code $?"
assert_eq "$(sql 'SELECT count(*) FROM t') $(final log replayed)" "1 1" "killed at COMMIT: stored once"
