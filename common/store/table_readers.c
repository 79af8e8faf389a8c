/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a view of a table, and what is told to people. LMDB's list is text, a line for each seat:
 *
 *          pid     thread     txnid
 *         4711 7f3a0c2b4740 1203         sees commit 1203
 *         4712 7f11d2e00740 -            has a seat and no view
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "common/store/process_look.h"
#include "common/store/store_folder.h"
#include "common/store/table_store_priv.h"

struct listing {
	uint64_t last; /* the number of the last commit */
	table_visit *visit;
	void *data;
	int r;
};

static void look_at(struct table_reader *reader)
{
	process_look_command(reader->pid, reader->command, sizeof(reader->command));
	reader->stopped = process_look_stopped(reader->pid);
}

void table_reader_name(const struct table_reader *reader, struct text *text)
{
	text_printf(text, "process %d", (int)reader->pid);
	if (*reader->command)
		text_printf(text, " (%s)", reader->command);
	if (reader->stopped)
		text_add(text, ", which is stopped,");
}

/* ---- the list ---- */

/* One line of it. */
static int list_one(const char *line, void *data)
{
	struct listing *listing = data;
	struct table_reader reader = { 0 };
	char seen[24];
	unsigned long long number;
	int pid;

	if (listing->r || sscanf(line, "%d %*s %23s", &pid, seen) != 2 || sscanf(seen, "%llu", &number) != 1)
		return 0;
	reader.pid = pid;
	reader.behind = listing->last > number ? listing->last - number : 0;
	look_at(&reader);
	listing->r = listing->visit(listing->data, &reader);
	return 0;
}

int table_store_readers(struct table_store *store, table_visit *visit, void *data)
{
	struct listing listing = { .visit = visit, .data = data };
	MDB_envinfo info;
	int stale;

	if (!store->env || mdb_reader_check(store->env, &stale) || mdb_env_info(store->env, &info))
		return error_origin(-EIO);
	listing.last = info.me_last_txnid;
	if (mdb_reader_list(store->env, list_one, &listing) < 0)
		return error_origin(-EIO);
	return listing.r;
}

static int is_behind(void *data, const struct table_reader *reader)
{
	(void)data;
	return reader->behind > 0;
}

bool table_store_is_held(struct table_store *store)
{
	return table_store_readers(store, is_behind, NULL) == 1;
}

/* ---- for people ---- */

static void explain_writer(const char *path, struct text *text)
{
	struct table_reader writer = { .pid = table_store_writer(path) };

	if (writer.pid > 0) {
		look_at(&writer);
		table_reader_name(&writer, text);
	} else {
		text_add(text, "another process");
	}
	text_printf(
		text,
		" writes the table %s, and one writes it at a time; wait for its end, or give this stage another path",
		path);
}

void table_store_explain(const char *path, int r, struct text *text)
{
	switch (r) {
	case TABLE_STORE_E_FULL:
		text_printf(text, "the table %s is as large as it may be; raise `size:` of the stage that writes it",
			    path);
		break;
	case TABLE_STORE_E_NONE:
		text_printf(text, "there is no table in %s; a `sink: table` with that path makes one", path);
		break;
	case TABLE_STORE_E_FOREIGN:
		text_printf(text,
			    "the folder %s belongs to somebody else, or others may write into it; chmod 700 it, or "
			    "choose a folder of yours",
			    path);
		break;
	case TABLE_STORE_E_BUSY:
		explain_writer(path, text);
		break;
	case TABLE_STORE_E_HELD:
		text_printf(text, "what somebody still reads leaves no room in the table %s", path);
		break;
	case TABLE_STORE_E_DAMAGED:
		text_printf(text, "%s holds something that is no table of this version; move it away, and load it anew",
			    path);
		break;
	case -ENOTDIR:
		text_printf(text, "%s is no folder, and a table is one; choose another path", path);
		break;
	case -EFBIG:
		text_printf(text,
			    "the file of the table %s can't grow any more; raise `size:` of the stage that writes it",
			    path);
		break;
	case -EAGAIN:
		text_printf(text, "too many processes read the table %s at a time", path);
		break;
	default:
		store_explain(path, "the table", "let weir read and write there, or choose another path", r, text);
	}
}
