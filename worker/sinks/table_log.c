/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      | key's bytes, value's bytes or REMOVES | key | value | ...
 *
 * An item adds to the buffer, a turn writes it with one system call, and the cursor says how much of the spool counts.
 */
#include "worker/sinks/table_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define REMOVES UINT64_MAX

struct head {
	uint64_t key_bytes, value_bytes;
};

void table_log_init(struct table_log *log, int fd, uint64_t bytes)
{
	*log = (struct table_log){ .fd = fd, .written_bytes = bytes };
}

void table_log_deinit(struct table_log *log)
{
	free(log->buffer);
	*log = (struct table_log){ .fd = -1 };
}

uint64_t table_log_bytes(const struct table_log *log)
{
	return log->written_bytes + log->used_bytes;
}

static unsigned char *reserve(struct table_log *log, size_t n)
{
	if (log->used_bytes + n > log->capacity_bytes) {
		log->capacity_bytes = 2 * (log->used_bytes + n);
		log->buffer = realloc(log->buffer, log->capacity_bytes);
		must(log->buffer);
	}
	return log->buffer + log->used_bytes;
}

uint64_t table_log_add(struct table_log *log, const struct table_change *change)
{
	struct head head = { change->key.size_bytes, change->removes ? REMOVES : change->value.size_bytes };
	size_t value_bytes = change->removes ? 0 : change->value.size_bytes,
	       n = sizeof(head) + change->key.size_bytes + value_bytes;
	unsigned char *at = reserve(log, n);

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), change->key.data, change->key.size_bytes);
	if (value_bytes)
		memcpy(at + sizeof(head) + change->key.size_bytes, change->value.data, value_bytes);
	log->used_bytes += n;
	return n;
}

void table_log_cut(struct table_log *log, uint64_t bytes)
{
	must(bytes >= log->written_bytes && bytes <= table_log_bytes(log));
	log->used_bytes = (size_t)(bytes - log->written_bytes);
}

int table_log_write(struct table_log *log)
{
	for (size_t done = 0; done < log->used_bytes;) {
		ssize_t n = pwrite(log->fd, log->buffer + done, log->used_bytes - done, (off_t)log->written_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			memmove(log->buffer, log->buffer + done, log->used_bytes - done);
			log->used_bytes -= done;
			return error_origin(-errno);
		}
		done += (size_t)n;
		log->written_bytes += (uint64_t)n;
	}
	log->used_bytes = 0;
	return 0;
}

void table_log_reset(struct table_log *log)
{
	log->written_bytes = 0;
	log->used_bytes = 0;
	if (ftruncate(log->fd, 0))
		return; /* its room does not go back, and is written over */
}

static int read_whole(const struct table_log *log, unsigned char *bytes)
{
	for (uint64_t done = 0; done < log->written_bytes;) {
		ssize_t n = pread(log->fd, bytes + done, log->written_bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? error_origin(-errno) : error_origin(-EBADMSG);
		done += (uint64_t)n;
	}
	return 0;
}

/* Returns false: these bytes are no change. */
static bool take(const unsigned char **at, const unsigned char *end, struct table_change *ret_change)
{
	size_t left = (size_t)(end - *at), value_bytes;
	struct head head;

	if (left < sizeof(head))
		return false;
	memcpy(&head, *at, sizeof(head));
	left -= sizeof(head);
	value_bytes = head.value_bytes == REMOVES ? 0 : head.value_bytes;
	if (head.key_bytes > left || value_bytes > left - head.key_bytes)
		return false;
	*at += sizeof(head);
	*ret_change = (struct table_change){ { *at, head.key_bytes },
					     { *at + head.key_bytes, value_bytes },
					     head.value_bytes == REMOVES };
	*at += head.key_bytes + value_bytes;
	return true;
}

int table_log_replay(const struct table_log *log, table_log_apply *apply, void *data)
{
	_cleanup_(free) unsigned char *bytes = malloc(log->written_bytes + 1);
	const unsigned char *at = bytes, *end;
	struct table_change change;
	int r;

	must(bytes);
	end = bytes + log->written_bytes;
	r = read_whole(log, bytes);
	while (r == 0 && at < end)
		r = take(&at, end, &change) ? apply(data, &change) : error_origin(-EBADMSG);
	return r;
}
