# SPDX-License-Identifier: Apache-2.0
# delay: nothing is handed on before its time, killed or not; order is kept; a drain waits for what is not due, as long as it may itself.
# seconds: 90
# takes: 27
# sanitizers: no, it waits for its delay; the operator is in unit.worker.operators.delay
now_ms() { echo $(($(date +%s%N) / 1000000)); }
lines() { [ -e "$1" ] && wc -l <"$1" || echo 0; }

began=$(now_ms)
assert_exit 0 weir run --json "$WEIR_SOURCE/configs/delay.yaml" >out
[ "$(($(now_ms) - began))" -ge 3450 ] || fail "over after $(($(now_ms) - began)) ms: the last of thirty came after 1450, and is due after 3450"
seq -f 'reminder %.0f' 30 >expected
assert_file_equal out expected "thirty reminders"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "30 true" ledger

# Killed at random: at no look may there be more than was taken in two seconds before it. One that forgot times would wait anew, and be late.
cat >spec.yaml <<'YAML'
pipeline: later
drain: 20s
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 1200, rate: 200/s, text: '{n}'}
  - {name: wait, operator: delay, for: 2s}
  - {name: all, sink: file, path: out}
YAML
seq 1200 >expected
for workers in 1 3; do
	rm -f out ended
	began=$(now_ms)
	weir run --json --set stages.wait.workers=$workers --set stages.wait.order=fifo spec.yaml 2>stderr &
	pipeline=$!
	kill_randomly later 30 >kills &
	killer=$!
	while kill -0 "$pipeline" 2>/dev/null; do
		n=$(lines out)
		ripe=$(($(now_ms) - began - 2000)) # ms
		[ "$n" -le "$((ripe < 0 ? 0 : 21 + ripe * 200 / 1000))" ] || fail "$n items after $((ripe + 2000)) ms"
		sleep 0.02
	done
	wait "$pipeline" || fail "exit code $? with $workers workers: $(tail -n 20 stderr)"
	touch ended
	wait "$killer"
	assert_file_equal out expected "all of them, once, in order, with $workers workers"
	assert_eq "$(final stderr delivered) $(final stderr balanced)" "1200 true" "ledger with $workers workers"
	[ "$(cat kills)" -ge 40 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
done

# A drain: what is not due yet is waited for, and handed on at its time.
has_lines() { [ "$(lines "$1")" -ge "$2" ]; }
rm -f out
weir run --json spec.yaml 2>log &
wait_until 30 has_lines out 1
began=$(now_ms)
weir drain later >drained 2>&1 || fail "exit code $? of a drain: $(cat drained)"
wait $! || fail "exit code $? of a drained one: $(cat log)"
n=$(final log delivered)
assert_eq "$(final log accepted) $(final log in_flight) $(final log balanced)" "$n 0 true" "ledger of a drained one"
[ "$n" -ge 300 ] || fail "$n items: those of two seconds were not due when it was told to drain"

# One that can't wait so long: the drain's deadline holds, and what is left is told. A source as fast as can be fills the lane, and nothing else.
sed -e 's/drain: 20s/drain: 3s/' -e 's/count: 1200, rate: 200\/s, //' -e 's/for: 2s/for: 1h/' spec.yaml >hour.yaml
assert_exit 0 weir check hour.yaml >checked
cat checked stderr >said
assert_contains said "is longer than a drain"
weir run --json hour.yaml 2>log &
waits() { weir why later --window 0 2>/dev/null | grep -q -F "$1"; }
wait_until 30 waits "wait#0 waits for the time of its next item"
wait_until 30 waits "numbers#0 waits for room at"
weir drain later >drained 2>&1 || fail "exit code $? of a drain: $(cat drained)"
wait $!
assert_eq $? 4 "exit code of a pipeline that has no time for the rest"
n=$(final log accepted)
assert_eq "$(final log delivered) $(final log in_flight) $(final log balanced)" "0 $n true" "ledger of a drain that ran out of time"
[ "$n" -gt 1000 ] && [ "$n" -le 10922 ] || fail "$n items in a lane of 256 KiB"

# Items that expire before they are due can't pass: that is told before anything runs; by what stands in them, when it happens.
sed -e 's/drain: 20s/expires: 1s/' spec.yaml >expires.yaml
assert_exit 1 weir check expires.yaml
assert_contains stderr "an item that waits here for 2.0 s has expired"
sed -e 's/count: 1200/count: 100, expires: within(.ttl)/' -e "s/'{n}'/'{\"ttl\":300}'/" spec.yaml >own.yaml
assert_exit 3 weir run --json own.yaml
assert_eq "$(final stderr expired) $(final stderr delivered) $(final stderr balanced)" "100 0 true" "ledger of items that expire"
