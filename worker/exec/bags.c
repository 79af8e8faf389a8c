/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each line has one answer, so what the line's item has brought along belongs to the answer: scope, deadline and pairs. The program knows
 * nothing of it. It waits here beside the lines, in spool 1 as those do in spool 0: at each commit the spool holds what the waiting
 * lines have brought, so the next generation's answers bring it along as well.
 *
 *      spool 1     [ number, size | bytes ][ number, size | bytes ] ...      only of lines that have brought something
 *                  ^ start                                        ^ end
 */
#include "worker/exec/bags.h"

#include <errno.h>
#include <string.h>
#include <weir/baggage.h>

#include "common/base/error.h"
#include "worker/exec/spool.h"

#define SPOOL_REUSE_BYTES (UINT64_C(1024) * 1024) /* the spool starts over once so much of it is done with */

struct bag {
	uint64_t number; /* of its line */
	uint64_t size_bytes;
};

static bool is_empty(const struct bags *bags)
{
	return bags->head == bags->queue.length;
}

/* The oldest. */
static struct bag first(const struct bags *bags)
{
	struct bag bag;

	memcpy(&bag, bags->queue.data + bags->head, sizeof(bag));
	return bag;
}

static bool is_whole(const struct bags *bags)
{
	size_t at = 0;

	while (at < bags->queue.length) {
		struct bag bag;

		if (bags->queue.length - at < sizeof(bag))
			return false;
		memcpy(&bag, bags->queue.data + at, sizeof(bag));
		at += sizeof(bag);
		if (bag.size_bytes > WEIR_BAGGAGE_PACKED_MAX || bag.size_bytes > bags->queue.length - at)
			return false;
		at += bag.size_bytes;
	}
	return true;
}

int bags_open(struct bags *bags, struct bags_cursor *cursor, int spool_fd)
{
	size_t n = (size_t)(cursor->end - cursor->start);
	int r;

	*bags = (struct bags){ .cursor = cursor, .spool_fd = spool_fd, .committed_start = cursor->start };
	if (!n)
		return 0;
	r = buffer_reserve(&bags->queue, n);
	if (r == 0)
		r = spool_read(spool_fd, cursor->start, bags->queue.data, n);
	if (r)
		return r;
	bags->queue.length = bags->stored = n;
	return is_whole(bags) ? 0 : error_origin(-EIO);
}

void bags_deinit(struct bags *bags)
{
	buffer_deinit(&bags->queue);
}

int bags_add(struct bags *bags, const struct weir_context *context, uint64_t number)
{
	char packed[WEIR_BAGGAGE_PACKED_MAX];
	const struct bag bag = { .number = number, .size_bytes = weir_baggage_pack(context, packed) };
	int r;

	if (!bag.size_bytes)
		return 0;
	r = buffer_reserve(&bags->queue, sizeof(bag) + bag.size_bytes);
	if (r)
		return r;
	buffer_add(&bags->queue, &bag, sizeof(bag));
	buffer_add(&bags->queue, packed, bag.size_bytes);
	return 0;
}

int bags_unpack(struct bags *bags, struct weir_context *context, uint64_t number)
{
	if (!is_empty(bags) && first(bags).number == number) {
		bags->unpacked = true;
		return weir_baggage_unpack(context, bags->queue.data + bags->head + sizeof(struct bag),
					   first(bags).size_bytes);
	}
	if (!bags->unpacked)
		return 0;
	bags->unpacked = false;
	return weir_baggage_clear(context);
}

void bags_pass(struct bags *bags, uint64_t number)
{
	size_t size_bytes;

	if (is_empty(bags) || first(bags).number != number)
		return;
	size_bytes = sizeof(struct bag) + first(bags).size_bytes;
	bags->head += size_bytes;
	bags->cursor->start += size_bytes;
	if (!is_empty(bags) && bags->head < SPOOL_REUSE_BYTES / 16)
		return;
	buffer_drop(&bags->queue, bags->head);
	bags->stored -= bags->head;
	bags->head = 0;
}

/* As line_store(): behind the others, or, when the beginning has been done with for long, all of them there. */
int bags_store(struct bags *bags)
{
	struct bags_cursor *cursor = bags->cursor;
	size_t live = bags->queue.length - bags->head;
	bool start_over = bags->committed_start >= SPOOL_REUSE_BYTES && live <= bags->committed_start;
	size_t from = start_over ? bags->head : bags->stored;
	int r;

	if (bags->queue.length != bags->stored) {
		r = spool_write(bags->spool_fd, start_over ? 0 : cursor->end, bags->queue.data + from,
				bags->queue.length - from);
		if (r)
			return r;
		if (start_over)
			cursor->start = 0;
		cursor->end = cursor->start + live;
		bags->stored = bags->queue.length;
	}
	bags->committed_start = cursor->start;
	return 0;
}
