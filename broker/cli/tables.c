/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir table: looks into a table as a lookup stage does, as it was at one moment, whoever writes it meanwhile. A dump whose reader does not
 * read holds up nobody, but keeps the writer from using pages again: `stat` names whoever does.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/record/json.h"
#include "common/store/table_store.h"

enum { EXIT_NO_ENTRY = 3 };

struct tables {
	const char *verb, *path;
	char **keys;
	int n_keys;
	bool json;
	struct table_store *store;
	struct record_scratch text;
};

static int fail(const struct tables *tables, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	table_store_explain(tables->path, r, &why);
	fprintf(stderr, "weir: %s\n", text_get(&why));
	return r == TABLE_STORE_E_NONE ? EXIT_NO_ENTRY : EXIT_TRY_AGAIN;
}

static int finish_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_DONE;
	fprintf(stderr, "weir: can not write to standard output: %s\n", strerror(errno));
	return EXIT_TRY_AGAIN;
}

/* The value as JSON; what has none, as bytes have not, is named. */
static int add_value(struct tables *tables, struct table_bytes key, struct table_bytes value, struct text *text)
{
	struct record_fault fault;
	size_t n;

	if (json_encode(value.data, value.size_bytes,
			record_scratch_get(&tables->text, json_encode_bound(value.size_bytes)), &n, &fault) == 0) {
		text_add_bytes(text, tables->text.data, n);
		return EXIT_DONE;
	}
	fprintf(stderr, "weir: the value of '%.*s' can't be shown as JSON: %s\n", (int)key.size_bytes,
		(const char *)key.data, fault.why);
	text_add(text, "null");
	return EXIT_TRY_AGAIN;
}

/* ---- get, dump ---- */

static int get_one(struct tables *tables, const char *word)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct table_bytes key = { word, strlen(word) }, value;
	int r = table_store_get(tables->store, key, &value), exit_code;

	if (r == TABLE_STORE_E_NONE) {
		fprintf(stderr, "weir: the table %s has no key '%s'\n", tables->path, word);
		return EXIT_NO_ENTRY;
	}
	if (r)
		return fail(tables, r);
	exit_code = add_value(tables, key, value, &text);
	printf("%s\n", text_get(&text));
	return exit_code;
}

static int get(struct tables *tables)
{
	int exit_code = EXIT_DONE;

	for (int i = 0; i < tables->n_keys; i++) {
		int r = get_one(tables, tables->keys[i]);

		exit_code = exit_code ? exit_code : r;
	}
	return exit_code ? exit_code : finish_output();
}

static int dump(struct tables *tables)
{
	struct table_bytes key = { NULL, 0 }, value;
	int r, exit_code = EXIT_DONE;

	while ((r = table_store_next(tables->store, key, &key, &value)) == 0 && !ferror(stdout)) {
		_cleanup_(text_deinit) struct text line = TEXT_NULL;
		int one;

		text_add(&line, "{\"key\":");
		text_add_json(&line, key.data, key.size_bytes);
		text_add(&line, ",\"value\":");
		one = add_value(tables, key, value, &line);
		text_add(&line, "}\n");
		exit_code = exit_code ? exit_code : one;
		fwrite(text_get(&line), 1, line.length, stdout);
	}
	if (r && r != TABLE_STORE_E_NONE)
		return fail(tables, r);
	return exit_code ? exit_code : finish_output();
}

/* ---- stat ---- */

static int add_reader(void *data, const struct table_reader *reader)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;

	table_reader_name(reader, &name);
	text_printf(data, "%s looks at it as it was %" PRIu64 " commits ago\n", text_get(&name), reader->behind);
	return 0;
}

static int add_reader_json(void *data, const struct table_reader *reader)
{
	struct text *text = data;

	text_printf(text, "%s{\"pid\":%d,\"behind\":%" PRIu64 ",\"stopped\":%s,\"command\":", text->length ? "," : "",
		    (int)reader->pid, reader->behind, reader->stopped ? "true" : "false");
	text_add_json(text, reader->command, strlen(reader->command));
	text_add_char(text, '}');
	return 0;
}

static int stat_of(struct tables *tables)
{
	_cleanup_(text_deinit) struct text readers = TEXT_NULL;
	char used[QUANTITY_TEXT_SIZE], file[QUANTITY_TEXT_SIZE];
	struct table_usage usage;
	pid_t writer = table_store_writer(tables->path);
	int r = table_store_usage(tables->store, &usage);

	table_store_end(tables->store); /* this process is none of them */
	if (r == 0)
		r = table_store_readers(tables->store, tables->json ? add_reader_json : add_reader, &readers);
	if (r)
		return fail(tables, r);
	if (tables->json)
		printf("{\"entries\":%" PRIu64 ",\"used_bytes\":%" PRIu64 ",\"file_bytes\":%" PRIu64
		       ",\"writer\":%d,\"readers\":[%s]}\n",
		       usage.n_entries, usage.used_bytes, usage.file_bytes, (int)writer, text_get(&readers));
	else
		printf("%" PRIu64 " entries, %s; the file has %s\n%s%s", usage.n_entries,
		       quantity_format_size(usage.used_bytes, used), quantity_format_size(usage.file_bytes, file),
		       writer ? "a stage writes it now\n" : "", text_get(&readers));
	return finish_output();
}

/* ---- the verb ---- */

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(struct tables *tables, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON);
		tables->json = true;
	}
	if (id < 0)
		return command_exit(id);
	tables->verb = argv[parser.first];
	tables->path = argv[parser.first + 1];
	tables->keys = argv + parser.first + 2;
	tables->n_keys = argc - parser.first - 2;
	if (strcmp(tables->verb, "get") != 0 && strcmp(tables->verb, "dump") != 0 && strcmp(tables->verb, "stat") != 0)
		return command_usage_error(parser.command, "table does get, dump or stat, not '%s'", tables->verb);
	if (strcmp(tables->verb, "get") == 0 && !tables->n_keys)
		return command_usage_error(parser.command, "get wants one key or several behind the path");
	if (strcmp(tables->verb, "get") != 0 && tables->n_keys)
		return command_usage_error(parser.command, "%s takes the path of a table and nothing else",
					   tables->verb);
	return -1;
}

int table_command(int argc, char **argv)
{
	struct tables tables = { 0 };
	int r = parse_arguments(&tables, argc, argv);

	if (r >= 0)
		return r;
	r = table_store_open(tables.path, TABLE_STORE_READ, 0, &tables.store);
	if (r)
		return fail(&tables, r);
	r = strcmp(tables.verb, "get") == 0  ? get(&tables) :
	    strcmp(tables.verb, "dump") == 0 ? dump(&tables) :
					       stat_of(&tables);
	table_store_close(tables.store);
	record_scratch_deinit(&tables.text);
	return r;
}
