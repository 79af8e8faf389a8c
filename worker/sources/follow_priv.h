/* SPDX-License-Identifier: Apache-2.0 */
/* What follow_files.c and follow_scan.c have in common. */
#pragma once

#include "common/base/hash.h"
#include "worker/sources/follow_files.h"
#include "worker/sources/follow_look.h"

static inline uint64_t hash_inode(uint64_t device, uint64_t inode)
{
	return hash_mix(hash_mix(0, device), inode);
}

static inline uint64_t hash_name(const char *name)
{
	return hash_bytes(0, name, strlen(name));
}

/* As many as the table has room for. Returns 0 or -ENOMEM. */
int follow_files_grow(struct follow_files *files);
/* Out of the table, too: one that this turn has not moved. */
void follow_files_forget(struct follow_files *files, uint32_t file);
/* It has lost its name: it ends when nothing has come for a while. */
void follow_files_leaves(struct follow_files *files, uint32_t file);

/* By device, inode and time of birth. */
bool follow_files_is(const struct follow_files *files, uint32_t file, const struct follow_look *look);
bool follow_files_is_print(int fd, const struct follow_spot *spot); /* by its first bytes */
/* The file that has this name, or had it at the last scan; FOLLOW_NO_FILE. */
uint32_t follow_files_named(const struct follow_files *files, const char *name);
