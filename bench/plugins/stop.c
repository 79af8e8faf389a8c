/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: the stages of the pipeline that is told to stop (runner/stops.py), built once for each role. Each worker keeps the time at
 * which it began its last item in a file of its own, <folder>/<pid>: whatever happens to it afterwards, that number stays.
 *
 *   source     takes items in as fast as the lane has room
 *   operator   passes them on: blocked, while the sink behind it is shut
 *   sink       works on each for `work` and then sleeps for `pause`; with `shut` it takes its first item and waits until an end is ordered
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/exit.h>
#include <weir/stage.h>

#include "bench/plugins/message.h"

#define LOOK_NS 1000000 /* that a shut sink sleeps between two looks at what was ordered */

struct stop {
	_Atomic uint64_t *begun_ns; /* of the last item */
	size_t size_bytes;
	uint64_t work_ns, pause_ns;
	bool shut;
	unsigned char *message;
};

static int note_open(struct weir_context *context, struct stop *state)
{
	char path[512];
	void *page;
	int fd;

	snprintf(path, sizeof(path), "%s/%d", weir_option_string(context, "folder"), getpid());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) < 0) {
		weir_fail(context, "cannot make %s: %s", path, strerror(errno));
		return WEIR_FAILED;
	}
	page = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return -errno;
	state->begun_ns = page;
	return 0;
}

static void stop_close(struct weir_context *context, void *data)
{
	struct stop *state = data;

	(void)context;
	if (state && state->begun_ns)
		munmap((void *)state->begun_ns, sizeof(uint64_t));
	if (state)
		free(state->message);
	free(state);
}

static int stop_open(struct weir_context *context, void **ret_state)
{
	struct stop *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	*ret_state = state;
	state->size_bytes = (size_t)weir_option_integer(context, "size");
	state->work_ns = (uint64_t)weir_option_integer(context, "work");
	state->pause_ns = (uint64_t)weir_option_integer(context, "pause");
	state->shut = weir_option_boolean(context, "shut");
	state->message = calloc(1, state->size_bytes);
	return state->message ? note_open(context, state) : -ENOMEM;
}

#if STOP_ROLE == 0
static int stop_produce(struct weir_context *context, void *data)
{
	struct stop *state = data;
	uint64_t now_ns = message_now_ns();
	int r = weir_emit(context, WEIR_ALL_OUTPUTS, state->message, state->size_bytes);

	if (r == WEIR_OK)
		*state->begun_ns = now_ns;
	return r == WEIR_OK || r == WEIR_FULL ? WEIR_MORE : r;
}
#else
static void sleep_ns(uint64_t ns)
{
	struct timespec pause = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

	while (ns && nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
}

/* Each look is a graceful exit point, at which the order is acknowledged. */
static int wait_for_an_end(struct weir_context *context, struct stop *state)
{
	struct weir_exit order;

	while (state->shut) {
		int r = weir_exit_point(context, &order);

		if (r == WEIR_CANCELLED)
			return r;
		if (order.deadline_ns != WEIR_FOREVER)
			state->shut = false;
		else
			sleep_ns(LOOK_NS);
	}
	return WEIR_OK;
}

static int stop_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct stop *state = data;
	uint64_t now_ns = message_now_ns();
	int r;

	*state->begun_ns = now_ns;
	if (weir_outputs(context))
		return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	r = wait_for_an_end(context, state);
	while (message_now_ns() - now_ns < state->work_ns)
		;
	sleep_ns(state->pause_ns);
	return r;
}
#endif

static const struct weir_option options[] = {
	{ .name = "folder", .type = WEIR_TYPE_PATH, .required = true, .summary = "where each worker keeps its file" },
	{ .name = "size",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "2KiB",
	  .minimum = 1,
	  .maximum = 1 << 20,
	  .summary = "bytes of an item" },
	{ .name = "work", .type = WEIR_TYPE_DURATION, .fallback = "0s", .summary = "on the processor, for each item" },
	{ .name = "pause", .type = WEIR_TYPE_DURATION, .fallback = "0s", .summary = "asleep, for each item" },
	{ .name = "shut", .type = WEIR_TYPE_BOOLEAN, .fallback = "false", .summary = "until an end is ordered" },
};

static const struct weir_stage stop = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
#if STOP_ROLE == 0
	.role = WEIR_SOURCE,
	.produce = stop_produce,
#else
	.role = STOP_ROLE == 1 ? WEIR_OPERATOR : WEIR_SINK,
	.process = stop_process,
#endif
	.name = "bench-stop",
	.summary = "says when it began its last item",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = stop_open,
	.close = stop_close,
};

WEIR_STAGE_EXPORT(stop)
