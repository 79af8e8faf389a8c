# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# A fast source into a slow stage: what is dropped or refused at the full lane is counted, what goes in arrives once and in order, also when workers die.
spec() {
	cat <<YAML
pipeline: full
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: $(rounds 400000 8000000), rate: 200000/s, text: 'item {n}'}
  - {name: pass, exec: [cat], mode: line}
  - {name: slow, exec: 'sleep 0.02; cat', block: 16KiB, lane: 64KiB, full: $1, dead_letter: {path: slow.dead}}
  - {name: write, sink: file, path: out}
YAML
}

# check CODE LINE: the books, and what came out
check() {
	local accepted delivered skipped
	accepted=$(final stderr accepted) delivered=$(final stderr delivered) skipped=$(final stderr "$1")
	assert_eq "$(final stderr balanced)" true "balanced"
	assert_eq "$((delivered + skipped))" "$accepted" "delivered $delivered and $1 $skipped"
	assert_eq "$(wc -l <out)" "$delivered" "lines"
	sort -k2,2n -u out | cmp - out >&2 || fail "twice, or out of order"
	[ "$delivered" -ge 1000 ] && [ "$skipped" -ge 1000 ] || fail "$delivered and $skipped: no test of anything"
}

spec drop-new >new.yaml
assert_exit 0 weir run --json new.yaml
check dropped_new
assert_exit 0 weir run new.yaml
assert_contains stderr 'dropped (full: drop-new)'

for full in drop-new drop-old; do
	rm -f out ended
	spec $full >spec.yaml
	kill_randomly full 40 60 >kills &
	weir run --json spec.yaml 2>stderr
	status=$?
	touch ended
	wait
	assert_eq "$status" 0 "exit code with kills, $full"
	check "${full/drop-/dropped_}"
	[ "$(cat kills)" -ge 3 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
	echo "$full: $(cat kills) kills, $(restarts stderr) restarts"
done
# The newest is what drop-old is for: however slow the reader, the last item arrives.
assert_eq "$(tail -n 1 out)" "item $(final stderr accepted)" "the last line"

# A reader that is stuck, or slow, holds nobody up, and the books still balance.
cat >beside.yaml <<'YAML'
pipeline: full
stages:
  - {name: count, source: generate, count: 200000, text: 'item {n}'}
  - {name: fast, sink: file, path: fast, from: count}
  - {name: slow, exec: 'while read -r l; do echo "$l"; done', mode: line, lane: 64KiB, full: drop-old, from: count}
  - {name: write, sink: file, path: out, from: slow}
YAML
rm -f out
assert_exit 0 weir run --json beside.yaml
assert_eq "$(wc -l <fast) $(final stderr balanced)" "200000 true" "what the other reader got"
assert_eq "$(tail -n 1 out)" "item 200000" "the last line"
sort -k2,2n -u out | cmp - out >&2 || fail "twice, or out of order"

# Refused at the door of a source: the source goes on, the books say it, and it is a loss.
cat >reject.yaml <<'YAML'
pipeline: full
stages:
  - {name: count, source: generate, count: 200000, text: 'item {n}'}
  - {name: slow, exec: 'sleep 0.02; cat', block: 16KiB, lane: 64KiB, full: reject}
  - {name: write, sink: file, path: out}
YAML
rm -f out
assert_exit 3 weir run --json reject.yaml
check refused
said=$(grep -c "refused by this worker" stderr)
[ "$said" -ge 1 ] && [ "$said" -le "$((SECONDS + 2))" ] || fail "said $said times"
[ "$(weir dlq ls full)" = "no dead letters" ] || fail "a source has no dead letters of items that it can keep itself"

# Refused at the door of an operator: kept.
cat >bury.yaml <<'YAML'
pipeline: full
stages:
  - {name: count, source: generate, count: 3000, text: 'item {n} 0123456789012345678901234567890123456789012345678901234567890123456789'}
  - {name: pass, exec: [cat], mode: line, dead_letter: {path: pass.dead}}
  - {name: slow, exec: 'sleep 0.2; cat', block: 16KiB, lane: 64KiB, full: reject}
  - {name: write, sink: file, path: out}
YAML
rm -f out
assert_exit 3 weir run --json bury.yaml
refused=$(final stderr refused)
[ "$refused" -ge 1 ] || fail "nothing was refused"
assert_eq "$(wc -l <pass.dead)" "$refused" "dead letters"
assert_contains pass.dead "the lane to 'slow' was full"
assert_eq "$(($(wc -l <out) + refused))" 3000 "delivered and refused"

# The same into the store: each refused item is a letter of its own, though none of them ever had a number.
sed 's/, dead_letter: {path: pass.dead}//' bury.yaml >store.yaml
rm -f out
assert_exit 3 weir run --json store.yaml
refused=$(final stderr refused)
assert_eq "$(weir dlq ls full --stage pass --json | grep -c "\"id\":")" "$refused" "letters in the store"
weir dlq export full --stage pass --raw >letters
seq 3000 | sed 's/.*/item & 0123456789012345678901234567890123456789012345678901234567890123456789/' | sort >expected
sort out letters | cmp - expected >&2 || fail "delivered and refused"
