# SPDX-License-Identifier: Apache-2.0
# What a scenario may use. It is read by bash before the scenario; the working folder is empty and is removed afterwards.
#   WEIR_RUN_DIR  where running pipelines are found     WEIR_STATE_DIR  where dead letters lie     WEIR_WORK  folder of this run     WEIR_BUILD, WEIR_SOURCE  trees
set -uo pipefail
RANDOM=$WEIR_SEED

fail() {
	echo "FAILED: $WEIR_SCENARIO: line ${BASH_LINENO[${#BASH_LINENO[@]} - 2]}: $*" >&2
	jobs -p | while read -r pid; do kill -KILL "$pid" 2>/dev/null; done
	exit 1
}

skip() {
	echo "skipped: $*" >&2
	exit 77
}

sanitized() {
	grep -q '^WEIR_SANITIZE:STRING=.' "$WEIR_BUILD/CMakeCache.txt"
}

# rounds CI NIGHTLY [SANITIZED]: how often to do it this time; SANITIZED: in CI under a sanitizer, which makes everything ten times as slow
rounds() {
	if [ -n "${WEIR_NIGHTLY-}" ]; then
		echo "$2"
	elif [ $# = 3 ] && sanitized; then
		echo "$3"
	else
		echo "$1"
	fi
}

assert_eq() {
	[ "$1" = "$2" ] || fail "${3-}: got '$1', expected '$2'"
}

assert_file_equal() {
	cmp "$1" "$2" >&2 || fail "${3:-$1 and $2 differ}"
}

# assert_contains FILE FRAGMENT: a fixed string
assert_contains() {
	grep -q -F -e "$2" "$1" || { cat "$1" >&2; fail "no '$2' in $1 (shown above)"; }
}

# assert_exit CODE COMMAND...: standard error goes to the file `stderr`
assert_exit() {
	local expected=$1 got
	shift
	"$@" 2>stderr
	got=$?
	[ "$got" = "$expected" ] || { cat stderr >&2; fail "exit code $got instead of $expected: $*"; }
}

# wait_until SECONDS COMMAND...: generous bounds; a slow machine is no failure
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "waited too long for: $*"
		sleep 0.02
	done
}

# Cases that share nothing and mostly wait, side by side: AT_ONCE of them, each in a folder of its own, with run and state folders of its own.
#   beside NAME COMMAND...    begins one, in a subshell in the folder NAME; when there is no room, once one has ended
#   all_beside                waits for the rest
# The scenario fails with the first that fails, once those that run have ended. Those that take longest come first.
AT_ONCE=4
declare -A beside_names=() beside_runs=() # by pid
beside_begun=0
beside() {
	local name=$1 seed=$RANDOM runs
	shift
	[ "${#beside_names[@]}" -lt "$AT_ONCE" ] || one_ends
	mkdir "$name" || fail "two cases are called $name"
	runs=$WEIR_RUN_DIR/$((++beside_begun)) # not its name: the path of a socket has 107 bytes
	mkdir -m 0700 "$runs"
	mkdir -p -m 0700 "$WEIR_STATE_DIR/$name"
	(
		RANDOM=$seed beside_names=() beside_runs=() beside_begun=0
		export WEIR_RUN_DIR=$runs WEIR_STATE_DIR=$WEIR_STATE_DIR/$name
		cd "$name" && "$@"
	) >"$name/said" 2>&1 &
	beside_names[$!]=$name beside_runs[$!]=$runs
}
one_ends() {
	local pid
	while :; do
		for pid in "${!beside_names[@]}"; do
			kill -0 "$pid" 2>/dev/null || break 2
		done
		sleep 0.02
	done
	has_ended "$pid"
}
has_ended() {
	local name=${beside_names[$1]} status
	wait "$1"
	status=$?
	rmdir "${beside_runs[$1]}" 2>/dev/null # what is left in there is told by who looks for it
	unset "beside_names[$1]" "beside_runs[$1]"
	if [ "$status" = 0 ]; then
		cat "$name/said"
		return
	fi
	sed "s/^/$name: /" "$name/said" >&2
	[ "${#beside_names[@]}" = 0 ] || wait "${!beside_names[@]}"
	rmdir "${beside_runs[@]}" 2>/dev/null
	fail "$name: exit code $status"
}
all_beside() {
	while [ "${#beside_names[@]}" -gt 0 ]; do
		one_ends
	done
}

