# SPDX-License-Identifier: Apache-2.0
# sample: every n-th item, or a share by lot; the same ones in every run and through any kill. The others are filtered, which is no loss.
# seconds: 60
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/sample.yaml" >first
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/sample.yaml" >second
assert_file_equal first second "two runs with one seed"
n=$(wc -l <first)
[ "$n" -ge 5 ] && [ "$n" -le 40 ] || fail "$n of 200 are no tenth"
assert_eq "$(final stderr delivered) $(final stderr filtered) $(final stderr balanced)" "$n $((200 - n)) true" ledger
assert_exit 0 weir run --set stages.tenth.seed=8 "$WEIR_SOURCE/configs/sample.yaml" >third
cmp -s first third && fail "another seed gives the same sample"

cat >spec.yaml <<'YAML'
pipeline: sampled
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 120k, rate: 40k, text: '{n}'}
  - {name: some, operator: sample, share: 2.5%}
  - {name: all, sink: file, path: out}
YAML
weir run --set stages.numbers.rate=10M spec.yaml 2>stderr || fail "exit code $? of a calm run"
mv out expected
sed -e 's/share: 2.5%/every: 40/' spec.yaml >every.yaml
total=0
for round in $(seq "$(rounds 1 20)"); do
	for spec in spec every; do
		rm -f out ended
		[ "$spec" = spec ] || seq 40 40 120000 >expected.every
		kill_randomly sampled 40 >kills &
		killer=$!
		weir run --json "$spec.yaml" 2>stderr || fail "exit code $? in round $round: $(tail -n 20 stderr)"
		touch ended
		wait "$killer"
		[ "$spec" = spec ] && assert_file_equal out expected "a share, killed"
		[ "$spec" = spec ] || assert_file_equal out expected.every "every 40th, killed"
		n=$(wc -l <out)
		assert_eq "$(final stderr delivered) $(final stderr filtered) $(final stderr balanced)" "$n $((120000 - n)) true" ledger
		total=$((total + $(cat kills)))
	done
done
echo "$total kills"
[ "$total" -ge 20 ] || fail "only $total kills: the run is too short to mean anything"
sed -e 's/share: 2.5%/share: 250%/' spec.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "share '250%' is out of range: expected 0.0001% to 100%"
