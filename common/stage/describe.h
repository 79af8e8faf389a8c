/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage's descriptor as bytes: what `weir-worker --describe PATH` prints about a plugin, so that the broker learns its role and
 * options without ever loading foreign code into itself. Standard output: one msgpack document, exit status 0. If the plugin
 * can't be used: nothing on standard output, one line with the reason on standard error, exit status 1.
 */
#pragma once

#include <stddef.h>
#include <weir/stage.h>

#define STAGE_DESCRIPTION_SIZE_MAX (1024u * 1024u)

/* A descriptor that was read back: callbacks NULL; every pointer in `stage` belongs to the description. */
struct stage_description {
	struct weir_stage stage;
	struct weir_option *options; /* what stage.options points to */
	char *strings;               /* what every string points into */
};

enum { STAGE_E_BAD_DESCRIPTION = 2 }; /* not a description, of another version, or senseless */

/*
 * Turns the descriptor (everything but the callbacks) into bytes. Any process. Returns 0, the bytes (the caller frees) and their
 * number; STAGE_E_BAD_DESCRIPTION if the descriptor itself is senseless (no name, an option without name, size or
 * counts out of bounds); -ENOMEM.
 */
int stage_description_write(const struct weir_stage *stage, char **ret_bytes, size_t *ret_size);

/*
 * Reads it back; the bytes come from another process and are trusted in nothing. Returns 0 and the description, which
 * stage_description_free() frees; STAGE_E_BAD_DESCRIPTION; -ENOMEM.
 */
int stage_description_read(const void *bytes, size_t size, struct stage_description **ret_description);

/* Frees; fine on NULL. Returns NULL. */
struct stage_description *stage_description_free(struct stage_description *description);
