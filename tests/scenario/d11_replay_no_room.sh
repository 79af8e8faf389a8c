# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# A disk on which there is no room to give letters again: who asks hears of it, and what to do; the pipeline that runs knows nothing of it and goes
# on, no letter is lost or marked. With room they are taken, or, refused once more, are back with a longer story.
command -v cc >/dev/null || skip "no C compiler"
unshare -rm true 2>/dev/null || skip "no mount namespaces"
cat >picky.c <<'C'
#include <weir/stage.h>

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
#ifndef MENDED
	if (item->size_bytes > 100) {
		weir_reject(context, "too long");
		return WEIR_REJECTED;
	}
#endif
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_stage picky = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(picky), .role = WEIR_OPERATOR,
	.name = "picky", .summary = "picky", .description = "picky", .open = open_stage, .process = process };
WEIR_STAGE_EXPORT(picky)
C
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o picky.so picky.c || fail "can not compile the plugin"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -DMENDED -o mended.so picky.c || fail "can not compile the plugin"
# spec PLUGIN SOURCE
cat >within.sh <<'SH'
mount -t tmpfs -o size=3m tmpfs "$WEIR_STATE_DIR" || exit 77
spec() {
	cat >spec.yaml <<YAML
pipeline: full
restart: {type: permanent, intensity: 3}
stages:
  - {name: make, source: generate, $2}
  - {name: pick, plugin: ./$1.so}
  - {name: write, sink: file, path: $1.out}
YAML
}
spec picky "count: 40, text: '{n} $(printf '%8000s')'"
weir run --json spec.yaml >/dev/null 2>&1
for plugin in picky mended; do
	spec "$plugin" 'text: tick, rate: 100'
	weir run --json spec.yaml >"$plugin.log" 2>&1 &
	run=$!
	for _ in $(seq 500); do weir ps full >/dev/null 2>&1 && break; sleep 0.02; done
	dd if=/dev/zero of="$WEIR_STATE_DIR/filler" bs=4k 2>/dev/null
	weir dlq replay full --all --timeout 60s >"$plugin.full" 2>&1
	echo "$?" >"$plugin.full_code"
	weir ps full >"$plugin.ps" 2>&1
	rm "$WEIR_STATE_DIR/filler"
	weir dlq replay full --all --timeout 60s >"$plugin.room" 2>&1
	echo "$?" >"$plugin.room_code"
	weir drain full >/dev/null
	wait "$run"
	echo "$?" >"$plugin.code"
	weir dlq ls full --json >"$plugin.letters"
done
SH
mkdir "$WEIR_STATE_DIR"
unshare -rm bash within.sh
[ $? != 77 ] || skip "no tmpfs in a mount namespace"
for plugin in picky mended; do
	assert_eq "$(cat "$plugin.full_code")" 75 "$plugin: without room"
	assert_contains "$plugin.full" "No space left on device; make room on that disk"
	assert_contains "$plugin.ps" running
	assert_eq "$(restarts "$plugin.log") $(final "$plugin.log" balanced)" "0 true" "$plugin: the pipeline"
	! grep -q '"level":"error"' "$plugin.log" || { grep '"level":"error"' "$plugin.log" >&2; fail "$plugin: somebody else heard of it"; }
done
assert_eq "$(cat picky.room_code) $(cat picky.room)" "1 full: of 40 letters 0 were taken, 40 came back, 0 were not given" "with room"
assert_eq "$(cat mended.room_code) $(cat mended.room)" "0 full: of 40 letters 40 were taken, 0 came back, 0 were not given" "with room, mended"
assert_eq "$(cat picky.code) $(grep -c '"how":"was refused: too long"' picky.letters)" "3 40" "letters that came back"
assert_eq "$(cat mended.code) $(cat mended.letters) $(grep -vc tick mended.out)" "0 [] 40" "letters that were taken"
