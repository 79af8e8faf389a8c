/* SPDX-License-Identifier: Apache-2.0 */
/* What was said behind `weir run`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/spec/spec.h"

struct display_settings;

enum { RUN_OVERRIDES_MAX = 64 };

/* All strings are the argument vector's. */
struct run_arguments {
	const char *spec;
	struct spec_override overrides[RUN_OVERRIDES_MAX];
	size_t n_overrides;
	bool locked;      /* the files must be those of SPEC.lock */
	const char *keep; /* folder; NULL: nobody keeps anything */
	int64_t keep_for_ns;
};

/*
 * Reads the arguments into `arguments`, whose members are 0 or defaults, and what concerns the display into `settings`; cuts those of --set
 * in two.
 * Returns -1 to go on, else the exit code: help was asked for, or an error has been said.
 */
int run_arguments_parse(struct run_arguments *arguments, int argc, char **argv, struct display_settings *settings);
