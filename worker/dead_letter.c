/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One item, one line, one write(2) with O_APPEND: workers of all stages may share the file. A turn's lines are synced once, before its
 * commit. A line that could only be written in part (disk full) is closed with a newline before the next one, so that only that line is
 * damaged.
 */
#include "worker/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"

/* A worker has one stage and so one file; it stays open until the process ends. */
static struct {
	int fd;
	bool torn;
	int sync_failed; /* the kernel says so once, and some line before it may be lost */
	char path[4096];
} letters = { .fd = -1 };

/* By whoever found no room and ended; a pipe or a terminal is never. */
static bool is_torn(const char *path)
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char last;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	       pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

static int letters_open(const char *path)
{
	if (letters.fd >= 0 && strcmp(letters.path, path) == 0)
		return 0;
	if (strlen(path) >= sizeof(letters.path))
		return error_origin(-ENAMETOOLONG);
	letters.fd = fd_close(letters.fd);
	letters.fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (letters.fd < 0)
		return error_origin(-errno);
	strcpy(letters.path, path);
	letters.torn = is_torn(path);
	letters.sync_failed = 0;
	return 0;
}

int dead_letter_write(const char *path, const struct dead_letter *letter)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;
	struct dead_letter now = *letter;
	size_t written = 0;
	int r = letters_open(path);

	if (r < 0)
		return r;
	if (letters.torn)
		text_add_char(&line, '\n');
	now.time_ns = now.time_ns ? now.time_ns : clock_realtime_ns();
	dead_letter_format_json(&now, LETTER_WITH_PAYLOAD, &line);
	text_add_char(&line, '\n');
	while (written < line.length) {
		ssize_t n = write(letters.fd, line.data + written, line.length - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = error_origin(-errno);
			letters.torn = letters.torn || written;
			return r;
		}
		written += (size_t)n;
	}
	letters.torn = false;
	return 0;
}

int dead_letter_sync(void)
{
	/* A pipe or a terminal has nothing to sync. */
	if (letters.fd >= 0 && !letters.sync_failed && fsync(letters.fd) && errno != EINVAL && errno != EROFS)
		letters.sync_failed = error_origin(-errno);
	return letters.sync_failed;
}
