/* SPDX-License-Identifier: Apache-2.0 */
/* Which folders may bring followed files, and what happens in them: inotify, and whether it can be trusted to tell everything. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct follow_folder {
	int wd;
	char *path; /* as the names begin that glob() finds in it: with its slash, "" for the working folder; owned */
	bool holds; /* files themselves, not only folders that lead to them */
	bool wanted;
};

struct follow_watch {
	int fd; /* -1: there is no inotify to be had */
	struct follow_folder *folders;
	size_t n, capacity;
	bool blind; /* something happens that is not told: look at everything, often */
};

/*
 * What has happened: to the file `path` (NULL: nobody knows to which); `names`: names have come, gone or changed, else only its bytes have.
 */
typedef void (*follow_news)(void *data, const char *path, bool names);

void follow_watch_open(struct follow_watch *watch);
void follow_watch_close(struct follow_watch *watch);

/* Every folder that the paths go through is watched, and no other. Never blocks but on the disk. Returns 0 or -ENOMEM. */
int follow_watch_paths(struct follow_watch *watch, const char *const *paths);
/* A file whose folder says nothing of it: the target of a symlink. */
void follow_watch_target(struct follow_watch *watch, const char *path);

/* Takes what has happened, without waiting. */
void follow_watch_read(struct follow_watch *watch, follow_news news, void *data);
