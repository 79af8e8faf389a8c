# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# takes: 20
# sanitizers: no, it kills at more moments than d03_letters_kills and d06_replay, in the same code
# While letters are given again, workers are killed at random, and the replayer with them: each letter arrives exactly once, and the store is
# empty. And the supervisor is killed: no letter is both delivered and still in the store, and none is delivered twice.
command -v cc >/dev/null || skip "no C compiler"
touch "$WEIR_WORK/orphans-expected"
n=$(rounds 5000 50000)
# spec HOW SOURCE OUT KEYS, where the stage is `picky`: it refuses sevens, or `mended`
spec() {
	local how=
	[ "$1" = mended ] || how=", ending: '7'"
	cat <<YAML
pipeline: letters
restart: {intensity: 100000, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: count, source: generate, $2}
  - {name: pick, plugin: $WEIR_BUILD/tests/plugins/picky.so$how, dead_letter: {attempts: 100}, $4}
  - {name: write, sink: file, path: $3}
YAML
}
fill_store() {
	spec picky "count: $n, text: '{n}'" first 'workers: 3' >spec.yaml
	assert_exit 3 weir run --json spec.yaml
	has_letters "$((n / 10))" || fail "letters of the first run"
}
has_letters() { [ "$(weir dlq export letters --raw | grep -c .)" = "$1" ]; }
seq 1 "$n" | grep '7$' | sort >sevens

for keys in 'workers: 3' 'workers: 2, order: fifo'; do
	rm -f out ended
	fill_store
	spec mended 'text: tick, rate: 2k' out "$keys" >spec.yaml
	weir run --json spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running letters
	kill_randomly letters 5 100 >killed &
	killer=$!
	# The replayer is killed, too: a few letters at a time, the same ones again and again.
	for _ in $(seq 1 10); do
		weir dlq replay letters --all >answer 2>&1 &
		replayer=$!
		pause_up_to 40
		kill -KILL "$replayer" 2>/dev/null
		wait "$replayer" 2>/dev/null
	done
	touch ended
	wait "$killer"
	assert_exit 0 weir dlq replay letters --all >answer
	assert_eq "$(weir dlq ls letters)" "no dead letters" "$keys: the store"
	weir drain letters >/dev/null || fail "drain"
	wait "$run"
	assert_eq "$?" 0 "exit code"
	grep -v tick out | sort | cmp - sevens || fail "$keys: not every letter arrived once, after $(cat killed) kills"
	assert_eq "$(final stderr.run replayed) $(final stderr.run balanced)" "$((n / 10)) true" "$keys: ledger"
done

# What was in flight when the supervisor died is lost with it, but nothing is there twice: from the store it is gone once the stage has it.
for round in $(seq 1 "$(rounds 5 50)"); do
	rm -f out
	fill_store
	for part in 1 2; do
		spec mended 'text: tick, rate: 2k' "out$part" 'workers: 3' >spec.yaml
		weir run --json spec.yaml 2>stderr.run &
		run=$!
		wait_until 60 running letters
		weir dlq replay letters --all >answer 2>&1 &
		replayer=$!
		if [ "$part" = 1 ]; then
			pause_up_to 300
			kill -KILL "$run"
			wait "$run" 2>/dev/null
			wait "$replayer"
			sleep 1 # so long its workers may live
		else
			wait "$replayer" || fail "round $round: replay: exit code $?: $(cat answer)"
			weir drain letters >/dev/null
			wait "$run"
		fi
	done
	weir dlq export letters --raw | sort >left
	[ -s left ] && fail "round $round: letters are left: $(wc -l <left)"
	grep -hv tick out1 out2 | sort | uniq -d >twice
	[ -s twice ] && fail "round $round: $(wc -l <twice) letters were delivered twice: $(head -n 3 twice | xargs)"
	grep -hv tick out1 out2 | sort | uniq | comm -23 - sevens >strange
	[ -s strange ] && fail "round $round: what arrived is no letter: $(head -n 3 strange | xargs)"
done
true
