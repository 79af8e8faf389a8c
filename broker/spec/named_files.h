/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a plan runs: the plugins, programs and scripts that its spec names. Not what they read and write. */
#pragma once

#include <stddef.h>

#include "broker/spec/plan.h"
#include "common/base/text.h"

struct named_file {
	char *path;        /* owned; as the spec has it, but in its stage's `cwd` */
	const char *what;  /* "plugin", "program", "script", "file"; static */
	const char *stage; /* borrowed from the plan; NULL: the spec itself */
	struct spec_position position;
};

struct named_files {
	struct named_file *list; /* owned; each path once, in the order of the spec */
	size_t n;
	struct text unseen; /* lines: what is run, too, and can't be told from the spec */
};
#define NAMED_FILES_NULL \
	{                \
		0        \
	}

/* All of them, the spec first. Looks at the disk, to tell files from other words of a command. named_files_deinit() frees. */
void named_files_of(const struct plan *plan, struct named_files *ret_files);
void named_files_deinit(struct named_files *files);
static inline void named_files_deinit_cleanup(struct named_files *files)
{
	named_files_deinit(files);
}
