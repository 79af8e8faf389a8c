/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a new project: scaffold/, put in by the build. */
#pragma once

#include <stddef.h>

#include "common/base/text.h"

struct scaffold_file {
	const char *project; /* "pipeline", "plugin" */
	const char *name;    /* within the project; NAME in it is the project's name */
	const unsigned char *bytes;
	size_t n_bytes;
};
extern const struct scaffold_file scaffold_files[];
extern const size_t n_scaffold_files;

/* The file's name, and what is in it, with the project's own name. Pure. */
void scaffold_name(const struct scaffold_file *file, const char *name, struct text *text);
void scaffold_text(const struct scaffold_file *file, const char *name, struct text *text);

/*
 * Makes the folder `path` with all files of that kind of project, or leaves nothing: they are written beside it, into a folder with a
 * hidden name, which gets its own at the end. Returns 0; SCAFFOLD_E_TAKEN: something is there already; -errno, with what could not be done
 * in *why. Blocks: the disk.
 */
enum { SCAFFOLD_E_TAKEN = 1 };
int scaffold_write(const char *project, const char *path, const char *name, struct text *why);
