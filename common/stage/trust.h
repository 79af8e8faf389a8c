/* SPDX-License-Identifier: Apache-2.0 */
/* Files whose code becomes ours: nobody but those whom we trust may have written them, or put others in their place. */
#pragma once

struct text;

/* Beside root and the user himself: numbers of users, with commas between. */
#define TRUST_VARIABLE "WEIR_TRUSTED_OWNERS"

/* A regular file and the folder that it lies in, of whom all was checked that leads there. */
struct trusted_file {
	int folder_fd; /* O_PATH */
	int file_fd;   /* to be read */
	char *name;    /* in the folder */
};

#define TRUSTED_FILE_NULL                      \
	{                                      \
		.folder_fd = -1, .file_fd = -1 \
	}

enum { TRUST_E_REFUSED = 1 };

/*
 * Walks from / to the file. Each folder, each symbolic link and the file belong to root, to the effective user, or to one of
 * WEIR_TRUSTED_OWNERS; nobody else can write into them, but for sticky folders, where nobody can take away what is another's. So nobody
 * else can have anything else lie there later. A relative path begins at the working folder. Returns 0 and what trusted_file_deinit()
 * frees; TRUST_E_REFUSED with a sentence in *why that begins with `what` and the path; -ENOMEM. Reads the disk.
 */
int trusted_file_open(const char *what, const char *path, struct trusted_file *ret_file, struct text *why);
void trusted_file_deinit(struct trusted_file *file);

static inline void trusted_file_deinit_cleanup(struct trusted_file *file)
{
	trusted_file_deinit(file);
}
