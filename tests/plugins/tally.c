/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts items "KEY NUMBER ..." by their key, in keyed state, and emits "KEY COUNT" for each. What it remembers is more than it needs, so
 * that a test can compare: an entry for each key ("k" and the key), and one for all ("all"). At the end it emits "= KEY COUNT" for each key, in
 * the order of the keys, and "= COUNT" for all. Every `refuse`-th number is counted, and then rejected; every `forget`-th takes the
 * key's entry away again. With `pad` a value is that much longer.
 *
 * The same in three shapes, TALLY_SHAPE: process(); its own loop; asynchronous, where items end some at a time and the last one first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/channel.h>
#include <weir/stage.h>
#include <weir/state.h>

#define TALLY_PROCESS 1
#define TALLY_RUN 2
#define TALLY_LATE 3

#define KEY_MAX 400
#define PAD_MAX 4096
#define LATE_MAX 64

struct tally {
	uint64_t refuse, forget;
	size_t pad_bytes;
	uint64_t tokens[LATE_MAX]; /* asynchronous: what is pending */
	unsigned n_tokens;
};

static int tally_open(struct weir_context *context, void **ret_state)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return -ENOMEM;
	tally->refuse = (uint64_t)weir_option_integer(context, "refuse");
	tally->forget = (uint64_t)weir_option_integer(context, "forget");
	tally->pad_bytes = (size_t)weir_option_integer(context, "pad");
	*ret_state = tally;
	return 0;
}

static int add_one(struct weir_context *context, const struct tally *tally, const char *key, size_t key_bytes,
		   uint64_t *ret_count)
{
	static unsigned char bytes[8 + PAD_MAX];
	const void *value;
	size_t size_bytes;
	int r = weir_state_get(context, key, key_bytes, &value, &size_bytes);

	*ret_count = 0;
	if (r == WEIR_OK)
		memcpy(ret_count, value, sizeof(*ret_count));
	else if (r != -ENOENT)
		return r;
	++*ret_count;
	memcpy(bytes, ret_count, sizeof(*ret_count));
	return weir_state_put(context, key, key_bytes, bytes, 8 + tally->pad_bytes);
}

static int emit(struct weir_context *context, const char *line)
{
#if TALLY_SHAPE == TALLY_RUN
	return weir_send(context, 0, line, strlen(line), WEIR_FOREVER);
#else
	return weir_emit(context, 0, line, strlen(line));
#endif
}

/* Returns 0, WEIR_REJECTED after weir_reject(), or what went wrong. */
static int count_item(struct weir_context *context, const struct tally *tally, const struct weir_item *item)
{
	const char *space = memchr(item->data, ' ', item->size_bytes);
	size_t length = space ? (size_t)(space - (const char *)item->data) : 0;
	char key[KEY_MAX + 2], line[KEY_MAX + 64];
	uint64_t number, count, all;
	int r;

	if (!length || length > KEY_MAX) {
		weir_reject(context, "no key");
		return WEIR_REJECTED;
	}
	number = strtoull(space, NULL, 10);
	key[0] = 'k';
	memcpy(key + 1, item->data, length);
	key[length + 1] = '\0';
	r = add_one(context, tally, key, length + 1, &count);
	if (r == WEIR_OK)
		r = add_one(context, tally, "all", 3, &all);
	if (r == WEIR_OK && tally->forget && number % tally->forget == 0)
		r = weir_state_delete(context, key, length + 1);
	if (r == WEIR_FULL) {
		weir_reject(context, "it remembers as much as it may");
		return WEIR_REJECTED;
	}
	if (r != WEIR_OK)
		return r;
	snprintf(line, sizeof(line), "%s %" PRIu64, key + 1, count);
	r = emit(context, line);
	if (r == WEIR_OK && tally->refuse && number % tally->refuse == 0) {
		weir_reject(context, "refused");
		return WEIR_REJECTED;
	}
	return r;
}

static int emit_entry(struct weir_context *context, const char *key, const void *value)
{
	char line[KEY_MAX + 64];
	uint64_t count;

	memcpy(&count, value, sizeof(count));
	snprintf(line, sizeof(line), "=%s%.*s %" PRIu64, *key ? " " : "", KEY_MAX - 1, key, count);
	return emit(context, line);
}

static int emit_all(struct weir_context *context)
{
	struct weir_state_entry entry;
	const void *value;
	size_t size_bytes;
	int r = weir_state_first(context, "k", 1, &entry);

	while (r == WEIR_OK) {
		r = emit_entry(context, (const char *)entry.key + 1, entry.value);
		if (r == WEIR_OK)
			r = weir_state_next(context, "k", 1, &entry);
	}
	if (r == -ENOENT)
		r = weir_state_get(context, "all", 3, &value, &size_bytes);
	if (r == WEIR_OK)
		r = emit_entry(context, "", value);
	return r == -ENOENT ? WEIR_OK : r;
}

static void tally_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

#if TALLY_SHAPE == TALLY_PROCESS
static int tally_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	return count_item(context, state, item);
}
#endif

#if TALLY_SHAPE == TALLY_RUN
static int tally_run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK) {
		r = count_item(context, state, &item);
		if (r != WEIR_OK && r != WEIR_REJECTED)
			return r;
	}
	return r == WEIR_CLOSED ? emit_all(context) : r;
}
#else
static int tally_finish(struct weir_context *context, void *state)
{
	(void)state;
	return emit_all(context);
}
#endif

#if TALLY_SHAPE == TALLY_LATE
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int tally_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct tally *tally = state;
	uint64_t all, token = weir_defer(context);

	(void)item;
	if (!token)
		return WEIR_FAILED;
	/* Nothing has happened to an item that is deferred: this has to go. */
	if (add_one(context, tally, "all", 3, &all) != WEIR_OK)
		return WEIR_FAILED;
	tally->tokens[tally->n_tokens++] = token;
	weir_watch(context, -1, 0, now_ns() + 1000000);
	return WEIR_PENDING;
}

static int tally_produce(struct weir_context *context, void *state)
{
	struct tally *tally = state;
	const struct weir_item *item;

	while (tally->n_tokens) {
		uint64_t token = tally->tokens[--tally->n_tokens];
		int r = weir_resume(context, token, &item);

		if (r == WEIR_OK)
			r = count_item(context, tally, item);
		if (r == WEIR_OK || r == WEIR_REJECTED)
			r = weir_complete(context, token, r);
		if (r != WEIR_OK)
			return r;
	}
	return WEIR_OK;
}
#endif

static const struct weir_option options[] = {
	{ .name = "refuse",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "numbers of items that are rejected once they have been counted: every so many" },
	{ .name = "forget",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "numbers of items that end the count of their key: every so many" },
	{ .name = "pad",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = PAD_MAX,
	  .summary = "bytes that a value is longer" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.flags = WEIR_STAGE_STATE,
	.name = "tally",
	.summary = "counts by key",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = tally_open,
#if TALLY_SHAPE == TALLY_RUN
	.run = tally_run,
#else
	.process = tally_process,
	.finish = tally_finish,
#endif
#if TALLY_SHAPE == TALLY_LATE
	.produce = tally_produce,
#endif
	.close = tally_close,
};

WEIR_STAGE_EXPORT(stage)
