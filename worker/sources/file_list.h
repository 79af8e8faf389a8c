/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a list of paths and globs means, and keeping the answer in a spool for the worker's next generations. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

struct file_list {
	char **names; /* owned, each too */
	size_t n_names;
};

#define FILE_LIST_NULL \
	{              \
		0      \
	}

void file_list_deinit(struct file_list *list);

/*
 * Expands the paths in their order, each glob sorted. Returns 0; WEIR_FAILED after weir_fail() (a glob that matches nothing);
 * -ENOMEM.
 */
int file_list_expand(struct file_list *list, struct weir_context *context, const char *const *paths);

/*
 * The same where files come and go: a glob that matches nothing adds nothing, and so does a folder that can't be read, the last of which is
 * said in `unreadable` ("" if there is none; cut to size_bytes). Returns 0 or -ENOMEM.
 */
int file_list_look(struct file_list *list, const char *const *paths, char *unreadable, size_t size_bytes);
/* Whether a path has to be looked for; a file that is really called so is meant as it stands. */
bool file_list_is_pattern(const char *path);

/* Writes the names into the file, from its start. Returns 0, their hash and number of bytes; -errno. */
int file_list_save(const struct file_list *list, int fd, uint64_t *ret_hash, uint64_t *ret_bytes);
/* Reads them back. Returns 0; -EBADMSG if the bytes are others; -errno. */
int file_list_load(struct file_list *list, int fd, uint64_t hash, uint64_t bytes);

/*
 * Opens a file of the list for reading. Returns 0, the fd (the caller's) and its size; WEIR_FAILED after weir_fail(): missing,
 * unreadable, or not a regular file.
 */
int file_list_open(struct weir_context *context, const char *name, int *ret_fd, uint64_t *ret_size);
