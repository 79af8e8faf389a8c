/* SPDX-License-Identifier: Apache-2.0 */
/* The options that several exec stages share, read the same way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <weir/stage.h>

#include "worker/split.h"

#define EXEC_SPOOL_BYTES_FALLBACK (UINT64_C(64) * 1024 * 1024)

/* Is the option given, with this word? */
static inline bool exec_option_is(const struct weir_context *context, const char *name, const char *word)
{
	const char *value = weir_option_string(context, name);

	return value && !strcmp(value, word);
}

/* `join` or `split`; lines if not given. */
static inline enum split_mode exec_option_mode(const struct weir_context *context, const char *name)
{
	return exec_option_is(context, name, "stanzas") ? SPLIT_STANZAS : SPLIT_LINES;
}

/* Bound of each spool in bytes: the stage key `spool`. */
static inline uint64_t exec_option_spool(const struct weir_context *context)
{
	int64_t bytes = weir_option_integer(context, "spool");

	return bytes > 0 ? (uint64_t)bytes : EXEC_SPOOL_BYTES_FALLBACK;
}

/* A number that may be left out. */
static inline uint64_t exec_option_number(const struct weir_context *context, const char *name, uint64_t fallback)
{
	int64_t value = weir_option_given(context, name) ? weir_option_integer(context, name) : 0;

	return weir_option_given(context, name) && value >= 0 ? (uint64_t)value : fallback;
}
