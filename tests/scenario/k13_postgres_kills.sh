# SPDX-License-Identifier: Apache-2.0
# sink: postgres. Through kills of workers, and restarts of the server, some of them crashes, while items come: the rows are the items, each
# once, whether they are inserted, copied, or refused. The table would take a row twice.
# seconds: 600
. "$WEIR_SOURCE/tests/scenario/postgres.sh"
kills=$(rounds 10 500)
crashes=$(rounds 1 5)
total=0
postgres_begin

# spec MODE OPTIONS
spec() {
	cat <<YAML
pipeline: rows
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, rate: 12000, text: '{"id":{n},"name":"n{n}"}', decode: json}
  - name: store
    sink: postgres
    connect: $connect
    table: t
    columns: {id: .id, doc: .}
    mode: $1
    create: CREATE TABLE t (id bigint CHECK (id % 5000 <> 4999), doc jsonb)
    dead_letter: {attempts: 100}
    $2
YAML
}

# Until there were enough; says in `kills` how many there were.
kill_sinks() {
	local n=0
	while [ "$n" -lt "$kills" ]; do
		kill -0 "$pipeline" 2>/dev/null || break
		while [ -e hold ]; do sleep 0.1; done
		kill_last rows store && n=$((n + 1))
		echo "$n" >kills.new && mv kills.new kills
		pause_up_to 120
	done
}
killed_so_many() { [ "$(cat kills)" -ge "$1" ]; }
enough_rows() { [ "$(sql 'SELECT count(*) FROM t')" -ge "$1" ]; }

# Longer than a worker may take to come up: whoever comes meanwhile waits, and is not killed for it.
long_outage() {
	[ -n "${WEIR_NIGHTLY-}" ] || return 0
	wait_until 60 killed_so_many $(($(cat kills) + 2))
	touch hold
	sleep 40
	rm hold
}

# killed NAME MODE OPTIONS: until all kills and crashes have been, the source goes on
killed() {
	local n=0 count refused
	echo 0 >kills
	sql 'DROP TABLE IF EXISTS t'
	weir dlq purge rows --all >/dev/null 2>&1
	spec "$2" "$3" >spec.yaml
	weir run --json --progress=never spec.yaml 2>log &
	pipeline=$!
	wait_until 60 running rows # a start without its server fails
	kill_sinks &
	killer=$!
	while [ "$n" -lt "$crashes" ]; do
		wait_until 2000 killed_so_many $(((2 * n + 1) * kills / (2 * crashes)))
		postgres_stop "$([ $((n % 2)) = 0 ] && echo QUIT || echo INT)"
		pause_up_to 300
		[ "$n" != 0 ] || long_outage
		postgres_start
		n=$((n + 1))
	done
	wait "$killer"
	wait_until 60 enough_rows 15000
	assert_exit 0 weir drain rows >out
	wait "$pipeline"
	status=$?
	[ "$status" = 3 ] || { tail -n 20 log >&2; fail "exit code $status: $1"; }
	grep -q "is not ready" log && fail "$1: $(grep "is not ready" log | head -n 1)"
	count=$(final log accepted)
	refused=$(((count + 1) / 5000))
	sql "SELECT id FROM t ORDER BY id" >rows
	seq "$count" | awk '$1 % 5000 != 4999' | cmp - rows ||
		fail "$1: not each item once: $(sort rows | uniq -d | wc -l) twice, $(wc -l <rows) rows"
	assert_eq "$(sql "SELECT count(*) FROM t WHERE doc <> jsonb_build_object('id', id, 'name', 'n' || id)")" 0 "$1: contents"
	assert_eq "$(final log delivered) $(final log rejected) $(final log in_flight) $(final log balanced)" "$((count - refused)) $refused 0 true" "$1: ledger"
	assert_eq "$(sql "SELECT bool_and(ended), max(length(awaited)) FROM weir_turns")" "t|0" "$1: weir's own rows"
	echo "$1: $(cat kills) kills, $(restarts log) deaths, $n restarts of the server, $(wc -l <rows) rows, $(sort rows | uniq -d | wc -l) twice, $refused refused, $(sql 'SELECT sum(turn) FROM weir_turns') transactions"
	total=$((total + $(restarts log)))
}
killed "insert" insert "in_flight: 200"
# The second time in a sandbox, if it can be had; what a sanitizer does at the end of a process is not allowed in one.
options="workers: 3"
grep -q '^WEIR_SANITIZE:STRING=.' "$WEIR_BUILD/CMakeCache.txt" || options+=$'\n    sandbox: {required: false}'
killed "copy, three workers" copy "$options"
case $options in
*sandbox*) grep -q -e 'in a sandbox: ' -e 'not in its sandbox: ' log || fail "not in a sandbox" ;;
esac
[ "$total" -ge $((2 * kills * 9 / 10)) ] || fail "only $total deaths of $((2 * kills)) kills"
