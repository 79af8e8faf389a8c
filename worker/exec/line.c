/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line mode: the program runs all the time; each item is a line to it, and each line that it writes is the answer to
 * the oldest line not yet answered.
 *
 *     queue      | answered, gone | sent, answers due | stored, not sent | new in this turn |
 *                                 head                sent               stored             length
 *     spool 0                     [start .......................... end)
 *
 * Lines are HELD: flush() puts them into spool 0 before it sends them, and an answer is emitted in the same commit
 * that moves `start` over its line. So at each commit the spool holds exactly the lines whose answers are not out
 * yet. A next generation starts the program anew and sends those again: their answers leave once, whatever the
 * program's side effects do. What the line's item has brought along goes on with its answer (bags.c).
 *
 * Writing and reading never block, so a full pipe on one side can't stop the other. Answers are awaited when the
 * window is full, when a run or the input ends, and otherwise by watching the program's stdout while there is nothing
 * else to do.
 */
#include "worker/exec/line.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "worker/exec/line_priv.h"
#include "worker/exec/options.h"
#include "worker/exec/spool.h"

#define WINDOW_BYTES ((size_t)64 * 1024)
#define WINDOW_ITEMS 512u
#define SPOOL_REUSE_BYTES (UINT64_C(1024) * 1024) /* the log in the spool starts over once so much of it is done with */
#define ANSWER_WITHIN_NS_FALLBACK (30 * NS_PER_S)
#define EMIT_RECORDS_MAX 1024u

