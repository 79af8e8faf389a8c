/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame mode: a program that has many items at a time, and answers each when it is done. docs/frame.md says what is spoken. A sink's
 * program answers without an output: the item is delivered when it has said so. Sources are in frame_feed.c.
 *
 *      process(item)     -> [item, 17, ...] ->    at work on 17, 18, 21 ...     WEIR_PENDING; the item stays in its lane
 *      produce()         <- [answer, 18, ...] <-                                resume, emit, complete: one commit with its outputs
 *
 * The stage keeps nothing: no cursor, no spool. Whatever the program has done to an item that has not ended is done again after a kill of
 * this process, and what has ended is not. With in_flight: 1 process() waits for the answer: then the stage keeps the order of its items.
 *
 *      pump()      look who has ended -> hear what was said -> cancel -> time -> give items -> write        (and nothing of it blocks, but
 *                                                                                                           an emit that waits for room)
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <weir/scope.h>
#include <weir/stage.h>

#include "common/base/error.h"
#include "common/record/msgpack_format.h"
#include "worker/builtin.h"
#include "worker/exec/frame.h"
#include "worker/exec/options.h"

#define ANSWER_WITHIN_NS_FALLBACK (30 * NS_PER_S)
#define READY_WITHIN_NS_FALLBACK (30 * NS_PER_S)
#define GRACE_NS_FALLBACK (2 * NS_PER_S)
#define FRAME_BYTES_MIN (UINT64_C(64) * 1024)
#define FRAME_BYTES_MAX (UINT64_C(256) * 1024 * 1024)
#define HELD_NS_MIN NS_PER_MS /* less is no waiting */

void frame_deinit(struct frame *frame)
{
	frame_release(frame);
	buffer_deinit(&frame->to);
	buffer_deinit(&frame->from);
	program_deinit(&frame->program);
	frame->events = fd_close(frame->events);
}

static void frame_free(struct frame *frame)
{
	frame_deinit(frame);
	talk_deinit(&frame->talk);
	free(frame);
}

static void read_options(struct frame *frame, const struct weir_context *context)
{
	uint64_t output_max = weir_outputs(context) ? weir_item_size_max(context) : 0;

	frame->in_flight = frame->role == FRAME_SOURCE ? (uint32_t)exec_option_number(context, "at_once", 1) :
							 weir_in_flight(context);
	frame->values = exec_option_is(context, "items", "values");
	frame->keys = weir_option_list(context, "baggage");
	frame->deadline_ns = exec_option_number(context, "deadline", 0);
	frame->grace_ns = exec_option_number(context, "grace", GRACE_NS_FALLBACK);
	frame->answer_within_ns = exec_option_number(context, "answer_within", ANSWER_WITHIN_NS_FALLBACK);
	frame->ready_within_ns = exec_option_number(context, "ready_within", READY_WITHIN_NS_FALLBACK);
	frame->frame_max_bytes = FRAME_BYTES_MIN + 2 * output_max; /* more than a lane holds is of no use */
	if (output_max > FRAME_BYTES_MAX / 4)
		frame->frame_max_bytes = FRAME_BYTES_MAX;
}

static int set_environment(struct frame *frame)
{
	struct surroundings *surroundings = &frame->program.surroundings;
	int r = surroundings_set(surroundings, "WEIR_FRAME_IN", "3");

	_Static_assert(CHILD_FRAMES_IN == 3 && CHILD_FRAMES_OUT == 4, "as the environment says");
	return r ? r : surroundings_set(surroundings, "WEIR_FRAME_OUT", "4");
}

int frame_init(struct frame *frame, struct weir_context *context, enum frame_role role)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r;

	*frame = (struct frame){ .child = CHILD_NULL, .in = -1, .out = -1, .events = -1, .role = role };
	read_options(frame, context);
	r = program_init(&frame->program, context, &why);
	if (r == PROGRAM_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		return WEIR_FAILED;
	}
	if (r)
		return r;
	frame->events = epoll_create1(EPOLL_CLOEXEC);
	if (frame->events < 0)
		return error_origin(-errno);
	return set_environment(frame);
}

static void watch(struct frame *frame, struct weir_context *context)
{
	weir_watch(context, frame->events, POLLIN, frame_wake_ns(frame));
}

static int open_as(struct weir_context *context, void **ret_state, enum frame_role role)
{
	struct frame *frame = calloc(1, sizeof(*frame));
	int r;

	if (!frame)
		return error_origin(-ENOMEM);
	r = frame_init(frame, context, role);
	if (!r)
		r = talk_init(&frame->talk, frame->in_flight, (uint32_t)exec_option_number(context, "attempts", 1));
	if (!r)
		r = frame_start(frame, context, NULL, 0);
	if (r) {
		frame_free(frame);
		return r;
	}
	watch(frame, context);
	*ret_state = frame;
	return 0;
}

