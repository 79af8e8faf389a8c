# SPDX-License-Identifier: Apache-2.0
# A worker that fills its own shared memory with random bytes, at full speed: nobody else crashes or hangs, and the run ends and says whose.
# seconds: 400
# takes: 14
command -v cc >/dev/null || skip "no C compiler"
cat >scribble.c <<'C'
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

static struct { unsigned char *begin; size_t size; } maps[64];
static unsigned n_maps;
static uint64_t seed, n_items;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void find_maps(void)
{
	char line[512];
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long begin, end;
		char access[8];
		if (sscanf(line, "%lx-%lx %7s", &begin, &end, access) == 3 && !strncmp(access, "rw", 2) && access[3] == 's' && n_maps < 64) {
			maps[n_maps].begin = (unsigned char *)begin;
			maps[n_maps++].size = end - begin;
		}
	}
	if (file)
		fclose(file);
}

static void scribble(uint64_t n)
{
	while (n--) {
		uint64_t r = next(), at = next();
		unsigned map = (unsigned)(r % n_maps);
		/* small numbers, close ones, and noise: some of it makes sense */
		uint64_t value = r >> 60 < 4 ? r >> 32 & 7 : r >> 60 < 8 ? r >> 40 & 0xfff8 : next();
		unsigned char *place = maps[map].begin + (r >> 16 & 1 ? at % maps[map].size : at % (maps[map].size < 4096 ? maps[map].size : 4096));
		size_t size = 1u << (r >> 20 & 3);
		if (place + size <= maps[map].begin + maps[map].size)
			memcpy(place, &value, size);
	}
}

static void *scribble_for_ever(void *argument)
{
	for (;;)
		scribble(1000);
	return argument;
}

static int s_open(struct weir_context *context, void **state)
{
	*state = context;
	seed = strtoull(weir_option_string(context, "seed"), NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + weir_generation(context) + 1;
	return 0;
}

static int s_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *how = weir_option_string(context, "how");
	pthread_t thread;

	(void)state;
	if (n_items++ == next() % 1000 + 10 || n_items == 1010) {
		find_maps();
		if (!n_maps)
			return weir_fail(context, "no shared memory is mapped writable"), WEIR_FAILED;
		if (how[0] == 't') /* thread: beside the work */
			pthread_create(&thread, NULL, scribble_for_ever, NULL);
		else if (how[0] == 'f') /* for ever: instead of the work */
			scribble_for_ever(NULL);
		else { /* die: a little, then dead */
			scribble(next() % 100000);
			abort();
		}
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "seed", .type = WEIR_TYPE_STRING, .required = 1, .summary = "of the random numbers" },
	{ .name = "how", .type = WEIR_TYPE_STRING, .required = 1, .summary = "thread, forever, die" },
};
static const struct weir_stage stage = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(stage), .role = WEIR_OPERATOR,
	.name = "scribble", .summary = "writes nonsense into its memory", .options = options, .n_options = 2,
	.open = s_open, .process = s_process };
WEIR_STAGE_EXPORT(stage)
C
cc -O2 -shared -fPIC -I"$WEIR_SOURCE/include" -o scribble.so scribble.c -lpthread || fail "can not compile the plugin"

declare -A codes
for round in $(seq "$(rounds 12 500)"); do
	how=$(set -- thread forever die; shift $((round % 3)); echo "$1")
	cat >spec.yaml <<YAML
pipeline: scribbled
restart: {intensity: 5, period: 10s, backoff: 1ms, backoff_max: 5ms}
stages:
  - {name: count, source: generate, text: 'number {n}', size: 100}
  - {name: before, exec: [cat], block: 16KiB, block_wait: 5ms, grace: 200ms}
  - {name: scribble, plugin: ./scribble.so, seed: '$RANDOM$round', how: $how, grace: 200ms, dead_letter: {attempts: 2}}
  - {name: after, sink: discard, grace: 200ms}
YAML
	timeout -k 10 60 weir run --json spec.yaml >stdout 2>stderr
	status=$?
	tail -n 30 stderr >last
	case $status in
	3 | 5) ;;
	*) cat last >&2; fail "exit code $status ($how, round $round)" ;;
	esac
	codes[$status]=$((${codes[$status]-0} + 1))
	grep '"type":"summary"' stderr | grep -q '"message":"[^"]*scribble' || { cat last >&2; fail "nothing names the stage ($how, round $round)"; }
	for innocent in count before after; do
		if grep -E "\"?$innocent#0.*(SIGSEGV|SIGBUS|SIGABRT|SIGILL|SIGFPE|signal (11|7|6|4|8))" stderr >&2; then
			fail "a neighbour crashed ($how, round $round)"
		fi
	done
	assert_eq "$(find "$WEIR_RUN_DIR" -mindepth 1 2>/dev/null | wc -l)" 0 "left in the run folder"
done
echo "$round rounds: ${codes[3]-0} ended with 3, ${codes[5]-0} with 5"
