/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PostgreSQL server behind libpq's table of functions: one table of one column, and weir's own table with one row of a seat. It knows
 * transactions, savepoints, pipelines, COPY and constraints, so what a test asks is what is in the tables, not what was said. A connection
 * can be lost at any statement, before it has been carried out or after that.
 *
 *      "bad"        a row that breaks a constraint at once: 23514
 *      "deferred"   one that breaks a constraint when it is looked at: at the end, or at once after SET CONSTRAINTS
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/sinks/postgres_library.h"

#define FAKE_POSTGRES_ROWS 32u

struct fake_database {
	char rows[FAKE_POSTGRES_ROWS][64];
	uint32_t n_rows, n_deferred;
	bool has_turns, has_seat, ended;
	uint64_t turn;
	char items[1024], awaited[1024];             /* as bytea is written, in hex */
	char other_items[1024], other_awaited[1024]; /* of another seat; "": there is none */
};

struct fake_postgres {
	struct fake_database committed;

	/* knobs */
	uint32_t lose_at;              /* the connection is lost at the statement of this number; 0: it is not */
	bool lose_after;               /* ... when it has been carried out */
	const char *refused, *refusal; /* statements that begin so are answered by this SQLSTATE */
	bool rolls_back;               /* a COMMIT is answered by ROLLBACK */
	unsigned n_busy;               /* the next result takes so many looks */
	unsigned n_no_room;            /* putCopyData() has no room so often */

	/* ... of connecting */
	uint32_t n_refused;  /* the next connections are refused, so many */
	bool never_answers;  /* the next connections are neither refused nor made */
	const char *timeout; /* connect_timeout, as in the connection's own options; NULL: none */

	/* what was heard */
	char log[16384]; /* the first word of each statement, with a blank behind it */
	char last_sql[1024];
	char last_parameters[8][1024];
	uint32_t n_statements;
	int n_results; /* that were not cleared */
	uint32_t n_connects;
	int n_sessions;      /* that were not finished */
	char connected[256]; /* "NAME=VALUE ", as the last one was asked for */
};

/* pq becomes this server's. One at a time. */
void fake_postgres_begin(struct fake_postgres *server);
/* Everything that was given out must have come back. */
void fake_postgres_end(void);
/* A new session; whatever the last one had not committed is gone. */
PGconn *fake_postgres_connect(void);
