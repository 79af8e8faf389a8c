/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a spec, bounded in size, time and alphabet before anything else looks at them. */
#pragma once

#include <stddef.h>

#include "broker/spec/spec.h"

#define SOURCE_SIZE_MAX ((size_t)1024 * 1024)

/*
 * Reads path ("-": standard input) into diagnostics->source, without a byte order mark. Never more than SOURCE_SIZE_MAX, never longer
 * than 10 s for a pipe. Returns 0, or SPEC_E_INVALID with the reason in diagnostics.
 */
int source_read(const char *path, struct diagnostics *diagnostics);

/* The same of a text in memory, which is copied. */
int source_take(const char *text, size_t size, struct diagnostics *diagnostics);

/* Where a byte of the source is: line, and column in characters, both from 1. */
struct spec_position source_position(const char *source, size_t offset);

/* Length of the UTF-8 character at s, of which n > 0 bytes are there; 0: it is none. */
size_t source_character(const char *s, size_t n);