_Static_assert(sizeof(struct line_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

size_t line_head_bytes(const struct line *line)
{
	const char *from = line->queue.data + line->head,
		   *newline = memchr(from, '\n', line->queue.length - line->head);

	must(newline);
	return (size_t)(newline - from) + 1;
}

static void line_drop_head(struct line *line, size_t head_bytes)
{
	line->head += head_bytes;
	if (line->head < WINDOW_BYTES && !line_is_idle(line))
		return;
	buffer_drop(&line->queue, line->head);
	line->sent -= line->head;
	line->stored -= line->head;
	line->head = 0;
}

void line_pass_head(struct line *line)
{
	size_t head_bytes = line_head_bytes(line);

	line_drop_head(line, head_bytes);
	line->cursor->start += head_bytes;
	line->cursor->n_items--;
	bags_pass(&line->bags, line->cursor->n_passed++);
	line->progress_ns = clock_now_ns();
	line->timeout.n_overruns = 0;
	if (line->queue.length - line->head < WINDOW_BYTES / 2 && line->cursor->n_items < WINDOW_ITEMS / 2)
		line->window_full = false;
}

/* When something has to be done about the oldest line, if there is no answer before. */
static uint64_t line_due_ns(const struct line *line)
{
	return line->timeout.deadline_ns ? timeout_end_ns(&line->timeout, line->progress_ns) :
					   line->progress_ns + line->answer_within_ns;
}

static int line_emit_answer(struct line *line, struct weir_context *context)
{
	const struct split_record *answer = &line->answer;
	size_t head_bytes = line_is_idle(line) ? 0 : line_head_bytes(line);
	int r = WEIR_TOO_LARGE;

	if (!head_bytes || line->head + head_bytes > line->sent)
		return line_fail_extra(line, context);
	if (answer->total_bytes == answer->size_bytes)
		r = bags_unpack(&line->bags, context, line->cursor->n_passed);
	if (r == 0)
		r = weir_emit(context, WEIR_ALL_OUTPUTS, answer->data, answer->size_bytes);
	if (r == WEIR_TOO_LARGE) {
		weir_fail(
			context,
			"'%s' answered with a line of %llu bytes, the lane takes %zu at most; give the stage behind this one a larger lane:",
			line->program.title, (unsigned long long)answer->total_bytes, weir_item_size_max(context));
		return WEIR_FAILED;
	}
	if (r)
		return r;
	line_pass_head(line);
	line->cursor->n_answered++;
	weir_settle(context, 1);
	line->has_answer = false;
	line->attempt = 0;
	return 0;
}

/* ---- callbacks ---- */

/* What the generation before had sent without getting the answers out. */
static int line_load(struct line *line)
{
	size_t n = (size_t)(line->cursor->end - line->cursor->start);
	int r = buffer_reserve(&line->queue, n);

	if (!r && n)
		r = spool_read(line->spool_fd, line->cursor->start, line->queue.data, n);
	if (r)
		return r;
	line->queue.length = line->stored = n;
	return 0;
}

int line_open(struct weir_context *context, void **ret_state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct line *line = calloc(1, sizeof(*line));
	int r;

	if (!line)
		return error_origin(-ENOMEM);
	*line = (struct line){ .child = CHILD_NULL,
			       .in = -1,
			       .out = -1,
			       .cursor = weir_cursor(context),
			       .spool_fd = weir_spool(context, 0) };
	line->committed = *line->cursor;
	line->answer_within_ns = exec_option_number(context, "answer_within", ANSWER_WITHIN_NS_FALLBACK);
	timeout_init(&line->timeout, context);
	r = program_init(&line->program, context, &why);
	if (r == PROGRAM_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		r = WEIR_FAILED;
	}
	if (!r)
		r = splitter_init(&line->answers, SPLIT_LINES, weir_item_size_max(context));
	if (!r)
		r = line_load(line);
	if (!r)
		r = bags_open(&line->bags, &line->cursor->bags, weir_spool(context, 1));
	if (!r)
		r = line_start(line, context);
	if (r) {
		line_close(context, line);
		return r;
	}
	if (!line_is_idle(line))
		weir_produce_next(context);
	*ret_state = line;
	return 0;
}

int line_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct line *line = state;
	int r;

	if (item->size_bytes && memchr(item->data, '\n', item->size_bytes)) {
		weir_reject(
			context,
			"the item has a newline in it, so it is no line; mode: line takes single lines, mode: block takes all");
		return WEIR_REJECTED;
	}
	r = buffer_reserve(&line->queue, item->size_bytes + 1);
	if (r)
		return r;
	buffer_add(&line->queue, item->data, item->size_bytes);
	buffer_add(&line->queue, "\n", 1);
	r = bags_add(&line->bags, context, line->cursor->n_passed + line->cursor->n_items);
	if (r)
		return r;
	line->cursor->n_items++;
	if (line->queue.length - line->head >= WINDOW_BYTES || line->cursor->n_items >= WINDOW_ITEMS) {
		line->window_full = true;
		weir_produce_next(context);
	}
	return WEIR_HELD;
}

static bool line_must_wait(const struct line *line)
{
	return line->window_full || line->run_ending || line->finishing || line->sent < line->stored;
}

/* Nothing to emit now. Returns 0: look again; LINE_E_DONE: nothing to wait for; or what produce() shall return. */
static int line_await(struct line *line, struct weir_context *context)
{
	struct pollfd fds[3];
	int r = line_send(line);

	if (r)
		return r;
	if (clock_now_ns() >= line_due_ns(line))
		return line->timeout.deadline_ns ? line_overrun(line, context) : line_lost_silent(line, context);
	if (!line_must_wait(line)) {
		weir_watch(context, line->out, POLLIN, line_due_ns(line));
		return LINE_E_DONE;
	}
	fds[0] = (struct pollfd){ .fd = line->out, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = line->sent < line->stored ? line->in : -1, .events = POLLOUT };
	fds[2] = (struct pollfd){ .fd = line->ended ? -1 : line->child.pidfd, .events = POLLIN };
	r = weir_wait(context, fds, 3, line_due_ns(line));
	if (r == WEIR_CANCELLED)
		line_stop(line, context);
	if (r != WEIR_OK && r != WEIR_EXPIRED)
		return r;
	if (r == WEIR_OK && fds[2].revents && !fds[0].revents) {
		/* what it left behind may hold its stdout open: with that dead, the end of file comes */
		child_finish(&line->child, &line->end);
		line->ended = true;
	}
	return 0;
}

static int line_go_on(struct line *line, struct weir_context *context, uint32_t n_emitted)
{
	int r = line_next_answer(line);

	if (r == 0)
		return line_emit_answer(line, context);
	if (r < 0)
		return r;
	if (!line_is_idle(line))
		return r == LINE_E_END ? line_lost_ended(line, context) : line_await(line, context);
	line->run_ending = false;
	if (!line->finishing)
		return LINE_E_DONE;
	if (n_emitted)
		return WEIR_MORE; /* the answers first: they are good, whatever the program says at its end */
	r = line_end(line, context);
	return r ? r : LINE_E_DONE;
}

int line_produce(struct weir_context *context, void *state)
{
	struct line *line = state;

	line->bags.unpacked = false;
	for (uint32_t n = 0; n < EMIT_RECORDS_MAX; n++) {
		int r = line_go_on(line, context, n);

		if (r == LINE_E_DONE)
			return 0;
		if (r)
			return r == WEIR_FULL ? WEIR_MORE : r;
	}
	return WEIR_MORE;
}

/*
 * New lines go behind the others in the spool, or, when its beginning has been done with for long, all of them there.
 */
static int line_store(struct line *line)
{
	struct line_cursor *cursor = line->cursor;
	size_t live = line->queue.length - line->head, fresh = line->queue.length - line->stored;
	bool start_over = line->committed.start >= SPOOL_REUSE_BYTES && live <= line->committed.start;
	size_t from = start_over ? line->head : line->stored;
	uint64_t at = start_over ? 0 : cursor->end;
	int r;

	if (!fresh)
		return 0;
	r = spool_write(line->spool_fd, at, line->queue.data + from, line->queue.length - from);
	if (r)
		return r;
	if (start_over)
		cursor->start = 0;
	cursor->end = cursor->start + live;
	line->stored = line->queue.length;
	return 0;
}

int line_flush(struct weir_context *context, void *state)
{
	struct line *line = state;
	bool was_idle = line->head == line->stored;
	int r = line_store(line);

	if (r == 0)
		r = bags_store(&line->bags);
	if (r)
		return r;
	line->committed = *line->cursor;
	if (line_is_idle(line))
		return 0;
	if (was_idle) {
		line->progress_ns = clock_now_ns();
		r = child_runs(&line->child) ? line_next_answer(line) : LINE_E_END;
		if (r == 0)
			return line_fail_extra(line, context);
		if (r < 0)
			return r;
	}
	r = line_send(line);
	if (r)
		return r;
	if (line->sent < line->stored || line->out < 0 || !child_runs(&line->child))
		weir_produce_next(context);
	else
		weir_watch(context, line->out, POLLIN, line_due_ns(line));
	return 0;
}

int line_end_run(struct weir_context *context, void *state)
{
	struct line *line = state;

	(void)context;
	line->run_ending = !line_is_idle(line);
	return line->run_ending ? WEIR_MORE : 0;
}

int line_finish(struct weir_context *context, void *state)
{
	struct line *line = state;

	line->finishing = true;
	return line_is_idle(line) ? line_end(line, context) : WEIR_MORE;
}

void line_close(struct weir_context *context, void *state)
{
	struct line *line = state;

	line_stop(line, context);
	splitter_deinit(&line->answers);
	buffer_deinit(&line->queue);
	bags_deinit(&line->bags);
	program_deinit(&line->program);
	free(line);
}
