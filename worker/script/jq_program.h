/* SPDX-License-Identifier: Apache-2.0 */
/* A jq expression, compiled once, and run item by item within the bounds of a guard. Worker process. */
#pragma once

#include <jv.h>
#include <stdint.h>

#include "worker/script/guard.h"

struct jq_program;

struct jq_fault {
	uint32_t line; /* of the expression, from 1 */
	char why[400]; /* jq's own words */
};

/* Takes some 30 ms, for jq compiles its own library with it. Returns 0; -EINVAL and what is wrong; -ENOMEM. */
int jq_program_new(const char *source, struct jq_program **ret_program, struct jq_fault *fault);
void jq_program_free(struct jq_program *program);
/* With a guard in context: it can stop the program from here on. memory_bytes as in struct guard_settings. Returns 0 or -errno. */
int jq_program_guard(struct jq_program *program, struct weir_context *context, uint64_t memory_bytes);
struct guard *jq_program_guard_of(const struct jq_program *program);

enum {
	JQ_E_END = 1,   /* there are no more values */
	JQ_E_ERROR = 2, /* it has failed: jq_program_error() */
};

/* Begins with this input, which it consumes; what an earlier one has left is dropped. */
void jq_program_start(struct jq_program *program, jv input);
/* The next value, the caller's to free. Returns 0, JQ_E_*. Once the guard has stopped it: JQ_E_END. */
int jq_program_next(struct jq_program *program, jv *ret_value);
/* Drops what it has left, before its end, and all that it holds. */
void jq_program_drop(struct jq_program *program);
/* jq's message; the program's, until the next start. */
const char *jq_program_error(const struct jq_program *program);
