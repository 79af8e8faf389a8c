# SPDX-License-Identifier: Apache-2.0
# Dead letters of an item that came as a reference hold its payload: refused at once, and given up after it has cost its workers.
command -v cc >/dev/null || skip "no C compiler"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o picky.so -x c - <<'C' || fail "can not compile the plugin"
#include <signal.h>
#include <unistd.h>
#include <weir/stage.h>

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *text = item->data;

	(void)state;
	if (text[0] == 'k')
		kill(getpid(), SIGKILL);
	if (text[0] != 'r')
		return weir_forward(context, WEIR_ALL_OUTPUTS, item);
	weir_reject(context, "not wanted");
	return WEIR_REJECTED;
}

static const struct weir_stage picky = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(picky), .role = WEIR_OPERATOR,
	.flags = WEIR_STAGE_FORWARDS, .name = "picky", .summary = "picky", .open = open_stage, .process = process };
WEIR_STAGE_EXPORT(picky)
C
line() {
	printf '%s' "$1"
	head -c 9000 /dev/zero | tr '\0' x
	echo
}
for i in 1 2 3; do line "a$i"; line "reject$i"; line "kill$i"; line "b$i"; done >lines
cat >spec.yaml <<YAML
pipeline: letters
restart: {intensity: 100, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: read, source: file, path: lines}
  - {name: pass, plugin: $WEIR_BUILD/tests/plugins/large_forward.so}
  - {name: pick, plugin: ./picky.so, dead_letter: {attempts: 2, path: bad.ndjson}}
  - {name: write, sink: file, path: out}
YAML
assert_exit 3 weir run --json spec.yaml
grep '^[ab]' lines >expected
assert_file_equal out expected "items that were passed on"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "6 true" "ledger"
for i in 1 2 3; do
	for word in reject kill; do
		assert_contains bad.ndjson "\"payload\":\"$(line $word$i)\""
	done
done
