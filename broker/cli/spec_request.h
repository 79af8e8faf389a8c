/* SPDX-License-Identifier: Apache-2.0 */
/* What check, lock and graph share: their arguments, loading the spec, showing what was found. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/spec/spec.h"

#define SPEC_REQUEST_SETTINGS_MAX 64u

struct spec_request {
	const char *path;
	bool json;
	bool locked;        /* --locked: the files must be those of SPEC.lock */
	const char *format; /* of graph; NULL: not given */
	struct spec_override overrides[SPEC_REQUEST_SETTINGS_MAX];
	size_t n_overrides;
	struct plan *plan; /* NULL: the spec has errors */
	struct diagnostics diagnostics;
};
#define SPEC_REQUEST_NULL \
	{                 \
		0         \
	}

/* Reads argv[0] = the verb and what follows; "KEY=VALUE" words are cut in place. Returns -1 to go on, else the exit code. */
int spec_request_parse(struct spec_request *request, int argc, char **argv);
/* Loads; findings go to stderr for people, unless json. Returns 0; EXIT_SPEC_INVALID; EXIT_TRY_AGAIN (no memory), said. Blocks. */
int spec_request_load(struct spec_request *request);
void spec_request_deinit(struct spec_request *request);
static inline void spec_request_deinit_cleanup(struct spec_request *request)
{
	spec_request_deinit(request);
}

/* Writes text to standard output. Returns 0, or EXIT_TRY_AGAIN when it can't be written, said. */
int spec_request_print(const struct text *text);
