/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_keys.h"

#include <string.h>

#define ESCAPE '\033'

static const struct key_line {
	enum top_key key;
	const char *bytes, *name, *summary;
} keys[] = {
#define TOP_KEY(id_, bytes_, name_, summary_) { TOP_KEY_##id_, bytes_, name_, summary_ },
#include "broker/cli/top_key.def"
#undef TOP_KEY
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

/* Bytes of the sequence that begins with Esc; 0: its end has not come. Keys that we do not know are read past, too. */
static size_t sequence_length(const char *bytes, size_t n)
{
	size_t i = 2;

	if (n < 2)
		return 0;
	if (bytes[1] == 'O')
		return n < 3 ? 0 : 3;
	if (bytes[1] != '[')
		return 1;
	while (i < n && !((unsigned char)bytes[i] >= 0x40 && (unsigned char)bytes[i] <= 0x7e))
		i++;
	return i < n ? i + 1 : 0;
}

static enum top_key find(const char *bytes, size_t n)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strlen(keys[i].bytes) == n && memcmp(keys[i].bytes, bytes, n) == 0)
			return keys[i].key;
	return TOP_KEY_NONE;
}

enum top_key top_key_read(const char *bytes, size_t n, bool all, size_t *ret_used)
{
	size_t length = *bytes == ESCAPE ? sequence_length(bytes, n) : 1;

	if (!length && !all) {
		*ret_used = n;
		return TOP_KEY_PART;
	}
	*ret_used = length ? length : 1;
	return find(bytes, *ret_used);
}

size_t top_keys_help(struct text *text)
{
	size_t n = 0;

	for (size_t i = 0; i < N_KEYS; i++) {
		if (!*keys[i].name)
			continue;
		text_printf(text, "  %-16s %s\n", keys[i].name, keys[i].summary);
		n++;
	}
	return n;
}
