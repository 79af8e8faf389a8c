/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/sinks/fake_postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/must.h"

#define QUEUE_MAX 128u

struct pg_result {
	ExecStatusType status;
	const char *sqlstate; /* NULL: none */
	char message[128], command[32];
	int n_rows;
	char cells[2][3][1024];
};

struct statement {
	char sql[1024];
	char parameters[8][1024];
	int n;
};

struct pg_conn {
	bool bad, in_pipeline, in_transaction, failed, aborted, immediate, copies;
	struct fake_database now, saved;
	char copied[4096];
	struct statement sent[QUEUE_MAX]; /* of a pipeline, up to its sync */
	PGresult *queue[QUEUE_MAX];
	uint32_t n_sent, first, end;
	int fd;
	unsigned n_polls; /* until it has connected */
};

static struct fake_postgres *server;
static struct pg_conn session;

/* ---- results ---- */

static PGresult *result_new(ExecStatusType status, const char *command)
{
	PGresult *result = calloc(1, sizeof(*result));

	must(result);
	result->status = status;
	snprintf(result->command, sizeof(result->command), "%s", command);
	server->n_results++;
	return result;
}

static PGresult *error_new(const char *sqlstate, const char *message)
{
	PGresult *result = result_new(PGRES_FATAL_ERROR, "");

	result->sqlstate = sqlstate;
	snprintf(result->message, sizeof(result->message), "%s", message);
	session.failed = session.in_transaction;
	return result;
}

static void enqueue(PGresult *result)
{
	must(session.end < QUEUE_MAX);
	session.queue[session.end++] = result;
}

/* ---- what the server does ---- */

static bool begins(const char *sql, const char *words)
{
	return !strncmp(sql, words, strlen(words));
}

static struct fake_database *database(void)
{
	return session.in_transaction ? &session.now : &server->committed;
}

static PGresult *insert(const char *cell)
{
	struct fake_database *db = database();

	if (!strcmp(cell, "bad") || (!strcmp(cell, "deferred") && session.immediate))
		return error_new("23514", "it breaks the rule");
	db->n_deferred += !strcmp(cell, "deferred");
	must(db->n_rows < FAKE_POSTGRES_ROWS);
	snprintf(db->rows[db->n_rows++], sizeof(db->rows[0]), "%s", cell);
	return result_new(PGRES_COMMAND_OK, "INSERT 0 1");
}

static void give_turn(PGresult *result, int row, uint64_t turn, const char *items, const char *awaited)
{
	snprintf(result->cells[row][0], sizeof(result->cells[0][0]), "%llu", (unsigned long long)turn);
	snprintf(result->cells[row][1], sizeof(result->cells[0][0]), "%s", items);
	snprintf(result->cells[row][2], sizeof(result->cells[0][0]), "%s", awaited);
	result->n_rows = row + 1;
}

static void give_seat(struct fake_database *db)
{
	strcpy(db->items, "\\x");
	strcpy(db->awaited, "\\x");
	db->turn = 0;
	db->has_seat = true;
}

static PGresult *turns(const struct statement *statement)
{
	struct fake_database *db = database();
	PGresult *result = result_new(PGRES_TUPLES_OK, "SELECT");

	if (begins(statement->sql, "INSERT")) {
		if (!db->has_seat)
			give_seat(db);
		give_turn(result, 0, db->turn, db->items, db->awaited);
	} else if (db->other_items[0]) {
		give_turn(result, 0, 1, db->other_items, db->other_awaited);
	}
	return result;
}

static PGresult *update(const struct statement *statement)
{
	struct fake_database *db = database();

	if (begins(strstr(statement->sql, "SET"), "SET ended = true")) {
		db->ended = true;
		return result_new(PGRES_COMMAND_OK, "UPDATE 1");
	}
	must(statement->n == 8);
	if (!db->has_seat ||
	    (strstr(statement->sql, " AND turn = $8") && strtoull(statement->parameters[7], NULL, 10) != db->turn))
		return result_new(PGRES_COMMAND_OK, "UPDATE 0");
	db->turn = strtoull(statement->parameters[4], NULL, 10);
	strcpy(db->items, statement->parameters[5]);
	strcpy(db->awaited, statement->parameters[6]);
	return result_new(PGRES_COMMAND_OK, "UPDATE 1");
}

static PGresult *commit(void)
{
	bool fails = session.failed || server->rolls_back;

	if (!fails && session.now.n_deferred) {
		session.in_transaction = session.immediate = false;
		return error_new("23505", "it is there twice");
	}
	if (!fails)
		server->committed = session.now;
	session.in_transaction = session.failed = session.immediate = false;
	return result_new(PGRES_COMMAND_OK, fails ? "ROLLBACK" : "COMMIT");
}

