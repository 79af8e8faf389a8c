/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the header of a CSV stream said, kept in a spool of the slot, so that the next worker, who goes on in the middle of the file,
 * knows it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum header_kind {
	HEADER_DUE = 0, /* a stream begins: its first record will be its header */
	HEADER_NAMES,   /* the text of the header */
	HEADER_BAD,     /* why it can't be used */
};

struct header_log {
	int fd;
	uint64_t end;
};

/*
 * Takes up the log of earlier generations: the last entry that was written before more than n_accepted items were. Returns 0, its kind, and
 * its text (the caller frees) or NULL; -errno. Without any: HEADER_DUE.
 */
int header_log_open(struct header_log *log, int fd, uint64_t n_accepted, enum header_kind *ret_kind, char **ret_text,
		    size_t *ret_size_bytes);
/* From here on this holds. Returns 0 or -errno. */
int header_log_add(struct header_log *log, uint64_t n_accepted, enum header_kind kind, const char *text,
		   size_t size_bytes);
