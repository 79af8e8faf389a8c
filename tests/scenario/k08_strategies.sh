# SPDX-License-Identifier: Apache-2.0
# 3 strategies x 3 restart types x the ways to end: who is restarted is what OTP says, and every item arrives exactly once where the pipeline
# goes on. A worker that has no time to become ready takes as long as the start's patience, so that end is in test_broker_supervise_siblings.
# seconds: 300
# takes: 18
# sanitizers: no, 36 cells of the same code, which is in unit.broker.supervise.siblings and s08_one_ladder
# A script is executed by its path, unlike a program, which stays what it was when weir began.
printf '#!/bin/sh\nexec %s "$@"\n' "$(dirname "$(command -v weir)")/weir-worker" >weir-worker && chmod +x weir-worker
# Longer than the lanes hold, so that the source still has work when the one in the middle dies.
cat >spec.yaml <<YAML
pipeline: strategies
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: numbers, source: generate, count: 4k, text: '{n} $(printf 'x%.0s' $(seq 200))'}
  - {name: side, from: numbers, sink: file, path: side, lane: 64KiB}
  - {name: before, from: numbers, plugin: $WEIR_BUILD/tests/plugins/mortal.so, lane: 64KiB}
  - {name: dies, plugin: $WEIR_BUILD/tests/plugins/mortal.so, marker: $PWD/died, lane: 64KiB, restart: {type: transient}}
  - {name: behind, plugin: $WEIR_BUILD/tests/plugins/mortal.so, lane: 64KiB, workers: 2, dead_letter: {attempts: 1}}
  - {name: all, sink: file, path: out, lane: 64KiB}
YAML
seq 4000 >expected

# Stages of which a worker had a successor, in the order of the spec.
restarted() {
	grep '"type":"summary"' "$1" | grep -o '"name":"[a-z]*"\|"live":[0-9]*,"restarts":[0-9]*' |
		awk -F: '/name/ { name = $2 } /restarts/ && $3 > 0 { gsub(/"/, "", name); printf "%s ", name }'
}

# The program of the workers is hidden by the one that dies, and comes back once it was missed.
show_worker_again() {
	wait_until 60 test -e weir-worker.hidden
	[ "$1" = temporary ] || wait_until 60 grep -q 'could not be executed' stderr
	mv weir-worker.hidden weir-worker
}

check_file() {
	cut -d ' ' -f 1 "$1" | LC_ALL=C sort -n >numbers
	cmp numbers expected >&2 || fail "$2: not every item exactly once in $1 ($(wc -l <"$1") lines)"
}

cell() {
	local strategy=$1 type=$2 end=$3 set=$4 status what="$1 x $2 x $3"
	rm -f out side died stderr
	if [ "$end" = exec-failure ]; then
		show_worker_again "$type" &
		WEIR_WORKER=$PWD/weir-worker weir run --json --set strategy="$strategy" --set stages.dies.restart.type="$type" \
			--set stages.dies.hide="$PWD/weir-worker" spec.yaml 2>stderr
		status=$?
		wait "$!"
	else
		weir run --json --set strategy="$strategy" --set stages.dies.restart.type="$type" --set stages.dies.end="$end" spec.yaml 2>stderr
		status=$?
	fi
	if [ "$type" = temporary ]; then
		[ "$status" = 3 ] || { tail -n 40 stderr >&2; fail "exit code $status: $what"; }
		assert_contains stderr "stage 'dies' failed: a temporary worker died"
		assert_eq "$(restarted stderr)|$(final stderr balanced)" "|true" "$what"
		return
	fi
	[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status: $what"; }
	assert_eq "$(restarted stderr)" "$set" "$what: restarted"
	assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "8000 0 true 0" "$what: ledger"
	check_file out "$what"
	check_file side "$what"
}

n=0
for strategy in one_for_one rest_for_one one_for_all; do
	case $strategy in
	one_for_one) set="dies " ;;
	rest_for_one) set="dies behind all " ;;
	one_for_all) set="numbers side before dies behind all " ;;
	esac
	for type in permanent transient temporary; do
		for end in exit-0 exit-n signal exec-failure; do
			cell "$strategy" "$type" "$end" "$set"
			n=$((n + 1))
		done
	done
done
echo "$n cells"

# One in the middle dies again and again with items in hand behind it, and one death is enough to be suspected: nobody is, of those that
# were only stopped for its sake.
for strategy in rest_for_one one_for_all; do
	rm -f out side
	weir run --json --set strategy=$strategy --set stages.dies.marker=none --set stages.dies.until=3000 --set stages.dies.after=300 \
		--set stages.dies.dead_letter.attempts=100 --set stages.behind.slow_us=50 spec.yaml 2>stderr || { tail -n 40 stderr >&2; fail "$strategy, again and again"; }
	assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced) $(final stderr dead_lettered)" "8000 0 true 0" "$strategy, again and again"
	check_file out "$strategy, again and again"
	check_file side "$strategy, again and again"
	echo "$strategy: $(restarts stderr) restarts"
	[ "$(restarts stderr)" -ge 20 ] || fail "only $(restarts stderr) restarts"
done

# Killed at random, each death taking the others with it.
touch died
for strategy in rest_for_one one_for_all; do
	for round in $(seq "$(rounds 1 50)"); do
		rm -f out side ended
		kill_randomly strategies 30 40 >kills &
		killer=$!
		weir run --json --set strategy=$strategy --set stages.numbers.rate=4k --set stages.behind.dead_letter.attempts=100 spec.yaml 2>stderr
		status=$?
		touch ended
		wait "$killer"
		[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "$strategy: exit code $status in round $round"; }
		check_file out "$strategy, round $round"
		check_file side "$strategy, round $round"
		echo "$strategy: $(cat kills) kills, $(restarts stderr) restarts"
	done
done
