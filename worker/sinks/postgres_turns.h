/* SPDX-License-Identifier: Apache-2.0 */
/* weir's own table in a PostgreSQL database: which turn of each seat was stored last, and which items were in it. See stored.h. */
#pragma once

#include "common/base/text.h"
#include "worker/sinks/postgres_base.h"
#include "worker/sinks/stored.h"

#define POSTGRES_TURN_PARAMETERS 8

/* The parameters of postgres_turns_write_sql(). */
struct postgres_turn {
	const char *parameters[POSTGRES_TURN_PARAMETERS];
	char run[24], worker[16], turn[24], before[24];
	struct text items, awaited; /* owned */
};

/* Makes the table if it is not there. Returns 0, POSTGRES_E_*, WEIR_CANCELLED, WEIR_FAILED, negative errno. */
int postgres_turns_make(struct postgres_base *base);
/*
 * Claims the seat's row, and reads what it and others say. A commit of this seat that is still under
 * way, in a session whose worker has died, comes to its end first. Returns as above.
 */
int postgres_turns_claim(struct postgres_base *base, struct stored *stored, uint64_t committed);
/* The statement that writes the turn after the last one; it must change one row. Its parameters live until the next call or deinit. */
void postgres_turns_write_sql(const struct weir_context *context, struct text *sql);
void postgres_turns_parameters(const struct weir_context *context, const struct stored *stored,
			       struct postgres_turn *turn);
void postgres_turn_deinit(struct postgres_turn *turn);
/* The stream has ended, and all of it is committed. Returns as claim. */
int postgres_turns_end(struct postgres_base *base, const struct stored *stored);
/* Appends a name that may have a schema before it, each in quotes. */
void postgres_add_table(struct text *sql, const char *table);
