/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      | 0 items: due | 0: names a,b | 1200: due | 1200: names x,y,z |          the spool, appended to as files begin
 *
 *      killed, and 1100 items are committed:  what was said after 1200 has not happened. The next worker goes by the entry before,
 *      and writes the others again when its source comes to that file again.
 *
 * So the log needs no commit of its own: the number of accepted items, which moves with the commit, says how much of it holds. An entry
 * that a kill has cut off is shorter than it says, and ends the log.
 */
#include "worker/header_log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/error.h"

struct entry {
	uint64_t n_accepted;
	uint32_t kind, size_bytes;
};

/* Returns true: a whole entry is there. Its text is the caller's to free. */
static bool read_entry(int fd, uint64_t at, struct entry *entry, char **ret_text)
{
	char *text;

	if (pread(fd, entry, sizeof(*entry), (off_t)at) != (ssize_t)sizeof(*entry) || entry->kind > HEADER_BAD)
		return false;
	text = malloc((size_t)entry->size_bytes + 1);
	if (!text)
		return false;
	if (pread(fd, text, entry->size_bytes, (off_t)(at + sizeof(*entry))) == (ssize_t)entry->size_bytes) {
		*ret_text = text;
		return true;
	}
	free(text);
	return false;
}

int header_log_open(struct header_log *log, int fd, uint64_t n_accepted, enum header_kind *ret_kind, char **ret_text,
		    size_t *ret_size_bytes)
{
	struct entry entry;
	char *text;

	*log = (struct header_log){ .fd = fd };
	*ret_kind = HEADER_DUE;
	*ret_text = NULL;
	*ret_size_bytes = 0;
	while (read_entry(fd, log->end, &entry, &text)) {
		if (entry.n_accepted > n_accepted) {
			free(text);
			break;
		}
		free(*ret_text);
		*ret_kind = (enum header_kind)entry.kind;
		*ret_text = text;
		*ret_size_bytes = entry.size_bytes;
		log->end += sizeof(entry) + entry.size_bytes;
	}
	return ftruncate(fd, (off_t)log->end) ? error_origin(-errno) : 0;
}

int header_log_add(struct header_log *log, uint64_t n_accepted, enum header_kind kind, const char *text,
		   size_t size_bytes)
{
	struct entry entry = { .n_accepted = n_accepted, .kind = (uint32_t)kind, .size_bytes = (uint32_t)size_bytes };
	ssize_t n;

	n = pwrite(log->fd, &entry, sizeof(entry), (off_t)log->end);
	if (n == (ssize_t)sizeof(entry) && size_bytes) {
		ssize_t m = pwrite(log->fd, text, size_bytes, (off_t)(log->end + sizeof(entry)));

		n = m == (ssize_t)size_bytes ? n : m < 0 ? m : 0;
	}
	if (n != (ssize_t)sizeof(entry))
		return error_origin(n < 0 ? -errno : -ENOSPC);
	log->end += sizeof(entry) + size_bytes;
	return 0;
}
