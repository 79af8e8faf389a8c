# SPDX-License-Identifier: Apache-2.0
# window: tumbling, sliding and session windows against awk; late items, idle time, and its answer to bad input.
# seconds: 120
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/window.yaml" >out
assert_eq "$(wc -l <out) $(awk -F'[:,}]' '{ for (i = 1; i < NF; i++) if ($i == "\"orders\"") n += $(i + 1) } END { print n }' out)" "6 300" "300 orders"
assert_eq "$(final stderr consumed) $(final stderr balanced)" "600 true" "ledger: map and window"

# Times are disturbed by up to half a minute, which is less than the lateness.
count=$(rounds 12000 500000)
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 0; i < n; i++)
	printf "{\"t\":%d,\"k\":\"k%d\",\"v\":%d}\n", 3600 + i * 50000 / n + int(rand() * 30), rand() * rand() * 40, rand() * 2000 - 300 }' >in
cat >reference.awk <<'AWK'
# What windows come to: size and slide in seconds, or a gap. Sorted by whoever asks.
function stamp(t) { return sprintf("1970-01-01T%02d:%02d:%02dZ", t / 3600, t / 60 % 60, t % 60) }
function line(k, from, to, n, sum, min, max) {
	printf "{\"key\":\"%s\",\"start\":\"%s\",\"end\":\"%s\",\"n\":%d,\"sum\":%d,\"min\":%d,\"max\":%d}\n", k, stamp(from), stamp(to), n, sum, min, max
}
function add(at, v) {
	if (!(at in n) || v < min[at]) min[at] = v
	if (!(at in n) || v > max[at]) max[at] = v
	n[at]++; sum[at] += v
}
BEGIN { FS = "[:,\"}]+" }
{ t = $3; k = $5; v = $7 }
!gap { for (s = int(t / slide) * slide; s > t - size; s -= slide) add(k " " s, v) }
gap { # in the order of keys and times
	if (k != last_k || t >= last + gap) { start = t; add(at = k " " start, v) } else add(at, v)
	last_k = k; last = end[at] = t
}
END { for (at in n) { split(at, part, " "); line(part[1], part[2], gap ? end[at] : part[2] + size, n[at], sum[at], min[at], max[at]) } }
AWK
spec() {
	cat <<YAML
pipeline: windows
stages:
  - {name: read, source: file, path: in, decode: ${2-json}}
  - {name: windows, operator: window, key: .k, time: .t, lateness: 30s, aggregates: {n: count, sum: sum(.v), min: min(.v), max: max(.v)}, $1}
  - {name: write, sink: file, path: out, encode: ${2-json}}
YAML
}
# same NAME AWK-VARIABLES OPTIONS [FORMAT]
same() {
	awk -F'[:,"}]+' '{ print $5, $3, $0 }' in | LC_ALL=C sort -k1,1 -k2,2n | cut -d' ' -f3- |
		awk -f reference.awk $(printf -- '-v %s ' $2) | LC_ALL=C sort >expected
	spec "$3" "${4-json}" >spec.yaml
	assert_exit 0 weir run --json spec.yaml
	LC_ALL=C sort out >got
	[ "$(wc -l <expected)" -gt 100 ] || fail "$1: $(wc -l <expected) windows are too few to mean anything"
	assert_file_equal got expected "$1"
	assert_eq "$(final stderr consumed) $(final stderr delivered) $(final stderr balanced)" "$count $(wc -l <expected) true" "ledger: $1"
}
same tumbling "size=600 slide=600" "size: 10m"
same "tumbling, JSON text" "size=600 slide=600" "size: 10m" raw
same "four workers" "size=600 slide=600" 'size: 10m, workers: 4, balance: key(.k)'
same sliding "size=900 slide=300" "size: 15m, slide: 5m"
same sessions "gap=240" "gap: 4m"

# Quantiles and distinct values: within what they promise, which is 1 % and, up to 512 values, nothing.
cat >spec.yaml <<'YAML'
pipeline: shares
stages:
  - {name: read, source: generate, count: 100000, text: '{"v":{n}}', decode: json}
  - {name: shares, operator: window, size: 8784h, aggregates: {n: count, mid: p50(.v), high: p99.9(.v), some: distinct(.v)}}
  - {name: write, sink: file, path: out, encode: json}
YAML
assert_exit 0 weir run --json spec.yaml
awk -F'[:,}]' '{ for (i = 1; i < NF; i++) v[$i] = $(i + 1) } END {
	mid = v["\"mid\""] / 50000; high = v["\"high\""] / 99900; some = v["\"some\""] / 100000
	exit !(NR == 1 && mid > 0.989 && mid < 1.011 && high > 0.989 && high < 1.011 && some > 0.92 && some < 1.08) }' out || fail "shares: $(cat out)"

# Late: rejected with the reason, or dropped; and items of all sorts.
printf '{"t":100,"k":1,"v":1}\n{"t":700,"k":1,"v":1}\n{"t":101,"k":1,"v":1}\n{"k":1,"v":1}\n{"t":700,"v":1}\n{"t":701,"k":1}\n{"t":702,"k":1,"v":"x"}\n' >in
spec "size: 10m" >spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(wc -l <out) $(final stderr rejected) $(final stderr consumed) $(final stderr balanced)" "2 5 2 true" "ledger: bad items"
weir dlq ls windows --json >letters
for reason in "it is late: its window has ended" "it has no time (.t)" "it has no key (.k)" "it has no .v" "its .v is no number"; do
	assert_contains letters "$reason"
done
spec "size: 10m, late: drop, without: skip" >spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(wc -l <out) $(final stderr rejected) $(final stderr consumed)" "2 3 4" "ledger: dropped and skipped"
assert_contains out '"n":2,"sum":1,"min":1,"max":1'

# Or they go to whoever reads them, as they came.
spec "size: 10m, without: skip" >spec.yaml
echo "  - {name: late, from: windows.late, sink: file, path: late, encode: json}" >>spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(wc -l <out) $(cat late) $(final stderr rejected) $(final stderr consumed) $(final stderr balanced)" '2 {"t":101,"k":1,"v":1} 3 4 true' "ledger: late ones apart"

# Too many keys for the room: refused, and nobody dies of it.
awk 'BEGIN { for (i = 0; i < 600; i++) printf "{\"t\":1,\"k\":%d,\"v\":1}\n", i }' >in
spec "size: 10m, state: 64KiB" >spec.yaml
assert_exit 3 weir run --json spec.yaml
weir dlq ls windows --json >letters
assert_contains letters "no room for its window: more keys and open windows than state: allows"
assert_eq "$(final stderr consumed) $(restarts stderr) $(final stderr balanced)" "$(wc -l <out) 0 true" "ledger: full"
[ "$(wc -l <out)" -gt 100 ] || fail "64 KiB hold $(wc -l <out) windows only"

# Nothing comes any more, and the windows leave all the same.
cat >spec.yaml <<'YAML'
pipeline: idle
stages:
  - {name: once, source: generate, count: 5, text: '{"t":{n}}'}
  - {name: never, source: exec, command: [sleep, '1000']}
  - {name: windows, from: [once, never], operator: window, time: .t, size: 1s, idle: 100ms, aggregates: {n: count}}
  - {name: write, sink: file, path: out}
YAML
>out
weir run --json spec.yaml 2>stderr &
pipeline=$!
wait_until 30 sh -c '[ "$(wc -l <out)" = 5 ]'
weir cancel idle >/dev/null
wait "$pipeline"
assert_eq "$(final stderr balanced)" true "ledger: idle"
