/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages that die at the same place each time, in each of the shapes that have no process(): a loop between two others, which dies of
 * the item `on`, as it is received or when it has been sent on, or of a pause; and sources, which die when they are about to make it.
 * One of them each, by POISON_STAGE: LOOP, PRODUCER, COUNTER.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/channel.h>

#define POISON_LOOP 1
#define POISON_PRODUCER 2
#define POISON_COUNTER 3

struct poison_cursor {
	uint64_t n_sent;
};

struct poison {
	uint64_t n_idle; /* calls of produce() by this worker that made nothing */
};

static int poison_open(struct weir_context *context, void **ret_state)
{
	struct poison *poison = calloc(1, sizeof(*poison));

	(void)context;
	*ret_state = poison;
	return poison ? 0 : WEIR_FAILED;
}

static void poison_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

static bool is_it(const struct weir_context *context, uint64_t number)
{
	return number == (uint64_t)weir_option_integer(context, "on");
}

#if POISON_STAGE == POISON_LOOP
static uint64_t soon_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 20000000u;
}

static bool is_poison(const struct weir_context *context, const struct weir_item *item)
{
	char text[24] = "";

	memcpy(text, item->data, item->size_bytes < sizeof(text) ? item->size_bytes : sizeof(text) - 1);
	return is_it(context, strtoull(text, NULL, 10));
}

static int poison_run(struct weir_context *context, void *state)
{
	const char *when = weir_option_string(context, "when");
	bool behind = false;
	struct weir_item item;
	int r;

	(void)state;
	for (;;) {
		r = weir_recv(context, WEIR_ANY_INPUT, soon_ns(), &item);
		if (r == WEIR_EXPIRED && strcmp(when, "idle") == 0)
			raise(SIGKILL); /* nothing is in hand */
		if (r == WEIR_EXPIRED)
			continue;
		if (r != WEIR_OK)
			return r;
		behind = is_poison(context, &item);
		if (behind && strcmp(when, "received") == 0)
			raise(SIGKILL);
		if (weir_outputs(context))
			r = weir_send(context, WEIR_ALL_OUTPUTS, item.data, item.size_bytes, WEIR_FOREVER);
		if (r != WEIR_OK)
			return r;
		if (behind && strcmp(when, "sent") == 0)
			raise(SIGKILL);
	}
}
#else
static int make(struct weir_context *context)
{
	struct poison_cursor *cursor = weir_cursor(context);
	char text[32];
	int r, size = snprintf(text, sizeof(text), "%" PRIu64, cursor->n_sent + 1);

	if (is_it(context, cursor->n_sent + 1))
		raise(SIGKILL);
	r = weir_emit(context, WEIR_ALL_OUTPUTS, text, (size_t)size);
	cursor->n_sent += r == WEIR_OK;
	return r;
}

#if POISON_STAGE == POISON_PRODUCER
/* With `idle` each worker says a few times that there is nothing yet, as one does that waits for a device. */
static int poison_produce(struct weir_context *context, void *state)
{
	struct poison *poison = state;
	int r;

	if (poison->n_idle++ < (uint64_t)weir_option_integer(context, "idle")) {
		weir_watch(context, -1, 0, weir_now_ns(context) + 1000000);
		return WEIR_WAIT;
	}
	r = make(context);
	return r == WEIR_OK || r == WEIR_FULL ? WEIR_MORE : r;
}
#else
static int poison_run(struct weir_context *context, void *state)
{
	int r;

	(void)state;
	do
		r = make(context);
	while (r == WEIR_OK);
	return r;
}
#endif
#endif

static const struct weir_option options[] = {
	{ .name = "on", .type = WEIR_TYPE_INTEGER, .maximum = INT64_MAX, .summary = "the number that it dies of" },
#if POISON_STAGE == POISON_LOOP
	{ .name = "when",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "received|sent|idle",
	  .fallback = "received",
	  .summary = "when it has it in hand, when it has sent it on; or of any pause, with nothing in hand" },
#elif POISON_STAGE == POISON_PRODUCER
	{ .name = "idle",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "how often each worker makes nothing before" },
#endif
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.cursor_size_bytes = sizeof(struct poison_cursor),
	.name = "poison",
	.summary = "dies at the same place each time",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = poison_open,
#if POISON_STAGE == POISON_LOOP
	.role = WEIR_OPERATOR,
	.run = poison_run,
#elif POISON_STAGE == POISON_PRODUCER
	.role = WEIR_SOURCE,
	.produce = poison_produce,
#else
	.role = WEIR_SOURCE,
	.run = poison_run,
#endif
	.close = poison_close,
};

WEIR_STAGE_EXPORT(stage)
