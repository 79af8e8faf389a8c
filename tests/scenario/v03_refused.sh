# SPDX-License-Identifier: Apache-2.0
# What was kept and can't be gone on with is refused and stays kept: another spec, another layout, a changed byte, a second supervisor. A rebuilt weir goes
# on, a drain goes on as a drain; and what is really gone is said.
# seconds: 120
touch "$WEIR_WORK/orphans-expected"
awk 'BEGIN { for (i = 1; i <= 400000; i++) print "line", i, i * 7919 }' >in
spec() {
	cat <<YAML
pipeline: refused
drain: 60s
stages:
  - {name: read, source: file, path: in}
  - {name: cat, exec: 'sleep 0.02; cat', workers: $1, order: fifo, block: 4KiB, lane: 64KiB}
  - {name: write, sink: file, path: out}
YAML
}
spec 2 >spec.yaml
spec 3 >other.yaml
has_grown() {
	[ "$(stat -c %s out 2>/dev/null || echo 0)" -gt "$1" ]
}
begin() { # WEIR...
	"$@" run --json --keep "$PWD/keep" spec.yaml 2>>stderr &
	pid=$!
	wait_until 60 has_grown "$(stat -c %s out 2>/dev/null || echo 0)"
}
end_at_once() {
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
}
refused() { # CODE WORDS COMMAND...
	local code=$1 words=$2
	shift 2
	"$@" 2>refused
	assert_eq "$?" "$code" "exit code: $*"
	assert_contains refused "$words"
}
change() {
	assert_eq "$(python3 -B "$WEIR_SOURCE/tests/scenario/holder_peer.py" keep/refused.keep "$1")" changed
}
: >stderr
begin weir
end_at_once
size=$(stat -c %s out)
refused 75 "it is of another spec of 'refused'" weir run --keep keep other.yaml
assert_contains refused "drain it (weir drain refused)"
change 12 # segment_layout
refused 75 "whose memory has another layout" weir run --keep keep spec.yaml
change 12
change 270 # the first thing
refused 5 "it makes no sense: it is damaged" weir run --keep keep spec.yaml
change 270
assert_eq "$(stat -c %s out)" "$size" "nothing was started"

begin weir
mkdir -m 0700 "$WEIR_RUN_DIR/b"
refused 75 "has what is kept at keep/refused.keep, and lives" env WEIR_RUN_DIR="$WEIR_RUN_DIR/b" weir run --keep keep spec.yaml
rmdir "$WEIR_RUN_DIR/b" 2>/dev/null
end_at_once

mkdir new
cp "$WEIR_BUILD/bin/weir" "$WEIR_BUILD/bin/weir-worker" new/
begin new/weir
weir drain --no-wait refused >/dev/null || fail "it can't be drained"
end_at_once
weir run --json --keep keep spec.yaml 2>>stderr
status=$?
[ "$status" = 0 ] || { tail -n 40 stderr >&2; fail "exit code $status"; }
n=$(final stderr accepted)
assert_eq "$(final stderr delivered)" "$n" ledger
[ "$n" -lt 400000 ] || fail "it was not drained"
head -n "$n" in | cmp - out || fail "what was accepted and what arrived differ"
assert_eq "$(grep -c 'goes on with the run of a supervisor that is dead; it is the run.s supervisor number' stderr)" 3 successions
assert_eq "$(ls -A keep)" "" "left in the folder"

# The holder dies, and then the supervisor.
rm -f out
: >stderr
begin weir
for comm in /proc/[0-9]*/comm; do
	process=${comm%/comm}
	[ "$(cat "$comm" 2>/dev/null)" = weir-holder ] || continue
	tr '\0' '\n' <"$process/environ" | grep -q -x "WEIR_WORK=$WEIR_WORK" && kill -KILL "${process#/proc/}"
done 2>/dev/null
wait_until 60 grep -q "the holder is gone" stderr
end_at_once
begin weir
assert_contains stderr "had between its stages is lost: the holder at $PWD/keep/refused.keep is gone"
weir drain refused >/dev/null || fail "it can't be drained"
wait "$pid"
assert_eq "$(ls -A keep)" "" "left in the folder"
