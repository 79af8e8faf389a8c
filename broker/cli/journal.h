/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines into systemd's journal, with fields that can be searched for: `journalctl WEIR_STAGE=price`. A line brings them along in front
 * of its words (log_line.h makes it):
 *
 *      <4> RS WEIR_PIPELINE=orders US WEIR_STAGE=price US ... RS the words
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "common/base/text.h"

#define JOURNAL_MARK '\x1e'      /* RS */
#define JOURNAL_SEPARATOR '\x1f' /* US */
#define JOURNAL_FIELDS_MAX 12u

/* Where the lines of this process can be sent with fields: fd is a stream to the journal, and the journal takes messages. */
bool journal_takes_fields(int fd);
/*
 * Takes a line with its newline apart. Returns the number of fields, at most JOURNAL_FIELDS_MAX; their bytes lie in the line and in *text,
 * which the caller empties. The last is MESSAGE, and PRIORITY is there in any case.
 */
size_t journal_fields(const char *line, size_t size_bytes, struct text *text,
		      struct iovec fields[static JOURNAL_FIELDS_MAX]);
/* Sends one line; what can't be sent is written to fd, without its fields. May wait. Returns 0 or -errno. */
int journal_send(int fd, const char *line, size_t size_bytes);
