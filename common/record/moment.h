/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as text. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTC; second is before 1970 if negative. */
struct moment {
	int64_t second;
	uint32_t ns;
};
#define MOMENT_TEXT_SIZE 40u
#define MOMENT_FORMAT_SIZE_MAX 127u

/* How times are spelled. */
enum moment_spelling {
	MOMENT_RFC3339 = 0, /* 2026-11-02T15:04:05.250Z, +02:00; a blank may stand for the T */
	MOMENT_UNIX,        /* a number of units since 1970 */
	MOMENT_FORMAT, /* as strptime(3) has it, in English, and %f for a fraction of a second; UTC unless %z says otherwise */
};
struct moment_form {
	enum moment_spelling spelling;
	uint32_t unit_ns;                        /* UNIX */
	char format[MOMENT_FORMAT_SIZE_MAX + 1]; /* FORMAT: what stands before %f, or all */
	char behind[MOMENT_FORMAT_SIZE_MAX + 1]; /* ... and behind it */
	bool has_fraction;
};

/*
 * Reads how: "" for RFC 3339; "unix", "unix_ms", "unix_us", "unix_ns"; else a format. Returns NULL, or what is wrong with it, the end of
 * a sentence that begins with it; static.
 */
const char *moment_form_read(const char *text, struct moment_form *ret);

/* Returns false: it is no time that is spelled so, or none in the years 0 to 9999. */
bool moment_read(const struct moment_form *form, const char *text, size_t size_bytes, struct moment *ret);
/* As RFC 3339, in UTC, with three, six or nine digits behind the second, or none where they would be zero. Returns the length. */
size_t moment_write(const struct moment *moment, char room[MOMENT_TEXT_SIZE]);
