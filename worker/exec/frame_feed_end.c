/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a source's program ends, and what then:
 *
 *      it says end        all that it gave is committed and told; it is told the end, too, and has `grace` to exit; the stream ends
 *      it says bye        the next one goes on at the position; nobody is to blame
 *      lost               it dies, breaks the protocol, does not read: the next one goes on at the position, 10 ms later, 20, 40 ... 10 s
 *      failed             three in a row that did not get ready; or ten that gave no item; or the last exits badly behind its end
 *      a drain, a cancel  it is told, and has a moment to exit by itself
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <weir/log.h>
#include <weir/scope.h>

#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/exec/frame_feed.h"

/* What the program was given to say is over; and what it was to be told is committed all the same. */
static void release(struct feed *feed)
{
	frame_release(&feed->frame);
	feed->n_accepted = feed->n_refused = 0;
	feed->any = feed->told_drain = false;
	feed->stuck_ns = 0;
	feed->frame.start_ns = clock_now_ns() + (feed->n_idle ? frame_backoff_ns(feed->n_idle) : 0);
}

/* ---- the loss ---- */

int feed_lose(struct feed *feed, struct weir_context *context, const char *why, ...)
{
	struct frame *frame = &feed->frame;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool unready = frame->phase == FRAME_STARTING;
	uint32_t n = unready ? ++frame->n_unready : ++frame->n_losses;
	va_list arguments;

	va_start(arguments, why);
	text_vprintf(&text, why, arguments);
	va_end(arguments);
	release(feed);
	feed->over = false;
	feed->cursor->ended = 0;
	if (unready ? n == FRAME_UNREADY_MAX : n > FRAME_LOSSES_MAX) {
		frame_describe_count(n, unready, "without an item", &text);
		weir_fail(context, "%s", text_get(&text));
		return WEIR_FAILED;
	}
	weir_log(WEIR_LOG_WARNING, "%s; it is started again, %s", text_get(&text),
		 feed->cursor->position_bytes ? "and goes on at its last position" :
						"from its beginning: it has given no position");
	frame->start_ns = clock_now_ns() + frame_backoff_ns(n);
	return FRAME_E_LOST;
}

/* ---- ends ---- */

static int lose_ended(struct feed *feed, struct weir_context *context)
{
	struct frame *frame = &feed->frame;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	int r = frame_await_exit(frame, context);

	if (r)
		return r;
	frame_describe_end(frame, " and not said 'end'", &text);
	return feed_lose(feed, context, "%s", text_get(&text));
}

/* Behind its end, its bye. What it had to give is here; only its exit code can still say that something was wrong. */
static int judge_exit(struct feed *feed, struct weir_context *context)
{
	struct frame *frame = &feed->frame;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool good = program_end_is_ok(&frame->program, &frame->end), signaled = frame->end.signaled;

	release(feed);
	if (good)
		return feed->over ? WEIR_CLOSED : 0;
	text_printf(&text, "'%s' has said '%s', but then: ", frame->program.title, feed->over ? "end" : "bye");
	program_end_describe(&frame->end, &text);
	if (feed->over && !signaled) {
		program_end_advise(&frame->program, &frame->end, true, &text);
		weir_fail(context, "%s", text_get(&text));
		return WEIR_FAILED;
	}
	weir_log(signaled ? WEIR_LOG_NOTICE : WEIR_LOG_WARNING, "%s; nothing is lost", text_get(&text));
	return feed->over ? WEIR_CLOSED : 0;
}

int feed_hear_end(struct feed *feed, struct weir_context *context)
{
	struct frame *frame = &feed->frame;

	if (feed->n_accepted || feed->n_refused)
		return 0; /* a bad end must not take the last items along */
	if (frame->phase != FRAME_LEAVING && !feed->over)
		return lose_ended(feed, context);
	if (frame->exited)
		return judge_exit(feed, context);
	return frame->phase == FRAME_LEAVING ? 0 : feed_leave(feed, true);
}

int feed_leave(struct feed *feed, bool tell)
{
	feed->frame.phase = FRAME_LEAVING;
	feed->frame.until_ns = clock_now_ns() + feed->frame.grace_ns;
	return tell ? frame_write_end(&feed->frame.to) : 0;
}

