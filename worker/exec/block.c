/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block's life. The cursor moves with the commit; the spools are plain files that no commit covers, so each rule
 * below is about never touching bytes that the committed cursor still needs.
 *
 *     cursor     COLLECT, n bytes     RUN                    EMIT, k bytes emitted        COLLECT, 0 bytes
 *     spool 0    [0, n) needed        [0, n) needed          free                         free
 *     spool 1    free                 free                   [0, output) needed           free
 *     on death   goes on collecting   runs (again)           goes on emitting             -
 *
 * - Items are put behind n, and the turn's commit then moves n: bytes behind n are nobody's.
 * - RUN begins by cutting spool 0 to n (what a dead generation wrote behind it) and spool 1 to nothing, and only once
 *   RUN itself is committed: then the block before, with its output, is committed as over.
 * - EMIT begins only once it is committed, so collecting the next block never overwrites one that would be run again.
 *
 * The program reads the spool itself and writes the other one: no pipe, so a program that never reads, stops early or
 * floods its stdout can block nobody. It has the whole block at its disposal and may even seek in it.
 */
#include "worker/exec/block.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/budget.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "worker/exec/options.h"

#define BLOCK_BYTES_FALLBACK (UINT64_C(1024) * 1024)
#define BLOCK_WAIT_NS_FALLBACK NS_PER_S
#define RUN_ATTEMPTS_MAX 3u
#define RUN_BACKOFF_NS (100 * NS_PER_MS)
#define RUN_LOOK_NS (10 * NS_PER_MS)
#define MOMENT_PART 8u /* of what an item has left its program needs a moment to be started in */
#define MOMENT_NS_MAX (25 * NS_PER_MS)

