/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction: the rows that are there, and who they are. */
#pragma once

#include "worker/sinks/postgres_base.h"
#include "worker/sinks/postgres_rows.h"
#include "worker/sinks/postgres_turns.h"
#include "worker/sinks/stored.h"

struct postgres_store {
	struct text insert_sql, copy_sql, write_sql; /* copy_sql: empty: not by COPY */
	struct text copied;
	struct postgres_turn turn;
	char why[500]; /* after POSTGRES_E_AWAY */
};

/* In each session: compiles the statements. Returns 0, POSTGRES_E_AWAY, WEIR_CANCELLED, WEIR_FAILED, negative errno. */
int postgres_store_prepare(struct postgres_store *store, struct postgres_base *base, const struct columns *columns);
void postgres_store_deinit(struct postgres_store *store);

/*
 * Stores them, but for those that the database has or refuses, and commits. Returns 0: stored->turn is the transaction's; POSTGRES_E_AWAY:
 * what has become of it is not known: connect, claim, and call again; as above.
 */
int postgres_store_rows(struct postgres_store *store, struct postgres_base *base, struct stored *stored,
			struct postgres_rows *rows);
