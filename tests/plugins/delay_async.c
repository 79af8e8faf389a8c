/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An asynchronous stage for the tests: each item waits for about `delay`, all of them at the same time, and they complete in random order.
 *
 *      process()   a due time in the heap, WEIR_PENDING           [due | token]  min-heap of as many as may be in flight
 *      produce()   completes what is due, sets the timerfd to the next, and watches it
 *
 * `die` names an item that kills the worker: `process` as it is given, `due` as it comes back, before it is resumed. `peak` names a
 * file that is told, at the end, how many were in flight at most.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <weir/stage.h>

#define SLOTS_MAX 4096u

struct call {
	uint64_t due_ns, token;
	bool deadly;
};

struct delay {
	int timer_fd;
	uint64_t delay_ns, random;
	const char *deadly, *peak_path;
	bool deadly_at_due;
	uint32_t n, peak;
	struct call heap[SLOTS_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(struct delay *delay)
{
	delay->random ^= delay->random << 13;
	delay->random ^= delay->random >> 7;
	delay->random ^= delay->random << 17;
	return delay->random;
}

static void heap_swap(struct call *a, struct call *b)
{
	struct call c = *a;

	*a = *b;
	*b = c;
}

static void heap_push(struct delay *delay, struct call call)
{
	uint32_t at = delay->n++;

	for (delay->heap[at] = call; at && delay->heap[(at - 1) / 2].due_ns > delay->heap[at].due_ns; at = (at - 1) / 2)
		heap_swap(&delay->heap[at], &delay->heap[(at - 1) / 2]);
	if (delay->n > delay->peak)
		delay->peak = delay->n;
}

static struct call heap_pop(struct delay *delay)
{
	struct call first = delay->heap[0];
	uint32_t at = 0, least;

	delay->heap[0] = delay->heap[--delay->n];
	for (;; at = least) {
		least = at;
		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < delay->n; child++)
			if (delay->heap[child].due_ns < delay->heap[least].due_ns)
				least = child;
		if (least == at)
			return first;
		heap_swap(&delay->heap[at], &delay->heap[least]);
	}
}

static int delay_open(struct weir_context *context, void **ret_state)
{
	struct delay *delay = calloc(1, sizeof(*delay));

	if (!delay)
		return -ENOMEM;
	delay->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	delay->delay_ns = (uint64_t)weir_option_integer(context, "delay");
	delay->deadly = weir_option_string(context, "die");
	delay->deadly_at_due = !strcmp(weir_option_string(context, "die_at"), "due");
	delay->peak_path = weir_option_string(context, "peak");
	delay->random = now_ns() | 1;
	*ret_state = delay;
	return delay->timer_fd < 0 ? -errno : 0;
}

static int delay_watch(struct weir_context *context, struct delay *delay)
{
	struct itimerspec at = { 0 };

	if (!delay->n)
		return 0;
	at.it_value.tv_sec = (time_t)(delay->heap[0].due_ns / 1000000000u);
	at.it_value.tv_nsec = (long)(delay->heap[0].due_ns % 1000000000u);
	if (timerfd_settime(delay->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		return -errno;
	weir_watch(context, delay->timer_fd, 1 /* POLLIN */, 0);
	return 0;
}

static int delay_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct delay *delay = state;
	bool deadly = delay->deadly && strlen(delay->deadly) == item->size_bytes &&
		      !memcmp(delay->deadly, item->data, item->size_bytes);
	struct call call = { .due_ns = now_ns() + delay->delay_ns / 2 + next_random(delay) % (delay->delay_ns + 1),
			     .token = weir_defer(context),
			     .deadly = deadly };

	if (deadly && !delay->deadly_at_due)
		kill(getpid(), SIGKILL);
	if (!call.token)
		return WEIR_FAILED;
	heap_push(delay, call);
	if (delay->heap[0].token != call.token)
		return WEIR_PENDING;
	return delay_watch(context, delay) < 0 ? WEIR_FAILED : WEIR_PENDING;
}

static int delay_produce(struct weir_context *context, void *state)
{
	struct delay *delay = state;
	uint64_t until_ns = now_ns();

	while (delay->n && delay->heap[0].due_ns <= until_ns) {
		struct call call = heap_pop(delay);
		const struct weir_item *item;
		int r;

		if (call.deadly)
			kill(getpid(), SIGKILL);
		r = weir_resume(context, call.token, &item);
		if (r == 0 && weir_outputs(context))
			r = weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
		if (r == 0)
			r = weir_complete(context, call.token, WEIR_OK);
		if (r)
			return r;
	}
	return delay_watch(context, delay);
}

static void delay_close(struct weir_context *context, void *state)
{
	struct delay *delay = state;
	FILE *file = delay->peak_path ? fopen(delay->peak_path, "a") : NULL;

	(void)context;
	if (file) {
		fprintf(file, "%u\n", delay->peak);
		fclose(file);
	}
	close(delay->timer_fd);
	free(delay);
}

static const struct weir_option options[] = {
	{ .name = "delay",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "10ms",
	  .summary = "about how long each item takes" },
	{ .name = "die", .type = WEIR_TYPE_STRING, .summary = "item that kills the worker" },
	{ .name = "die_at",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "process|due",
	  .fallback = "process",
	  .summary = "and when" },
	{ .name = "peak", .type = WEIR_TYPE_PATH, .summary = "file for the most that were in flight" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "delay",
	.summary = "passes each item on after a while",
	.description =
		"Holds as many items at a time as in_flight says, each for about `delay`, and passes them on as they fall due.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = delay_open,
	.process = delay_process,
	.produce = delay_produce,
	.close = delay_close,
};

WEIR_STAGE_EXPORT(stage)
