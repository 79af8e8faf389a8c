# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, z01, z02 and v01 run the same code under sanitizers
# Stages go from 1 worker to 8 and back to 1 again and again, under load, while workers and supervisors are killed at random, at any moment of it.
# Each change is reached in the end; each item arrives once, in the order that its stages keep, and the ledger is exact.
# seconds: 240
touch "$WEIR_WORK/orphans-expected"
rounds=$(rounds 1 50)
spec() { # NAME STAGES
	cat <<YAML
pipeline: $1
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: file, path: ../in, follow: true}
  - {name: pace, operator: throttle, rate: 20k/s, dead_letter: {attempts: 100}}
$2
  - {name: write, sink: file, path: out, dead_letter: {attempts: 100}}
YAML
}
many="workers: {min: 1, max: 8, target_age: 0}, dead_letter: {attempts: 100}"
by_key="order: key, balance: 'key(field(2))'"

# As a service manager would: whoever is killed is started again. Its process is in `supervisor`, the exit code of the last one in `code`.
serve() {
	local status
	while :; do
		weir run --json --keep "$PWD/keep" spec.yaml 2>>stderr &
		echo $! >supervisor.new
		mv supervisor.new supervisor
		wait $!
		status=$?
		[ "$status" = 137 ] || break
	done 2>/dev/null
	echo "$status" >code
}
is_begun() {
	[ ! -e code ] || fail "$name: exit code $(cat code): $(cat stderr)"
	running "$name"
}
works() { # STAGE N: so many of its workers live
	[ "$(weir ps "$name" --json 2>/dev/null | grep -o "{\"name\":\"$1\".*" | sed 's/},{"name":.*//' | grep -o '"index":[0-9]*,"pid":[0-9]' | wc -l)" = "$2" ]
}
is_ordered() { # STAGE N: whoever rules now has the order
	weir scale "$name" "$1=$2" --no-wait >/dev/null 2>&1
}
is_reached() { # STAGE N; what did not get through in 10 s on a machine that is very slow is ordered again
	works "$@" && weir scale "$name" "$1=$2" --timeout 30s >/dev/null 2>&1 && works "$@" || { is_ordered "$@" && false; }
}
# Kills one to three workers and the supervisor, at moments of chance. What it killed is in `killed`, a line each.
kill_at_random() {
	local n=$((2 + RANDOM % 3)) pid pids
	for ((; n > 0; n--)); do
		pause_up_to 120
		pid=$(cat supervisor)
		if [ "$n" = 2 ]; then
			kill -KILL "$pid" && echo supervisor >>killed
		else
			pids=()
			{ read -r -a pids <"/proc/$pid/task/$pid/children"; } 2>/dev/null # no newline at its end
			[ "${#pids[@]}" = 0 ] || { kill -KILL "${pids[RANDOM % ${#pids[@]}]}" && echo worker >>killed; }
		fi
	done 2>/dev/null
}
change() { # N STAGE...: all of them, at a time, while there is killing
	local n=$1 stage killer
	shift
	RANDOM=$RANDOM kill_at_random &
	killer=$!
	for stage in "$@"; do
		wait_until 60 is_ordered "$stage" "$n"
	done
	wait "$killer"
	for stage in "$@"; do
		wait_until 120 is_reached "$stage" "$n"
	done
}
# scaled NAME STAGES CHECK STAGE...
scaled() {
	local round server
	name=$1
	spec "$1" "$2" >spec.yaml
	: >stderr
	: >killed
	serve &
	server=$!
	wait_until 60 is_begun
	for ((round = 0; round < rounds; round++)); do
		change 8 "${@:4}"
		[ $((RANDOM % 3)) != 0 ] || change $((2 + RANDOM % 6)) "${@:4}"
		change 1 "${@:4}"
	done
	wait_until 60 running "$1"
	weir drain "$1" >/dev/null || fail "$1: drain"
	wait "$server"
	assert_eq "$(cat code)" 0 "$1: exit code: $(tail -n 40 stderr)"
	assert_eq "$(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "0 true 0" "$1: ledger"
	assert_eq "$(final stderr accepted)" "$(wc -l <out)" "$1: ledger"
	head -n "$(wc -l <out)" ../in >expected
	sort -n out | cmp - expected >&2 || fail "$1: not every item once"
	"$3"
	echo "$1: $rounds times 1 -> 8 -> 1, $(wc -l <out) items, $(grep -c worker killed) workers and $(grep -c supervisor killed) supervisors killed," \
		"$(grep -c 'has not got through' stderr) changes ordered again"
}
in_order() {
	cmp out expected >&2 || fail "$name: not in order"
}
keys_in_order() {
	awk '$1 <= last[$2] { print $0 " after " last[$2]; exit 1 } { last[$2] = $1 }' out >&2 || fail "$name: a key is out of order"
}
seq "$(rounds 1000000 30000000)" | awk '{ print $1, "k" $1 % 17 }' >in
beside keys scaled keys "  - {name: work, exec: [cat], mode: line, $by_key, $many}
  - {name: more, exec: [cat], mode: line, $by_key, $many}" keys_in_order work more
beside fifo scaled fifo "  - {name: work, exec: [cat], mode: line, order: fifo, $many}" in_order work
all_beside
