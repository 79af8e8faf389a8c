# SPDX-License-Identifier: Apache-2.0
# Programs in frame mode that leave as soon as they have come, say all at once and are gone, die while somebody else holds their pipes, or listen to nobody.
# seconds: 120
edge() {
	echo "[python3, $WEIR_SOURCE/tests/scenario/frame_edges.py, $WEIR_SOURCE/python, $1]"
}
# spec STAGES...
spec() {
	printf '%s\n' 'pipeline: edges' 'stages:' "$@" >spec.yaml
}

# Nobody is to blame for a goodbye, but somebody who does nothing else is started more and more seldom, and in the end no more.
spec '  - {name: count, source: generate, count: 10, text: "{n}"}' \
	"  - {name: copy, exec: $(edge fleeting), mode: frame, in_flight: 4}" \
	'  - {name: write, sink: file, path: out}'
assert_exit 0 weir run --json spec.yaml
assert_eq "$(sort -n out | tr '\n' ' ')" "$(seq -s ' ' 10) " "behind goodbyes"
assert_contains stderr "has said 'bye' and not a word about an item, 2 programs in a row"
assert_contains stderr "has said 'bye' and not a word about an item, 3 programs in a row"
if [ -n "${WEIR_NIGHTLY-}" ]; then
	spec '  - {name: count, source: generate, count: 10, text: "{n}"}' \
		"  - {name: copy, exec: [sh, -c, 'printf \"\\\\000\\\\000\\\\000\\\\010\\\\222\\\\245ready\\\\001\\\\000\\\\000\\\\000\\\\005\\\\221\\\\243bye\" >&4'], mode: frame, in_flight: 4}" \
		'  - {name: write, sink: file, path: out}'
	assert_exit 3 weir run --json spec.yaml
	assert_contains stderr "has said 'bye' and not a word about an item (12 programs in a row were lost without an answer)"
fi

# Much that is said at once is heard to its end, whether its program dies then or just waits: nothing of that is given again.
# stored_once COUNT PROGRAM
stored_once() {
	rm -f stored
	spec "  - {name: count, source: generate, count: $1, text: '{n}'}" \
		"  - {name: keep, sink: exec, command: $(edge "$2"), mode: frame, in_flight: 4000, answer_within: 1h}"
	assert_exit 0 weir run --json spec.yaml
	sort -n stored >sorted
	seq "$1" >expected
	assert_file_equal sorted expected "$2: stored once each"
}
stored_once 3500 outspoken
assert_contains stderr "has ended (exit status 3)"
stored_once 3000 patient
! grep -q 'is started again' stderr || fail "a program that waits was lost"

# Its pipes do not end with it if somebody else holds them, whom weir can't kill; but it has ended, and that counts.
spec "  - {name: give, source: exec, command: $(edge held-source), mode: frame}" \
	"  - {name: copy, exec: $(edge held-operator), mode: frame, in_flight: 4, answer_within: 1h}" \
	'  - {name: write, sink: file, path: out}'
rm -f out
weir run --json spec.yaml 2>stderr &
run=$!
held() { [ -e held-source ] && [ -e held-operator ]; }
wait_until 60 held
source=$(<held-source) operator=$(<held-operator)
exec 5</proc/$source/fd/3 6>/proc/$source/fd/4 7</proc/$operator/fd/3 8>/proc/$operator/fd/4
kill -KILL "$source" "$operator"
wait "$run"
assert_eq $? 0 "exit code with held pipes"
exec 5<&- 6>&- 7<&- 8>&-
assert_eq "$(sort -n out | tr '\n' ' ')" "$(seq -s ' ' 50) " "with held pipes"
assert_eq "$(grep -c 'has ended (killed by signal 9 (KILL)) and not said' stderr) $(grep -c 'has ended (killed by signal 9 (KILL)) with' stderr)" "1 1" "what is said of both"

# A source need not listen: it closes what it would read from, and is told nothing.
spec "  - {name: give, source: exec, command: $(edge closed-source), mode: frame, in_flight: 5, answer_within: 100ms}" \
	'  - {name: write, sink: file, path: given}'
assert_exit 0 weir run --json spec.yaml
seq 5000 >expected
assert_file_equal given expected "of a source that does not listen"
