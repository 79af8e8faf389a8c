# SPDX-License-Identifier: Apache-2.0
# Each deadlock and stall of planted.table is found in its pipeline, with its kind and its culprit, by `weir why` and in the log; and nothing else is.
# seconds: 900
# takes: 50
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

# What `weir why` finds, as "kind stage index", sorted. On a machine this full it may have no answer in time (75): asked again.
answers() {
	weir why "$1" --window 0 --json >why.json 2>/dev/null
	[ $? -le 1 ]
}
found() {
	wait_until 240 answers "$1"
	grep -o '"kind":"[a-z]*","deadlock":[a-z]*,"culprit":{"stage":"[a-z]*","index":[0-9]*' why.json |
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

# plant NAME: in the folder of its own, with the files that `split` has written
plant() {
	local name=$1 run end what stage index kind said
	mv "../$name".* .
	weir run --json --progress=never "$name.yaml" 2>"$name.log" >/dev/null &
	run=$!
	wait_until 120 running "$name"
	[ ! -e "$name.act" ] || while read -r what stage index; do
		if [ "$what" = cancel ]; then
			wait_until 240 does_not_return "$name" "$stage" # else it would heed the cancel
			weir cancel "$name/$stage" --timeout 1s >/dev/null 2>&1
			continue
		fi
		kill -STOP "$(pid_of "$name" "$stage" "$index")" || fail "$name: no worker $stage#$index"
	done <"$name.act"
	end=$((SECONDS + 240))
	until is_found "$name"; do
		[ "$SECONDS" -lt "$end" ] || fail "found '$(tr '\n' ',' <"$name.found")', planted '$(cat "$name.find" "$name.any" 2>/dev/null | tr '\n' ',')'"
		sleep 0.3
	done
	# Some looks later it is still that and nothing else, and the log has named each culprit once.
	sleep 3
	is_found "$name" || fail "then found '$(tr '\n' ',' <"$name.found")'"
	while read -r kind stage index; do
		said=$(grep -c "\"\(stall\|deadlock\): .*$stage#$index (pid " "$name.log")
		[ "$said" -ge 1 ] || fail "the log does not name $stage#$index: $(grep -E '"(stall|deadlock): ' "$name.log")"
		weir metrics "$name" >metrics
		assert_eq "$(grep "^weir_stalls_total{pipeline=\"$name\",stage=\"$stage\",kind=\"$kind\"}" metrics | sed 's/.* //')" \
			"$(wc -l <"$name.found" | awk -v n="$(grep -c "^$kind $stage " "$name.found")" '{ print n }')" "weir_stalls_total of $stage, $kind"
	done <"$name.found"
	kill -INT "$run"
	# Who hears nothing would take its grace once more.
	sed -n 's/^ending //p' "$name.found" | while read -r stage index; do
		kill -KILL "$(pid_of "$name" "$stage" "$index")" 2>/dev/null
	done
	wait "$run"
	assert_eq "$(final "$name.log" balanced)" true "the ledger"
}

split "$WEIR_SOURCE/tests/scenario/planted.table"
mapfile -t names <names
for name in "${names[@]}"; do # those with a grace to wait for
	grep -q -s cancel "$name.act" && beside "$name" plant "$name"
done
for name in "${names[@]}"; do
	[ -d "$name" ] || beside "$name" plant "$name"
done
all_beside
echo "planted and named: ${#names[@]}"
