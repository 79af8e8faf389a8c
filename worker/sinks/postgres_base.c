/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpq without its waiting: everything is sent non-blocking, and between sending and reading the worker sleeps in weir_wait() on
 * the socket. What can still take long inside of libpq is the resolver, when a host is given by name.
 *
 * An error of the server has a code of five characters (SQLSTATE), and its class says whose fault it is: the row's (22, 23,
 * ...), the server's state's, which passes (08, 40, 53, 55, 57), or the spec's, which does not.
 */
#include "worker/sinks/postgres_base.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/identity.h>

#include "common/base/clock.h"
#include "common/base/error.h"

#define WAIT_NS_MIN (100 * NS_PER_MS)
#define WAIT_NS_MAX (5 * NS_PER_S)
#define CONNECT_S "10"

const char *postgres_base_message(const struct postgres_base *base, const PGresult *result)
{
	static char line[500];
	const char *message = result ? pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (!message)
		message = pq.errorMessage(base->connection);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(message, "\n"), message);
	return line[0] ? line : "it has closed the connection";
}

static void hear_notice(void *data, const char *message)
{
	(void)data;
	weir_log(WEIR_LOG_DEBUG, "%.*s", (int)strcspn(message, "\n"), message);
}

/* ---- connecting ---- */

static void name_server(struct postgres_base *base)
{
	const char *host = pq.host(base->connection), *port = pq.port(base->connection), *db = pq.db(base->connection);

	snprintf(base->server_text, sizeof(base->server_text), "PostgreSQL at %s%s%s (database %s)",
		 host && *host ? host : "its usual socket", port && *port ? ", port " : "", port ? port : "",
		 db && *db ? db : "?");
	base->server = base->server_text;
}

static uint64_t connect_timeout_ns(const struct postgres_base *base)
{
	PQconninfoOption *options = pq.conninfo(base->connection);
	long seconds = atol(CONNECT_S);

	for (const PQconninfoOption *option = options; option && option->keyword; option++)
		if (!strcmp(option->keyword, "connect_timeout") && option->val && atol(option->val) > 0)
			seconds = atol(option->val);
	pq.conninfoFree(options);
	return (uint64_t)seconds * NS_PER_S;
}

/* Returns 0: it has come to its end, good or bad. */
static int poll_connection(struct postgres_base *base, bool *ret_timed_out)
{
	uint64_t deadline_ns = clock_now_ns() + connect_timeout_ns(base);
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
		struct pollfd ready = { .fd = pq.socket(base->connection),
					.events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT };
		int r = weir_wait(base->context, &ready, 1, deadline_ns);

		*ret_timed_out = r == WEIR_EXPIRED;
		if (r != WEIR_OK)
			return r == WEIR_EXPIRED ? 0 : r;
		status = pq.connectPoll(base->connection);
	}
	return 0;
}

int postgres_base_connect(struct postgres_base *base, struct weir_context *context, char *why, size_t why_size)
{
	char name[100];
	const char *const words[] = { "fallback_application_name", "keepalives_idle", "connect_timeout", "dbname",
				      NULL };
	const char *const values[] = { name, "30", CONNECT_S, weir_option_string(context, "connect"), NULL };
	bool timed_out = false;
	const char *reason;
	int r = 0;

	base->context = context;
	if (postgres_library_load(&reason) != 0) {
		weir_fail(context, "libpq can't be loaded (%s): install the package libpq5", reason);
		return WEIR_FAILED;
	}
	snprintf(name, sizeof(name), "weir %s %s", weir_pipeline_name(context), weir_stage_name(context));
	base->connection = pq.connectStartParams(words, values, 1);
	if (!base->connection)
		return error_origin(-ENOMEM);
	name_server(base);
	pq.setNoticeProcessor(base->connection, hear_notice, NULL);
	if (pq.status(base->connection) != CONNECTION_BAD)
		r = poll_connection(base, &timed_out);
	if (r != 0)
		return r;
	if (pq.status(base->connection) == CONNECTION_OK)
		return pq.setnonblocking(base->connection, 1) ? POSTGRES_E_AWAY : 0;
	snprintf(why, why_size, "%s", timed_out ? "it does not answer" : postgres_base_message(base, NULL));
	return POSTGRES_E_AWAY;
}

