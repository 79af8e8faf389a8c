# SPDX-License-Identifier: Apache-2.0
# weir chaos: kills, pauses, slows down workers of all stages, or of one, refuses them descriptors, and the numbers still arrive once and in
# order; ends with the pipeline, and leaves nobody stopped, even when it is killed; what it can't do it says.
# seconds: 120
touch "$WEIR_WORK/orphans-expected" # of a weir chaos that is killed
cat >spec.yaml <<'YAML'
pipeline: rough
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: count, source: generate, text: '{n}', rate: 20k}
  - {name: pass, exec: [cat], mode: block, workers: 3, order: fifo, dead_letter: {attempts: 100}}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>stderr &
pid=$!
wait_until 30 running rough

weir chaos rough --kill 20ms --pause 40ms --hold 60ms --count 60 --seed "$WEIR_SEED" --json >acts || fail "chaos: exit code $?"
kills=$(grep -c '"act":"kill"' acts)
pauses=$(grep -c '"act":"pause"' acts)
assert_eq "$((kills + pauses))" 60 "acts"
[ "$kills" -gt 10 ] && [ "$pauses" -gt 5 ] || fail "$kills kills and $pauses pauses of 60 acts"
grep -q "\"kill\":$kills,\"pause\":$pauses,\"delay\":0,\"refuse\":0,\"fill\":0}" acts || fail "the sum is not that of the acts: $(tail -n 1 acts)"
grep -q '"stage":"count"' acts && grep -q '"stage":"pass"' acts || fail "not all stages had their share: $(cat acts)"

weir chaos rough --kill 10ms --stage write --count 5 >only || fail "chaos --stage: exit code $?"
assert_eq "$(grep -c 'kill  *write#0' only)" 5 "kills of one stage"

# Ended by a signal in the middle of a long pause: who was stopped goes on.
weir chaos rough --pause 10ms --hold 1h --stage pass >paused &
chaos=$!
is_paused() { grep -q pause paused; }
wait_until 30 is_paused
kill -TERM "$chaos"
wait "$chaos" || fail "chaos ended by a signal: exit code $?"
stopped=$(sed -n 's/.*pid \([0-9]*\).*/\1/p' paused | head -n 1)
goes_on() { ! grep -q '^State:.*T' "/proc/$stopped/status" 2>/dev/null; }
wait_until 30 goes_on

# Killed in the middle of all that lasts: who was stopped goes on, who was slow is quick again, and descriptors are to be had.
limit_of() { sed -n 's/^Max open files  *\([0-9]*\) .*/\1/p' "/proc/$1/limits" 2>/dev/null; }
victim_of() { sed -n "s/.*$1 .*pid \([0-9]*\).*/\1/p" held | head -n 1; }
is_held() { [ "$(grep -c 'for ' held)" = 3 ]; }
before=$(limit_of "$(worker_pids rough | head -n 1)")
weir chaos rough --pause 20ms --delay 20ms --refuse 20ms --hold 1h --stage pass >held &
chaos=$!
wait_until 30 is_held
stopped=$(victim_of pause) slow=$(victim_of delay) refused=$(victim_of refuse)
[ "$(limit_of "$refused")" -lt 64 ] || fail "descriptors are not refused: the limit is $(limit_of "$refused")"
was_stopped() { grep -q '^State:.*T' "/proc/$1/status"; }
wait_until 30 was_stopped "$slow" # nine times out of ten
kill -KILL "$chaos"
wait "$chaos" 2>/dev/null
is_free() { ! was_stopped "$stopped" && ! was_stopped "$slow" && [ "$(limit_of "$refused")" = "$before" ]; }
wait_until 30 is_free
sleep 0.1
is_free || fail "a slow worker is stopped again"
weir chaos rough --delay 20ms --refuse 20ms --hold 50ms --count 30 --seed "$WEIR_SEED" --json >slow || fail "chaos: exit code $?"
grep -q '"act":"delay"' slow && grep -q '"act":"refuse"' slow || fail "not every act had its share: $(cat slow)"

weir chaos rough --kill 1s --stage nobody 2>why
assert_eq "$? $(grep -c "no stage 'nobody'" why)" "2 1" "an unknown stage"
weir chaos rough 2>why
assert_eq "$? $(grep -c 'say what is to go wrong' why)" "2 1" "no act"
weir chaos rough --kill fast 2>why
assert_eq "$? $(grep -c -- '--kill takes a duration' why)" "2 1" "no duration"
weir chaos rough --fill 1s 2>why
assert_eq "$? $(grep -c -- '--fill needs --disk' why)" "2 1" "no disk"
weir chaos nobody --kill 1s 2>why
assert_eq "$? $(grep -c "no pipeline 'nobody'" why)" "3 1" "no pipeline"
# At the beginning, and not with the first act; nothing has been done, so there is no sum either.
for disk in /proc /nonexistent; do
	timeout 60 weir chaos rough --kill 1h --fill 1h --disk "$disk" 2>why >sum
	assert_eq "$? $(grep -c "can not fill the disk that '$disk'" why) $(wc -l <why) $(wc -c <sum)" "75 1 1 0" "a disk that can not be filled"
done

# It ends with the pipeline, and says no more than that.
weir chaos rough --kill 5ms >sum 2>why &
chaos=$!
has_begun() { grep -q kill sum; }
wait_until 30 has_begun
weir drain rough >drain 2>&1 || fail "drain: exit code $?: $(cat drain)"
wait "$chaos" || fail "chaos at the end of the pipeline: exit code $?"
[ ! -s why ] || fail "chaos at the end of the pipeline says: $(cat why)"
grep -q 'the pipeline has ended' sum || fail "it does not say that the pipeline has ended: $(cat sum)"
wait "$pid"
assert_eq "$?" 0 "exit code of the pipeline"
seq "$(final stderr accepted)" | cmp - out || fail "what arrived is not what was made"
[ "$(restarts stderr)" -ge "$kills" ] || fail "only $(restarts stderr) restarts after $kills kills and more"
