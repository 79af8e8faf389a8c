# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, what it asks is which spec a run goes on by; v01 to v03 and y02 run the same code under sanitizers
# The spec's file is not what a run hangs on: edited, broken, replaced by a reload that was not over, or gone, the same command goes on after a SIGKILL by
# the last good spec, and loses nothing. Who names another spec, or locks another one, is refused; without a run that is kept errors are errors.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
plugins=$WEIR_BUILD/tests/plugins
spec() { # WORD [MORE]
	cat <<YAML
pipeline: good
stages:
  - {name: count, source: generate, rate: 1500/s}
  - {name: word, plugin: $plugins/newcomer.so, word: $1${2-}}
  - {name: write, sink: file, path: out}
YAML
}
kept() {
	ls "$WEIR_STATE_DIR/good/spec" 2>/dev/null | wc -l
}
writes() { # WORD: items that came by that spec, newer than those that are there
	local before
	before=$(wc -l <out)
	wait_until 60 eval "[ \$(tail -n +$((before + 1)) out | grep -c '^$1 ') -gt 20 ]"
}
begin() { # SPEC WORD [OPTIONS]
	local spec=$1 word=$2
	shift 2
	weir run --json --keep "$PWD/keep" "$@" "$spec" 2>>log &
	pid=$!
	wait_until 60 running good
	writes "$word"
}
die() {
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
}
says() {
	assert_eq "$(grep -c -F "$1" log)" "$2" "$1"
}
: >log
: >out

spec w0 >spec.yaml
begin spec.yaml w0
assert_eq "$(kept)" 1 "specs that are kept"
# Edited, and nobody has reloaded it.
spec w1 >spec.yaml
die
begin spec.yaml w0
says "says now is another spec: the run goes on by its last good spec, which was read from $PWD/spec.yaml" 1
# Killed after the switch, in the probation; the edited file is all that there is.
weir reload good --no-wait --probation 60s >/dev/null || fail "no switch"
writes w1
assert_eq "$(kept)" 2 "specs that are kept"
die
begin spec.yaml w0
assert_eq "$(kept)" 1 "specs that are kept"
# Good at last: the file is what goes on.
assert_exit 0 weir reload good --probation 0s >/dev/null
writes w1
die
begin spec.yaml w1
says "the run goes on by its last good spec" 2
# Broken, and gone.
echo "pipeline: [" >spec.yaml
die
begin spec.yaml w1
says "says now has errors: the run goes on by its last good spec" 1
assert_exit 1 weir reload good >/dev/null
rm spec.yaml
die
begin spec.yaml w1
says "says now has errors: the run goes on by its last good spec" 2
# By a reload of another file, which is gone, too.
spec w2 >two.yaml
assert_exit 0 weir reload good two.yaml --probation 0s >/dev/null
rm two.yaml
spec w1 >spec.yaml
die
begin spec.yaml w2
says "which was read from $PWD/two.yaml" 1
# What only the supervisor goes by is read from the file that is given.
spec w2 ", restart: {intensity: 7}" >spec.yaml
die
begin spec.yaml w2
says "the run goes on by its last good spec" 5
# Another spec is another spec, and a setting more is one.
spec w3 >other.yaml
die
size=$(stat -c %s out)
assert_exit 75 timeout 60 weir run --keep keep other.yaml
assert_contains stderr "it is of another spec of 'good'"
assert_exit 75 timeout 60 weir run --keep keep --set stages.word.word=w4 spec.yaml
assert_eq "$(stat -c %s out)" "$size" "nothing was started"
# With --locked it has to be what is locked.
spec w3 >spec.yaml
assert_exit 0 weir lock spec.yaml >/dev/null
echo '# changed' >>spec.yaml
assert_exit 1 timeout 60 weir run --keep keep --locked spec.yaml
assert_exit 0 weir lock spec.yaml >/dev/null
begin spec.yaml w2 --locked
# Nothing is left of it in the end.
assert_exit 0 weir drain good >/dev/null
wait "$pid" || { tail -n 20 log >&2; fail "exit code $? of the pipeline"; }
assert_eq "$(ls -A keep; cd "$WEIR_STATE_DIR" && find . -type f)" "./good/history" "left behind"
awk '$3 != NR { print "line " NR ": " $0; exit 1 }' out >&2 || fail "an item is missing, there twice, or out of its order"
assert_eq "$(wc -l <out)" "$(final log accepted)" "items"

# A text that is kept is no run: with the holder dead, too, errors are errors.
rm -f out spec.yaml.lock
: >out
spec w5 >spec.yaml
begin spec.yaml w5
for comm in /proc/[0-9]*/comm; do
	process=${comm%/comm}
	[ "$(cat "$comm" 2>/dev/null)" = weir-holder ] || continue
	tr '\0' '\n' <"$process/environ" | grep -q -x "WEIR_WORK=$WEIR_WORK" && kill -KILL "${process#/proc/}"
done 2>/dev/null
wait_until 60 grep -q "the holder is gone" log
die
echo "pipeline: [" >spec.yaml
assert_exit 1 timeout 60 weir run --keep keep spec.yaml
assert_contains stderr "Nothing was started: what the spec says now has errors"
