/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a PostgreSQL server. Nothing here waits but in weir_wait(), so the worker always hears its orders. */
#pragma once

#include "worker/sinks/postgres_library.h"
#include <stdbool.h>
#include <weir/stage.h>

struct postgres_base {
	struct weir_context *context;
	PGconn *connection; /* NULL: none */
	const char *server; /* for people; "host, port", never a password */
	char server_text[160];
	uint64_t wait_ns;
	char said[500]; /* why it is waited for, last */
};

/*
 * What came of a call that asks the server, beside 0, WEIR_CANCELLED, WEIR_FAILED after weir_fail() and negative errno.
 * base->connection stays as it is.
 */
enum {
	POSTGRES_E_AWAY = 1000, /* the server is not there, or is not able to: wait, and connect anew */
	POSTGRES_E_ROW = 1001,  /* it refuses what it was given, and would refuse it again */
};

/* Connects, in the time that `connect` says or 10 s. Returns 0; POSTGRES_E_AWAY with the reason in `why`; as above. */
int postgres_base_connect(struct postgres_base *base, struct weir_context *context, char *why, size_t why_size);
void postgres_base_close(struct postgres_base *base);
/* Waits a little longer each time, 100 ms up to 5 s, and says why if it has not said so. Returns 0, WEIR_CANCELLED, negative errno. */
int postgres_base_wait(struct postgres_base *base, const char *why);
/* It works again. */
void postgres_base_works(struct postgres_base *base);

/* What has been sent is flushed, until a result can be had without waiting. */
int postgres_base_ready(struct postgres_base *base);
/* The next result, NULL: there is none any more (in a pipeline: of this statement). The caller clears it. */
int postgres_base_result(struct postgres_base *base, PGresult **ret_result);
/* One statement with parameters (text; NULL: null). *ret_result (may be NULL) is the caller's, also after an error. Returns as above. */
int postgres_base_run(struct postgres_base *base, const char *sql, int n, const char *const *parameters,
		      PGresult **ret_result);
/* Sorts an error out. Returns POSTGRES_E_AWAY, POSTGRES_E_ROW, or WEIR_FAILED after weir_fail(). 0: it is none. */
int postgres_base_judge(struct postgres_base *base, const PGresult *result);
/* The first line of what the server said, without its newline; static. */
const char *postgres_base_message(const struct postgres_base *base, const PGresult *result);
