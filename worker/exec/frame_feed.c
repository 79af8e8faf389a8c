/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame mode for sources: a program that gives items, each with an id and, if it can, with the position behind it.
 *
 *      program   [item, 7, ..., {position: 4711}] -->  emit; position -> cursor     one turn, one commit
 *                <-- [accepted, [7, 8, 9]]             at the next turn's beginning: so it is never said too early
 *
 *      killed:   the worker before the commit     nothing has happened; the next program is told the position before, and gives them again
 *                the worker behind it             they are in the pipeline; the next program is told the position behind them
 *                the program                      what it had written as a whole counts, and the next one goes on behind that
 *
 * So a program that goes by its position gives each item once. Only a position that is committed is ever told: a program starts at the
 * beginning of a turn.
 *
 * in_flight is its credit: so many are taken before they are told. More stay in the pipe, as they do while there is no room in the lane;
 * then the program waits in write(). Nothing here waits but in close().
 */
#include "worker/exec/frame_feed.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <weir/baggage.h>
#include <weir/budget.h>
#include <weir/identity.h>
#include <weir/record.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/exec/options.h"

#define ITEMS_AT_ONCE 1024u /* taken in one turn */

enum { FEED_E_DRY = 110 }; /* nothing more can be taken now */

/* ---- opening ---- */

static void feed_free(struct feed *feed)
{
	frame_deinit(&feed->frame);
	free(feed->accepted);
	free(feed->refused);
	free(feed);
}

static int feed_init(struct feed *feed, struct weir_context *context)
{
	int r = frame_init(&feed->frame, context, FRAME_SOURCE);

	if (r)
		return r;
	feed->cursor = weir_cursor(context);
	feed->fails_too_long = exec_option_is(context, "too_long", "fail");
	feed->accepted = calloc(feed->frame.in_flight, sizeof(*feed->accepted));
	feed->refused = calloc(feed->frame.in_flight, sizeof(*feed->refused));
	if (!feed->accepted || !feed->refused)
		return error_origin(-ENOMEM);
	if (feed->cursor->magic != FEED_MAGIC || feed->cursor->position_bytes > FEED_POSITION_BYTES_MAX)
		*feed->cursor = (struct feed_cursor){ .magic = FEED_MAGIC };
	if (feed->cursor->run != weir_run(context)) {
		feed->cursor->ended = 0;
		feed->cursor->n_items = 0;
	}
	feed->cursor->run = weir_run(context);
	return 0;
}

static int feed_open(struct weir_context *context, void **ret_state)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	int r;

	if (!feed)
		return error_origin(-ENOMEM);
	r = feed_init(feed, context);
	if (r) {
		feed_free(feed);
		return r;
	}
	*ret_state =
		feed; /* the program is started by the first produce(): what stands in the cursor is committed then */
	return 0;
}

/* ---- what is told ---- */

/* All that was taken before this turn is committed. */
static int tell(struct feed *feed)
{
	int r = feed->n_accepted ? frame_write_accepted(&feed->frame.to, feed->accepted, feed->n_accepted) : 0;

	for (uint32_t i = 0; r == 0 && i < feed->n_refused; i++)
		r = frame_write_refused(&feed->frame.to, feed->refused[i].id, feed->refused[i].reason);
	feed->n_accepted = feed->n_refused = 0;
	return r;
}

static int push(struct feed *feed)
{
	struct frame *frame = &feed->frame;
	size_t before = frame_unwritten(frame);
	int r = frame_push(frame);

	if (frame->in < 0) /* nobody reads it any more */
		frame->to.length = frame->to_head = 0;
	if (!frame_unwritten(frame))
		feed->stuck_ns = 0;
	else if (!feed->stuck_ns || frame_unwritten(frame) < before)
		feed->stuck_ns = clock_now_ns();
	return r;
}

static int tell_drain(struct feed *feed, bool drains)
{
	if (feed->told_drain == drains || feed->frame.phase != FRAME_UP)
		return 0;
	feed->told_drain = drains;
	return frame_write_drain(&feed->frame.to, drains);
}

/* ---- items ---- */