static int frame_open(struct weir_context *context, void **ret_state)
{
	return open_as(context, ret_state, FRAME_OPERATOR);
}

static int frame_open_sink(struct weir_context *context, void **ret_state)
{
	return open_as(context, ret_state, FRAME_SINK);
}

/* ---- the pump ---- */

/* That a program is lost, and will be started again, is dealt with. */
static int unless_lost(int r)
{
	return r == FRAME_E_LOST ? 0 : r;
}

static int hear(struct frame *frame, struct weir_context *context)
{
	uint64_t from_ns = clock_now_ns(), spent_ns;
	int r = frame_hear(frame, context);

	spent_ns = clock_now_ns() - from_ns;
	if (spent_ns > HELD_NS_MIN)
		frame->held_ns += spent_ns;
	if (r == FRAME_E_END)
		r = frame_hear_end(frame, context);
	return r;
}

static int pump(struct frame *frame, struct weir_context *context)
{
	int r = frame_look(frame);

	if (r == 0 && frame->phase != FRAME_DOWN)
		r = unless_lost(hear(frame, context));
	if (r == 0)
		r = unless_lost(frame_drop_cancelled(frame, context));
	if (r == 0)
		r = unless_lost(frame_check_time(frame, context));
	return r ? r : frame_give_waiting(frame, context);
}

/* ---- callbacks ---- */

static int refuse_unreadable(struct frame *frame, struct weir_context *context, const struct weir_item *item)
{
	struct record_fault fault;

	if (!frame->values || msgpack_format_check(item->data, item->size_bytes, &fault) == 0)
		return 0;
	weir_reject(
		context,
		"the item is no msgpack value (%s), and the stage has items: values; give its source a decode:, or the stage items: bytes",
		fault.why);
	return WEIR_REJECTED;
}

static struct talk_item *add(struct frame *frame, struct weir_context *context, uint64_t token,
			     const struct weir_item *item)
{
	struct talk_item *entry = talk_add(&frame->talk, token);

	entry->n_before = item->attempt;
	if (weir_scope_id(context)) {
		entry->scope = weir_scope_of_item(context);
		frame->n_scoped++;
	}
	return entry;
}

/* The item stays in hand until the program has answered. */
static int process_alone(struct frame *frame, struct weir_context *context, const struct weir_item *item)
{
	frame->alone_item = item;
	frame->alone_done = false;
	add(frame, context, 0, item);
	for (;;) {
		struct pollfd fd = { .fd = frame->events, .events = POLLIN };
		int r = pump(frame, context);

		if (r)
			return r;
		if (frame->alone_done)
			break;
		r = weir_wait(context, &fd, 1, frame_wake_ns(frame));
		if (r != WEIR_OK && r != WEIR_EXPIRED)
			return r;
	}
	watch(frame, context);
	return frame->alone_status;
}

static int frame_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct frame *frame = state;
	struct talk_item *entry;
	uint64_t token;
	int r = refuse_unreadable(frame, context, item);

	if (r)
		return r;
	if (frame->in_flight == 1)
		return process_alone(frame, context, item);
	token = weir_defer(context);
	if (!token)
		return WEIR_FAILED;
	entry = add(frame, context, token, item);
	if (frame->phase == FRAME_UP && talk_next(&frame->talk) == entry && frame_has_room(frame)) {
		r = frame_give(frame, context, entry, item);
		if (r == 0)
			r = frame_push_soon(frame);
	}
	return r ? r : WEIR_PENDING;
}

static int frame_produce(struct weir_context *context, void *state)
{
	struct frame *frame = state;
	int r = pump(frame, context);

	if (r == 0)
		watch(frame, context);
	return r;
}

static int frame_finish_stage(struct weir_context *context, void *state)
{
	return frame_finish(state, context);
}

static void frame_close(struct weir_context *context, void *state)
{
	(void)context;
	frame_free(state);
}

const struct weir_stage exec_frame_callbacks = {
	.open = frame_open,
	.process = frame_process,
	.produce = frame_produce,
	.finish = frame_finish_stage,
	.close = frame_close,
};

const struct weir_stage exec_frame_sink_callbacks = {
	.open = frame_open_sink,
	.process = frame_process,
	.produce = frame_produce,
	.finish = frame_finish_stage,
	.close = frame_close,
};
