/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program is lost when it dies, breaks the protocol, or has to be killed. The worker lives on, and so does every item:
 *
 *      lost     what it had waits again, before all others      and is sent to the next program, under other ids
 *      blame    frame_talk.c: only an item that was alone is counted, at `attempts` it is given up
 *      start    10 ms later, 20, 40 ... 10 s, until a program answers something
 *      the end  all is answered: a program that is killed then has lost nothing, and is no failure; one that exits badly is: it says so
 *      failed   three programs in a row that did not get ready; or so many without an answer that no item can be to blame alone
 *
 *      an item        sent      + deadline       + grace
 *                      |--- works ---|-- cancelled --|-- the program is ended; of what it had, only who overran is counted
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <weir/log.h>
#include <weir/status.h>

#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/exec/frame.h"

#define SCOPE_LOOK_NS (100 * NS_PER_MS) /* as long a cancelled item may go unnoticed while nothing else happens */

/* ---- giving up ---- */

static bool is_all_overruns(const struct talk_item *entry)
{
	return entry->n_overruns == entry->n_attempts;
}

static int give_up(struct frame *frame, struct weir_context *context, struct talk_item *entry, const char *why)
{
	int r = frame_take_up(frame, context, entry, NULL);

	if (r)
		return r;
	weir_reject(context, "%s", why);
	return frame_conclude(frame, context, entry, is_all_overruns(entry) ? WEIR_EXPIRED : WEIR_PEER_LOST);
}

static void explain(const struct frame *frame, const struct talk_item *entry, struct text *why)
{
	char deadline[QUANTITY_TEXT_SIZE];

	quantity_format_duration(frame->deadline_ns, deadline);
	if (is_all_overruns(entry)) {
		text_printf(why, "'%s' has overrun the deadline of %s on it, in each of %u attempts",
			    frame->program.title, deadline, entry->n_attempts);
		return;
	}
	text_printf(why, "'%s' was lost with it alone in hand, or has failed at it: %u attempts", frame->program.title,
		    entry->n_attempts);
	if (entry->n_overruns)
		text_printf(why, ", %u of them past its deadline of %s", entry->n_overruns, deadline);
}

/* Whatever has cost its last attempt. */
static int give_up_tried(struct frame *frame, struct weir_context *context)
{
	struct talk_item *entry = talk_first(&frame->talk, &frame->talk.queue), *next;
	int r = 0;

	for (; r == 0 && entry; entry = next) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;

		next = talk_younger(&frame->talk, entry);
		if (entry->n_attempts < frame->talk.attempts)
			continue;
		explain(frame, entry, &why);
		r = give_up(frame, context, entry, text_get(&why));
	}
	return r;
}

int frame_retry(struct frame *frame, struct weir_context *context, struct talk_item *entry, const char *why, ...)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	va_list arguments;

	if (!talk_retry(&frame->talk, entry, false))
		return 0;
	va_start(arguments, why);
	text_vprintf(&text, why, arguments);
	va_end(arguments);
	return give_up(frame, context, entry, text_get(&text));
}

/* ---- the loss ---- */

static bool is_too_often(const struct frame *frame)
{
	return frame->n_unready == FRAME_UNREADY_MAX || frame->n_losses > FRAME_LOSSES_MAX + frame->talk.attempts;
}

static int fail(struct frame *frame, struct weir_context *context, bool unready, struct text *why)
{
	frame_describe_count(unready ? frame->n_unready : frame->n_losses, unready, "without an answer", why);
	weir_fail(context, "%s", text_get(why));
	return WEIR_FAILED;
}

/* Counts it. Returns true if that was once too often. */
static bool count_loss(struct frame *frame, enum frame_blame blame)
{
	if (frame->phase == FRAME_STARTING)
		frame->n_unready++;
	else if (blame != FRAME_BLAME_TIME)
		frame->n_losses++;
	return frame->finishing || is_too_often(frame);
}

static void say_loss(const struct frame *frame, enum frame_blame blame, const char *why, uint32_t n_had)
{
	if (!n_had)
		weir_log(WEIR_LOG_WARNING, "%s; it is started again", why);
	else if (blame == FRAME_BLAME_ITEMS && n_had > 1)
		weir_log(
			WEIR_LOG_WARNING,
			"%s; it is started again and given the %u items that it had (%u at a time until they are through)",
			why, n_had, frame->talk.limit);
	else
		weir_log(WEIR_LOG_WARNING, "%s; it is started again and given the %u item%s that it had", why, n_had,
			 n_had == 1 ? "" : "s");
}

int frame_lose(struct frame *frame, struct weir_context *context, enum frame_blame blame, const char *why, ...)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool unready = frame->phase == FRAME_STARTING, too_often = count_loss(frame, blame);
	va_list arguments;
	uint32_t n_had;
	int r;

	va_start(arguments, why);
	text_vprintf(&text, why, arguments);
	va_end(arguments);
	frame_release(frame);
	n_had = talk_lost(&frame->talk, blame == FRAME_BLAME_ITEMS);
	if (too_often)
		return fail(frame, context, unready, &text);
	say_loss(frame, blame, text_get(&text), n_had);
	frame->start_ns = clock_now_ns();
	if (blame != FRAME_BLAME_TIME)
		frame->start_ns += frame_backoff_ns(frame->n_unready + frame->n_losses);
	r = give_up_tried(frame, context);
	return r ? r : FRAME_E_LOST;
}

