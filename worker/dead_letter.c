/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One item, one line, one write(2) with O_APPEND: workers of all stages may share the file. A line that could only be written in part
 * (disk full) is closed with a newline before the next one, so that only that line is damaged.
 */
#include "worker/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"

/* A worker has one stage and so one file; it stays open until the process ends. */
static struct {
	int fd;
	bool torn;
	char path[4096];
} letters = { .fd = -1 };

static const char *cause_word(enum dead_letter_cause cause)
{
	return cause == DEAD_LETTER_ATTEMPTS ? "attempts" : "rejected";
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
	letters.torn = false;
	return 0;
}

static void add_time(struct text *line)
{
	struct timespec now;
	struct tm utc;
	char day[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
	text_printf(line, "\"%s.%03ldZ\"", day, now.tv_nsec / 1000000);
}

static void add_base64(struct text *line, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	text_add_char(line, '"');
	for (size_t i = 0; i < n; i += 3) {
		unsigned word = (unsigned)bytes[i] << 16 | (i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0) |
				(i + 2 < n ? bytes[i + 2] : 0);

		text_add_char(line, digits[word >> 18]);
		text_add_char(line, digits[word >> 12 & 63]);
		text_add_char(line, i + 1 < n ? digits[word >> 6 & 63] : '=');
		text_add_char(line, i + 2 < n ? digits[word & 63] : '=');
	}
	text_add_char(line, '"');
}

static void add_string(struct text *line, const char *key, const char *value)
{
	text_printf(line, ",\"%s\":", key);
	text_add_json(line, value ? value : "", value ? strlen(value) : 0);
}

static void add_payload(struct text *line, const struct dead_letter *letter)
{
	const char *data = letter->size_bytes ? letter->data : "";

	if (text_is_utf8(data, letter->size_bytes)) {
		text_add(line, ",\"payload\":");
		text_add_json(line, data, letter->size_bytes);
	} else {
		text_add(line, ",\"payload_base64\":");
		add_base64(line, (const unsigned char *)data, letter->size_bytes);
	}
}

static void letter_format(struct text *line, const struct dead_letter *letter)
{
	text_add(line, "{\"time\":");
	add_time(line);
	add_string(line, "pipeline", letter->pipeline);
	add_string(line, "stage", letter->stage);
	text_printf(line, ",\"worker\":%u", letter->worker_index);
	add_string(line, "cause", cause_word(letter->cause));
	add_string(line, "reason", letter->reason);
	text_printf(line, ",\"attempts\":%u,\"sequence\":%llu", letter->attempts, (unsigned long long)letter->sequence);
	add_string(line, "input", letter->input);
	text_printf(line, ",\"size\":%zu", letter->size_bytes);
	add_payload(line, letter);
	text_add(line, "}\n");
}

int dead_letter_write(const char *path, const struct dead_letter *letter)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;
	size_t written = 0;
	int r = letters_open(path);

	if (r < 0)
		return r;
	if (letters.torn)
		text_add_char(&line, '\n');
	letter_format(&line, letter);
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
	return fsync(letters.fd) && errno != EINVAL && errno != EROFS ? error_origin(-errno) : 0;
}