static bool is_new_position(const struct feed_cursor *cursor, const struct frame_message *message)
{
	return message->position_bytes && (message->position_bytes != cursor->position_bytes ||
					   memcmp(message->position, cursor->position, cursor->position_bytes) != 0);
}

static bool has_lasted(const struct feed *feed)
{
	return clock_now_ns() > feed->frame.ready_ns + FRAME_STEADY_NS;
}

static void note(struct feed *feed, const struct frame_message *message, const char *refusal)
{
	struct feed_cursor *cursor = feed->cursor;

	if (refusal)
		feed->refused[feed->n_refused++] = (struct feed_refusal){ message->id, refusal };
	else
		feed->accepted[feed->n_accepted++] = message->id;
	cursor->n_items++;
	feed->last_id = message->id;
	feed->any = true;
	/* Without a new position the same items may come again and again: only who lasts is well. */
	if (feed->frame.n_losses && (is_new_position(cursor, message) || has_lasted(feed)))
		feed->frame.n_losses = 0;
	if (!message->position_bytes)
		return;
	memcpy(cursor->position, message->position, message->position_bytes);
	cursor->position_bytes = (uint32_t)message->position_bytes;
}

static int refuse_too_large(struct feed *feed, struct weir_context *context, const struct frame_message *message)
{
	size_t most = weir_item_size_max(context);

	if (!feed->fails_too_long)
		return weir_accept_rejected(
			context, message->data, message->data_bytes < most ? message->data_bytes : most,
			"item %llu of '%s' has %zu bytes, the lane takes %zu at most (here is its beginning); raise lane: of the stage behind",
			(unsigned long long)message->id, feed->frame.program.title, message->data_bytes, most);
	weir_fail(
		context,
		"item %llu of '%s' has %zu bytes, the lane takes %zu at most; raise lane: of the stage behind, or use too_long: reject",
		(unsigned long long)message->id, feed->frame.program.title, message->data_bytes, most);
	return WEIR_FAILED;
}

static int refuse_baggage(struct feed *feed, struct weir_context *context, const struct frame_message *message)
{
	int r = weir_baggage_clear(context);

	return r ? r :
		   weir_accept_rejected(
			   context, message->data, message->data_bytes,
			   "item %llu of '%s' brings more along than %u bytes of baggage, with 4 for each pair",
			   (unsigned long long)message->id, feed->frame.program.title, WEIR_BAGGAGE_SIZE_MAX);
}

/* Its baggage, and the end of its run, and nothing of the one before. Returns 0; WEIR_TOO_LARGE; -errno. */
static int bring_along(struct feed *feed, struct weir_context *context, struct frame_message *message)
{
	bool any = message->n_pairs || message->left_ns != UINT64_MAX;
	int r = any || feed->brings ? weir_baggage_clear(context) : 0;

	feed->brings = any;
	for (uint32_t i = 0; r == 0 && i < message->n_pairs; i++) {
		char key[WEIR_BAGGAGE_KEY_MAX + 1];
		const void *value;
		size_t size_bytes;

		frame_next_pair(message, key, &value, &size_bytes);
		r = weir_baggage_set(context, key, value, size_bytes);
	}
	if (r == 0 && message->left_ns < WEIR_FOREVER - clock_now_ns())
		r = weir_expire_at(context, clock_now_ns() + message->left_ns);
	return r;
}

/* Returns 0: it is taken in; FEED_E_DRY: not now; WEIR_*, -errno. */
static int take(struct feed *feed, struct weir_context *context, struct frame_message *message)
{
	const char *refusal = NULL;
	int r;

	weir_place(context, feed->frame.program.title, feed->cursor->n_items + 1);
	r = bring_along(feed, context, message);
	if (r == WEIR_TOO_LARGE) {
		r = refuse_baggage(feed, context, message);
		if (r == 0)
			note(feed, message, "it brings too much baggage along; it is a dead letter");
		return r;
	}
	if (r)
		return r;
	r = weir_emit(context, WEIR_ALL_OUTPUTS, message->data, message->data_bytes);
	if (r == WEIR_FULL) {
		feed->is_full = true;
		return FEED_E_DRY;
	}
	if (r == WEIR_TOO_LARGE) {
		refusal = "it is larger than the lane takes; it is a dead letter";
		r = refuse_too_large(feed, context, message);
	} else if (r == WEIR_REJECTED) {
		refusal =
			"it can't be decoded, or there was no room and the stage behind does not let wait; weir's log says more";
		r = 0;
	}
	if (r == 0)
		note(feed, message, refusal);
	return r;
}

