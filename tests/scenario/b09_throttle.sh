# SPDX-License-Identifier: Apache-2.0
# throttle: never more than rate x t + burst, killed or not; what waits is in nobody's way; what is beyond is rejected or dropped.
# seconds: 120
# takes: 19
# sanitizers: no, it waits for its rate; the operator is in unit.worker.operators.throttle
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/throttle.yaml" >out
seq -f 'order %.0f' 40 >expected
assert_file_equal out expected "forty orders"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "40 true" ledger

# now_ms, and how many lines a file has
now_ms() { echo $(($(date +%s%N) / 1000000)); }
lines() { [ -e "$1" ] && wc -l <"$1" || echo 0; }

# Killed at random, and each look must find no more than the rate allows: the bucket is not filled by a death.
cat >spec.yaml <<'YAML'
pipeline: paced
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 900, text: '{n}'}
  - {name: pace, operator: throttle, rate: 200/s, burst: 20}
  - {name: all, sink: file, path: out}
YAML
for round in $(seq "$(rounds 1 20)"); do
	rm -f out ended
	seq 900 >expected
	began=$(now_ms)
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	kill_randomly paced 30 >kills &
	killer=$!
	while kill -0 "$pipeline" 2>/dev/null; do
		n=$(lines out)
		[ "$n" -le "$((20 + 1 + ($(now_ms) - began) * 200 / 1000))" ] || fail "$n items after $(($(now_ms) - began)) ms"
		sleep 0.02
	done
	wait "$pipeline" || fail "exit code $? in round $round: $(tail -n 20 stderr)"
	touch ended
	wait "$killer"
	assert_file_equal out expected "all of them, once, in order"
	assert_eq "$(final stderr delivered) $(final stderr balanced)" "900 true" "ledger in round $round"
	[ "$(cat kills)" -ge 20 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
done

# The end of the stream lies behind the last item, not behind the wait after it; and nor does who has enough wait.
cat >spec.yaml <<'YAML'
pipeline: hourly
drain: 3s
stages:
  - {name: numbers, source: generate, count: 5, text: '{n}'}
  - {name: pace, operator: throttle, every: 1h, burst: 5}
  - {name: all, sink: file, path: out}
YAML
assert_exit 0 timeout 60 weir run --json spec.yaml
assert_eq "$(final stderr delivered)" 5 "a burst of five"
sed -e 's/count: 5, //' -e 's/  - {name: all/  - {name: some, operator: take, count: 5}\n&/' spec.yaml >endless.yaml
assert_exit 0 timeout 60 weir run --json endless.yaml
assert_eq "$(final stderr delivered) $(final stderr balanced)" "5 true" "five of a source without an end"

# Who waits for its rate is not stuck, says so, and is out of the way at a drain's deadline and at a cancel. No deadline runs meanwhile.
sed -e 's/count: 5, //' -e 's/burst: 5/burst: 2, deadline: 2s/' spec.yaml >waiting.yaml
has_lines() { [ "$(lines "$1")" = "$2" ]; }
rm out
weir run --json waiting.yaml 2>log &
wait_until 20 has_lines out 2
sleep 6.5
assert_exit 0 weir why hourly --window 0 >why
assert_contains why "nothing is stuck"
assert_contains why "pace#0 waits for the time of its next item, which it has postponed (its rate, its delay)"
assert_contains why "numbers#0 waits for room at"
weir drain hourly >drained 2>&1 || fail "exit code $? of weir drain: $(cat drained)"
wait $!
assert_eq $? 4 "exit code of a pipeline that has no time for the rest"
grep -q stall: log && fail "an alarm: $(grep stall: log)"
assert_eq "$(final log delivered) $(final log balanced) $(final log dead_lettered)" "2 true 0" "ledger after the drain"
assert_eq "$(restarts log)" 0 "nobody was killed for the wait"
weir run --json waiting.yaml 2>log &
wait_until 20 running hourly
assert_exit 0 timeout 20 weir cancel hourly
wait $!
assert_eq $? 3 "exit code of a cancelled one"

# Beyond the rate: rejected, and kept; or dropped, which is no loss.
sed -e 's/count: 5/count: 100/' -e 's/burst: 5/burst: 10, beyond: reject/' spec.yaml >reject.yaml
assert_exit 3 weir run --json reject.yaml
assert_eq "$(final stderr delivered) $(final stderr rejected) $(final stderr balanced)" "10 90 true" "ledger of a rejecting one"
assert_eq "$(weir dlq ls hourly --json | grep -c 'over the rate of one in 1:00:00 h')" 90 "letters with the reason"
# Given again they wait for their turn as everybody does, also when the source has ended meanwhile.
sed -e 's/count: 5/count: 2, rate: 1\/s/' -e 's/every: 1h, burst: 5/rate: 30\/s, burst: 1/' spec.yaml >again.yaml
weir run --json again.yaml 2>log &
wait_until 20 running hourly
began=$(now_ms)
assert_exit 0 weir dlq replay hourly --all >replayed
wait $! || fail "exit code $? of one that was given letters: $(tail log)"
[ "$(($(now_ms) - began))" -ge 2950 ] || fail "90 letters in $(($(now_ms) - began)) ms, at 30 a second"
assert_eq "$(final log delivered) $(final log balanced)" "92 true" "ledger with letters"
sed -e 's/beyond: reject/beyond: drop/' reject.yaml >drop.yaml
assert_exit 0 weir run --json drop.yaml
assert_eq "$(final stderr delivered) $(final stderr filtered) $(final stderr balanced)" "10 90 true" "ledger of a dropping one"

# Nonsense is answered before anything runs.
sed -e 's/every: 1h/every: 1h, rate: 5/' spec.yaml >bad.yaml
assert_exit 1 weir check bad.yaml
assert_contains stderr "'every' beside 'rate'"