_Static_assert(sizeof(struct block_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

static int block_read_size(struct block *block, struct weir_context *context)
{
	const char *size = weir_option_string(context, "block");
	int64_t bytes = 0;

	block->size_bytes = BLOCK_BYTES_FALLBACK;
	block->input_bound_bytes = exec_block_input_bound(block->size_bytes, block->spool_bytes);
	if (!size)
		return 0;
	if (!strcmp(size, "all")) {
		block->size_bytes = UINT64_MAX;
		block->input_bound_bytes = block->spool_bytes;
		block->wait_ns = 0;
		return 0;
	}
	if (quantity_size(size, &bytes) || bytes <= 0) {
		weir_fail(context, "block: '%s' is no size; give one such as 1MiB, or all", size);
		return WEIR_FAILED;
	}
	block->size_bytes = (uint64_t)bytes;
	if (block->size_bytes <= block->spool_bytes) {
		block->input_bound_bytes = exec_block_input_bound(block->size_bytes, block->spool_bytes);
		return 0;
	}
	weir_fail(context,
		  "block: %s does not fit the spool of %llu bytes; make the block smaller or raise the stage's spool:",
		  size, (unsigned long long)block->spool_bytes);
	return WEIR_FAILED;
}

int block_init(struct block *block, struct weir_context *context, bool has_output)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r;

	*block = (struct block){ .child = CHILD_NULL, .input = SPOOL_MAP_NULL, .output_fd = -1 };
	block->cursor = weir_cursor(context);
	block->committed = *block->cursor;
	block->input.fd = weir_spool(context, 0);
	if (has_output)
		block->output_fd = weir_spool(context, 1);
	block->separator_bytes = exec_option_mode(context, "join") == SPLIT_STANZAS ? 2 : 1;
	block->wait_ns = exec_option_number(context, "block_wait", BLOCK_WAIT_NS_FALLBACK);
	block->spool_bytes = exec_option_spool(context);
	timeout_init(&block->timeout, context);
	r = program_init(&block->program, context, &why);
	if (r == PROGRAM_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		return WEIR_FAILED;
	}
	return r ? r : block_read_size(block, context);
}

void block_deinit(struct block *block)
{
	child_stop(&block->child);
	spool_map_deinit(&block->input);
	program_deinit(&block->program);
}

static void block_set_complete(struct block *block)
{
	block->cursor->phase = BLOCK_RUN;
}

static int block_all_is_too_long(const struct block *block, struct weir_context *context)
{
	weir_fail(context,
		  "block: all has grown past the spool of %llu bytes; raise the stage's spool:, or give block: a size",
		  (unsigned long long)block->spool_bytes);
	return WEIR_FAILED;
}

static bool block_is_clear_of_committed(const struct block *block)
{
	return block->committed.number == block->cursor->number || block->committed.phase == BLOCK_EMIT ||
	       !block->committed.n_items;
}

static void block_begin(struct block *block)
{
	must(block_is_clear_of_committed(block));
	block->cursor->opened_ns = clock_now_ns();
}

static void block_put(struct block *block, const struct weir_item *item, uint64_t at)
{
	unsigned char *to = block->input.data + at;

	if (item->size_bytes)
		memcpy(to, item->data, item->size_bytes);
	for (size_t i = 0; i < block->separator_bytes; i++)
		to[item->size_bytes + i] = '\n';
}

int block_add(struct block *block, struct weir_context *context, const struct weir_item *item)
{
	struct block_cursor *cursor = block->cursor;
	uint64_t filled = cursor->input_bytes + item->size_bytes + block->separator_bytes;
	int r;

	must(cursor->phase == BLOCK_COLLECT);
	if (filled > block->spool_bytes && block->size_bytes == UINT64_MAX)
		return block_all_is_too_long(block, context);
	r = spool_map_reserve(&block->input, filled, block->input_bound_bytes);
	if (r)
		return r;
	if (!cursor->n_items)
		block_begin(block);
	block_put(block, item, cursor->input_bytes);
	cursor->input_bytes = filled;
	cursor->n_items++;
	cursor->payload_bytes += item->size_bytes;
	if (cursor->payload_bytes >= block->size_bytes ||
	    (filled >= block->input_bound_bytes && block->size_bytes != UINT64_MAX)) {
		block_set_complete(block);
		weir_produce_next(context);
	}
	return WEIR_HELD;
}

/* Gathering must not be what makes an item expire. */
static void block_hurry(struct block *block, struct weir_context *context)
{
	uint64_t end_ns = weir_budget_of(context).deadline_ns, now_ns, moment_ns;

	if (end_ns == WEIR_FOREVER)
		return;
	now_ns = clock_now_ns();
	moment_ns = end_ns > now_ns ? (end_ns - now_ns) / MOMENT_PART : 0;
	moment_ns = moment_ns < MOMENT_NS_MAX ? moment_ns : MOMENT_NS_MAX;
	block->cursor->due_ns = deadline_earlier(block->cursor->due_ns, end_ns - moment_ns);
}

static uint64_t block_due_ns(const struct block *block)
{
	return deadline_earlier(block->cursor->opened_ns + block->wait_ns, block->cursor->due_ns);
}

int block_flush(struct block *block, struct weir_context *context)
{
	struct block_cursor *cursor = block->cursor;
	bool waits = cursor->phase == BLOCK_COLLECT && cursor->n_items && block->wait_ns;

	if (waits)
		block_hurry(block, context);
	block->committed = *cursor;
	if (waits)
		weir_watch(context, -1, 0, block_due_ns(block));
	return 0;
}

int block_complete(struct block *block)
{
	if (block->cursor->phase == BLOCK_COLLECT && !block->cursor->n_items)
		return 0;
	if (block->cursor->phase == BLOCK_COLLECT)
		block_set_complete(block);
	return WEIR_MORE;
}

int block_check_wait(struct block *block, struct weir_context *context)
{
	struct block_cursor *cursor = block->cursor;

	if (!cursor->n_items || !block->wait_ns)
		return 0;
	if (clock_now_ns() >= block_due_ns(block))
		return block_complete(block);
	weir_watch(context, -1, 0, block_due_ns(block));
	return 0;
}

bool block_is_committed(const struct block *block)
{
	return block->committed.phase == block->cursor->phase && block->committed.number == block->cursor->number &&
	       block->committed.input_bytes == block->cursor->input_bytes;
}

static void block_forget(struct block *block)
{
	uint64_t number = block->cursor->number + 1;

	spool_map_check(&block->input); /* a program can open its stdin once more, and cut it */
	*block->cursor = (struct block_cursor){ .number = number };
}

void block_end(struct block *block, struct weir_context *context)
{
	weir_settle(context, block->cursor->n_items);
	block_forget(block);
}

/* ---- running ---- */

/* An earlier run of the program may have cut what it was given, which is then gone. Returns 0, WEIR_FAILED, -errno. */
static int block_check_input(struct block *block, struct weir_context *context)
{
	int64_t length = spool_length(block->input.fd);

	if (length < 0)
		return (int)length;
	if ((uint64_t)length >= block->cursor->input_bytes)
		return 0;
	weir_fail(
		context,
		"'%s' has cut its own standard input to %lld of %llu bytes, so its block can't be run again; let it only read",
		block->program.title, (long long)length, (unsigned long long)block->cursor->input_bytes);
	return WEIR_FAILED;
}

static int block_spawn(struct block *block, struct weir_context *context, int stdout_fd)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int in = -1, out = -1;
	int r;

	r = block_check_input(block, context);
	if (!r)
		r = spool_map_cut(&block->input, block->cursor->input_bytes);
	if (!r)
		r = spool_reopen(block->input.fd, O_RDONLY, &in);
	if (!r && stdout_fd < 0)
		r = spool_truncate(block->output_fd, 0);
	if (!r && stdout_fd < 0)
		r = spool_reopen(block->output_fd, O_WRONLY | O_APPEND, &out);
	if (r)
		return r;
	r = child_spawn(&block->child, &block->program, in, stdout_fd < 0 ? out : stdout_fd, &why);
	if (r == CHILD_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		return WEIR_FAILED;
	}
	return r;
}

static int block_check_output(struct block *block, struct weir_context *context, int stdout_fd)
{
	int64_t length = stdout_fd < 0 ? spool_length(block->output_fd) : 0;

	if (length < 0)
		return (int)length;
	if ((uint64_t)length <= block->spool_bytes)
		return 0;
	weir_fail(context,
		  "'%s' wrote more than %llu bytes for one block; raise the stage's spool:, or make its block: smaller",
		  block->program.title, (unsigned long long)block->spool_bytes);
	return WEIR_FAILED;
}