static int hear_item(struct feed *feed, struct weir_context *context, struct frame_message *message)
{
	if (feed->over)
		return feed_lose(feed, context, "'%s' sent item %llu behind its 'end'", feed->frame.program.title,
				 (unsigned long long)message->id);
	if (feed->any && message->id <= feed->last_id)
		return feed_lose(feed, context, "'%s' sent item %llu behind item %llu: ids rise, and none comes twice",
				 feed->frame.program.title, (unsigned long long)message->id,
				 (unsigned long long)feed->last_id);
	if (message->position_bytes > FEED_POSITION_BYTES_MAX)
		return feed_lose(feed, context,
				 "'%s' sent item %llu with a position of %zu bytes, where %u is the most",
				 feed->frame.program.title, (unsigned long long)message->id, message->position_bytes,
				 FEED_POSITION_BYTES_MAX);
	return take(feed, context, message);
}

static int hear_ready(struct feed *feed, struct weir_context *context, const struct frame_message *message)
{
	if (message->version != FRAME_VERSION) {
		weir_fail(context,
			  "'%s' speaks version %llu of the frame protocol, and this weir speaks %u: update one of them",
			  feed->frame.program.title, (unsigned long long)message->version, FRAME_VERSION);
		return WEIR_FAILED;
	}
	feed->frame.phase = FRAME_UP;
	feed->frame.ready_ns = clock_now_ns();
	feed->frame.n_unready = 0;
	return 0;
}

/* Returns 0; FEED_E_DRY: it waits for its turn, and nothing behind it is looked at before; WEIR_*; FRAME_E_LOST; -errno. */
static int hear(struct feed *feed, struct weir_context *context, struct frame_message *message)
{
	struct frame *frame = &feed->frame;

	if ((message->kind == FRAME_READY) != (frame->phase == FRAME_STARTING))
		return feed_lose(feed, context, "'%s' sent '%s' %s", frame->program.title,
				 frame_kind_name(message->kind),
				 frame->phase == FRAME_STARTING ? "before 'ready', which comes first" : "twice");
	if (message->kind == FRAME_READY)
		return hear_ready(feed, context, message);
	if (message->kind == FRAME_GIVEN)
		return hear_item(feed, context, message);
	if (message->kind == FRAME_OVER) {
		feed->over = true;
		feed->cursor->ended = 1;
	}
	if (frame->phase != FRAME_UP || message->kind != FRAME_BYE)
		return 0;
	feed->n_idle = feed->any || has_lasted(feed) ? 0 : feed->n_idle + 1;
	return feed_leave(feed, false);
}

/* Returns as hear(); FRAME_E_MORE: no whole frame lies there. */
static int hear_next(struct feed *feed, struct weir_context *context)
{
	struct frame *frame = &feed->frame;
	struct frame_message message;
	struct record_fault fault;
	size_t size_bytes;
	int r = frame_take(frame, &message, &size_bytes, &fault);

	if (r == FRAME_E_MORE)
		return r;
	if (r != 0)
		return feed_lose(
			feed, context,
			"'%s' sent what is no message: %s; does it print to descriptor %d, or is its encoder wrong?",
			frame->program.title, fault.why, CHILD_FRAMES_OUT);
	r = hear(feed, context, &message);
	if (r == 0)
		frame->from_head += size_bytes;
	return r;
}

static bool has_credit(const struct feed *feed)
{
	return feed->n_accepted + feed->n_refused < feed->frame.in_flight && frame_has_room(&feed->frame);
}

