# SPDX-License-Identifier: Apache-2.0
# --keep: the supervisor is killed while a stage grows or shrinks, and while it has done so. The next one goes on with that: the stage gets the workers
# that were ordered from the one before, seats that rest stay empty, and every key arrives in its order, each item once.
# seconds: 180
# takes: 7
touch "$WEIR_WORK/orphans-expected"
seq "$(rounds 1000000 20000000)" | awk '{ print $1, "k" $1 % 17 }' >in
cat >spec.yaml <<YAML
pipeline: kept
stages:
  - {name: numbers, source: file, path: $PWD/in, follow: true}
  - {name: pace, operator: throttle, rate: 20k/s}
  - {name: work, exec: [cat], mode: line, order: key, balance: 'key(field(2))', workers: {min: 1, max: 6, target_age: 0}}
  - {name: write, sink: file, path: out}
YAML
: >stderr
begin() {
	weir run --json --keep "$PWD/keep" spec.yaml 2>>stderr &
	pid=$!
	wait_until 60 running kept
}
kill_supervisor() {
	kill -KILL "$pid"
	wait "$pid"
} 2>/dev/null
works() { # so many workers live, of a supervisor that runs
	[ "$(weir ps kept --json 2>/dev/null | grep -o '"name":"work".*"name":"write"' | grep -o '"index":[0-9]*,"pid":[0-9]' | wc -l)" = "$1" ]
}
is_settled() { # and nothing is left to do
	works "$1" && weir scale kept work="$1" --timeout 20s >/dev/null
}
size_of_out() {
	stat -c %s out 2>/dev/null || echo 0
}
has_grown() {
	[ "$(size_of_out)" -gt "$1" ]
}
begin
works 1 || fail "not one worker at first"
changes=0
for workers in $(seq "$(rounds 8 100)" | awk '{ print $1 % 2 ? 6 - $1 % 3 : 1 + $1 % 3 }'); do
	weir scale kept work="$workers" --no-wait >/dev/null || fail "weir scale work=$workers"
	pause_up_to 150
	kill_supervisor
	begin
	wait_until 60 works "$workers"
	kill_supervisor # nothing is being changed any more, or little
	begin
	[ "$(weir ps kept | grep -c 'work#[0-9]* *resting')" -le $((6 - workers)) ] || fail "more rest than $((6 - workers))"
	wait_until 60 is_settled "$workers"
	assert_eq "$(weir ps kept | grep -c 'work#[0-9]* *resting')" $((6 - workers)) "seats that rest"
	wait_until 60 has_grown "$(size_of_out)"
	changes=$((changes + 1))
done
weir drain kept >/dev/null || fail drain
wait "$pid"
status=$?
[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status"; }
assert_eq "$(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "0 true 0" ledger
head -n "$(wc -l <out)" in >expected
sort -n out | cmp - expected >&2 || fail "not every item once"
awk '$1 <= last[$2] { print $0 " after " last[$2]; exit 1 } { last[$2] = $1 }' out >&2 || fail "a key is out of order"
assert_eq "$(grep -c 'goes on with the run of a supervisor that is dead' stderr)" $((2 * changes)) successions
echo "$(wc -l <out) items, $changes changes, $((2 * changes)) supervisors killed"
