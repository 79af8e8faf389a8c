# SPDX-License-Identifier: Apache-2.0
# `weir why`, the log and the metrics about workers that are being ended: an expected wait as long as they have their grace, with who wants it, what
# they do and when the next rung comes; a stall once SIGTERM has come in vain; and never that somebody moves again, or opens its stage.
# seconds: 600
# takes: 50
# sanitizers: no, minutes of waiting; the findings are those of w01_stalls and unit.broker.supervise.stall_episode
PATIENCE=240 # of spinning: only time on a processor counts
why_says() {
	weir why "$1" --window 0 >why
	status=$?
	grep -q "$2" why
}
# assert_wait NAME WHAT: an expected wait, for some looks on end
assert_wait() {
	for _ in 1 2 3 4; do
		why_says "$1" "$2" || fail "weir why: $(cat why)"
		[ "$status" = 0 ] && grep -q 'nothing is stuck' why || fail "it is named as a stall (exit code $status): $(cat why)"
		sleep 0.7
	done
}
no_lies() {
	grep -E 'moves again|opening its stage' "$1.log" && fail "$1: that is not so"
	true
}

# spins NAME: a stage that never returns, named for it
spins() {
	cat >"$1.yaml" <<-YAML
	pipeline: $1
	drain: 120s
	stages:
	  - {name: numbers, source: generate, text: '{n}'}
	  - {name: mill, plugin: $WEIR_BUILD/tests/plugins/stuck.so, how: spin, grace: 600s}
	  - {name: out, sink: discard}
	YAML
	weir run --json --progress=never "$1.yaml" 2>"$1.log" >/dev/null &
	run=$!
	wait_until 60 running "$1"
	wait_until $PATIENCE why_says "$1" 'mill#0 (pid [0-9]*) has been in its stage for'
	assert_eq "$status" 1 "a stage that does not return"
}
ends() {
	weir stop "$1" --timeout 1s >/dev/null 2>&1
	wait "$run"
	assert_eq "$(final "$1.log" balanced)" true "ledger"
}

# A stage that was named because it does not return is cancelled: the stall is over for that reason, and its end is waited for.
alone() {
	spins lone
	weir cancel lone/mill --timeout 1s >/dev/null 2>&1
	wait_until 60 grep -q 'the stall of mill#0 (callback) is over after .*: it was told to end' lone.log
	assert_wait lone 'waiting for mill#0 (pid [0-9]*) to end: told to (weir cancel, cause user), SIGTERM in [0-9:.]* [a-z]*; in its stage, on item 0 from .numbers. (position 0); the process is running, [0-9.]* s'
	weir metrics lone >metrics
	grep '^weir_stalls_total.*kind="\(ending\|opening\)"} [1-9]' metrics && fail "counted as a stall"
	no_lies lone
	ends lone
}

# Told with everybody: the same words.
with_everybody() {
	spins all
	assert_exit 0 weir cancel all --no-wait
	wait_until 60 why_says all 'waiting for mill#0 (pid [0-9]*) to end: told to (weir cancel, cause user), SIGTERM in [0-9:.]* [a-z]*; in its stage, on item 0'
	assert_eq "$status" 0 "it has its grace"
	ends all
}

# A sibling that does not heed its cancel holds the others back: they have no worker, and that is no stall either.
for_a_sibling() {
	cat >siblings.yaml <<-YAML
	pipeline: siblings
	strategy: one_for_all
	drain: 2s
	stages:
	  - {name: numbers, source: generate, text: '{n}', rate: 100/s}
	  - {name: head, from: numbers, exec: [cat], mode: line}
	  - {name: mill, from: numbers, plugin: $WEIR_BUILD/tests/plugins/stuck.so, how: deaf, grace: 20s}
	  - {name: out, sink: discard, from: [head, mill]}
	YAML
	weir run --json --progress=never siblings.yaml 2>siblings.log >/dev/null &
	run=$!
	wait_until 60 running siblings
	wait_until $PATIENCE why_says siblings 'mill#0 (pid [0-9]*) has been in its stage for'
	weir chaos siblings --kill 10ms --count 1 --stage head >/dev/null || fail "chaos"
	wait_until 60 why_says siblings 'waiting for mill#0 .*SIGTERM in [0-9:.]* [a-z]*; 3 workers come back only then; in its stage, on item'
	sleep 7 # a patience
	assert_wait siblings 'waiting for mill#0 .*told to (head, cause sibling_failed), SIGTERM in'
	# Now SIGTERM: it has had its time, and is a stall until SIGKILL.
	wait_until 60 why_says siblings 'stall: mill#0 (pid [0-9]*) does not end, for .*: told to (head, cause sibling_failed), SIGTERM [0-9.]* m\?s ago, SIGKILL in'
	assert_eq "$status" 1 "a stage that does not heed SIGTERM"
	wait_until 60 grep -q '"stall: mill#0 (pid [0-9]*) does not end, for' siblings.log
	weir metrics siblings >metrics
	grep -q '^weir_stalls_total{pipeline="siblings",stage="mill",kind="ending"} 1$' metrics || fail "not counted: $(grep stalls_total metrics)"
	back() { weir ps siblings --json | grep -o '"restarts":[1-9]' | wc -l | grep -q '^[4-9]'; }
	wait_until 60 back
	no_lies siblings
	ends siblings
}

beside siblings for_a_sibling
beside lone alone
beside all with_everybody
all_beside
