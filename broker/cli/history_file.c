/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/cli/courier.h"
#include "common/base/atomic.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/store/store_folder.h"

#define BACKLOG_BYTES (256u << 10)
#define STALL_NS (2 * NS_PER_S)
#define END_NS (5 * NS_PER_S)

struct history_file {
	char *path, *old, *folder;
	struct courier *courier; /* NULL: there is no room for a thread, and nothing is kept */
	int fd;                  /* the thread's; -1: not open */
	uint64_t size_bytes;     /* the thread's */
	uint64_t n_dropped;      /* the loop's: there was no room */
	atomic_u64 n_lost;       /* by the thread */
	atomic_u32 lost_errno;
};

/* ---- in the thread ---- */

static uint64_t count_lines(const char *bytes, size_t size_bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size_bytes; i++)
		n += bytes[i] == '\n';
	return n;
}

/* Returns 0 or -errno. */
static int open_file(struct history_file *file)
{
	struct stat st;
	int r = store_folder_make(file->folder);

	if (r < 0)
		return r;
	file->fd = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0 || fstat(file->fd, &st))
		return -errno;
	file->size_bytes = (uint64_t)st.st_size;
	return 0;
}

/* Whole lines only: a write that breaks off is taken back. Returns 0 or -errno. */
static int write_lines(struct history_file *file, const char *bytes, size_t size_bytes)
{
	ssize_t n = write(file->fd, bytes, size_bytes);
	int error = n < 0 ? errno : ENOSPC;

	if (n == (ssize_t)size_bytes) {
		file->size_bytes += size_bytes;
		return 0;
	}
	(void)!ftruncate(file->fd, (off_t)file->size_bytes);
	return -error;
}

static void turn_over(struct history_file *file)
{
	file->fd = fd_close(file->fd);
	(void)rename(file->path, file->old);
}

static void deliver(void *data, const char *bytes, size_t size_bytes)
{
	struct history_file *file = data;
	int r = 0;

	if (!size_bytes)
		return;
	if (file->fd < 0)
		r = open_file(file);
	if (r == 0 && file->size_bytes >= HISTORY_FILE_BYTES_MAX) {
		turn_over(file);
		r = open_file(file);
	}
	if (r == 0)
		r = write_lines(file, bytes, size_bytes);
	if (r < 0) {
		store_relaxed(&file->n_lost, load_relaxed(&file->n_lost) + count_lines(bytes, size_bytes));
		store_relaxed(&file->lost_errno, (uint32_t)-r);
	}
	courier_moved(file->courier);
}

/* ---- in the loop ---- */

struct history_file *history_file_new(const char *path)
{
	struct history_file *file = calloc(1, sizeof(*file));
	struct text old = TEXT_NULL;

	must(file);
	text_printf(&old, "%s" HISTORY_FILE_OLD, path);
	file->path = strdup(path);
	file->folder = strdup(path);
	must(file->path && file->folder);
	file->old = text_steal(&old);
	if (strrchr(file->folder, '/'))
		*strrchr(file->folder, '/') = '\0';
	file->fd = -1;
	if (courier_new("weir-history", deliver, file, &file->courier) < 0)
		store_relaxed(&file->lost_errno, EAGAIN);
	return file;
}

void history_file_add(struct history_file *file, const char *line)
{
	if (file && (!file->courier || !courier_post(file->courier, line, strlen(line), BACKLOG_BYTES)))
		file->n_dropped++;
}

uint64_t history_file_close(struct history_file *file, int *ret_errno)
{
	uint64_t n;
	bool ended = true;

	*ret_errno = 0;
	if (!file)
		return 0;
	if (file->courier) {
		if (!courier_wait(file->courier, STALL_NS, END_NS))
			file->n_dropped++;
		ended = courier_free(file->courier);
	}
	n = file->n_dropped + load_relaxed(&file->n_lost);
	*ret_errno = load_relaxed(&file->lost_errno) ? (int)load_relaxed(&file->lost_errno) : n ? ETIMEDOUT : 0;
	if (!ended)
		return n; /* the thread is in the kernel yet, and will come back to it */
	fd_close(file->fd);
	free(file->path);
	free(file->old);
	free(file->folder);
	free(file);
	return n;
}

/* ---- for whoever asks ---- */

static int read_one(const char *path, struct text *text)
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char bytes[65536];
	ssize_t n = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	/* A batch may be written behind the limit; who has made it larger than that is not us. */
	while (text->length < 4ul * HISTORY_FILE_BYTES_MAX && (n = read(fd, bytes, sizeof(bytes))) > 0)
		text_add_bytes(text, bytes, (size_t)n);
	return n < 0 ? -errno : 0;
}

int history_file_read(const char *path, struct text *text)
{
	_cleanup_(text_deinit) struct text old = TEXT_NULL;
	int r;

	text_printf(&old, "%s" HISTORY_FILE_OLD, path);
	r = read_one(text_get(&old), text);
	return r < 0 ? r : read_one(path, text);
}
