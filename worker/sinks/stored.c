/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn of weir and a transaction of the database are two commits, and between them a worker may be killed.
 *
 *      database     rows of the items + "turn 7 of this seat: items 12..40 of producer 3"     one transaction
 *      weir         inputs taken, cursor: turn 7                                              one commit
 *
 * Killed between the two, the database says 7 and the cursor 6: the items of turn 7 come again, and who they are stands in the
 * database. They
 * may come one by one (the suspect runs alone), between others, and, if the seat is given up, to a sibling. So each row says two things:
 * the items of its turn, and those of earlier turns that were still awaited after it. An awaited item that comes is passed over,
 * and belongs to the turn in which it came: so a row whose turn the cursor has, too, is done with, but for those that it still awaits.
 *
 * A worker knows the rows of its siblings as well, and those of earlier runs: a dead letter that was stored in a run that was killed may be
 * given again in this one.
 */
#include "worker/sinks/stored.h"

#include <inttypes.h>

void stored_deinit(struct stored *stored)
{
	item_set_deinit(&stored->awaited);
	item_set_deinit(&stored->items);
	item_set_deinit(&stored->others);
}

static int fail(struct weir_context *context, const char *database)
{
	weir_fail(
		context,
		"%s: what stands in weir's own table there is not what weir writes; give the stage another one by `turns`",
		database);
	return WEIR_FAILED;
}

int stored_begin(struct stored *stored, struct weir_context *context, const char *database,
		 const struct stored_row *row, uint64_t committed)
{
	item_set_clear(&stored->awaited);
	item_set_clear(&stored->items);
	stored->turn = row ? row->turn : 0;
	if (stored->turn < committed) {
		weir_fail(
			context,
			"%s knows %" PRIu64 " turns of this run, and %" PRIu64
			" were committed: it has been replaced or restored, or has forgotten what it had confirmed; what was in them "
			"is gone; start again",
			database, stored->turn, committed);
		return WEIR_FAILED;
	}
	if (!row)
		return 0;
	if (item_set_read(&stored->awaited, row->awaited, row->awaited_bytes) != 0)
		return fail(context, database);
	if (row->turn > committed && item_set_read(&stored->awaited, row->items, row->items_bytes) != 0)
		return fail(context, database);
	return 0;
}

int stored_add_other(struct stored *stored, struct weir_context *context, const char *database,
		     const struct stored_row *row)
{
	if (item_set_read(&stored->others, row->items, row->items_bytes) == 0 &&
	    item_set_read(&stored->others, row->awaited, row->awaited_bytes) == 0)
		return 0;
	return fail(context, database);
}

bool stored_has(struct stored *stored, const struct weir_identity *identity)
{
	if (item_set_has(&stored->awaited, identity)) {
		item_set_remove(&stored->awaited, identity);
		item_set_add(&stored->items, identity);
		return true;
	}
	return item_set_has(&stored->others, identity);
}

void stored_add(struct stored *stored, const struct weir_identity *identity)
{
	item_set_add(&stored->items, identity);
}

struct stored_row stored_row(const struct stored *stored)
{
	struct stored_row row = { .turn = stored->turn + 1 };

	row.items = item_set_bytes(&stored->items, &row.items_bytes);
	row.awaited = item_set_bytes(&stored->awaited, &row.awaited_bytes);
	return row;
}

void stored_committed(struct stored *stored)
{
	stored->turn++;
	item_set_clear(&stored->items);
}
