# SPDX-License-Identifier: Apache-2.0
# merge while everybody is killed: each item once, in its place, none of those past the snapshot, whatever was held at the time.
# seconds: 300
rows=$(rounds 150000 400000)
kills=$(rounds 40 500)
# So that it lasts as long as the kills do.
pace=$(rounds '' '  - {name: pace, operator: throttle, rate: 15000/s, dead_letter: {attempts: 100}}')
for name in a b c d; do
	awk -v name=$name -v rows="$rows" -v seed=$RANDOM 'BEGIN { srand(seed); for (i = 0; i < rows; i++) { k += int(rand() * 4); printf "{\"k\":%d,\"of\":\"%s\",\"i\":%d}\n", k, name, i } }' >in.$name
done
cat >spec.yaml <<YAML
pipeline: merge-kills
drain: 100s
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: a, source: file, path: in.a, decode: json}
  - {name: b, source: file, path: in.b, decode: json}
  - {name: c, source: file, path: in.c, decode: json}
  - {name: d, source: file, path: in.d, decode: json}
  - {name: one, from: [a, b, c, d], operator: merge, key: .k, until: '$rows', lane: 64KiB, dead_letter: {attempts: 100}}
$pace
  - {name: write, sink: file, path: out, encode: json}
YAML
cat in.? | sed 's/^{"k":\([^,]*\),.*/\1 &/' | awk -v until="$rows" '$1 <= until' | LC_ALL=C sort -s -n -k 1,1 | cut -d ' ' -f 2- >expected
{ weir run --json --progress=never spec.yaml 2>log; echo $? >code; } &
wait_until 60 test -s log -o -e code
kill_randomly merge-kills 25 "$kills" >/dev/null
wait
assert_eq "$(cat code)" 0 "exit code: $(tail -n 3 log)"
assert_file_equal out expected "$(restarts log) kills"
assert_eq "$(final log balanced) $(final log in_flight) $(final log rejected)" "true 0 0" ledger
[ "$(restarts log)" -ge "$(rounds 3 300)" ] || fail "only $(restarts log) kills: the run is too short to mean anything"
killed=$(grep -o "\"name\":\"one\".*" log | grep -o "\"restarts\":[0-9]*" | head -n 1 | sed "s/.*://")
[ "$killed" -ge 1 ] || fail "the merge itself was never killed"