static PGresult *control(const char *sql)
{
	if (begins(sql, "ROLLBACK TO")) {
		session.now = session.saved;
		session.failed = false;
	} else if (begins(sql, "ROLLBACK")) {
		session.in_transaction = session.failed = session.immediate = false;
	} else if (begins(sql, "COMMIT")) {
		return commit();
	} else if (session.failed) {
		return error_new("25P02", "the transaction is aborted");
	} else if (begins(sql, "BEGIN")) {
		session.in_transaction = true;
		session.now = server->committed;
	} else if (begins(sql, "SAVEPOINT")) {
		session.saved = session.now;
	} else if (begins(sql, "SET CONSTRAINTS")) {
		if (session.now.n_deferred)
			return error_new("23505", "it is there twice");
		session.immediate = true;
	}
	return result_new(PGRES_COMMAND_OK, "");
}

static PGresult *execute(const struct statement *statement)
{
	const char *sql = statement->sql;

	if (server->refused && begins(sql, server->refused))
		return error_new(server->refusal, "no");
	if (begins(sql, "BEGIN") || begins(sql, "COMMIT") || begins(sql, "ROLLBACK") || begins(sql, "SAVEPOINT") ||
	    begins(sql, "RELEASE") || begins(sql, "SET"))
		return control(sql);
	if (session.failed)
		return error_new("25P02", "the transaction is aborted");
	if (begins(sql, "SELECT to_regclass")) {
		PGresult *result = result_new(PGRES_TUPLES_OK, "SELECT 1");

		strcpy(result->cells[0][0], server->committed.has_turns ? "t" : "f");
		return result;
	}
	if (begins(sql, "COPY"))
		return result_new(PGRES_COPY_IN, "");
	if (begins(sql, "CREATE"))
		server->committed.has_turns = true;
	if (begins(sql, "UPDATE"))
		return update(statement);
	if (strstr(sql, "AS t VALUES") || begins(sql, "SELECT turn"))
		return turns(statement);
	return begins(sql, "INSERT") ? insert(statement->parameters[0]) : result_new(PGRES_COMMAND_OK, "");
}

static PGresult *lose(void)
{
	PGresult *result = error_new(NULL, "");

	session.bad = true;
	session.in_transaction = session.failed = false;
	return result;
}

static PGresult *hear(const struct statement *statement)
{
	bool is_last = ++server->n_statements == server->lose_at;
	PGresult *result;

	snprintf(server->last_sql, sizeof(server->last_sql), "%s", statement->sql);
	memcpy(server->last_parameters, statement->parameters, sizeof(server->last_parameters));
	snprintf(server->log + strlen(server->log), sizeof(server->log) - strlen(server->log), "%.*s ",
		 (int)strcspn(statement->sql, " "), statement->sql);
	if (is_last && !server->lose_after)
		return lose();
	result = execute(statement);
	if (!is_last)
		return result;
	pq.clear(result);
	return lose();
}

/* ---- libpq ---- */

static void fake_clear(PGresult *result)
{
	server->n_results -= result != NULL;
	free(result);
}

static ExecStatusType fake_result_status(const PGresult *result)
{
	return result ? result->status : PGRES_FATAL_ERROR;
}

static char *fake_cmd_status(PGresult *result)
{
	return result->command;
}

static char *fake_result_error_field(const PGresult *result, int field)
{
	if (field == PG_DIAG_SQLSTATE)
		return (char *)(uintptr_t)result->sqlstate;
	must(field == PG_DIAG_MESSAGE_PRIMARY);
	return result->message[0] ? (char *)(uintptr_t)result->message : NULL;
}

static char *fake_error_message(const PGconn *connection)
{
	if (connection->bad && connection->n_polls)
		return (char *)(uintptr_t) "connection refused\nis the server there?";
	return (char *)(uintptr_t)(connection->bad ? "server closed the connection\nunexpectedly" : "");
}

static ConnStatusType fake_status(const PGconn *connection)
{
	return connection->bad ? CONNECTION_BAD : connection->n_polls ? CONNECTION_STARTED : CONNECTION_OK;
}

/* ---- libpq: connecting ---- */

