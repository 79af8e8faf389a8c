/* SPDX-License-Identifier: Apache-2.0 */
/* A regular expression of PCRE2's with named groups, compiled once, and bounded. Worker process; private memory only. */
#pragma once

#include <msgpack/sbuffer.h>
#include <stdint.h>

#include "worker/script/guard.h"

struct regex_program;

struct regex_settings {
	const char *pattern;
	uint32_t n_steps_max;  /* that one match may take */
	uint64_t memory_bytes; /* that one match may take */
	size_t size_max;       /* bytes of what is written of one match */
};

struct regex_fault {
	char why[256];
	uint32_t line; /* of the pattern, from 1; 0: all of it */
};

/* Compiles. Returns 0; -EINVAL and why: it does not compile, or has no named group; -ENOMEM. */
int regex_program_new(const struct regex_settings *settings, struct regex_program **ret_program,
		      struct regex_fault *fault);
void regex_program_free(struct regex_program *program); /* fine on NULL */

/* The name of the i-th named group, in the order in which they are opened; of a name given twice, once. NULL: there are no more. */
const char *regex_program_name(const struct regex_program *program, uint32_t i);

enum {
	REGEX_E_NO_MATCH = 1,
	REGEX_E_TEXT,     /* it is no UTF-8 */
	REGEX_E_STEPS,    /* it took more steps than it may */
	REGEX_E_MEMORY,   /* it took more memory than it may */
	REGEX_E_SIZE,     /* what its groups have matched is more than size_max */
	REGEX_E_DEADLINE, /* the item's time is over, or would be */
	REGEX_E_CANCELLED,
	REGEX_E_INSIDE, /* PCRE2 gives it up: regex_program_complaint() */
};

/*
 * Looks for the first match in the text, and writes a map from the names to what their groups have matched, without those that took no
 * part, to the end of `ret`. The guard, which has begun with the item in hand, is looked at now and then. Allocates nothing once the
 * buffers have grown. Returns 0 or REGEX_E_*; -ENOMEM.
 */
int regex_program_match(struct regex_program *program, struct weir_context *context, struct guard *guard,
			const char *text, size_t size_bytes, msgpack_sbuffer *ret);
/* Static; of the last REGEX_E_INSIDE. */
const char *regex_program_complaint(const struct regex_program *program);
