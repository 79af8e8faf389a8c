# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# A real disk without room for letters, and one that can't be written: whatever its size, the letters that are counted are there, all
# other items are still in flight, nobody dies of a signal, and the message says where and what to do.
unshare -rm true 2>/dev/null || skip "no mount namespaces"
cat >spec.yaml <<YAML
pipeline: disk
restart: {intensity: 2, backoff: 1ms}
stages:
  - {name: count, source: generate, count: 300, text: '{n} is refused 0123456789012345678901234567890123456789012345678901234567890123456789'}
  - {name: pass, plugin: $WEIR_BUILD/tests/plugins/again.so}
  - {name: write, sink: file, path: out}
YAML
cat >within.sh <<'SH'
mount -t tmpfs -o size="$1"k tmpfs "$WEIR_STATE_DIR" || exit 77
[ -z "$2" ] || mount -o remount,ro "$WEIR_STATE_DIR"
weir run --json spec.yaml 2>stderr
echo $? >code
weir dlq ls disk --json >letters
SH
mkdir "$WEIR_STATE_DIR"
# trial KIB READ-ONLY
trial() {
	unshare -rm bash within.sh "$1" "${2-}"
	[ $? != 77 ] || skip "no tmpfs in a mount namespace"
	local letters
	letters=$(grep -c '"id":' letters)
	assert_eq "$(cat code) $(final stderr balanced) $(final stderr delivered)" "3 true 0" "$1 KiB ${2-}"
	assert_eq "$(final stderr rejected)" "$letters" "$1 KiB ${2-}: letters"
	assert_eq "$(($(final stderr in_flight) + letters))" 300 "$1 KiB ${2-}: the other items"
	! grep -q "was killed by" stderr || { cat stderr >&2; fail "$1 KiB: a worker died of a signal"; }
	[ "$letters" = 300 ] || assert_contains stderr "cannot keep a dead letter"
}
for size in 20 64 72 88 100 124 150; do
	trial "$size"
	assert_contains stderr "make room on that disk"
done
trial 300 read-only
assert_contains stderr "Read-only file system; let weir write there, or set WEIR_STATE_DIR"
trial 2000
assert_eq "$(final stderr rejected)" 300 "with room"