/* Until it ends. Returns 0, WEIR_EXPIRED, WEIR_CANCELLED, WEIR_FAILED, -errno; unless 0 it may still run. */
static int block_wait(struct block *block, struct weir_context *context, int stdout_fd)
{
	uint64_t end_ns = timeout_end_ns(&block->timeout, clock_now_ns());

	for (;;) {
		struct pollfd fd = { .fd = block->child.pidfd, .events = POLLIN };
		int r = weir_wait(context, &fd, 1, clock_now_ns() + RUN_LOOK_NS), over;

		if (r != WEIR_OK && r != WEIR_EXPIRED)
			return r;
		over = block_check_output(block, context, stdout_fd);
		if (over || r == WEIR_OK)
			return over;
		if (clock_now_ns() >= end_ns)
			return WEIR_EXPIRED;
	}
}

static int block_attempt(struct block *block, struct weir_context *context, int stdout_fd, struct program_end *ret_end)
{
	int r = block_spawn(block, context, stdout_fd);

	if (!r)
		r = block_wait(block, context, stdout_fd);
	if (r == WEIR_EXPIRED)
		return r; /* timeout_overrun() ends it */
	if (r == WEIR_CANCELLED)
		child_stop(&block->child);
	else if (r)
		child_kill(&block->child);
	else
		child_finish(&block->child, ret_end);
	if (r || stdout_fd >= 0)
		return r;
	/* once more: what it left behind is dead only now, and may have written too */
	r = block_check_output(block, context, stdout_fd);
	if (!r) {
		int64_t length = spool_length(block->output_fd);

		if (length < 0)
			return (int)length;
		block->cursor->output_bytes = (uint64_t)length;
	}
	return r;
}

static void block_tell_failure(struct block *block, struct weir_context *context, const struct program_end *end,
			       uint32_t attempt)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	char size[QUANTITY_TEXT_SIZE], count[QUANTITY_TEXT_SIZE];

	text_printf(&text, "'%s': ", block->program.title);
	program_end_describe(end, &text);
	text_printf(&text, " on a block of %s items, %s", quantity_format_count(block->cursor->n_items, count),
		    quantity_format_size(block->cursor->input_bytes, size));
	if (attempt < RUN_ATTEMPTS_MAX) {
		weir_log(WEIR_LOG_WARNING, "%s; attempt %u of %u, trying again", text_get(&text), attempt,
			 RUN_ATTEMPTS_MAX);
		return;
	}
	text_printf(&text, ", %u times", attempt);
	program_end_advise(&block->program, end, true, &text);
	weir_fail(context, "%s", text_get(&text));
}

/* What of the block is in the spool becomes one letter. */
static int block_give_up(struct block *block, struct weir_context *context)
{
	const struct block_cursor *cursor = block->cursor;
	char deadline[QUANTITY_TEXT_SIZE];
	int r = block_check_input(block, context);

	if (!r)
		r = spool_map_reserve(&block->input, cursor->input_bytes, block->input_bound_bytes);
	if (!r)
		r = weir_give_up(context, cursor->n_items, block->input.data, cursor->input_bytes,
				 "'%s' has overrun the deadline of %s on %s of %llu items, in each of %u attempts",
				 block->program.title, quantity_format_duration(block->timeout.deadline_ns, deadline),
				 "this block", (unsigned long long)cursor->n_items, block->timeout.attempts);
	if (r)
		return r;
	block_forget(block);
	return WEIR_EXPIRED;
}

/* The program has not ended in time. Returns 0: again; and what block_run() returns. */
static int block_overrun(struct block *block, struct weir_context *context, uint64_t from_ns)
{
	char what[64];
	int r;

	snprintf(what, sizeof(what), "a block of %llu items", (unsigned long long)block->cursor->n_items);
	r = timeout_overrun(&block->timeout, context, &block->child, block->program.title, what, from_ns);
	return r == WEIR_EXPIRED ? block_give_up(block, context) : r;
}

int block_run(struct block *block, struct weir_context *context, int stdout_fd)
{
	for (uint32_t attempt = 1;; attempt++) {
		uint64_t from_ns = clock_now_ns();
		struct program_end end;
		int r = block_attempt(block, context, stdout_fd, &end);

		if (r == WEIR_EXPIRED) {
			r = block_overrun(block, context, from_ns);
			if (r)
				return r;
			attempt--; /* these are counted by themselves */
			continue;
		}
		if (r)
			return r;
		block->timeout.n_overruns = 0;
		if (program_end_is_ok(&block->program, &end))
			return 0;
		block_tell_failure(block, context, &end, attempt);
		if (attempt == RUN_ATTEMPTS_MAX)
			return WEIR_FAILED;
		r = weir_wait(context, NULL, 0, clock_now_ns() + (RUN_BACKOFF_NS << (attempt - 1)));
		if (r != WEIR_EXPIRED)
			return r == WEIR_OK ? error_origin(-EPROTO) : r;
	}
}
