/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream that systemd gives a service as standard error can carry a priority in front of each line, and nothing else. Fields are for
 * messages to the journal's socket, which libsystemd writes. The journal finds the unit of a message by the control group of its sender,
 * so it is the same either way.
 */
#include "broker/cli/journal.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "broker/cli/log_line.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define PRIORITY_PLAIN '6'

bool journal_takes_fields(int fd)
{
	return log_is_journal(fd) && access(JOURNAL_SOCKET, W_OK) == 0;
}

/* "<4>": its digit, and *at goes behind it. */
static char take_priority(const char **at, const char *end)
{
	char digit;

	if (end - *at < 3 || (*at)[0] != '<' || (*at)[1] < '0' || (*at)[1] > '7' || (*at)[2] != '>')
		return PRIORITY_PLAIN;
	digit = (*at)[1];
	*at += 3;
	return digit;
}

/* The fields, without their marks; none if there is no second mark. *at goes behind it. */
static struct iovec take_block(const char **at, const char *end)
{
	const char *last =
		*at < end && **at == JOURNAL_MARK ? memchr(*at + 1, JOURNAL_MARK, (size_t)(end - *at - 1)) : NULL;
	struct iovec block = { NULL, 0 };

	if (!last)
		return block;
	block = (struct iovec){ (char *)(uintptr_t)(*at + 1), (size_t)(last - *at - 1) };
	*at = last + 1;
	return block;
}

size_t journal_fields(const char *line, size_t size_bytes, struct text *text,
		      struct iovec fields[static JOURNAL_FIELDS_MAX])
{
	const char *at = line, *end = line + size_bytes - (size_bytes && line[size_bytes - 1] == '\n');
	char priority = take_priority(&at, end);
	struct iovec block = take_block(&at, end);
	const char *word = block.iov_base, *after = block.iov_base ? word + block.iov_len : NULL;
	size_t n = 1, begin;

	text_clear(text);
	text_printf(text, "PRIORITY=%cMESSAGE=", priority);
	text_add_bytes(text, at, (size_t)(end - at));
	begin = strlen("PRIORITY=N");
	fields[0] = (struct iovec){ text->data, begin };
	while (word && word < after && n < JOURNAL_FIELDS_MAX - 1) {
		const char *next = memchr(word, JOURNAL_SEPARATOR, (size_t)(after - word));

		next = next ? next : after;
		fields[n++] = (struct iovec){ (char *)(uintptr_t)word, (size_t)(next - word) };
		word = next + 1;
	}
	fields[n] = (struct iovec){ text->data + begin, text->length - begin };
	return n + 1;
}

static int write_plain(int fd, const char *line, size_t size_bytes)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const char *at = line, *end = line + size_bytes;

	text_printf(&text, "<%c>", take_priority(&at, end));
	take_block(&at, end);
	text_add_bytes(&text, at, (size_t)(end - at));
	return write(fd, text_get(&text), text.length) == (ssize_t)text.length ? 0 : -errno;
}

int journal_send(int fd, const char *line, size_t size_bytes)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct iovec fields[JOURNAL_FIELDS_MAX];
	size_t n = journal_fields(line, size_bytes, &text, fields);

	if (sd_journal_sendv(fields, (int)n) >= 0)
		return 0;
	return write_plain(fd, line, size_bytes);
}
