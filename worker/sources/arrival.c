/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing is lost between the kernel and us.
 *
 *     pipe    --splice(2)-------------->  spool    one system call appends to the spool and takes from the pipe; the spool's size
 *                                                  says how much, so it needs no word from a worker that died behind the call
 *     others  --read(2) into a mapping->  spool    the same idea where splice has no way: the bytes land in the spool itself. It is
 *                                                  made longer (zeroes) before and cut to what came afterwards; a worker that died
 *                                                  in between leaves the zeroes behind, and the next one cuts them off
 *
 * The second way has one hole: NUL bytes at the end of that very read are taken for unused room. Lines have none.
 */
#include "worker/sources/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"

#define SPLICE_BYTES ((size_t)1024 * 1024)
#define READ_BYTES ((size_t)64 * 1024)
#define PAGE_BYTES ((uint64_t)4096)

/* The last byte below `size` that is not NUL, plus one; not below `from`. */
static int find_end(int spool, uint64_t from, uint64_t size, uint64_t *ret_end)
{
	char buffer[4096];

	while (size > from) {
		size_t n = size - from < sizeof(buffer) ? (size_t)(size - from) : sizeof(buffer);
		ssize_t got = pread(spool, buffer, n, (off_t)(size - n));

		if (got != (ssize_t)n)
			return error_origin(got < 0 ? -errno : -EIO);
		while (n && buffer[n - 1] == '\0')
			n--, size--;
		if (n)
			break;
	}
	*ret_end = size;
	return 0;
}

int arrival_open(struct arrival *arrival, int from, int spool, uint64_t done)
{
	struct stat st;
	int r;

	*arrival = (struct arrival){ .from = from, .spool = spool };
	if (fstat(from, &st))
		return error_origin(-errno);
	arrival->is_pipe = S_ISFIFO(st.st_mode);
	if (fstat(spool, &st))
		return error_origin(-errno);
	arrival->end = (uint64_t)st.st_size;
	if (arrival->is_pipe)
		return 0;
	r = find_end(spool, done, arrival->end, &arrival->end);
	if (r == 0 && ftruncate(spool, (off_t)arrival->end))
		r = error_origin(-errno);
	return r;
}

static int take_spliced(struct arrival *arrival)
{
	off64_t at = (off64_t)arrival->end;
	ssize_t n = splice(arrival->from, NULL, arrival->spool, &at, SPLICE_BYTES, SPLICE_F_NONBLOCK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? ARRIVAL_E_EMPTY : error_origin(-errno);
	if (n == 0)
		return ARRIVAL_E_END;
	arrival->end += (uint64_t)n;
	return 0;
}

static int take_mapped(struct arrival *arrival)
{
	uint64_t floor = arrival->end & ~(PAGE_BYTES - 1);
	size_t size = (size_t)(arrival->end - floor) + READ_BYTES;
	struct pollfd ready = { .fd = arrival->from, .events = POLLIN };
	char *map;
	ssize_t n;
	int r = 0;

	if (poll(&ready, 1, 0) <= 0)
		return ARRIVAL_E_EMPTY;
	if (ftruncate(arrival->spool, (off_t)(arrival->end + READ_BYTES)))
		return error_origin(-errno);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, arrival->spool, (off_t)floor);
	if (map == MAP_FAILED)
		return error_origin(-errno);
	n = read(arrival->from, map + (arrival->end - floor), READ_BYTES);
	if (n < 0)
		r = errno == EAGAIN || errno == EINTR ? ARRIVAL_E_EMPTY : error_origin(-errno);
	else if (n == 0)
		r = ARRIVAL_E_END;
	else
		arrival->end += (uint64_t)n;
	munmap(map, size);
	if (ftruncate(arrival->spool, (off_t)arrival->end))
		return error_origin(-errno);
	return r;
}

int arrival_take(struct arrival *arrival)
{
	return arrival->is_pipe ? take_spliced(arrival) : take_mapped(arrival);
}

void arrival_forget(const struct arrival *arrival, uint64_t from, uint64_t to)
{
	/* Only memory is at stake, so a refusal is no error. */
	if (to > from)
		(void)fallocate(arrival->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
				(off_t)(to - from));
}
