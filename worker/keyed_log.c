/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      begin            cursor.state_end                  end
 *        | change | change | change | change of the item in hand |
 *        |<--- committed --------->|
 *
 * The memory begins with `begin`, the position of the last fold. The records behind it are whole up to the committed end, whatever
 * instruction the worker died at: they were written before the commit that counts them. What lies behind that is overwritten by the
 * next one.
 *
 * After a fold the log begins again at the front. Whoever dies between the two finds a store that is ahead of the log's beginning, at
 * the committed end (keyed.c).
 *
 * The memory grows by fallocate(), so that a machine without any says so here and not with SIGBUS.
 */
#include "worker/keyed_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/atomic.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"

#define SIZE_BYTES_MIN (256UL << 10)

struct keyed_log_header {
	atomic_u64 begin;
	uint8_t pad[56];
};

struct record {
	uint32_t value_size_bytes;
	uint16_t key_size_bytes;
	uint16_t removes;
};

static struct keyed_log_header *header_of(const struct keyed_log *log)
{
	return (struct keyed_log_header *)log->base;
}

static unsigned char *place(const struct keyed_log *log, uint64_t position)
{
	return log->base + sizeof(struct keyed_log_header) + (position - log->begin);
}

static uint64_t record_bytes(uint64_t key_size_bytes, uint64_t value_size_bytes)
{
	return (sizeof(struct record) + key_size_bytes + value_size_bytes + 7) / 8 * 8;
}

/* Bytes behind a position. */
static uint64_t room(const struct keyed_log *log, uint64_t position)
{
	return log->size_bytes - sizeof(struct keyed_log_header) - (position - log->begin);
}

static int map(struct keyed_log *log, size_t size_bytes)
{
	void *base = log->base ? mremap(log->base, log->size_bytes, size_bytes, MREMAP_MAYMOVE) :
				 mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);

	if (base == MAP_FAILED)
		return error_origin(-errno);
	log->base = base;
	log->size_bytes = size_bytes;
	/* A child that lives on must not write into the next generation's memory. */
	return madvise(base, size_bytes, MADV_DONTFORK) ? error_origin(-errno) : 0;
}

static int grow(struct keyed_log *log, size_t size_bytes)
{
	if (fallocate(log->fd, 0, 0, (off_t)size_bytes))
		return error_origin(-errno);
	return map(log, size_bytes);
}

int keyed_log_attach(struct keyed_log *log, int fd, uint64_t end)
{
	struct stat st;
	int r;

	*log = (struct keyed_log){ .fd = fd };
	if (fstat(fd, &st))
		return error_origin(-errno);
	r = st.st_size < (off_t)SIZE_BYTES_MIN ? grow(log, SIZE_BYTES_MIN) : map(log, (size_t)st.st_size);
	if (r)
		return r;
	log->begin = load_relaxed(&header_of(log)->begin);
	log->end = end;
	return end < log->begin || end - log->begin > log->size_bytes - sizeof(struct keyed_log_header) ?
		       KEYED_LOG_E_BROKEN :
		       0;
}

void keyed_log_detach(struct keyed_log *log)
{
	if (log->base)
		munmap(log->base, log->size_bytes);
	log->base = NULL;
	log->fd = fd_close(log->fd);
}

static int make_room(struct keyed_log *log, uint64_t bytes)
{
	size_t size_bytes = log->size_bytes;

	if (bytes <= room(log, log->end))
		return 0;
	while (size_bytes - log->size_bytes + room(log, log->end) < bytes)
		size_bytes *= 2;
	return size_bytes > KEYED_LOG_SIZE_MAX ? KEYED_LOG_E_FULL : grow(log, size_bytes);
}

int keyed_log_write(struct keyed_log *log, const struct keyed_change *change, struct keyed_change *ret_change)
{
	const struct record head = { .value_size_bytes = (uint32_t)change->value.size_bytes,
				     .key_size_bytes = (uint16_t)change->key.size_bytes,
				     .removes = change->removes };
	unsigned char *at;
	int r = make_room(log, record_bytes(head.key_size_bytes, head.value_size_bytes));

	if (r)
		return r;
	at = place(log, log->end);
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	memcpy(at, change->key.data, head.key_size_bytes);
	if (head.value_size_bytes)
		memcpy(at + head.key_size_bytes, change->value.data, head.value_size_bytes);
	*ret_change = (struct keyed_change){ .key = { at, head.key_size_bytes },
					     .value = { at + head.key_size_bytes, head.value_size_bytes },
					     .removes = head.removes };
	return 0;
}

void keyed_log_push(struct keyed_log *log, const struct keyed_change *change)
{
	log->end += record_bytes(change->key.size_bytes, change->value.size_bytes);
}

void keyed_log_cut(struct keyed_log *log, uint64_t position)
{
	log->end = position;
}

int keyed_log_next(const struct keyed_log *log, uint64_t end, uint64_t *position, struct keyed_change *ret_change)
{
	uint64_t left = end - *position;
	const unsigned char *at = place(log, *position);
	struct record head;

	if (!left)
		return KEYED_LOG_E_NONE;
	if (left < sizeof(head))
		return KEYED_LOG_E_BROKEN;
	memcpy(&head, at, sizeof(head));
	if (!head.key_size_bytes || head.key_size_bytes > STATE_STORE_KEY_MAX || head.removes > 1 ||
	    record_bytes(head.key_size_bytes, head.value_size_bytes) > left)
		return KEYED_LOG_E_BROKEN;
	at += sizeof(head);
	*ret_change = (struct keyed_change){ .key = { at, head.key_size_bytes },
					     .value = { at + head.key_size_bytes, head.value_size_bytes },
					     .removes = head.removes };
	*position += record_bytes(head.key_size_bytes, head.value_size_bytes);
	return 0;
}

void keyed_log_reset(struct keyed_log *log)
{
	log->begin = log->end;
	store_relaxed(&header_of(log)->begin, log->begin);
}
