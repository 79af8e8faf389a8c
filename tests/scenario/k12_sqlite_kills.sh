# SPDX-License-Identifier: Apache-2.0
# sink: sqlite. Through kills, of one worker, of four, and of one that is given up so that its items move to its siblings: the rows are the
# items, each once. The table would take a row twice.
# seconds: 300
kills=$(rounds 12 500)
pause=60
total=0

# spec COUNT OPTIONS RATE
spec() {
	cat <<YAML
pipeline: rows
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: $1, rate: $3, text: '{"id":{n},"name":"n{n}"}', decode: json}
  - name: store
    sink: sqlite
    path: out.db
    table: t
    columns: {id: .id, doc: .}
    create: CREATE TABLE t (id INTEGER, doc TEXT)
    batch: 100
    dead_letter: {attempts: 100}
$(tr ';' '\n' <<<"$2" | sed 's/^ */    /')
YAML
}

# Kills the sink's workers until there were enough, or the one with this index until it is given up; then the source may end. kill_sinks [INDEX]
kill_sinks() {
	local n=0
	until [ "$n" -ge "$kills" ] || [ -e ended ] || { [ -n "${1-}" ] && grep -q "is retired" stderr; }; do
		kill_last rows store "${1-}" && n=$((n + 1))
		pause_up_to "$pause"
	done
	[ -z "${1-}" ] || weir drain rows >/dev/null 2>&1
	echo "$n"
}

# killed NAME COUNT OPTIONS RATE [INDEX] [ROWS OF WEIR'S]
killed() {
	rm -f out.db* ended
	local count=$2
	spec "$2" "$3" "$4" >spec.yaml
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	[ -z "${5-}" ] || wait_until 60 running rows # who is given up before that is a start that has failed
	kill_sinks "${5-}" >kills &
	killer=$!
	wait "$pipeline" || { tail -n 20 stderr >&2; { touch ended; wait "$killer"; fail "exit code: $1"; }; }
	touch ended
	wait "$killer"
	sqlite3 out.db "SELECT id FROM t ORDER BY id" >rows
	[ -z "${5-}" ] || count=$(final stderr accepted) # it was drained
	seq "$count" | cmp - rows || fail "$1: not each item once: $(sort rows | uniq -d | wc -l) twice, $(wc -l <rows) rows"
	assert_eq "$(sqlite3 out.db "SELECT count(*) FROM t WHERE doc <> '{\"id\":' || id || ',\"name\":\"n' || id || '\"}'")" 0 "$1: contents"
	assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "$count 0 true" "$1: ledger"
	seats=$(sqlite3 out.db "SELECT min(ended), count(*) FROM weir_turns")
	[[ " ${6-1|1} " = *" $seats "* ]] || fail "$1: weir's own rows: '$seats', expected one of '${6-1|1}'"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts, $(sqlite3 out.db 'SELECT sum(turn) FROM weir_turns') transactions"
	total=$((total + $(restarts stderr)))
}
killed "one worker" "$(rounds 12000 600000)" "workers: 1" 1000000
killed "four workers" "$(rounds 12000 600000)" "workers: 4" 1000000 "" "1|4"
# Deaths without progress in between count against it: so they come fast, until it has lost its seat.
kills=1000
pause=10
killed "one of three is given up" 1000000 'workers: 3; on_failure: degrade; restart: {intensity: 1, period: 60s, backoff: 1ms, backoff_max: 1ms}' 3000 0 "0|3 1|2" # 1|2: it never came to store anything
grep -q "is retired" stderr || fail "nobody was retired"
[ "$total" -ge 8 ] || fail "only $total deaths: the runs are too short to mean anything"
