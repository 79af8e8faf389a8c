# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# A disk on which there is no room to give letters again: who asks hears of it, and what to do; the pipeline that runs knows nothing of it and goes
# on, no letter is lost or marked. With room they are taken, or, refused once more, are back with a longer story.
unshare -rm true 2>/dev/null || skip "no mount namespaces"
# spec HOW SOURCE: a stage that is `picky` refuses what is too long, a `mended` one nothing
cat >within.sh <<'SH'
mount -t tmpfs -o size=3m tmpfs "$WEIR_STATE_DIR" || exit 77
# wait_for COMMAND...: until it succeeds; after a minute the test has failed
wait_for() {
	for _ in $(seq 3000); do "$@" && return; sleep 0.02; done
	echo "waited in vain: $*" >&2
	kill -KILL "$run"
	exit 1
}
runs() { weir ps full --json 2>/dev/null | grep -q '"phase":"running"'; }
spec() {
	local how=
	[ "$1" = mended ] || how=', longest: 100'
	cat >spec.yaml <<YAML
pipeline: full
restart: {type: permanent, intensity: 3}
stages:
  - {name: make, source: generate, $2}
  - {name: pick, plugin: $WEIR_BUILD/tests/plugins/picky.so$how}
  - {name: write, sink: file, path: $1.out}
YAML
}
spec picky "count: 40, text: '{n} $(printf '%8000s')'"
weir run --json spec.yaml >/dev/null 2>&1
for how in picky mended; do
	spec "$how" 'text: tick, rate: 100'
	weir run --json spec.yaml >"$how.log" 2>&1 &
	run=$!
	wait_for runs
	dd if=/dev/zero of="$WEIR_STATE_DIR/filler" bs=4k 2>/dev/null
	weir dlq replay full --all --timeout 60s >"$how.full" 2>&1
	echo "$?" >"$how.full_code"
	weir ps full >"$how.ps" 2>&1
	rm "$WEIR_STATE_DIR/filler"
	weir dlq replay full --all --timeout 60s >"$how.room" 2>&1
	echo "$?" >"$how.room_code"
	weir drain full >/dev/null
	wait "$run"
	echo "$?" >"$how.code"
	weir dlq ls full --json >"$how.letters"
done
SH
mkdir "$WEIR_STATE_DIR"
unshare -rm bash within.sh
status=$?
[ "$status" != 77 ] || skip "no tmpfs in a mount namespace"
[ "$status" = 0 ] || fail "what runs in the mount namespace: exit code $status"
for how in picky mended; do
	assert_eq "$(cat "$how.full_code")" 75 "$how: without room"
	assert_contains "$how.full" "No space left on device; make room on that disk"
	assert_contains "$how.ps" running
	assert_eq "$(restarts "$how.log") $(final "$how.log" balanced)" "0 true" "$how: the pipeline"
	! grep -q '"level":"error"' "$how.log" || { grep '"level":"error"' "$how.log" >&2; fail "$how: somebody else heard of it"; }
done
assert_eq "$(cat picky.room_code) $(cat picky.room)" "1 full: of 40 letters 0 were taken, 40 came back, 0 were not given" "with room"
assert_eq "$(cat mended.room_code) $(cat mended.room)" "0 full: of 40 letters 40 were taken, 0 came back, 0 were not given" "with room, mended"
assert_eq "$(cat picky.code) $(grep -c '"how":"was refused: too long"' picky.letters)" "3 40" "letters that came back"
assert_eq "$(cat mended.code) $(cat mended.letters) $(grep -vc tick mended.out)" "0 [] 40" "letters that were taken"