/* Returns 0: its turn is over; FEED_E_DRY: nothing more now; FRAME_E_END: all that it said is heard; WEIR_*; FRAME_E_LOST; -errno. */
static int hear_all(struct feed *feed, struct weir_context *context)
{
	for (uint32_t n = 0; n < ITEMS_AT_ONCE && has_credit(feed); n++) {
		int r = hear_next(feed, context);

		while (r == FRAME_E_MORE) {
			r = frame_pull(&feed->frame);
			if (r ==
			    FRAME_PULL_NOTHING) /* of who has ended nothing comes any more, whoever else holds the pipe */
				return feed->frame.exited ? FRAME_E_END : FEED_E_DRY;
			if (r == FRAME_PULL_END)
				return FRAME_E_END;
			r = r ? r : hear_next(feed, context);
		}
		if (r)
			return r;
	}
	return frame_has_room(&feed->frame) ? 0 : FEED_E_DRY;
}

/* ---- callbacks ---- */

/* Its answers are left alone while nothing can be taken: it would be ready all the time. */
static int watch_out(struct feed *feed, bool watched)
{
	struct frame *frame = &feed->frame;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = frame->out };

	if (frame->out < 0 || feed->out_is_watched == watched)
		return 0;
	feed->out_is_watched = watched;
	return epoll_ctl(frame->events, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, frame->out, &event) ?
		       error_origin(-errno) :
		       0;
}

static int sleep_until(struct feed *feed, struct weir_context *context)
{
	bool taken = feed->n_accepted || feed->n_refused;
	int r = watch_out(feed, !feed->is_full && !weir_draining(context) && frame_has_room(&feed->frame));

	weir_watch(context, feed->frame.events, POLLIN,
		   taken ? 1 : feed_wake_ns(feed)); /* 1: when the commit is done */
	return r ? r : WEIR_WAIT;
}

/* Returns 0: come again; WEIR_WAIT: it has been said when; WEIR_CLOSED, WEIR_FAILED, -errno. */
static int pump(struct feed *feed, struct weir_context *context)
{
	struct frame *frame = &feed->frame;
	bool was_down = frame->phase == FRAME_DOWN;
	int r = feed_check_time(feed, context);

	if (was_down && frame->phase != FRAME_DOWN)
		feed->out_is_watched = true; /* as frame_start() has left it */
	if (r == 0)
		r = frame_look(frame);
	if (r == 0 && frame->phase != FRAME_DOWN && !weir_draining(context))
		r = hear_all(feed, context);
	if (r == FRAME_E_END)
		r = feed_hear_end(feed, context);
	if ((r == 0 || r == FEED_E_DRY) && feed->over && frame->phase == FRAME_UP && !feed->n_accepted &&
	    !feed->n_refused)
		r = feed_leave(feed, true);
	return r;
}

static int feed_produce(struct weir_context *context, void *state)
{
	struct feed *feed = state;
	int r = tell(feed);

	feed->committed = feed->is_full = feed->brings = false;
	if (feed->cursor->ended && feed->frame.phase == FRAME_DOWN && !feed->over)
		return WEIR_CLOSED; /* a process before this one has heard it */
	if (r == 0)
		r = tell_drain(feed, weir_draining(context));
	if (r == 0)
		r = pump(feed, context);
	if (r == 0 || r == FEED_E_DRY || r == FRAME_E_LOST) {
		int pushed = push(feed);

		r = pushed ? pushed : r;
	}
	weir_progress(context, feed->cursor->n_items, 0);
	if (r == 0 && feed->frame.phase != FRAME_DOWN && (feed->n_accepted || feed->n_refused))
		return WEIR_MORE;
	feed->failed = r == WEIR_FAILED;
	return r == 0 || r == FEED_E_DRY || r == FRAME_E_LOST ? sleep_until(feed, context) : r;
}

static int feed_flush(struct weir_context *context, void *state)
{
	struct feed *feed = state;

	(void)context;
	feed->committed = true;
	return 0;
}

static void feed_close(struct weir_context *context, void *state)
{
	struct feed *feed = state;

	/* Nobody calls produce() any more. */
	if (feed->committed && child_runs(&feed->frame.child))
		(void)tell(feed);
	feed_part(feed, context);
	feed_free(feed);
}

const struct weir_stage exec_frame_source_callbacks = {
	.flags = WEIR_STAGE_ANSWERS,
	.open = feed_open,
	.produce = feed_produce,
	.flush = feed_flush,
	.close = feed_close,
};
