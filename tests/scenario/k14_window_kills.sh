# SPDX-License-Identifier: Apache-2.0
# Windows are the same through hundreds of kills, of each sort, with one worker and with four: each item is in them once.
# seconds: 240
# takes: 17
count=$(rounds 30000 1000000 10000)
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 0; i < n; i++)
	printf "{\"t\":%d,\"k\":\"k%d\",\"v\":%d,\"w\":%.3f}\n", i / 40 + rand() * 30, rand() * rand() * 300, rand() * 2000 - 300, rand() }' >in
spec() {
	cat <<YAML
pipeline: windows
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in, decode: json}
  - name: windows
    operator: window
    dead_letter: {attempts: 100}   # whoever is killed thrice with the same item in hand is not its victim
    key: .k
    time: .t
    lateness: 30s
    aggregates: {n: count, sum: sum(.v), min: min(.v), max: max(.w), mid: p50(.w), high: p99(.v), some: distinct(.v)}
    $1
  - {name: write, sink: file, path: out, encode: json}
YAML
}
total=0
# killed NAME OPTIONS: as without a kill, and every item is in as many windows as it should be
killed() {
	rm -f out
	spec "$2" >spec.yaml
	run_with_kills 0 "$(rounds 20 1000 8)"
	assert_eq "$(LC_ALL=C sort out | sha256sum)" "$expected" "result: $1"
	assert_eq "$(final stderr consumed) $(final stderr delivered) $(final stderr balanced)" "$count $(wc -l <out) true" "ledger: $1"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts"
	total=$((total + $(restarts stderr)))
}
# each NAME OPTIONS TIMES: one worker, in order; then four. Each item is in TIMES windows.
each() {
	spec "$2" >spec.yaml
	rm -f out
	assert_exit 0 weir run --json spec.yaml
	expected=$(LC_ALL=C sort out | sha256sum)
	assert_eq "$(awk -F'"n":' '{ n += $2 } END { print n }' out)" "$((count * $3))" "items in windows: $1"
	mv out undisturbed
	killed "$1" "$2"
	cmp out undisturbed || fail "$1: one worker keeps the order"
	killed "$1, four workers" "$2
    workers: 4
    balance: key(.k)"
}
each tumbling "size: 1m" 1
each sliding "size: 1m
    slide: 20s" 3
each sessions "gap: 20s" 1
[ "$total" -ge 20 ] || fail "only $total deaths: the runs are too short to mean anything"
