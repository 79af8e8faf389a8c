/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is, and what it looks like. */
#pragma once

#include <stdint.h>

struct follow_look {
	uint64_t device, inode;
	uint64_t born_ns; /* 0: the file system does not say */
	uint64_t size_bytes;
	uint64_t changed_ns;
	uint32_t mode;
};

/* Looks at `name` in the open folder (AT_FDCWD: where the process is), through links. Returns 0 or -errno. */
int follow_look_at(int folder, const char *name, struct follow_look *ret_look);
/* Looks at an open file. Returns 0 or -errno. */
int follow_look(int fd, struct follow_look *ret_look);
