# SPDX-License-Identifier: Apache-2.0
# One item on which its stage gets stuck, in each of the ways in which stages do: in `for(;;);`, also deaf to SIGTERM; asleep in a system call; put
# aside for ever, beside others in flight; one that heeds its cancel, one that keeps its budget; a program that hears nothing but SIGKILL.
# The item costs its attempts and becomes a dead letter, all others arrive once, and the pipeline just runs on.
# seconds: 240
# takes: 16
plugins=$WEIR_BUILD/tests/plugins

# pipeline NAME STAGE: 1000 numbers through the stage into a file
pipeline() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	grace: 300ms
	stages:
	  - {name: numbers, source: generate, count: 1000, text: '{n}'}
	  - {name: mill, $2, deadline: 1s, dead_letter: {attempts: 2}}
	  - {name: out, sink: file, path: $1.out}
	YAML
}

# all_but FIRST LAST: what comes out
all_but() {
	seq 1 1000 | awk -v first="$1" -v last="$2" '$1 < first || $1 > last'
}

# ended NAME CAUSE N: with so many dead-lettered or rejected, counted and kept; nobody was told to stop
ended() {
	assert_exit 3 weir run --json "$1.yaml"
	mv stderr "$1.log"
	assert_eq "$(final "$1.log" accepted) $(final "$1.log" balanced) $(final "$1.log" in_flight)" "1000 true 0" "$1: ledger"
	sort -n "$1.out" >sorted
	assert_eq "$(weir dlq ls "$1" --json | grep -o '"cause":"[a-z]*"' | sort | uniq -c | tr -s ' ')" " 1 \"cause\":\"$2\"" "$1: letters"
	grep -q '"message":"\(drain\|cancel\) (' "$1.log" && fail "$1: the pipeline was stopped"
	return 0
}

gets_stuck() {
	local how=$1
	pipeline $how "plugin: $plugins/stuck.so, how: $how, 'on': 499"
	[ $how = heed ] && sed -i 's/^grace: .*/grace: 30s/' heed.yaml # it needs none of it, however slow the machine
	ended $how deadline
	all_but 500 500 >expected
	assert_file_equal sorted expected "$how: neighbours"
	assert_contains $how.log "item 499 from 'numbers' has overrun its deadline of 1.0 s here: cancelled"
	assert_contains $how.log "it has overrun the deadline of 1.0 s, in each of 2 attempts"
	assert_eq "$(grep -c 'item 499 had overrun its deadline of 1.0 s, by' $how.log)" 2 "$how: obituaries"
	weir dlq show $how 1 >letter
	assert_contains letter "item 499 had overrun its deadline of 1.0 s, by"
	assert_eq "$(weir dlq export $how --raw 1)" 500 "$how: payload"
	case $how in
	deaf) assert_contains deaf.log "was killed by SIGKILL" ;;
	sleep) assert_contains sleep.log "SIGTERM: it does not stop for its cancel (item_deadline)" ;;
	heed)
		assert_contains heed.log "heeded: item_deadline"
		grep -q SIGTERM heed.log && fail "heed: it was killed though it heeded"
		;;
	esac
	true
}

# Put aside for ever: the others in flight are done again, and not blamed.
is_put_aside() {
	pipeline defer "plugin: $plugins/stuck.so, how: defer, 'on': 499, pause: 20ms, in_flight: 64"
	ended defer deadline
	all_but 500 500 >expected
	assert_file_equal sorted expected "defer: neighbours"
	assert_contains defer.log "(put aside, not completed)"
	! grep -q 'items in flight (' defer.log || fail "defer: neighbours were suspected"
}

# Who keeps its budget gives the item up by itself: the supervisor need not.
keeps_its_budget() {
	pipeline budget "plugin: $plugins/stuck.so, how: budget, 'on': 499"
	sed -i 's/attempts: 2/attempts: 10/' budget.yaml # who is not scheduled when its budget ends overruns, and tries again
	ended budget rejected
	all_but 500 500 >expected
	assert_file_equal sorted expected "budget: neighbours"
	weir dlq show budget 1 >letter
	assert_contains letter "it took longer than it may: item_deadline"
}

# Programs: the worker ends the program and lives on. In block mode the block is what is tried, and given up.
deaf_program() {
	cat >deaf.bash <<'SH'
trap '' TERM INT HUP QUIT USR1 USR2 ALRM
while read -r line; do
	while [ "$line" = 500 ]; do sleep 1000; done
	echo "$line"
done
SH
}
deaf_line() {
	deaf_program
	pipeline line "exec: [bash, deaf.bash], mode: line"
	ended line deadline
	all_but 500 500 >expected
	assert_file_equal sorted expected "line: neighbours"
	assert_eq "$(restarts line.log)" 0 "line: restarts"
}
deaf_block() {
	deaf_program
	pipeline block "exec: [bash, deaf.bash], block: 30B"
	ended block deadline
	weir dlq export block --raw 1 >letter
	grep -qx 500 letter || fail "block: the letter is not of the block with the item"
	seq 1 1000 | grep -vxFf letter >expected
	assert_file_equal sorted expected "block: neighbours"
	assert_eq "$(final block.log dead_lettered)" "$(wc -l <letter)" "block: counted"
}

