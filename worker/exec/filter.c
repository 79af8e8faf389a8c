/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block mode: block.c collects and runs; here the program's output leaves as items. The output lies in spool 1 and is
 * read through a window, so its size does not matter; the cursor says how much of it has been emitted, so a next
 * generation goes on in the middle.
 */
#include "worker/exec/filter.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "worker/exec/block.h"
#include "worker/exec/options.h"
#include "worker/exec/spool.h"

#define EMIT_RECORDS_MAX 1024u /* of one produce(): so that the turn's commit is not put off for ever */

struct filter {
	struct block block;
	struct splitter splitter;
	struct split_record record; /* cut, not yet emitted */
	bool has_record;
	bool emits; /* the splitter belongs to this block's output, read up to ... */
	uint64_t read_bytes;
};

int filter_open(struct weir_context *context, void **ret_state)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	int r;

	if (!filter)
		return error_origin(-ENOMEM);
	r = block_init(&filter->block, context, true);
	if (!r)
		r = splitter_init(&filter->splitter, exec_option_mode(context, "split"), weir_item_size_max(context));
	if (r) {
		filter_close(context, filter);
		return r;
	}
	if (filter->block.cursor->phase != BLOCK_COLLECT)
		weir_produce_next(context);
	*ret_state = filter;
	return 0;
}

int filter_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct filter *filter = state;

	return block_add(&filter->block, context, item);
}

int filter_flush(struct weir_context *context, void *state)
{
	struct filter *filter = state;

	return block_flush(&filter->block, context);
}

int filter_complete(struct weir_context *context, void *state)
{
	struct filter *filter = state;

	(void)context;
	return block_complete(&filter->block);
}

/* Reads on in the output. Returns 0 or -errno. */
static int filter_refill(struct filter *filter)
{
	const struct block_cursor *cursor = filter->block.cursor;
	uint64_t left = cursor->output_bytes - filter->read_bytes;
	unsigned char *at;
	size_t room = splitter_room(&filter->splitter, &at);
	int r;

	if (room > left)
		room = (size_t)left;
	r = spool_read(filter->block.output_fd, filter->read_bytes, at, room);
	if (r)
		return r;
	splitter_fill(&filter->splitter, room);
	filter->read_bytes += room;
	return 0;
}

/* The next record of the output into filter->record. Returns 0, WEIR_CLOSED after the last one, -errno. */
static int filter_cut(struct filter *filter)
{
	const struct block_cursor *cursor = filter->block.cursor;
	int r;

	if (!filter->emits) {
		splitter_reset(&filter->splitter);
		filter->read_bytes = cursor->emitted_bytes;
		filter->emits = true;
	}
	for (;;) {
		r = splitter_next(&filter->splitter, filter->read_bytes == cursor->output_bytes, &filter->record);
		if (r != SPLIT_E_MORE)
			return r == SPLIT_E_END ? WEIR_CLOSED : 0;
		r = filter_refill(filter);
		if (r)
			return r;
	}
}

static int filter_emit_record(struct filter *filter, struct weir_context *context)
{
	const struct split_record *record = &filter->record;
	int r = WEIR_TOO_LARGE;

	if (record->total_bytes == record->size_bytes)
		r = weir_emit(context, WEIR_ALL_OUTPUTS, record->data, record->size_bytes);
	if (r == WEIR_TOO_LARGE) {
		weir_fail(
			context,
			"'%s' wrote a record of %llu bytes, the lane takes %zu at most; give the stage behind this one a larger lane:",
			filter->block.program.title, (unsigned long long)record->total_bytes,
			weir_item_size_max(context));
		return WEIR_FAILED;
	}
	if (r)
		return r;
	filter->block.cursor->emitted_bytes += record->consumed_bytes;
	filter->has_record = false;
	return 0;
}

static int filter_emit(struct filter *filter, struct weir_context *context)
{
	for (uint32_t n = 0; n < EMIT_RECORDS_MAX; n++) {
		int r = filter->has_record ? 0 : filter_cut(filter);

		if (r == WEIR_CLOSED) {
			filter->emits = false;
			block_end(&filter->block, context);
			return 0;
		}
		if (r)
			return r;
		filter->has_record = true;
		r = filter_emit_record(filter, context);
		if (r)
			return r == WEIR_FULL ? WEIR_MORE : r;
	}
	return WEIR_MORE;
}

int filter_produce(struct weir_context *context, void *state)
{
	struct filter *filter = state;
	struct block *block = &filter->block;
	int r;

	if (block->cursor->phase == BLOCK_COLLECT)
		return block_check_wait(block, context);
	if (!block_is_committed(block))
		return WEIR_MORE;
	if (block->cursor->phase == BLOCK_EMIT)
		return filter_emit(filter, context);
	r = block_run(block, context, -1);
	if (r == WEIR_EXPIRED)
		return WEIR_MORE; /* so that "given up" is committed before the spool is used again */
	if (r)
		return r;
	block->cursor->phase = BLOCK_EMIT;
	block->cursor->emitted_bytes = 0;
	return WEIR_MORE; /* so that the output is committed before the spool of the input is used again */
}

void filter_close(struct weir_context *context, void *state)
{
	struct filter *filter = state;

	(void)context;
	block_deinit(&filter->block);
	splitter_deinit(&filter->splitter);
	free(filter);
}
