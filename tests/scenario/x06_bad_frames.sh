# SPDX-License-Identifier: Apache-2.0
# Each wrong program of docs/frame.md's table: it is named, and every item arrives once. And those that end the stage.
# seconds: 300
# takes: 20
# spec COMMAND [MORE]: 300 items through the program
spec() {
	cat >spec.yaml <<YAML
pipeline: bad
stages:
  - {name: count, source: generate, count: 300, text: '{n} $(printf '%0600d' 0)'}
  - {name: call, exec: $1, mode: frame, in_flight: 8, answer_within: 3s, ready_within: 5s, grace: 1s, dead_letter: {attempts: 3, path: letters}${2-}}
  - {name: write, sink: file, path: out}
YAML
}
seq 1 300 | sed "s/$/ $(printf '%0600d' 0)/" >expected

# misbehaves PROGRAM SAID: nobody is told anything else, every item arrives
misbehaves() {
	spec "[python3, $WEIR_SOURCE/tests/scenario/bad_frames.py, $WEIR_SOURCE/python, $1]"
	[ "$1" = late ] || sed -i "s/ready_within: 5s/ready_within: 60s/" spec.yaml
	case $1 in silent | never-reads) ;; *) sed -i 's/answer_within: 3s/answer_within: 60s/' spec.yaml ;; esac
	assert_exit 0 weir run --json spec.yaml
	sort -n out | cmp - ../expected >&2 || fail "$1: the items are not those that came"
	[ -z "$2" ] || assert_contains stderr "$2"
	[ -n "$2" ] || ! grep -q 'is started again' stderr || fail "$1: somebody was blamed"
	assert_eq "$(final stderr delivered) $(final stderr balanced) $(restarts stderr)" "300 true 0" "$1: ledger, workers"
	[ ! -e letters ] || fail "$1: dead letters"
}
n=0
while IFS='|' read -r _ program _ said _; do
	program=$(echo "$program" | tr -d '` ')
	said=$(echo "$said" | sed 's/^ *//; s/ *$//')
	n=$((n + 1))
	beside "$program" misbehaves "$program" "$said"
done < <(sed -n '/begin of the bad programs/,/end of the bad programs/p' "$WEIR_SOURCE/docs/frame.md" | grep '^| `')
assert_eq "$n" 20 "programs in the table"

# Always wrong: the stage ends, and says why.
# ready VERSION SHELL: says ready, and then does that
ready() {
	printf "[sh, -c, 'printf \"\\\\000\\\\000\\\\000\\\\010\\\\222\\\\245ready\\\\00%s\" >&4; %s']" "$1" "$2"
}
# ends COMMAND SAID [CHANGE]
ends() {
	spec "$1"
	sed -i "${3-}" spec.yaml
	assert_exit 3 weir run spec.yaml
	assert_contains stderr "$2"
}
beside says-nothing ends '[sleep, 1000]' "has not said 'ready' within 100 ms" 's/ready_within: 5s/ready_within: 100ms/'
beside echoes ends '[cat]' "has ended (exit status 0) before it said 'ready'"
beside exits ends '[sh, -c, "exit 4"]' "has ended (exit status 4) before it said 'ready'"
beside version-2 ends "$(ready 2 'exec sleep 1000')" "speaks version 2 of the frame protocol, and this weir speaks 1"
beside exits-later ends "$(ready 1 'exit 5')" "programs in a row were lost without an answer" 's/attempts: 3/attempts: 1/'
all_beside
