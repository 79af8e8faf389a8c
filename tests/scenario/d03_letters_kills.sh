# SPDX-License-Identifier: Apache-2.0
# seconds: 180
# Workers killed at random while they refuse items: each refused item is one letter, however often its turn was begun, in the store;
# the others arrive once.
command -v cc >/dev/null || skip "no C compiler"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o refuse.so -x c - <<'C' || fail "can not compile the plugin"
#include <stdlib.h>
#include <string.h>
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
	if (((const char *)item->data)[item->size_bytes - 1] == '7') {
		weir_reject(context, "sevens are not wanted");
		return WEIR_REJECTED;
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_stage refuse = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(refuse), .role = WEIR_OPERATOR,
	.name = "refuse", .summary = "refuse", .description = "refuse", .open = open_stage, .process = process };
WEIR_STAGE_EXPORT(refuse)
C
n=$(rounds 4000 40000)
cat >spec.yaml <<YAML
pipeline: letters
restart: {intensity: 100000, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: count, source: generate, count: $n, text: '{n}'}
  - {name: refuse, plugin: ./refuse.so, workers: 3, dead_letter: {attempts: 100}}
  - {name: write, sink: file, path: out}
YAML
weir run --json spec.yaml 2>stderr &
run=$!
(wait_until 60 running letters; kill_randomly letters 20 40 >killed) &
killer=$!
wait "$run"
assert_eq "$?" 3 "exit code"
touch ended
wait "$killer"
seq 1 "$n" | grep -v '7$' >expected
sort -n out >sorted
assert_file_equal sorted expected "items that were not refused"
seq 1 "$n" | grep '7$' >refused
weir dlq export letters --raw | sort -n >letters
assert_file_equal letters refused "letters, after $(cat killed) kills"
assert_eq "$(final stderr rejected) $(final stderr balanced)" "$((n / 10)) true" ledger
