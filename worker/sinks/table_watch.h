/* SPDX-License-Identifier: Apache-2.0 */
/* Whether somebody reads a table so long that it costs its writer room. Own folder only. */
#pragma once

#include "common/store/table_store.h"

#define TABLE_WATCH_READERS 64u

struct table_watch {
	struct table_watch_reader {
		pid_t pid;
		uint64_t commit;   /* that it sees */
		uint64_t since_ns; /* when this was first seen */
		bool said, there;
	} readers[TABLE_WATCH_READERS];
	uint64_t next_ns, commits;
};

/*
 * After each commit: releases what dead readers have kept, and tells the log of one that has seen the same for long, once. Looks once a
 * second. path: for the message.
 */
void table_watch_commit(struct table_watch *watch, struct table_store *store, const char *path, uint64_t now_ns);
/* Appends who has an old view, the oldest first, and for how long: "process 4711 (...) has looked at it for 12s". */
void table_watch_name(struct table_watch *watch, struct table_store *store, uint64_t now_ns, struct text *text);
