# SPDX-License-Identifier: Apache-2.0
# Keyed state is exact through hundreds of kills, in each shape that a stage may have, with one worker and with four, and begins anew with
# the run when it was the supervisor that died.
# seconds: 300
# takes: 17
plugins=$WEIR_BUILD/tests/plugins
count=$(rounds 100000 1000000 30000)
state=$WEIR_STATE_DIR/tally/state

# What it should come to: items in their order, then each key that is left, then all. answer REFUSE FORGET
answer() {
	awk -v refuse="$1" -v forget="$2" '{
		if (refuse && $2 % refuse == 0) next
		print $1, ++n[$1]; all++
		if (forget && $2 % forget == 0) delete n[$1]
	} END { for (key in n) print "=", key, n[key] | "LC_ALL=C sort"; close("LC_ALL=C sort"); print "=", all }' in
}
awk -v n="$count" -v seed="$WEIR_SEED" 'BEGIN { srand(seed); for (i = 1; i <= n; i++) printf "c%d %d x\n", rand() * rand() * 5000, i }' >in
answer 0 0 >expected.all
answer 1000 777 >expected.some
[ "$(grep -c '^=' expected.some)" -lt "$(grep -c '^=' expected.all)" ] || fail "nothing is forgotten in the answer"

# spec PLUGIN OPTIONS...: a plugin, or lua
spec() {
	local count="plugin: $plugins/$1.so"
	[ "$1" != lua ] || count='operator: lua, script: "local n = 0 function process(item) local key = item:match([[%S+]]) n = (state[key] or 0) + 1 state[key] = n return key .. [[ ]] .. n end"'
	cat <<YAML
pipeline: tally
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: in}
  - {name: count, $count, dead_letter: {path: refused, attempts: 100}, $2}
  - {name: write, sink: file, path: out}
YAML
}

# Of several workers the sums of each are one: total the lines "= N".
folded() { awk '/^= [0-9]+$/ { all += $2; next } { print } END { print "=", all }' out | LC_ALL=C sort; }

total=0
# killed NAME EXPECTED PLUGIN OPTIONS CODE: a run with kills; its output, sorted, is what is expected
killed() {
	rm -f out refused
	spec "$3" "$4" >spec.yaml
	run_with_kills "$5" "$(rounds 60 1000 15)"
	assert_eq "$(folded | sha256sum)" "$(LC_ALL=C sort "$2" | sha256sum)" "result: $1"
	assert_eq "$(final stderr balanced) $(final stderr dead_lettered)" "true 0" "ledger: $1"
	echo "$1: $(cat kills) kills, $(restarts stderr) restarts"
	total=$((total + $(restarts stderr)))
	[ ! -e "$state" ] || fail "state is left: $(find "$state")"
}
killed "process()" expected.some tally "refuse: 1000, forget: 777" 3
assert_eq "$(grep -vc '^=' out)" "$(grep -vc '^=' expected.some)" "lines"
cmp out expected.some || fail "one worker keeps the order, and so do the keys at the end"
killed "process(), each turn one item" expected.some tally "refuse: 1000, forget: 777, batch: 1" 3
killed "process(), large values" expected.all tally "pad: 3000" 0
killed "process(), four workers" expected.all tally 'workers: 4, balance: "key(field(1))"' 0
killed "run()" expected.all tally_run "pad: 10" 0
killed "run(), refused" expected.some tally_run "refuse: 1000, forget: 777" 3
killed "in flight" expected.all tally_late "in_flight: 64" 0
killed "in flight, refused, four workers" <(answer 1000 0) tally_late 'in_flight: 64, workers: 4, balance: "key(field(1))", refuse: 1000' 3
counted() { awk '{ print $1, ++n[$1] } END { print "=", all }' in; } # without a sum: lua has no finish()
killed "lua" <(counted) lua "state: 64MiB" 0
killed "lua, four workers" <(counted) lua 'state: 64MiB, workers: 4, balance: "key(field(1))"' 0
[ "$total" -ge 40 ] || fail "only $total deaths: the runs are too short to mean anything"

# The supervisor is killed: whatever is left, the next run begins with nothing, as its source does.
touch "$WEIR_WORK/orphans-expected"
spec tally "refuse: 1000, forget: 777, batch: 1" >spec.yaml
for round in 1 2 3; do
	rm -f out
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	wait_until 20 test -s out
	kill -KILL "$pipeline"
	wait "$pipeline" 2>/dev/null
	[ -e "$state" ] || fail "nothing was remembered in round $round"
done
rm -f out
assert_exit 3 weir run --json spec.yaml
cmp out expected.some || fail "something of an earlier run is left"
[ ! -e "$state" ] || fail "state is left: $(find "$state")"

# Full: what finds no room is refused, by a stage that lives on, and has changed nothing.
head -n 4000 in >all
mv all in
answer 0 0 >expected.all
spec tally "state: 64KiB, pad: 100" >spec.yaml
rm -f out refused
assert_exit 3 weir run --json spec.yaml
assert_eq "$(restarts stderr)" 0 "nobody dies of it"
assert_contains refused "it remembers as much as it may"
assert_eq "$(tail -n 1 out)" "= $(grep -vc '^=' out)" "what was refused is not counted"
[ "$(grep -c '^= c' out)" -gt 300 ] || fail "64 KiB hold $(grep -c '^= c' out) entries only"

# What can't be right is refused before anything runs.
spec tally "workers: 2" >spec.yaml
assert_exit 1 weir check spec.yaml
assert_contains stderr "tally remembers by key, and each of the 2 workers for itself: balance: key(EXPR) brings all items of a key to one of them"
sed 's/, path: out/&, state: 1GiB/' spec.yaml >odd.yaml
assert_exit 1 weir check odd.yaml
assert_contains stderr "'state' says how much a stage may remember, and file remembers nothing: drop it"

head -n 5 in >few
spec lua "" >spec.yaml
rm -f refused
assert_exit 3 weir run --json <(sed 's,path: in},path: few},' spec.yaml)
assert_contains refused "the stage remembers nothing: say in the spec how much it may, such as state: 64MiB"

# Somebody else has it open; or the folder is anybody's.
spec tally "batch: 1" >spec.yaml
rm -f out
mkdir -p "$state/count.0"
touch "$state/count.0/holder"
python3 -c 'import fcntl, sys, time
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX, 1)
print("locked", flush=True)
time.sleep(1000)' "$state/count.0/holder" >locked &
locker=$!
wait_until 20 test -s locked
assert_exit 75 weir run --json spec.yaml
assert_contains stderr "another process has the state in $state/count.0 open"
kill "$locker"
wait "$locker" 2>/dev/null
[ -e "$state/count.0/holder" ] || fail "what somebody else has open was removed"
chmod 777 "$state/count.0"
assert_exit 75 weir run --json spec.yaml
assert_contains stderr "belongs to somebody else, or others may write into it"
chmod 700 "$state/count.0"
assert_exit 0 weir run --json spec.yaml
cmp out expected.all || fail "what nobody has open any more is in the way"
