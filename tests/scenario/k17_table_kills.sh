# SPDX-License-Identifier: Apache-2.0
# A table is written exactly once through kills of its worker: each item is delivered once, no key ever goes back, and in the end the table holds what
# awk says, with deletions too, whatever the size of a turn.
# seconds: 300
count=$(rounds 8000 400000)
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 1; i <= n; i++) printf "{\"id\":%d,\"n\":%d%s}\n", rand() * 500, i, rand() < 0.1 ? ",\"gone\":true" : "" }' >in
awk -F'[:,}]' '{ if (/gone/) delete last[$2]; else last[$2] = $4 } END { for (id in last) printf "{\"key\":\"%s\",\"value\":{\"id\":%s,\"n\":%s}}\n", id, id, last[id] }' in | LC_ALL=C sort >expected
wanted=$(rounds 15 500)

# Kills the writer again and again, at moments of chance, until it was done often enough or nothing is left.
kill_writer() {
	local n=0 pid
	while [ ! -e ended ] && [ "$n" -lt "$wanted" ]; do
		pid=$(weir ps kills --json 2>/dev/null | grep -o '"name":"write".*' | grep -o '"pid":[0-9]*' | head -n 1 | sed 's/.*://')
		[ -z "$pid" ] || { kill -KILL "$pid" 2>/dev/null && n=$((n + 1)); }
		pause_up_to 60
	done
	echo "$n"
}
# What a reader sees of one key, again and again.
look() {
	while [ ! -e ended ]; do
		weir table get kills.table 17 2>/dev/null
		sleep 0.01
	done
}
total=0
# killed NAME OPTIONS
killed() {
	rm -rf ended kills.table
	cat >spec.yaml <<YAML
pipeline: kills
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in, decode: json}
  - {name: slow, operator: throttle, rate: $(rounds 4000 20000)}
  - {name: write, sink: table, path: kills.table, key: .id, delete: .gone, $2}
YAML
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	kill_writer >kills &
	killer=$!
	look >looked &
	looker=$!
	wait "$pipeline" || { tail -n 20 stderr >&2; fail "exit code $?: $1"; }
	touch ended
	wait "$killer" "$looker"
	assert_eq "$(weir table dump kills.table | LC_ALL=C sort | sha256sum)" "$(sha256sum <expected)" "table: $1"
	assert_eq "$(final stderr delivered) $(final stderr balanced)" "$count true" "ledger: $1"
	sed 's/.*"n":\([0-9]*\).*/\1/' looked | sort -n -c || fail "a key went back: $1"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts, $(sort -u looked | wc -l) values seen"
	total=$((total + $(restarts stderr)))
}
killed "as it comes" "every: 10ms"
killed "each turn, of a few items" "every: 0s, batch: 8"
[ "$total" -ge 5 ] || fail "only $total deaths: the runs are too short to mean anything"
[ "$(weir table stat kills.table --json | grep -o '"readers":.*')" = '"readers":[]}' ] || fail "a dead reader is still there"

# The next run begins where its source does; what was there and has no item stays, or goes.
grep -v gone in | head -n 1 >few # none that takes its key out
sed -i 's/path: in/path: few/' spec.yaml
assert_exit 0 weir run spec.yaml
[ "$(weir table dump kills.table | wc -l)" -ge "$(wc -l <expected)" ] || fail "update has removed something"
sed -i 's/delete:/existing: replace, delete:/' spec.yaml
assert_exit 0 weir run spec.yaml
assert_eq "$(weir table dump kills.table | wc -l)" "$(grep -vc gone few)" "replaced"
