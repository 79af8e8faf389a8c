# SPDX-License-Identifier: Apache-2.0
# An item that kills its worker is given up after `attempts` workers, one that is refused at once; both are kept, the others arrive.
command -v cc >/dev/null || skip "no C compiler"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o picky.so -x c - <<'C' || fail "can not compile the plugin"
#include <signal.h>
#include <string.h>
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
	(void)state;
	if (item->size_bytes == 2 && !memcmp(item->data, "77", 2))
		kill(getpid(), SIGKILL);
	if (item->size_bytes == 2 && !memcmp(item->data, "33", 2)) {
		weir_reject(context, "thirty-three is not wanted");
		return WEIR_REJECTED;
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_stage picky = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(picky), .role = WEIR_OPERATOR,
	.name = "picky", .summary = "picky", .description = "picky", .open = open_stage, .process = process };
WEIR_STAGE_EXPORT(picky)
C
seq 1 200 | grep -v -x -e 33 -e 77 >expected
# Alone, and as one of three in order: there items go the short way in runs.
for keys in '' ', workers: 3, order: fifo'; do
	rm -f bad.ndjson out
	cat >spec.yaml <<YAML
pipeline: picky
stages:
  - {name: count, source: generate, count: 200, text: '{n}'}
  - {name: pick, plugin: ./picky.so, dead_letter: {attempts: 2, path: bad.ndjson}$keys}
  - {name: write, sink: file, path: out}
YAML
	assert_exit 3 weir run --json spec.yaml
	assert_file_equal out expected
	assert_eq "$(final stderr accepted) $(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "200 198 0 true" ledger
	assert_eq "$(final stderr rejected) $(final stderr dead_lettered)" "1 1" "items that were given up"
	assert_eq "$(restarts stderr)" 2 "workers that the item cost"
	assert_eq "$(wc -l <bad.ndjson)" 2 "dead letters"
	assert_contains bad.ndjson "thirty-three is not wanted"
	assert_contains bad.ndjson '"attempts":2'
done
