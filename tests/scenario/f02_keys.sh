# SPDX-License-Identifier: Apache-2.0
# order: key over four workers, twice, with a worker dying every 50 ms: every item once, each key in its order and in one worker's file.
# seconds: 120
awk -v n="$(rounds 120000 3000000)" 'BEGIN { for (i = 1; i <= n; i++) printf "{\"n\": %d, \"who\": {\"id\": \"k%d\"}}\n", i, (i * 7919) % 101 }' >in
cat >spec.yaml <<'YAML'
pipeline: keys
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in}
  - {name: first, exec: 'sleep 0.02; cat', workers: 4, balance: key(.who.id), order: key, block: 16KiB}
  - {name: second, exec: [cat], workers: 3, balance: key(.who.id), order: key}
  - {name: write, sink: file, path: 'out.{worker}', workers: 2, balance: key(.who.id), order: key}
YAML
kill_randomly keys 50 >kills &
killer=$!
weir run --json spec.yaml 2>stderr
status=$?
touch ended
wait "$killer"
[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status"; }
cat out.* | sort -t: -k2,2n >all
sort -t: -k2,2n in | cmp - all >&2 || fail "something was lost, done twice or changed"
for file in out.*; do
	[ -s "$file" ] || fail "$file is empty"
	awk -F'[:,"}]+' -v file="$file" '{ key = $9; if ($3 + 0 <= last[key]) { print file ": " $0; exit 1 } last[key] = $3 + 0 }' "$file" ||
		fail "a key is out of order"
	awk -F'[:,"}]+' '{ print $9 }' "$file" | sort -u >"keys.$file"
done
assert_eq "$(cat keys.out.* | sort | uniq -d | wc -l)" 0 "keys in two workers"
assert_eq "$(cat keys.out.* | wc -l)" 101 "keys"
echo "$(cat kills) kills, $(restarts stderr) restarts"
[ "$(cat kills)" -ge 5 ] || fail "only $(cat kills) kills: the run is too short to mean anything"

# Without a key: no error, one lane, all of it arrives.
printf '%s\n' 'no JSON' '{"other": 1}' '' '{"who": {"id": null}}' >odd
assert_exit 0 weir run --json --set stages.read.path=odd --set 'stages.write.path=odd.{worker}' --set 'stages.first.exec=[cat]' spec.yaml
sort odd >expected
cat odd.0 odd.1 | sort | cmp - expected >&2 || fail "items without a key were lost"
[ ! -s odd.0 ] || [ ! -s odd.1 ] || fail "items without a key went to two workers"
