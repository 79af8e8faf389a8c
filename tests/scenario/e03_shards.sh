# SPDX-License-Identifier: Apache-2.0
# examples/shards: while eight shards are appended to, the merge at one snapshot holds exactly what they have up to it, in order; also while workers are killed.
# seconds: 240
# sanitizers: no, an example; its stages are in scenarios of their own
example=$WEIR_SOURCE/examples/shards
until=$(rounds 20000 400000)
for pace in calm killed; do
	rm -f shard-*.ndjson snapshot.ndjson code
	{ sed "s/'20000'/'$until'/" "$example/shards.yaml"; echo "restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}"; } >spec.yaml
	{ weir run --json --progress=never spec.yaml 2>log; echo $? >code; } & # some shards are not there yet
	wait_until 60 test -s log -o -e code
	"$example/append" "$until" "$RANDOM" &
	appending=$!
	[ "$pace" = calm ] || kill_randomly shards 60 "$(rounds 12 300)" >/dev/null
	wait "$appending" || fail "append: exit code $?"
	wait
	assert_eq "$(cat code)" 0 "$pace: exit code: $(tail -n 3 log | cut -c 1-300)"
	"$example/expected" "$until" >expected
	assert_file_equal snapshot.ndjson expected "$pace"
	assert_eq "$(final log balanced)" true "$pace: ledger"
done
[ "$(cat shard-*.ndjson | wc -l)" -gt "$(wc -l <expected)" ] || fail "nothing was left out"
[ "$(restarts log)" -ge 2 ] || fail "only $(restarts log) kills: the run is too short to mean anything"
