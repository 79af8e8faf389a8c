# SPDX-License-Identifier: Apache-2.0
# sink: postgres. Through kills of workers, and restarts of the server, some of them crashes, while items come: the rows are the items, each
# once, whether they are inserted, copied, or refused. The table would take a row twice.
# seconds: 600
. "$WEIR_SOURCE/tests/scenario/postgres.sh"
kills=$(rounds 10 500)
crashes=$(rounds 1 5)
total=0
postgres_begin

# spec COUNT MODE OPTIONS
spec() {
	cat <<YAML
pipeline: rows
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: $1, rate: 12000, text: '{"id":{n},"name":"n{n}"}', decode: json}
  - name: store
    sink: postgres
    connect: $connect
    table: t
    columns: {id: .id, doc: .}
    mode: $2
    create: CREATE TABLE t (id bigint CHECK (id % 5000 <> 4999), doc jsonb)
    dead_letter: {attempts: 100}
    $3
YAML
}

# Until there were enough, or the run has ended.
kill_sinks() {
	local n=0 pids
	while [ "$n" -lt "$kills" ] && [ ! -e ended ]; do
		pids=($(weir ps rows --json 2>/dev/null | grep -o '"name":"store".*' | grep -o '"index":[0-9]*,"pid":[0-9]*' | sed 's/.*://'))
		[ "${#pids[@]}" = 0 ] || { kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null && n=$((n + 1)); }
		pause_up_to 120
	done
	echo "$n"
}

# killed NAME COUNT MODE OPTIONS CRASHES
killed() {
	local n=0 refused=$(($2 / 5000))
	rm -f ended
	sql 'DROP TABLE IF EXISTS t'
	weir dlq purge rows --all >/dev/null 2>&1
	spec "$2" "$3" "$4" >spec.yaml
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	kill_sinks >kills &
	killer=$!
	while [ "$n" -lt "$5" ]; do
		sleep 0.7
		postgres_stop "$([ $((n % 2)) = 0 ] && echo QUIT || echo INT)"
		pause_up_to 300
		postgres_start
		n=$((n + 1))
	done
	wait "$pipeline"
	status=$?
	touch ended
	wait "$killer"
	[ "$status" = 3 ] || { tail -n 20 stderr >&2; fail "exit code $status: $1"; }
	sql "SELECT id FROM t ORDER BY id" >rows
	seq "$2" | awk '$1 % 5000 != 4999' | cmp - rows ||
		fail "$1: not each item once: $(sort rows | uniq -d | wc -l) twice, $(wc -l <rows) rows"
	assert_eq "$(sql "SELECT count(*) FROM t WHERE doc <> jsonb_build_object('id', id, 'name', 'n' || id)")" 0 "$1: contents"
	assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr balanced)" "$(($2 - refused)) $refused true" "$1: ledger"
	assert_eq "$(sql "SELECT bool_and(ended), max(length(awaited)) FROM weir_turns")" "t|0" "$1: weir's own rows"
	echo "$1: $(cat kills) kills, $(restarts stderr) deaths, $5 restarts of the server, $(sql 'SELECT sum(turn) FROM weir_turns') transactions"
	total=$((total + $(restarts stderr)))
}
killed "insert" "$(rounds 20000 600000)" insert "in_flight: 200" "$crashes"
killed "copy, three workers" "$(rounds 20000 600000)" copy "workers: 3" "$crashes"
[ "$total" -ge 6 ] || fail "only $total deaths: the runs are too short to mean anything"
