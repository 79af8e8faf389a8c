/* SPDX-License-Identifier: Apache-2.0 */
/* A program as the spec names it: found, described, and judged by its exit status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "worker/exec/surroundings.h"

struct weir_context;

#define PROGRAM_TITLE_SIZE 96u

struct program {
	const char *const *argv; /* borrowed from the options, NULL-terminated */
	char *path;              /* what argv[0] was found as; owned */
	char **script_argv;      /* for a file without "#!": sh, path, arguments; owned array of borrowed strings */
	bool shell;              /* given as a string, for sh -c */
	char title[PROGRAM_TITLE_SIZE]; /* the command in short, for messages */
	uint8_t ok_exit[256 / 8];       /* bit set: this exit status is success */
	struct surroundings surroundings;
};

#define PROGRAM_NULL \
	{            \
		0    \
	}

/* How a program ended. */
struct program_end {
	bool signaled;
	int code; /* exit status, or signal number */
};

enum { PROGRAM_E_BAD = 1 };

/*
 * Reads the options `command`, `ok_exit` and its surroundings', and looks the program up. Returns 0; PROGRAM_E_BAD with a sentence for
 * the user appended to *why: not found, not executable, ok_exit senseless; -ENOMEM. program_deinit() frees.
 */
int program_init(struct program *program, struct weir_context *context, struct text *why);
/* Frees; fine on PROGRAM_NULL and twice. */
void program_deinit(struct program *program);

bool program_end_is_ok(const struct program *program, const struct program_end *end);
/* "exit status 3", "killed by signal 9 (KILL)". */
void program_end_describe(const struct program_end *end, struct text *text);
/* What a person may do about it; starts with ": ". may_be_ok: whether ok_exit could make it a good end. */
void program_end_advise(const struct program *program, const struct program_end *end, bool may_be_ok,
			struct text *text);