/* ---- ends ---- */

/* At the end of the stream all is answered. What its exit would have said nobody knows; but nothing is lost. */
static bool is_killed_at_the_end(const struct frame *frame)
{
	return frame->finishing && frame->exited && frame->end.signaled;
}

static int note_killed_at_the_end(struct frame *frame)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	program_end_describe(&frame->end, &text);
	weir_log(WEIR_LOG_NOTICE, "'%s' was %s at the end, when all items were answered: nothing is lost",
		 frame->program.title, text_get(&text));
	frame_release(frame);
	return 0;
}

static int lose_ended(struct frame *frame, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	uint32_t n = frame->talk.sent.n;
	char lacking[64] = "";
	int r = frame_await_exit(frame, context);

	if (r)
		return r;
	if (is_killed_at_the_end(frame))
		return note_killed_at_the_end(frame);
	if (n)
		snprintf(lacking, sizeof(lacking), " with %u item%s to answer", n, n == 1 ? "" : "s");
	frame_describe_end(frame, lacking, &text);
	return frame_lose(frame, context, FRAME_BLAME_ITEMS, "%s", text_get(&text));
}

/* Behind a bye. At once, unless there were losses that no answer has made up for. */
static void start_next(struct frame *frame)
{
	frame->start_ns = clock_now_ns() + (frame->n_losses ? frame_backoff_ns(frame->n_losses) : 0);
}

/* After bye, or after it was told the end. Returns 0, WEIR_FAILED. */
static int judge_exit(struct frame *frame, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool good = program_end_is_ok(&frame->program, &frame->end);

	if (is_killed_at_the_end(frame))
		return note_killed_at_the_end(frame);
	frame_release(frame);
	start_next(frame);
	if (good)
		return 0;
	text_printf(&text, "'%s' has %s, but then: ", frame->program.title,
		    frame->finishing ? "answered all items" : "said 'bye'");
	program_end_describe(&frame->end, &text);
	program_end_advise(&frame->program, &frame->end, true, &text);
	if (frame->finishing) {
		weir_fail(context, "%s", text_get(&text));
		return WEIR_FAILED;
	}
	weir_log(WEIR_LOG_WARNING, "%s", text_get(&text));
	return 0;
}

int frame_hear_end(struct frame *frame, struct weir_context *context)
{
	if (frame->phase != FRAME_LEAVING)
		return lose_ended(frame, context);
	return frame->exited ? judge_exit(frame, context) : 0;
}

static void be_patient(struct frame *frame)
{
	frame->phase = FRAME_LEAVING;
	frame->until_ns = clock_now_ns() + frame->grace_ns;
}

/* Whoever leaves as soon as it has come would do so for ever. Returns 0, WEIR_FAILED. */
static int count_bye(struct frame *frame, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (frame->n_heard || clock_now_ns() - frame->ready_ns >= FRAME_STEADY_NS)
		return 0;
	frame->n_losses++;
	text_printf(&text, "'%s' has said 'bye' and not a word about an item", frame->program.title);
	if (is_too_often(frame))
		return fail(frame, context, false, &text);
	if (frame->n_losses > 1)
		weir_log(WEIR_LOG_WARNING, "%s, %u programs in a row; the next one is started", text_get(&text),
			 frame->n_losses);
	return 0;
}

int frame_hear_bye(struct frame *frame, struct weir_context *context)
{
	if (frame->phase != FRAME_UP)
		return 0;
	(void)talk_lost(&frame->talk, false);
	be_patient(frame);
	return count_bye(frame, context);
}

int frame_leave(struct frame *frame)
{
	int r = frame_write_end(&frame->to);

	be_patient(frame);
	return r ? r : frame_push(frame);
}

/* It has not ended though it said, or was told, that it would. */
static void end_patience(struct frame *frame)
{
	char grace[QUANTITY_TEXT_SIZE];

	weir_log(WEIR_LOG_WARNING, "'%s' did not end within %s after it %s; it is killed, and nothing is lost",
		 frame->program.title, quantity_format_duration(frame->grace_ns, grace),
		 frame->finishing ? "was told the end" : "said 'bye'");
	frame_release(frame);
	start_next(frame);
}

/* One look at a program that has no items. Returns 0; what frame_lose() returns. */
static int await_end(struct frame *frame, struct weir_context *context)
{
	struct pollfd fd = { .fd = frame->events, .events = POLLIN };
	int r = weir_wait(context, &fd, 1, frame_wake_ns(frame));

	if (r == WEIR_OK || r == WEIR_EXPIRED)
		r = frame_look(frame);
	if (r == 0)
		r = frame_push(frame);
	if (r == 0)
		r = frame_hear(frame, context);
	if (r == FRAME_E_END)
		r = frame_hear_end(frame, context);
	return r ? r : frame->phase == FRAME_DOWN ? 0 : frame_check_time(frame, context);
}

