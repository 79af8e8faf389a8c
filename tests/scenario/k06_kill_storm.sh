# SPDX-License-Identifier: Apache-2.0
# Random SIGKILLs over a loaded 1 -> 4 -> 1 pipeline, as fast as workers come back: each number arrives once, with order: fifo in its place.
# seconds: 400
# takes: 16
# sanitizers: no, six hundred of the kills that k02_ordered_kills has, in the same code
command -v cc >/dev/null || skip "no C compiler"
kills=$(rounds 300 10000)
cat >pass.c <<'C'
#include <weir/stage.h>
static int pass_open(struct weir_context *context, void **state)
{
	*state = context;
	return 0;
}
static int pass_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}
static const struct weir_stage stage = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(stage), .role = WEIR_OPERATOR,
	.name = "pass", .summary = "passes items on", .open = pass_open, .process = pass_process };
WEIR_STAGE_EXPORT(stage)
C
cc -O2 -shared -fPIC -I"$WEIR_SOURCE/include" -o pass.so pass.c || fail "can not compile the plugin"
# How many numbers of 1..N came never, twice, too early, or are none.
cat >check.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	unsigned long long n = strtoull(argv[1], NULL, 10), x, last = 0, lost = 0, twice = 0, disorder = 0, other = 0;
	unsigned char *seen = calloc(n / 8 + 1, 1);
	(void)argc;
	while (scanf("%llu", &x) == 1) {
		if (!x || x > n) { other++; continue; }
		twice += seen[x / 8] >> x % 8 & 1;
		seen[x / 8] |= (unsigned char)(1 << x % 8);
		disorder += x < last;
		last = x;
	}
	for (x = 1; x <= n; x++) lost += !(seen[x / 8] >> x % 8 & 1);
	printf("%llu %llu %llu %llu\n", lost, twice, other, disorder);
}
C
cc -O2 -o check check.c || fail "can not compile the checker"

for order in none fifo; do
	rm -f out
	cat >spec.yaml <<YAML
pipeline: storm
drain: 100s
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: count, source: generate, text: '{n}', rate: $(rounds 200k 50k)}
  - {name: pass, plugin: ./pass.so, workers: 4, order: $order, lane: 64KiB, dead_letter: {attempts: 100}}
  - {name: write, sink: file, path: out, lane: 64KiB}
YAML
	weir run --json spec.yaml 2>stderr &
	pid=$!
	wait_until 30 running storm
	weir chaos storm --kill 15ms --count "$kills" --seed "$((WEIR_SEED + 1))" --json >chaos || fail "chaos: exit code $?: $(tail -n 1 chaos)"
	n=$(grep -c '"act":"kill"' chaos)
	weir drain storm >drain 2>&1 || fail "drain: exit code $?: $(cat drain)"
	wait "$pid"
	status=$?
	[ "$status" = 0 ] || { tail -n 20 stderr >&2; fail "exit code $status with order: $order"; }
	read -r lost twice other disorder < <(./check "$(final stderr accepted)" <out)
	[ "$order" = fifo ] || disorder=any
	echo "order $order: $n kills, $(restarts stderr) restarts, $(final stderr accepted) items: $lost lost, $twice twice, $other foreign, $disorder out of order"
	assert_eq "$lost $twice $other $([ "$disorder" = any ] && echo 0 || echo "$disorder")" "0 0 0 0" "lost, twice, foreign, out of order"
	assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "$(final stderr accepted) 0 true" "ledger"
	[ "$(restarts stderr)" -ge $((kills * 8 / 10)) ] || fail "only $(restarts stderr) restarts after $n kills: they did not hit workers"
done
