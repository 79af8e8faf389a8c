# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, reloads run under sanitizers in y02; what is new here is counting
# `canary:` one new worker goes first, the others follow when its time is over; one that refuses too much, or is too slow, or is told to end before, leaves the
# others untouched, and the spec before is back by itself. The ledger balances, and nothing but what was refused is missing.
# seconds: 120
plugins=$WEIR_BUILD/tests/plugins
spec() { # WORD [DOES] [FOR]
	cat <<YAML
pipeline: canary
stages:
  - {name: count, source: generate, rate: 300/s}
  - {name: word, plugin: $plugins/newcomer.so, word: $1, does: ${2-nothing}, workers: 3, balance: round-robin, canary: {for: ${3-1s}, errors: 5%, latency: 10ms}}
  - {name: write, sink: file, path: out}
YAML
}
pids() { # of the stage's workers, in their order
	weir ps canary --json | grep -o '"name":"word".*' | grep -o '"pid":[0-9]*' | head -n 3 | tr '\n' ' '
}
writes() { # WORD: newer ones than those that are there
	local before
	before=$(wc -l <out)
	wait_until 60 eval "[ \$(tail -n +$((before + 1)) out | grep -c '^$1 ') -gt 5 ]"
}
reload() { # CODE FRAGMENT
	local got
	weir reload canary spec.yaml --opening 60s --probation 20ms >answer 2>&1
	got=$?
	[ "$got" = "$1" ] || { cat answer >&2; tail -n 20 log >&2; fail "exit code $got of a reload instead of $1 ($2)"; }
	assert_contains answer "$2"
}
spec w0 >spec.yaml
weir run --json spec.yaml 2>log &
pid=$!
wait_until 60 running canary
writes w0
read -r -a first <<<"$(pids)"

# It goes first, and both specs are at work; then the others follow.
spec w1 >spec.yaml
weir reload canary --opening 60s --probation 20ms >answer 2>&1 &
asked=$!
wait_until 60 grep -q "word#2 goes first, and is watched" log
read -r -a now <<<"$(pids)"
assert_eq "${now[0]} ${now[1]}" "${first[0]} ${first[1]}" "workers beside the canary"
writes w1
wait "$asked" || { cat answer >&2; fail "exit code $? of a reload"; }
assert_contains answer "the new spec runs"
read -r -a first <<<"$(pids)"
[ "${now[0]}" != "${first[0]}" ] || fail "the others have not followed"

untouched() {
	read -r -a now <<<"$(pids)"
	assert_eq "${now[0]} ${now[1]}" "${first[0]} ${first[1]}" "workers beside a canary that failed"
	writes w1
	tail -n 3 out >last
	assert_eq "$(cut -d' ' -f1 last | sort -u)" w1 "who works after a canary that failed"
}
spec w2 refuse 20s >spec.yaml
reload 4 "word#2 went first, and has failed with"
assert_contains answer "more than 5 % (canary)"
untouched
spec w3 slow 20s >spec.yaml
reload 4 "more than 10 ms (canary)"
untouched
# A drain while it is tried: nothing has changed, and all of it arrives.
spec w4 nothing 1h >spec.yaml
weir reload canary --opening 60s >answer 2>&1 &
asked=$!
wait_until 60 eval "[ \$(grep -c 'word#2 goes first' log) = 4 ]"
writes w4
assert_exit 0 weir drain canary >/dev/null
wait "$asked"
asked=$? # it may ask once more when nobody is there
[ "$asked" = 75 ] || [ "$asked" = 3 ] || { cat answer >&2; fail "exit code $asked of a reload that was cut off"; }
assert_contains log "stopped: the pipeline was told to end before the switch; nothing has changed"
wait "$pid"
status=$?
[ "$status" = 3 ] || { tail -n 20 log >&2; fail "exit code $status of a pipeline that has refused items"; }
refused=$(final log rejected)
[ "$refused" -gt 0 ] || fail "nothing was refused"
assert_eq "$(($(wc -l <out) + refused))" "$(final log accepted)" "items"
assert_eq "$(cut -d' ' -f3 out | sort -n | uniq -d)" "" "twice"
assert_eq "$(final log in_flight) $(final log balanced)" "0 true"