static int end_patience(struct feed *feed)
{
	struct frame *frame = &feed->frame;
	char grace[QUANTITY_TEXT_SIZE];

	weir_log(WEIR_LOG_WARNING, "'%s' did not end within %s after it said '%s'; it is killed, and nothing is lost",
		 frame->program.title, quantity_format_duration(frame->grace_ns, grace), feed->over ? "end" : "bye");
	release(feed);
	return feed->over ? WEIR_CLOSED : 0;
}

/* ---- time ---- */

static int check_ready(struct feed *feed, struct weir_context *context)
{
	char within[QUANTITY_TEXT_SIZE];

	if (clock_now_ns() < feed->frame.until_ns)
		return 0;
	return feed_lose(
		feed, context,
		"'%s' has not said 'ready' within %s; a program in frame mode speaks the protocol of docs/frame.md; if it is slow "
		"to start, raise ready_within:",
		feed->frame.program.title, quantity_format_duration(feed->frame.ready_within_ns, within));
}

static int check_reads(struct feed *feed, struct weir_context *context)
{
	char within[QUANTITY_TEXT_SIZE];

	if (feed->frame.in < 0 || !feed->stuck_ns || clock_now_ns() < feed->stuck_ns + feed->frame.answer_within_ns)
		return 0;
	return feed_lose(
		feed, context,
		"'%s' does not read its descriptor %d: nothing of what it is told for %s; if it is slow, raise answer_within:",
		feed->frame.program.title, CHILD_FRAMES_IN,
		quantity_format_duration(feed->frame.answer_within_ns, within));
}

int feed_check_time(struct feed *feed, struct weir_context *context)
{
	const struct feed_cursor *cursor = feed->cursor;

	switch (feed->frame.phase) {
	case FRAME_DOWN:
		if (clock_now_ns() < feed->frame.start_ns || weir_draining(context))
			return 0;
		return frame_start(&feed->frame, context, cursor->position, cursor->position_bytes);
	case FRAME_STARTING:
		if (weir_draining(context)) /* nobody listens */
			feed->frame.until_ns = clock_now_ns() + feed->frame.ready_within_ns;
		return check_ready(feed, context);
	case FRAME_LEAVING:
		return clock_now_ns() < feed->frame.until_ns ? 0 : end_patience(feed);
	default:
		return check_reads(feed, context);
	}
}

uint64_t feed_wake_ns(const struct feed *feed)
{
	const struct frame *frame = &feed->frame;

	if (frame->phase == FRAME_UP)
		return feed->stuck_ns ? feed->stuck_ns + frame->answer_within_ns : 0;
	return frame->phase == FRAME_DOWN ? frame->start_ns : frame->until_ns;
}

/* ---- the last words ---- */

/* Takes what it says, and throws it away: who waits for room in a pipe can't exit. */
static bool has_exited_by(struct frame *frame, uint64_t until_ns)
{
	while (clock_now_ns() < until_ns) {
		struct pollfd fds[] = {
			{ .fd = frame->child.pidfd, .events = POLLIN },
			{ .fd = frame->out, .events = POLLIN },
			{ .fd = frame_unwritten(frame) ? frame->in : -1, .events = POLLOUT },
		};

		if (poll(fds, 3, deadline_poll_ms(until_ns, clock_now_ns(), 1000)) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents)
			return true;
		frame->from.length = frame->from_head = 0;
		if (fds[1].revents && frame_pull(frame) < 0)
			return false;
		if (frame_push(frame) < 0)
			return false;
	}
	return false;
}

void feed_part(struct feed *feed, struct weir_context *context)
{
	struct frame *frame = &feed->frame;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool cancelled = weir_cancelled(context);
	uint64_t patience_ns =
		cancelled ? frame->grace_ns / 2 : frame->grace_ns; /* of a cancel the worker itself has `grace` */
	int r;

	if (!child_runs(&frame->child) || feed->failed || frame->phase == FRAME_STARTING)
		return;
	r = cancelled ? frame_write_cancel_all(&frame->to, weir_scope_cause(weir_scope_of(context))) :
			frame_write_end(&frame->to);
	if (r || frame_push(frame) || frame->in < 0 || !has_exited_by(frame, clock_now_ns() + patience_ns))
		return; /* in < 0: it does not hear that it should */
	child_finish(&frame->child, &frame->end);
	if (cancelled || program_end_is_ok(&frame->program, &frame->end))
		return;
	program_end_describe(&frame->end, &text);
	weir_log(WEIR_LOG_WARNING, "'%s' was told the end, but then: %s; nothing is lost", frame->program.title,
		 text_get(&text));
}
