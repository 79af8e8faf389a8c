/* SPDX-License-Identifier: Apache-2.0 */
/* Which items a database has already, as far as its rows about this stage say: what makes a database sink exact. stored.c has the how. */
#pragma once

#include <weir/stage.h>

#include "worker/sinks/item_set.h"

struct stored {
	uint64_t turn;           /* the last that the database knows of this seat */
	struct item_set awaited; /* the database has them, and the seat may be given them again */
	struct item_set items;   /* of the transaction at work: stored by it, or awaited until then */
	struct item_set others;  /* what rows of other seats, and of earlier runs, say */
};

/* A row of weir's table in the database. */
struct stored_row {
	uint64_t turn;
	const void *items, *awaited;
	size_t items_bytes, awaited_bytes;
};

void stored_deinit(struct stored *stored);

/*
 * What the database's row of this seat says; NULL: there is none. committed: the turn in the cursor. Returns 0; WEIR_FAILED
 * after weir_fail(): the database has lost turns that were committed; or what stands there is no such row.
 */
int stored_begin(struct stored *stored, struct weir_context *context, const char *database,
		 const struct stored_row *row, uint64_t committed);
/* A row of another seat or run. Returns as stored_begin(). */
int stored_add_other(struct stored *stored, struct weir_context *context, const char *database,
		     const struct stored_row *row);

/* The database has it already: it is done, and belongs to the transaction at work. */
bool stored_has(struct stored *stored, const struct weir_identity *identity);
/* The transaction at work stores it. */
void stored_add(struct stored *stored, const struct weir_identity *identity);
/* What the transaction at work has to write about this seat: good until the next call. */
struct stored_row stored_row(const struct stored *stored);
/* The transaction has committed. */
void stored_committed(struct stored *stored);
