# SPDX-License-Identifier: Apache-2.0
# Each culprit of slow.table is named by `weir why`, with its kind and its stage, and of the healthy pipelines nothing is said. In every run a
# part of them, with WEIR_NIGHTLY=1 all.
# seconds: 600
# takes: 8
# sanitizers: no, minutes of waiting; the findings are those of unit.broker.observe.pace_find
AT_ONCE=10 # on two processors
PATIENCE=240 # a busy machine is no failure

# split TABLE: a spec, the acts and the findings of each case
split() {
	awk -v plugins="$WEIR_BUILD/tests/plugins" -v all="${WEIR_NIGHTLY-}" '
		/^#/ { next }
		/^case / { name = $2; skipped = !(all || $3 == "ci"); if (skipped) next; print name >"names"
			printf "pipeline: %s\ngrace: 200ms\ndrain: 120s\nstages:\n", name >(name ".yaml"); next }
		skipped { next }
		/^act / { print $2, $3, $4 >(name ".act") }
		/^find / { print $2, $3, $4 >(name ".find") }
		/^healthy/ { print >(name ".healthy") }
		/^{/ { gsub("%P", plugins); print "  - " $0 >(name ".yaml") }' "$1"
}

pid_of() {
	weir ps "$1" --json | grep -o "\"name\":\"$2\".*" | grep -o "\"index\":$3,\"pid\":[0-9]*" | head -n 1 | sed 's/.*://'
}

# act NAME WHAT STAGE INDEX
burners=()
act() {
	local pid child cpu
	case $2 in
	drain) weir drain "$1" --no-wait >/dev/null || fail "weir drain: $?"; return ;;
	esac
	pid=$(pid_of "$1" "$3" "$4")
	[ -n "$pid" ] || fail "$1: no worker $3#$4"
	case $2 in
	stop) kill -STOP "$pid" ;;
	stop-program)
		child=$(cat "/proc/$pid/task/$pid/children")
		kill -STOP ${child%% *} || fail "$1: no program" ;;
	starve)
		cpu=$(taskset -cp "$pid" | sed 's/.*: //; s/[-,].*//')
		renice -n 19 -p "$pid" >/dev/null
		taskset -cp "$cpu" "$pid" >/dev/null
		for _ in 1 2; do
			taskset -c "$cpu" bash -c 'while :; do :; done' &
			burners+=($!)
		done ;;
	esac
}
# What is found, as "kind stage index", the first that matters first: what is stuck, or what holds it back.
found() {
	local status
	weir why "$1" --window 700ms --json >why.json 2>why.err
	status=$?
	echo "$status" >status
	{
		grep -o '"kind":"[a-z]*","deadlock":[a-z]*,"culprit":{"stage":"[a-z]*","index":[0-9]*' why.json |
			sed 's/"kind":"\([a-z]*\)".*"stage":"\([a-z]*\)","index":\([0-9]*\)/\1 \2 \3/'
		grep -o '"kind":"[a-z-]*","by_design":[a-z]*,"stage":"[a-z]*","index":[0-9a-z]*' why.json |
			sed 's/"kind":"\([a-z-]*\)".*"stage":"\([a-z]*\)","index":\([0-9a-z]*\)/\1 \2 \3/'
	} >found
}
# The first finding is one of those of the case; an index that the case does not say may be any.
is_named() {
	found "$1"
	awk 'NR == FNR { wanted[NR] = $0; next }
		FNR == 1 { for (i in wanted) { split(wanted[i], w, " "); if (w[1] == $1 && w[2] == $2 && (w[3] == "" || w[3] == $3)) yes = 1 } }
		END { exit !yes }' "$1.find" found
}
says_nothing() {
	found "$1"
	[ "$(cat status)" = 0 ]
}

plant() {
	local name=$1 run what stage index end
	mv "../$name".* .
	weir run --json --progress=never "$name.yaml" 2>"$name.log" >/dev/null &
	run=$!
	wait_until 120 running "$name"
	[ ! -e "$name.act" ] || while read -r what stage index; do
		act "$name" "$what" "$stage" "$index"
	done <"$name.act"
	end=$((SECONDS + PATIENCE))
	if [ -e "$name.healthy" ]; then
		# On a machine this full something may be held up for a moment; what is wrong stays.
		until says_nothing "$name"; do
			[ "$SECONDS" -lt "$end" ] || fail "it is healthy, and found was: $(tr '\n' ',' <found) $(cat why.err)"
		done
		[ ! -e "$name.find" ] || is_named "$name" || is_named "$name" || fail "what its spec asks for is not told: $(cat why.json)"
	else
		until is_named "$name"; do
			[ "$SECONDS" -lt "$end" ] ||
				fail "found '$(tr '\n' ',' <found)' instead of '$(tr '\n' ',' <"$name.find")' $(cat why.err)"
		done
		[ "$(cat status)" = 1 ] || [ "$(cat status)" = 4 ] || fail "exit code $(cat status) of weir why"
		grep -q '"sentence":"..*","advice":"..*"' why.json || fail "no words: $(cat why.json)"
	fi
	cp found "$WEIR_WORK/found.$name"
	[ "${#burners[@]}" = 0 ] || kill "${burners[@]}"
	kill -INT "$run"
	worker_pids "$name" | xargs -r kill -KILL 2>/dev/null
	wait
}

split "$WEIR_SOURCE/tests/scenario/slow.table"
mapfile -t names <names
for name in "${names[@]}"; do
	beside "$name" plant "$name"
done
all_beside
echo "planted, and named or rightly not: ${#names[@]}"