int frame_finish(struct frame *frame, struct weir_context *context)
{
	int r = 0;

	frame->finishing = true;
	if (frame->phase == FRAME_UP)
		r = frame_leave(frame);
	while (r == 0 && frame->phase != FRAME_DOWN)
		r = await_end(frame, context);
	return r;
}

/* ---- time ---- */

/* Tells the program of those whose deadline has passed. Returns how many should have been answered even so; -errno. */
static int64_t cancel_due(struct frame *frame, struct weir_context *context, uint64_t now_ns)
{
	int64_t n_overdue = 0;

	for (struct talk_item *entry = talk_first(&frame->talk, &frame->talk.sent); entry;
	     entry = talk_younger(&frame->talk, entry)) {
		if (!entry->cancelled_ns && entry->sent_ns + frame->deadline_ns > now_ns)
			break;
		if (!entry->cancelled_ns) {
			int r = frame_write_cancel(&frame->to, entry->id, WEIR_CAUSE_ITEM_DEADLINE);

			if (r)
				return r;
			entry->cancelled_ns = now_ns;
		} else if (entry->cancelled_ns + frame->grace_ns <= now_ns) {
			entry->n_attempts++;
			entry->n_overruns++;
			weir_overran(context);
			n_overdue++;
		}
	}
	return n_overdue;
}

static int check_deadlines(struct frame *frame, struct weir_context *context)
{
	char deadline[QUANTITY_TEXT_SIZE], grace[QUANTITY_TEXT_SIZE];
	uint64_t now_ns = frame_now_ns(frame);
	int64_t n;

	if (talk_due_ns(&frame->talk, frame->deadline_ns, frame->grace_ns) > now_ns)
		return 0;
	n = cancel_due(frame, context, now_ns);
	if (n <= 0)
		return (int)n;
	return frame_lose(
		frame, context, FRAME_BLAME_TIME,
		"'%s' has overrun the deadline of %s on %lld item%s, and has not answered the cancel within %s: it is killed",
		frame->program.title, quantity_format_duration(frame->deadline_ns, deadline), (long long)n,
		n == 1 ? "" : "s", quantity_format_duration(frame->grace_ns, grace));
}

static int check_silence(struct frame *frame, struct weir_context *context)
{
	char within[QUANTITY_TEXT_SIZE];

	if (!frame->talk.sent.n || frame_now_ns(frame) < frame->heard_ns + frame->answer_within_ns)
		return 0;
	return frame_lose(
		frame, context, FRAME_BLAME_ITEMS,
		"'%s' has said nothing for %s, and has %u item%s to answer%s; if it is slow, raise answer_within:, or give the stage a deadline:",
		frame->program.title, quantity_format_duration(frame->answer_within_ns, within), frame->talk.sent.n,
		frame->talk.sent.n == 1 ? "" : "s",
		frame_unwritten(frame) ? " (it does not read its descriptor either)" : "");
}

static int check_ready(struct frame *frame, struct weir_context *context)
{
	char within[QUANTITY_TEXT_SIZE];

	if (clock_now_ns() < frame->until_ns)
		return 0;
	return frame_lose(
		frame, context, FRAME_BLAME_NOBODY,
		"'%s' has not said 'ready' within %s; a program in frame mode speaks the protocol of docs/frame.md; if it is slow "
		"to start, raise ready_within:",
		frame->program.title, quantity_format_duration(frame->ready_within_ns, within));
}

int frame_check_time(struct frame *frame, struct weir_context *context)
{
	switch (frame->phase) {
	case FRAME_DOWN:
		return clock_now_ns() < frame->start_ns ? 0 : frame_start(frame, context, NULL, 0);
	case FRAME_STARTING:
		return check_ready(frame, context);
	case FRAME_LEAVING:
		if (clock_now_ns() >= frame->until_ns)
			end_patience(frame);
		return 0;
	default:
		return frame->deadline_ns ? check_deadlines(frame, context) : check_silence(frame, context);
	}
}

/* On the clock of items, which is behind. */
static uint64_t wake_for_items_ns(const struct frame *frame)
{
	uint64_t due_ns = UINT64_MAX;

	if (frame->talk.sent.n)
		due_ns = frame->deadline_ns ? talk_due_ns(&frame->talk, frame->deadline_ns, frame->grace_ns) :
					      frame->heard_ns + frame->answer_within_ns;
	return due_ns == UINT64_MAX ? 0 : due_ns + frame->held_ns;
}

uint64_t frame_wake_ns(const struct frame *frame)
{
	uint64_t wake_ns = frame->phase == FRAME_DOWN ? frame->start_ns :
			   frame->phase == FRAME_UP   ? wake_for_items_ns(frame) :
							frame->until_ns;

	if (frame->has_more)
		return 1;
	return frame->n_scoped ? deadline_earlier(wake_ns, clock_now_ns() + SCOPE_LOOK_NS) : wake_ns;
}
