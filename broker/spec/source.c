/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/spec/memory.h"
#include "broker/spec/source.h"
#include "common/base/clock.h"

#define PIPE_WAIT_NS (10 * NS_PER_S)
#define ADVICE "a spec is at most 1 MiB"

static const struct spec_position nowhere = { 0, 0 };

size_t source_character(const char *s, size_t n)
{
	unsigned char first = (unsigned char)s[0], second = n > 1 ? (unsigned char)s[1] : 0;
	size_t length = first < 0x80 ? 1 :
			first < 0xc2 ? 0 :
			first < 0xe0 ? 2 :
			first < 0xf0 ? 3 :
			first < 0xf5 ? 4 :
				       0;

	if (!length || length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
	if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
	    (first == 0xf4 && second > 0x8f))
		return 0;
	return length;
}

struct spec_position source_position(const char *source, size_t offset)
{
	struct spec_position position = { 1, 1 };

	for (size_t i = 0; i < offset; i++) {
		if (source[i] == '\n' || (source[i] == '\r' && source[i + 1] != '\n')) {
			position.line++;
			position.column = 1;
		} else if (((unsigned char)source[i] & 0xc0) != 0x80) {
			position.column++;
		}
	}
	return position;
}

static int refuse(struct diagnostics *diagnostics, struct spec_position position, const char *what)
{
	diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, NULL, "%s", what);
	return SPEC_E_INVALID;
}

static int check_alphabet(struct diagnostics *diagnostics)
{
	const char *source = diagnostics->source;

	for (size_t i = 0, length; i < diagnostics->source_size; i += length) {
		unsigned char c = (unsigned char)source[i];

		length = source_character(source + i, diagnostics->source_size - i);
		if (!length)
			return refuse(diagnostics, source_position(source, i),
				      "this is not UTF-8; a spec is UTF-8 text");
		if (c == '\0')
			return refuse(diagnostics, source_position(source, i), "a NUL byte; a spec is UTF-8 text");
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
			return refuse(diagnostics, source_position(source, i),
				      "a control character; a spec is UTF-8 text");
	}
	return 0;
}

/* Waits until fd can be read or the deadline has passed; only pipes and terminals ever make one wait. */
static int wait_readable(int fd, uint64_t deadline_ns)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };
	int r;

	do {
		r = poll(&item, 1, deadline_poll_ms(deadline_ns, clock_now_ns(), -1));
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* Reads up to one byte more than is allowed. Returns the number of bytes or -errno. */
static ssize_t read_bounded(int fd, char *buffer, uint64_t deadline_ns)
{
	size_t size = 0;

	while (size <= SOURCE_SIZE_MAX) {
		int r = wait_readable(fd, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, buffer + size, SOURCE_SIZE_MAX + 1 - size);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			size += (size_t)n;
	}
	return (ssize_t)size;
}

/* diagnostics->source has `size` bytes, and room for one more. */
static int check_source(size_t size, struct diagnostics *diagnostics)
{
	char *buffer = diagnostics->source;
	size_t mark = size >= 3 && memcmp(buffer, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	if (size > SOURCE_SIZE_MAX)
		return refuse(diagnostics, nowhere, "more than 1048576 bytes; " ADVICE);
	memmove(buffer, buffer + mark, size - mark);
	diagnostics->source_size = size - mark;
	buffer[diagnostics->source_size] = '\0';
	return check_alphabet(diagnostics);
}

int source_take(const char *text, size_t size, struct diagnostics *diagnostics)
{
	diagnostics->source = spec_alloc(1, size + 1);
	memcpy(diagnostics->source, text, size);
	return check_source(size, diagnostics);
}

static int read_fd(int fd, bool is_stdin, struct diagnostics *diagnostics)
{
	char *buffer = spec_alloc(1, SOURCE_SIZE_MAX + 2);
	ssize_t size = read_bounded(fd, buffer, is_stdin ? 0 : clock_now_ns() + PIPE_WAIT_NS);

	diagnostics->source = buffer;
	if (size < 0) {
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, nowhere, NULL, "cannot be read: %s",
				size == -ETIMEDOUT ? "nothing more came for 10 s" : strerror((int)-size));
		return SPEC_E_INVALID;
	}
	return check_source((size_t)size, diagnostics);
}

int source_read(const char *path, struct diagnostics *diagnostics)
{
	bool is_stdin = strcmp(path, "-") == 0;
	_cleanup_(close) int fd = -1;
	struct stat status;

	if (is_stdin)
		return read_fd(STDIN_FILENO, true, diagnostics);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) < 0) {
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, nowhere, NULL, "cannot be opened: %s", strerror(errno));
		return SPEC_E_INVALID;
	}
	if (S_ISDIR(status.st_mode))
		return refuse(diagnostics, nowhere, "is a folder; name the spec file in it");
	if (S_ISREG(status.st_mode) && (size_t)status.st_size > SOURCE_SIZE_MAX) {
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, nowhere, NULL, "%lld bytes; " ADVICE,
				(long long)status.st_size);
		return SPEC_E_INVALID;
	}
	return read_fd(fd, false, diagnostics);
}
