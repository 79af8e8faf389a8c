# SPDX-License-Identifier: Apache-2.0
# Each wrong program of docs/frame.md's tables of sinks and sources: it is named, and every item arrives once. All in one pipeline for each table. And
# those that end the stage.
# seconds: 120
program=$WEIR_SOURCE/tests/scenario/bad_frame_ends.py
# rows TABLE: "PROGRAM|WHAT WEIR SAYS" of each row
rows() {
	sed -n "/begin of the bad $1s/,/end of the bad $1s/p" "$WEIR_SOURCE/docs/frame.md" | grep '^| `' |
		awk -F ' *\\| *' '{ gsub("`", "", $2); print $2 "|" $4 }'
}
# stage NAME ROLE PROGRAM
stage() {
	local answer=60s
	[ "$3" != never-reads ] || answer=1s
	echo "  - {name: $1, $2: exec, command: [python3, $program, $WEIR_SOURCE/python, $2, $3], mode: frame, in_flight: 8, ready_within: 60s, answer_within: $answer, grace: 5s, dead_letter: {attempts: 3, path: letters-$3}}"
}
# judge ROLE: what was said of each program of the table
judge() {
	while IFS='|' read -r name said; do
		if [ -n "$said" ]; then
			grep -F "stage=$1-$name " stderr | grep -q -F -e "$said" || { grep -F "stage=$1-$name " stderr >&2; fail "$1 $name: no '$said'"; }
		else
			! grep -F "stage=$1-$name " stderr | grep -q 'is started again' || fail "$1 $name: somebody was blamed"
		fi
		[ ! -e "letters-$name" ] || fail "$1 $name: dead letters"
	done < <(rows "$1")
}

{
	printf 'pipeline: sinks\nstages:\n  - {name: count, source: generate, count: 300, text: "{n}"}\n'
	rows sink | while IFS='|' read -r name _; do stage "sink-$name" sink "$name" | sed 's/sink: exec/from: count, &/'; done
} >spec.yaml
assert_exit 0 weir run spec.yaml
judge sink
seq 300 >expected
rows sink >names
while IFS='|' read -r name _; do
	sort -n "sink-$name" | cmp - expected >&2 || fail "sink $name: the items are not those that came"
done <names
assert_eq "$(wc -l <names)" 5 "sinks in the table"

{
	printf 'pipeline: sources\nstages:\n'
	rows source | while IFS='|' read -r name _; do
		stage "source-$name" source "$name" | sed 's/, dead_letter.*/}/'
		echo "  - {name: write-$name, from: source-$name, sink: file, path: out-$name}"
	done
} >spec.yaml
assert_exit 0 weir run spec.yaml
judge source
rows source >names
while IFS='|' read -r name _; do
	seq "$([ "$name" = never-reads ] && echo 1000 || echo 300)" | cmp "out-$name" - >&2 || fail "source $name: not each item once, in order"
done <names
assert_eq "$(wc -l <names)" 18 "sources in the table"

# Always wrong: the stage ends, and says why. A program of one role in the place of another; a sink that answers with an output.
# spec STAGES...
spec() {
	printf '%s\n' 'pipeline: bad' 'stages:' "$@" >spec.yaml
}
good=$WEIR_SOURCE/tests/scenario/frame_ends.py
spec "  - {name: give, source: exec, command: [python3, $good, $WEIR_SOURCE/python, sink, out], mode: frame}" '  - {name: drop, sink: discard}'
assert_exit 3 weir run spec.yaml
assert_contains stderr "weir.sink() is for stages of the role sink, and 'give' is of the role source"
assert_contains stderr "(3 programs in a row did not get ready)"
spec '  - {name: give, source: exec, command: [cat], mode: frame}' '  - {name: drop, sink: discard}'
assert_exit 3 weir run spec.yaml
assert_contains stderr "before it said 'ready'"
spec '  - {name: give, source: exec, command: [sleep, 1000], mode: frame, ready_within: 100ms}' '  - {name: drop, sink: discard}'
assert_exit 3 weir run spec.yaml
assert_contains stderr "has not said 'ready' within 100 ms"
spec "  - {name: give, source: exec, command: [sh, -c, 'printf \"\\\\000\\\\000\\\\000\\\\010\\\\222\\\\245ready\\\\002\" >&4; exec sleep 1000'], mode: frame}" '  - {name: drop, sink: discard}'
assert_exit 3 weir run spec.yaml
assert_contains stderr "speaks version 2 of the frame protocol, and this weir speaks 1"
spec '  - {name: count, source: generate, count: 3}' \
	"  - {name: keep, sink: exec, command: [python3, -c, 'import sys; sys.path.insert(0, \"$WEIR_SOURCE/python\"); sys.dont_write_bytecode = True; import weir; weir.serve(lambda item: item.data)'], mode: frame, dead_letter: {path: letters}}"
assert_exit 3 weir run spec.yaml
assert_eq "$(grep -c 'answered with 1 outputs, and this stage has nowhere to send them' letters)" 3 "a sink's outputs"
