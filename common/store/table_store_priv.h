/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a table (own folder only). */
#pragma once

#include <lmdb.h>

#include "common/store/table_store.h"

/* As it lies in the file, under "about". */
struct table_about {
	uint64_t version;
	struct table_mark mark;
	uint64_t used_bytes;
};

struct table_store {
	MDB_env *env;
	MDB_dbi entries, about;
	MDB_txn *txn;       /* writer: what was changed since the last commit; reader: the view, kept to be renewed */
	MDB_cursor *cursor; /* of a reader's view; NULL: none yet */
	bool viewing;       /* reader: txn is a view, not only its seat */
	enum table_store_mode mode;
	char *path;
	int holder_fd;
	uint64_t size_bytes;
	struct table_about committed;
	uint64_t used_bytes; /* with what txn has changed */
};

/* What LMDB has returned. */
int table_store_outcome(int r);
/* Some process, dead ones left out, sees something older than the last commit. */
bool table_store_is_held(struct table_store *store);