static PGconn *fake_connect_start_params(const char *const *words, const char *const *values, int expand)
{
	PGconn *connection = fake_postgres_connect();
	char *at = server->connected;

	must(expand);
	*at = '\0';
	for (; *words; words++, values++)
		at += snprintf(at, sizeof(server->connected) - (size_t)(at - server->connected), "%s=%s ", *words,
			       *values);
	connection->n_polls = 3;
	server->n_connects++;
	server->n_sessions++;
	return connection;
}

static PostgresPollingStatusType fake_connect_poll(PGconn *connection)
{
	if (server->never_answers) {
		must(read(connection->fd, &(uint64_t){ 0 }, sizeof(uint64_t)) == sizeof(uint64_t)); /* not readable */
		return PGRES_POLLING_READING;
	}
	if (server->n_refused) {
		server->n_refused--;
		connection->bad = true;
		return PGRES_POLLING_FAILED;
	}
	connection->n_polls--;
	return connection->n_polls ? PGRES_POLLING_READING : PGRES_POLLING_OK;
}

static PQconninfoOption *fake_conninfo(PGconn *connection)
{
	PQconninfoOption *options = calloc(3, sizeof(*options));

	(void)connection;
	must(options);
	options[0].keyword = (char *)(uintptr_t) "host";
	options[1].keyword = (char *)(uintptr_t) "connect_timeout";
	options[1].val = (char *)(uintptr_t)server->timeout;
	return options;
}

static void fake_conninfo_free(PQconninfoOption *options)
{
	free(options);
}

static void fake_finish(PGconn *connection)
{
	must(connection == &session);
	server->n_sessions--;
}

static char *fake_host_name(const PGconn *connection)
{
	(void)connection;
	return (char *)(uintptr_t) "db.example";
}

static char *fake_port(const PGconn *connection)
{
	(void)connection;
	return (char *)(uintptr_t) "5432";
}

static char *fake_db(const PGconn *connection)
{
	(void)connection;
	return (char *)(uintptr_t) "shop";
}

static PQnoticeProcessor fake_set_notice_processor(PGconn *connection, PQnoticeProcessor processor, void *data)
{
	(void)connection, (void)data;
	return processor;
}

static int fake_set_nonblocking(PGconn *connection, int on)
{
	(void)connection;
	must(on);
	return 0;
}

static int fake_ntuples(const PGresult *result)
{
	return result->n_rows;
}

static char *fake_getvalue(const PGresult *result, int row, int column)
{
	return (char *)(uintptr_t)result->cells[row][column];
}

static unsigned char *fake_unescape_bytea(const unsigned char *text, size_t *ret_size_bytes)
{
	size_t n = strlen((const char *)text);
	unsigned char *bytes = malloc(n + 1);
	unsigned byte;

	must(bytes && n >= 2 && text[0] == '\\' && text[1] == 'x');
	*ret_size_bytes = n / 2 - 1;
	for (size_t i = 0; i < *ret_size_bytes; i++) {
		must(sscanf((const char *)text + 2 + 2 * i, "%2x", &byte) == 1);
		bytes[i] = (unsigned char)byte;
	}
	return bytes;
}

static int fake_flush(PGconn *connection)
{
	(void)connection;
	return 0;
}

static int fake_socket(const PGconn *connection)
{
	return connection->fd;
}

static int fake_is_busy(PGconn *connection)
{
	(void)connection;
	return server->n_busy > 0;
}

static int fake_consume_input(PGconn *connection)
{
	server->n_busy -= server->n_busy > 0;
	return !connection->bad;
}

static PGresult *fake_get_result(PGconn *connection)
{
	return connection->first < connection->end ? connection->queue[connection->first++] : NULL;
}

static int send(const char *sql, int n, const char *const *parameters)
{
	struct statement statement = { .n = n };

	if (session.bad)
		return 0;
	must(session.first == session.end || session.in_pipeline); /* what the last one said was read */
	must(strlen(sql) < sizeof(statement.sql));
	strcpy(statement.sql, sql);
	for (int i = 0; i < n; i++)
		snprintf(statement.parameters[i], sizeof(statement.parameters[0]), "%s",
			 parameters[i] ? parameters[i] : "(null)");
	if (session.in_pipeline) {
		must(session.n_sent < QUEUE_MAX);
		session.sent[session.n_sent++] = statement;
		return 1;
	}
	session.first = session.end = 0;
	enqueue(hear(&statement));
	session.copies = session.queue[0]->status == PGRES_COPY_IN;
	return 1;
}

static int fake_send_query_params(PGconn *connection, const char *sql, int n, const Oid *types,
				  const char *const *parameters, const int *lengths, const int *formats, int format)
{
	(void)connection;
	must(!types && !lengths && !formats && !format);
	return send(sql, n, parameters);
}

