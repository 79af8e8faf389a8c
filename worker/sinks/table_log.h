/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was put and taken out since the table was last written, in a spool of the slot's: it outlives the worker. Own folder only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/store/table_store.h"

struct table_change {
	struct table_bytes key, value;
	bool removes;
};

struct table_log {
	int fd;                /* borrowed */
	unsigned char *buffer; /* what is not in the spool yet; owned */
	size_t capacity_bytes, used_bytes;
	uint64_t written_bytes; /* of the spool, that are the log's */
};

/* bytes: how much of the spool is the log's. */
void table_log_init(struct table_log *log, int fd, uint64_t bytes);
void table_log_deinit(struct table_log *log);
/* How long it is, with what is not in the spool yet. */
uint64_t table_log_bytes(const struct table_log *log);
/* One more change, in memory. Returns how many bytes it takes. */
uint64_t table_log_add(struct table_log *log, const struct table_change *change);
/* What was added last, and is not in the spool yet, has not happened: the log is so long again. */
void table_log_cut(struct table_log *log, uint64_t bytes);
/* All of it is in the spool. Returns 0 or -errno. */
int table_log_write(struct table_log *log);
/* It is empty. */
void table_log_reset(struct table_log *log);

/* Calls apply for each change of the spool, in order, until one is not 0. Returns that; -EBADMSG: it makes no sense; -errno. */
typedef int table_log_apply(void *data, const struct table_change *change);
int table_log_replay(const struct table_log *log, table_log_apply *apply, void *data);
