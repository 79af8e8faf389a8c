/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal sends when a key is pressed, and what that means to `weir top`. Pure. */
#pragma once

#include <stddef.h>

#include "common/base/text.h"

/* NONE: no key of ours. PART: more has to come before it is one; if nothing does, it was the key Esc. */
enum top_key {
	TOP_KEY_NONE,
	TOP_KEY_PART,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_FIRST,
	TOP_KEY_LAST,
	TOP_KEY_INTO,
	TOP_KEY_BACK,
	TOP_KEY_SORT,
	TOP_KEY_REVERSE,
	TOP_KEY_PAUSE,
	TOP_KEY_REFRESH,
	TOP_KEY_HELP,
	TOP_KEY_QUIT,
};

/*
 * The first key of the n > 0 bytes that have come; *ret_used > 0 of them are its. all: nothing more will come, so that nothing is a part.
 */
enum top_key top_key_read(const char *bytes, size_t n, bool all, size_t *ret_used);
/* The keys that can be pressed, a line for each. */
size_t top_keys_help(struct text *text);