# A pause of a random length: pause_up_to MILLISECONDS
pause_up_to() {
	local ms=$((RANDOM % ($1 + 1)))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

running() {
	weir ps "$1" --json >ps.json 2>/dev/null && grep -q '"phase":"running"' ps.json
}

# pids of all workers of a pipeline that live now
worker_pids() {
	weir ps "$1" --json 2>/dev/null | grep -o '"index":[0-9]*,"pid":[0-9]*' | sed 's/.*://'
}

# A number of the summary that `weir run --json` writes: final FILE NAME, e.g. accepted, delivered, in_flight, balanced, exit_code
final() {
	grep "\"type\":\"summary\"" "$1" | grep -o "\"$2\":[0-9a-z]*" | head -n 1 | sed "s/.*://"
}

# stanzas N: N blank-line separated records like a package list
stanzas() {
	awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++)
		printf "Package: p%d\nVersion: %d.%d\nInstalled-Size: %d\nDescription: number %d\n of a made-up list\nSection: %ss%d\n\n",
			i, i % 7, i % 11, (i * 7919) % 100003, i, i % 5 ? "" : "contrib/", i % 37 }'
}

# How often workers were replaced in the whole run: restarts FILE
restarts() {
	grep '"type":"summary"' "$1" | grep -o '"live":[0-9]*,"restarts":[0-9]*' | awk -F: '{ n += $3 } END { print n + 0 }'
}

# Kills a random worker of a pipeline every MILLISECONDS until it has ended; prints how many: kill_randomly NAME MILLISECONDS [LIMIT]
kill_randomly() {
	local name=$1 pause n=0 limit=${3:-1000000} ps status pids begun= seen=$SECONDS
	pause=$(($2 / 1000)).$(printf %03d $(($2 % 1000)))
	while [ "$n" -lt "$limit" ]; do
		ps=$(weir ps "$name" --json 2>/dev/null)
		status=$?
		[ "$status" != 0 ] || begun=1
		[ "$status" != 3 ] || [ -z "$begun" ] || break # it has ended
		pids=($(grep -o '"index":[0-9]*,"pid":[0-9]*' <<<"$ps" | sed 's/.*://'))
		[ "${#pids[@]}" -eq 0 ] || seen=$SECONDS
		[ "$SECONDS" -lt "$((seen + 20))" ] || break # it had ended before the first look
		if [ "${#pids[@]}" -gt 0 ]; then
			kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null && n=$((n + 1))
		elif [ -e ended ]; then
			break
		fi
		sleep "$pause"
	done
	echo "$n"
}

# Kills a random worker of the last stage of a pipeline, or the one with this index; false: there is none now. kill_last PIPELINE STAGE [INDEX]
kill_last() {
	local pids
	pids=($(weir ps "$1" --json 2>/dev/null | grep -o "\"name\":\"$2\".*" | grep -o "\"index\":${3:-[0-9]*},\"pid\":[0-9]*" | sed 's/.*://'))
	[ "${#pids[@]}" -gt 0 ] && kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
}

# Kills a random worker of this supervisor every SECONDS while at least FEWEST live, without asking it, so faster than kill_randomly; until
# there is a file `ended`, or MOST were killed. Prints how many: kill_workers PID MOST FEWEST SECONDS
kill_workers() {
	local n=0 pids
	while [ ! -e ended ] && [ "$n" -lt "$2" ]; do
		{ read -r -a pids <"/proc/$1/task/$1/children"; } 2>/dev/null
		[ "${#pids[@]}" -lt "$3" ] || { kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null && n=$((n + 1)); }
		sleep "$4"
	done
	echo "$n"
}

# run_with_kills CODE MOST [FEWEST] [SECONDS]: runs spec.yaml under kill_workers, with 3 and 0.02 if not said; it is to end with this exit
# code. What it said is in `stderr` then, and how many were killed in `kills`.
run_with_kills() {
	local pipeline killer status
	rm -f ended
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	kill_workers "$pipeline" "$2" "${3:-3}" "${4:-0.02}" >kills &
	killer=$!
	wait "$pipeline"
	status=$?
	touch ended
	wait "$killer"
	[ "$status" = "$1" ] || { tail -n 40 stderr >&2; fail "exit code $status instead of $1 after $(cat kills) kills"; }
}