static int fake_send_prepare(PGconn *connection, const char *name, const char *sql, int n, const Oid *types)
{
	char said[1024];

	(void)connection;
	must(!n && !types);
	snprintf(said, sizeof(said), "PREPARE %s AS %s", name, sql);
	return send(said, 0, NULL);
}

static int fake_send_query_prepared(PGconn *connection, const char *name, int n, const char *const *parameters,
				    const int *lengths, const int *formats, int format)
{
	(void)connection;
	must(!lengths && !formats && !format && !strcmp(name, "weir_row"));
	return send("INSERT prepared", n, parameters);
}

static int fake_enter_pipeline_mode(PGconn *connection)
{
	if (connection->bad)
		return 0;
	connection->in_pipeline = true;
	connection->first = connection->end = connection->n_sent = 0;
	return 1;
}

static int fake_exit_pipeline_mode(PGconn *connection)
{
	if (connection->first != connection->end)
		return 0;
	connection->in_pipeline = false;
	return 1;
}

/* After an error the server passes over all up to the sync; after a loss nothing comes any more. */
static int fake_pipeline_sync(PGconn *connection)
{
	bool aborted = false;

	for (uint32_t i = 0; i < connection->n_sent && !connection->bad; i++) {
		PGresult *result = aborted ? result_new(PGRES_PIPELINE_ABORTED, "") : hear(&connection->sent[i]);

		aborted = aborted || result->status == PGRES_FATAL_ERROR;
		enqueue(result);
		enqueue(NULL);
	}
	if (!connection->bad)
		enqueue(result_new(PGRES_PIPELINE_SYNC, ""));
	connection->n_sent = 0;
	return 1;
}

static int fake_put_copy_data(PGconn *connection, const char *data, int n)
{
	must(connection->copies);
	if (server->n_no_room) {
		server->n_no_room--;
		return 0;
	}
	snprintf(connection->copied, sizeof(connection->copied), "%.*s", n, data);
	return 1;
}

static int fake_put_copy_end(PGconn *connection, const char *error)
{
	struct statement statement = { .n = 1 };
	PGresult *result = NULL;
	char *rest = connection->copied;

	must(!error && connection->copies);
	connection->copies = false;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		bool is_last = ++server->n_statements == server->lose_at;

		pq.clear(result);
		strcpy(statement.parameters[0], line);
		result = is_last ? lose() : insert(line);
		if (result->status == PGRES_FATAL_ERROR)
			break;
	}
	enqueue(result);
	return 1;
}

void fake_postgres_begin(struct fake_postgres *of)
{
	server = of;
	pq = (struct postgres_library){
		.clear = fake_clear,
		.cmdStatus = fake_cmd_status,
		.connectPoll = fake_connect_poll,
		.connectStartParams = fake_connect_start_params,
		.conninfo = fake_conninfo,
		.conninfoFree = fake_conninfo_free,
		.consumeInput = fake_consume_input,
		.db = fake_db,
		.enterPipelineMode = fake_enter_pipeline_mode,
		.errorMessage = fake_error_message,
		.exitPipelineMode = fake_exit_pipeline_mode,
		.finish = fake_finish,
		.flush = fake_flush,
		.freemem = free,
		.getResult = fake_get_result,
		.getvalue = fake_getvalue,
		.host = fake_host_name,
		.isBusy = fake_is_busy,
		.ntuples = fake_ntuples,
		.pipelineSync = fake_pipeline_sync,
		.port = fake_port,
		.putCopyData = fake_put_copy_data,
		.putCopyEnd = fake_put_copy_end,
		.resultErrorField = fake_result_error_field,
		.resultStatus = fake_result_status,
		.sendPrepare = fake_send_prepare,
		.sendQueryParams = fake_send_query_params,
		.sendQueryPrepared = fake_send_query_prepared,
		.setNoticeProcessor = fake_set_notice_processor,
		.setnonblocking = fake_set_nonblocking,
		.socket = fake_socket,
		.status = fake_status,
		.unescapeBytea = fake_unescape_bytea,
	};
	session = (struct pg_conn){ .fd = eventfd(1, EFD_CLOEXEC) };
	must(session.fd >= 0);
}

PGconn *fake_postgres_connect(void)
{
	int fd = session.fd;

	while (session.first < session.end)
		pq.clear(session.queue[session.first++]);
	session = (struct pg_conn){ .fd = fd };
	return &session;
}

void fake_postgres_end(void)
{
	(void)fake_postgres_connect();
	must(server->n_results == 0);
	close(session.fd);
}
