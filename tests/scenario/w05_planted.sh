# SPDX-License-Identifier: Apache-2.0
# Each deadlock and stall of planted.table is found in its pipeline, with its kind and its culprit, by `weir why` and in the log; and nothing else is.
# seconds: 400
# sanitizers: no, minutes of waiting; each kind of finding is in w01_stalls or unit.broker.supervise.stall
AT_ONCE=15 # on two processors

# split TABLE: a spec, the acts and the findings of each case
split() {
	awk -v plugins="$WEIR_BUILD/tests/plugins" '
		/^#/ { next }
		/^case / { name = $2; print name >"names"
			printf "pipeline: %s\ngrace: 200ms\ndrain: 1s\nstages:\n", name >(name ".yaml") }
		/^act / { print $2, $3, $4 >(name ".act") }
		/^find / { print $2, $3, $4 >(name ".find") }
		/^find[?] / { print $2, $3, $4 >(name ".any") }
		/^{/ { gsub("%P", plugins); print "  - " $0 >(name ".yaml") }' "$1"
}

# What `weir why` finds, as "kind stage index", sorted. A pipeline that does not answer has found nothing.
found() {
	weir why "$1" --json 2>/dev/null | grep -o '"kind":"[a-z]*","deadlock":[a-z]*,"culprit":{"stage":"[a-z]*","index":[0-9]*' |
		sed 's/"kind":"\([a-z]*\)".*"stage":"\([a-z]*\)","index":\([0-9]*\)/\1 \2 \3/' | sort
}

is_found() {
	found "$1" >"$1.found"
	if [ -e "$1.any" ]; then
		[ "$(wc -l <"$1.found")" = 1 ] && grep -q -x -F -f "$1.found" "$1.any"
	else
		sort "$1.find" | cmp -s - "$1.found"
	fi
}

does_not_return() {
	found "$1" >"$1.found"
	grep -q "^callback $2 " "$1.found"
}

pid_of() {
	weir ps "$1" --json | grep -o "\"name\":\"$2\".*" | grep -o "\"index\":$3,\"pid\":[0-9]*" | head -n 1 | sed 's/.*://'
}

# plant NAME...: all of these side by side
plant() {
	local names=("$@") runs=() name run i end pid what stage index kind said
	for name in "${names[@]}"; do
		weir run --json --progress=never "$name.yaml" 2>"$name.log" >/dev/null &
		runs+=($!)
	done
	for name in "${names[@]}"; do
		wait_until 120 running "$name"
	done
	for name in "${names[@]}"; do
		[ -e "$name.act" ] || continue
		while read -r what stage index; do
			if [ "$what" = cancel ]; then
				wait_until 120 does_not_return "$name" "$stage" # else it would heed the cancel
				weir cancel "$name/$stage" --timeout 1s >/dev/null 2>&1
				continue
			fi
			pid=$(pid_of "$name" "$stage" "$index")
			kill -STOP "$pid" || fail "$name: no worker $stage#$index"
		done <"$name.act"
	done
	for name in "${names[@]}"; do
		end=$((SECONDS + 120))
		until is_found "$name"; do
			[ "$SECONDS" -lt "$end" ] || fail "$name: found '$(tr '\n' ',' <"$name.found")', planted '$(cat "$name.find" "$name.any" 2>/dev/null | tr '\n' ',')'"
			sleep 0.3
		done
	done
	# Some looks later it is still that and nothing else, and the log has named each culprit once.
	sleep 3
	for name in "${names[@]}"; do
		is_found "$name" || fail "$name: then found '$(tr '\n' ',' <"$name.found")'"
		while read -r kind stage index; do
			said=$(grep -c "\"\(stall\|deadlock\): .*$stage#$index (pid " "$name.log")
			[ "$said" -ge 1 ] || fail "$name: the log does not name $stage#$index: $(grep -E '"(stall|deadlock): ' "$name.log")"
			weir metrics "$name" >metrics
			assert_eq "$(grep "^weir_stalls_total{pipeline=\"$name\",stage=\"$stage\",kind=\"$kind\"}" metrics | sed 's/.* //')" \
				"$(wc -l <"$name.found" | awk -v n="$(grep -c "^$kind $stage " "$name.found")" '{ print n }')" "$name: weir_stalls_total of $stage, $kind"
		done <"$name.found"
	done
	for run in "${runs[@]}"; do
		kill -INT "$run"
	done
	for i in "${!runs[@]}"; do
		wait "${runs[i]}"
		assert_eq "$(final "${names[i]}.log" balanced)" true "the ledger of ${names[i]}"
	done
}

split "$WEIR_SOURCE/tests/scenario/planted.table"
mapfile -t names <names
for ((first = 0; first < ${#names[@]}; first += AT_ONCE)); do
	plant "${names[@]:first:AT_ONCE}"
done
echo "planted and named: ${#names[@]}"