# Longer than the deadline in a lane, or waiting for room, is no overrun: the sink is slow, its stages are not.
back_pressure() {
	cat >slow.yaml <<-YAML
	pipeline: slow
	stages:
	  - {name: numbers, source: generate, count: 3000, text: '{n} $(printf '%400s')'}
	  - {name: pass, plugin: $plugins/stuck.so, 'on': 1000000, deadline: 500ms, lane: 64KiB}
	  - {name: out, plugin: $plugins/stuck.so, how: slow, pause: 1ms, lane: 64KiB, capacity: 0}
	  - {name: end, sink: discard}
	YAML
	assert_exit 0 weir run --json slow.yaml
	! grep 'has overrun' stderr || fail "slow: back-pressure was taken for an overrun"
	assert_eq "$(final stderr delivered)" 3000 "slow: delivered"
}

# Each attempt that took too long is counted, by whom: a stage in C, whose worker goes, and a program, which goes alone.
attempts_are_counted() {
	cat >count.bash <<-'SH2'
	while read -r line; do
		[ "$line" != 700 ] || exec sleep 1000
		echo "$line"
	done
	SH2
	cat >count.yaml <<-YAML
	pipeline: count
	grace: 300ms
	stages:
	  - {name: numbers, source: generate, rate: 500, text: '{n}'}
	  - {name: mill, plugin: $plugins/stuck.so, 'on': 499, deadline: 2s, dead_letter: {attempts: 2}}
	  - {name: line, exec: [bash, count.bash], mode: line, deadline: 2s, dead_letter: {attempts: 2}}
	  - {name: block, exec: [bash, count.bash], block: 30B, deadline: 2s, dead_letter: {attempts: 1}}
	  - {name: out, sink: discard}
	YAML
	: >late
	late() {
		weir metrics count >now 2>/dev/null && grep '^weir_timeouts_total.* [1-9]' now | sed 's/.*stage=//' >late
		[ "$(wc -l <late)" = 2 ] && grep -q '"line",level="item"} 2' late
	}
	weir run --json --progress=never count.yaml >count.json 2>&1 &
	run=$!
	wait_until 120 late
	printf '"mill",level="item"} 2\n"line",level="item"} 2\n' >expected
	assert_file_equal late expected "time-outs"
	weir ps count --json >ps.json || fail "no ps"
	assert_eq "$(grep -o '"name":"[a-z]*"\|"overruns":[0-9]*' ps.json | tr -d '"' | tr '\n' ' ' | grep -o 'name:line overruns:[0-9]*')" "name:line overruns:2" "weir ps"
	# Given again it costs its attempts again, and is what it was: an item that takes too long.
	weir dlq replay count --stage mill --timeout 60s >replayed 2>&1
	assert_contains replayed "of 1 letter 0 were taken, 1 came back"
	weir dlq ls count --stage mill --json >letters
	assert_eq "$(grep -o '"cause":"[a-z]*"\|"attempts":[0-9]*' letters | tr '\n' ' ')" '"cause":"deadline" "attempts":4 ' "a letter given again"
	assert_contains letters "it has overrun the deadline of 2.0 s, in each of 4 attempts"
	late_again() { weir metrics count >now 2>/dev/null && grep -q '"mill",level="item"} 4' now; }
	wait_until 60 late_again
	assert_exit 0 weir drain count
	wait "$run"
	assert_eq "$(final count.json balanced)" true "count: ledger"
}

# The worker of a program in frame mode looks after its stage's deadline itself, but not while it is stopped.
stopped_frame() {
	cat >frame.yaml <<-YAML
	pipeline: frame
	stages:
	  - {name: read, source: file, path: frame.in, follow: true}
	  - {name: upper, exec: $WEIR_SOURCE/examples/frame/upper.sh, mode: frame, deadline: 500ms, grace: 300ms}
	  - {name: write, sink: file, path: frame.out}
	YAML
	echo one >frame.in
	weir run --json --progress=never frame.yaml >frame.json 2>&1 &
	run=$!
	wait_until 60 grep -q -s ONE frame.out
	kill -STOP "$(worker_pids frame | sed -n 2p)"
	echo two >>frame.in
	wait_until 60 grep -q TWO frame.out
	assert_contains frame.json "has been stopped by a signal for"
	assert_exit 0 weir drain frame
	wait "$run"
	assert_eq "$(final frame.json balanced) $(final frame.json dead_lettered)" "true 0" "frame: ledger"
}

beside counted attempts_are_counted
beside frame stopped_frame
for how in spin deaf sleep heed; do
	beside $how gets_stuck $how
done
beside line deaf_line
beside block deaf_block
beside defer is_put_aside
beside budget keeps_its_budget
beside slow back_pressure
all_beside
