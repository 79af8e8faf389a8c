/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of files and of bytes, as lower-case hex: what a lock file holds, and how two descriptions of a stage are compared. */
#pragma once

#include <stddef.h>

#define DIGEST_TEXT_SIZE 65u /* 64 digits and the NUL */

/* Of n bytes. */
void digest_bytes(const void *bytes, size_t n, char ret_hex[static DIGEST_TEXT_SIZE]);

/*
 * Of all that the descriptor holds, from its beginning on; its offset is left alone. Blocks on the disk. Returns 0, or -errno: it could
 * not be read.
 */
int digest_fd(int fd, char ret_hex[static DIGEST_TEXT_SIZE]);

/* Of a regular file; links are followed. Blocks on the disk. Returns 0; -errno; -EINVAL: it is none. */
int digest_file(const char *path, char ret_hex[static DIGEST_TEXT_SIZE]);