void postgres_base_close(struct postgres_base *base)
{
	if (base->connection)
		pq.finish(base->connection);
	base->connection = NULL;
}

int postgres_base_wait(struct postgres_base *base, const char *why)
{
	int r;

	if (strncmp(base->said, why, sizeof(base->said) - 1) != 0)
		weir_log(WEIR_LOG_WARNING, "waiting for %s: %s", base->server, why);
	snprintf(base->said, sizeof(base->said), "%s", why);
	base->wait_ns =
		!base->wait_ns ? WAIT_NS_MIN : (base->wait_ns * 2 < WAIT_NS_MAX ? base->wait_ns * 2 : WAIT_NS_MAX);
	r = weir_wait(base->context, NULL, 0, clock_now_ns() + base->wait_ns);
	return r == WEIR_EXPIRED ? 0 : r;
}

void postgres_base_works(struct postgres_base *base)
{
	if (base->wait_ns)
		weir_log(WEIR_LOG_NOTICE, "%s works again", base->server);
	base->said[0] = '\0';
	base->wait_ns = 0;
}

/* ---- asking ---- */

int postgres_base_ready(struct postgres_base *base)
{
	for (;;) {
		int unsent = pq.flush(base->connection), r;
		struct pollfd ready = { .fd = pq.socket(base->connection),
					.events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)) };

		if (unsent < 0 || ready.fd < 0)
			return POSTGRES_E_AWAY;
		if (unsent == 0 && !pq.isBusy(base->connection))
			return 0;
		r = weir_wait(base->context, &ready, 1, 0);
		if (r != WEIR_OK)
			return r;
		if (ready.revents & ~POLLOUT && !pq.consumeInput(base->connection))
			return POSTGRES_E_AWAY;
	}
}

int postgres_base_result(struct postgres_base *base, PGresult **ret_result)
{
	int r = postgres_base_ready(base);

	*ret_result = r == 0 ? pq.getResult(base->connection) : NULL;
	return r;
}

int postgres_base_run(struct postgres_base *base, const char *sql, int n, const char *const *parameters,
		      PGresult **ret_result)
{
	PGresult *result = NULL, *next;
	int r = pq.sendQueryParams(base->connection, sql, n, NULL, parameters, NULL, NULL, 0) ? 0 : POSTGRES_E_AWAY;

	while (r == 0 && (r = postgres_base_result(base, &next)) == 0 && next) {
		pq.clear(result);
		result = next;
	}
	if (r == 0)
		r = postgres_base_judge(base, result);
	if (ret_result)
		*ret_result = result;
	else
		pq.clear(result);
	return r;
}

static bool begins(const char *state, const char *class)
{
	return !strncmp(state, class, strlen(class));
}

static bool is_one_of(const char *state, const char *const *classes)
{
	for (; *classes; classes++)
		if (begins(state, *classes))
			return true;
	return false;
}

int postgres_base_judge(struct postgres_base *base, const PGresult *result)
{
	static const char *const of_row[] = { "22", "23", "P0001", "44000", "54", "21", NULL };
	/* 25006: a server that only reads, as one that is about to take over does. 25P02 follows another error. */
	static const char *const passing[] = { "08", "40", "53", "55", "57", "58", "25", NULL };
	ExecStatusType status = pq.resultStatus(result);
	const char *state;

	if (result && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN))
		return 0;
	state = result ? pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	if (!state || pq.status(base->connection) == CONNECTION_BAD || is_one_of(state, passing))
		return POSTGRES_E_AWAY;
	if (is_one_of(state, of_row))
		return POSTGRES_E_ROW;
	weir_fail(base->context, "%s: %s (%s); look at `table`, `columns`, `key`, `create` and what the user may do",
		  base->server, postgres_base_message(base, result), state);
	return WEIR_FAILED;
}
