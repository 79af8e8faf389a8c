# SPDX-License-Identifier: Apache-2.0
# dedupe: each key once within its window, by one worker and by four, through hundreds of kills; and its answer to bad input.
# seconds: 240
# takes: 15
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/dedupe.yaml" >out
seq -f 'order %.0f' 30 >expected
LC_ALL=C sort -k2n out >sorted
assert_file_equal sorted expected "thirty orders"
assert_eq "$(final stderr delivered) $(final stderr filtered) $(final stderr balanced)" "30 20 true" ledger

# The first of each key passes while it is among the last LAST that passed: awk's answer.
count=$(rounds 120000 2000000)
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 1; i <= n; i++) printf "{\"id\":%d,\"n\":%d}\n", rand() * rand() * 30000, i }' >in
answer() {
	awk -F'[:,]' -v last="$1" '{ if ($2 in at && passed - at[$2] < last) next; at[$2] = ++passed; print }' in
}
answer 2000 >expected.window
answer 1000000000 >expected.all
[ "$(wc -l <expected.window)" -gt "$(wc -l <expected.all)" ] || fail "nothing leaves the window"
spec() {
	cat <<YAML
pipeline: once
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in, decode: $1}
  - {name: once, operator: dedupe, key: .id, $2}
  - {name: write, sink: file, path: out, encode: $1}
YAML
}
total=0
# killed NAME EXPECTED FORMAT OPTIONS
killed() {
	rm -f out
	spec "$3" "$4" >spec.yaml
	run_with_kills 0 "$(rounds 60 1000 20)"
	assert_eq "$(LC_ALL=C sort out | sha256sum)" "$(LC_ALL=C sort "$2" | sha256sum)" "result: $1"
	n=$(wc -l <"$2")
	assert_eq "$(final stderr delivered) $(final stderr filtered) $(final stderr balanced)" "$n $((count - n)) true" "ledger: $1"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts"
	total=$((total + $(restarts stderr)))
}
killed "a number, decoded" expected.window json "last: 2000"
cmp out expected.window || fail "one worker keeps the order"
killed "a number, JSON text" expected.window raw "last: 2000"
killed "a time" expected.all json "within: 1h"
killed "both, item by item" expected.window raw "last: 2000, within: 1h, batch: 1"
killed "four workers" expected.all json 'within: 1h, workers: 4, balance: key(.id)'
[ "$total" -ge 20 ] || fail "only $total deaths: the runs are too short to mean anything"

# More keys in the window than there is room for: rejected, never let through unseen. And items without a key.
head -n 4000 in >few
mv few in
spec raw "within: 1h, state: 64KiB, dead_letter: {path: refused}" >spec.yaml
assert_exit 3 weir run --json spec.yaml
assert_eq "$(final stderr balanced) $(restarts stderr)" "true 0" "ledger when full"
assert_eq "$(LC_ALL=C sort out | awk -F'[:,]' '{ print $2 }' | LC_ALL=C sort | uniq -d | wc -l)" 0 "duplicates when full"
[ "$(final stderr rejected)" -gt 1000 ] || fail "64 KiB are enough for $(wc -l <out) keys"
assert_contains refused "no room to remember its key"
printf '{"id":1}\n{"id":null}\nnothing\n{"id":1}\n{"other":2}\n' >in
for without in pass:4:0:1 drop:1:0:4 reject:1:3:1; do
	IFS=: read -r word delivered rejected filtered <<<"$without"
	spec raw "last: 10, without: $word" >spec.yaml
	weir run --json spec.yaml 2>stderr
	assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr filtered)" "$delivered $rejected $filtered" "without: $word"
done
weir dlq ls once --json >letters
assert_contains letters "it has no key (.id)"
