/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One watch for each folder, however many files are in it. The path `logs/?/app.log` watches `logs/`, in which folders may come, and each
 * folder in it that fits, in which files may. inotify is a hint and never the truth: it knows nothing of other machines' writes to a
 * network file system, it drops events when too many come, and there may be no watch left to be had. Who follows looks by itself, too:
 * seldom, or, where this file says `blind`, every second.
 */
#include "worker/sources/follow_watch.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

#define NAMES_EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
#define TARGET_EVENTS (IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

void follow_watch_open(struct follow_watch *watch)
{
	*watch = (struct follow_watch){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC) };
}

void follow_watch_close(struct follow_watch *watch)
{
	for (size_t i = 0; i < watch->n; i++)
		free(watch->folders[i].path);
	free(watch->folders);
	fd_close(watch->fd);
	*watch = (struct follow_watch){ .fd = -1 };
}

/* File systems that other machines, or programs behind the kernel's back, write to. */
static bool is_remote(const char *path)
{
	static const uint32_t magics[] = { 0x6969,     0xff534d42, 0xfe534d42, 0x517b,     0x65735546, 0x01021997,
					   0x00c36400, 0x564c,     0x5346414f, 0x0bd00bd0, 0x47504653, 0x19830326 };
	struct statfs st;

	if (statfs(path, &st))
		return true;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if ((uint32_t)st.f_type == magics[i])
			return true;
	return false;
}

static struct follow_folder *folder_find(struct follow_watch *watch, int wd)
{
	for (size_t i = 0; i < watch->n; i++)
		if (watch->folders[i].wd == wd)
			return &watch->folders[i];
	return NULL;
}

static int folder_new(struct follow_watch *watch, int wd, const char *path, bool holds)
{
	char *copy;

	if (watch->n == watch->capacity) {
		size_t capacity = watch->capacity ? watch->capacity * 2 : 8;
		void *folders = realloc(watch->folders, capacity * sizeof(*watch->folders));

		if (!folders)
			return error_origin(-ENOMEM);
		watch->folders = folders;
		watch->capacity = capacity;
	}
	copy = strdup(path);
	if (!copy)
		return error_origin(-ENOMEM);
	watch->folders[watch->n++] = (struct follow_folder){ .wd = wd, .path = copy, .holds = holds, .wanted = true };
	return 0;
}

static int folder_add(struct follow_watch *watch, const char *path, bool holds)
{
	const char *folder = *path ? path : ".";
	struct follow_folder *known;
	int wd = watch->fd < 0 ? -1 : inotify_add_watch(watch->fd, folder, NAMES_EVENTS | IN_MODIFY | IN_ONLYDIR);

	if (wd < 0 || is_remote(folder))
		watch->blind = true;
	known = wd < 0 ? NULL : folder_find(watch, wd);
	if (!known)
		return folder_new(watch, wd, path, holds);
	if (strcmp(known->path, path) != 0)
		watch->blind = true; /* one folder under two names: what happens is told under the first */
	known->wanted = true;
	known->holds |= holds;
	return 0;
}

static int folders_add(struct follow_watch *watch, const char *pattern, bool holds)
{
	glob_t found = { 0 };
	int r = 0, status;

	if (!strpbrk(pattern, "*?[{") && *pattern != '~')
		return folder_add(watch, pattern, holds);
	status = glob(pattern, GLOB_BRACE | GLOB_TILDE, NULL, &found);
	if (status == GLOB_NOSPACE)
		r = error_origin(-ENOMEM);
	for (size_t i = 0; r == 0 && status == 0 && i < found.gl_pathc; i++)
		r = folder_add(watch, found.gl_pathv[i], holds);
	globfree(&found);
	return r;
}

/* The folders of one path: the last one, and each before a part that stands for several. */
static int path_add(struct follow_watch *watch, const char *path)
{
	const char *last = strrchr(path, '/');
	char *prefix = strdup(path);
	int r = prefix ? 0 : error_origin(-ENOMEM);

	for (const char *part = path, *slash; r == 0; part = slash + 1) {
		size_t n = (size_t)(part - path);

		slash = strchr(part, '/');
		if (slash && !memchr(part, '*', (size_t)(slash - part)) && !memchr(part, '?', (size_t)(slash - part)) &&
		    !memchr(part, '[', (size_t)(slash - part)))
			continue;
		memcpy(prefix, path, n);
		prefix[n] = '\0';
		r = folders_add(watch, prefix, !slash || slash > last);
		if (!slash)
			break;
	}
	free(prefix);
	return r;
}

static void drop_unwanted(struct follow_watch *watch)
{
	size_t kept = 0;

	for (size_t i = 0; i < watch->n; i++) {
		struct follow_folder *folder = &watch->folders[i];

		if (folder->wanted) {
			watch->folders[kept++] = *folder;
			continue;
		}
		if (folder->wd >= 0)
			(void)inotify_rm_watch(watch->fd, folder->wd);
		free(folder->path);
	}
	watch->n = kept;
}

int follow_watch_paths(struct follow_watch *watch, const char *const *paths)
{
	int r = 0;

	watch->blind = watch->fd < 0;
	for (size_t i = 0; i < watch->n; i++)
		watch->folders[i].wanted = watch->folders[i].holds = false;
	for (; r == 0 && *paths; paths++)
		r = path_add(watch, *paths);
	drop_unwanted(watch);
	return r;
}

void follow_watch_target(struct follow_watch *watch, const char *path)
{
	watch->blind = true; /* whoever puts another file in the target's place is not seen */
	if (watch->fd >= 0)
		(void)inotify_add_watch(watch->fd, path, TARGET_EVENTS);
}

static void tell(struct follow_watch *watch, const struct inotify_event *event, follow_news news, void *data)
{
	const struct follow_folder *folder = folder_find(watch, event->wd);
	char path[4096 + NAME_MAX + 1];

	if (!folder || !event->len || event->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT)) {
		news(data, NULL, true);
		return;
	}
	snprintf(path, sizeof(path), "%s%s", folder->path, event->name);
	news(data, path, event->mask & NAMES_EVENTS);
}

void follow_watch_read(struct follow_watch *watch, follow_news news, void *data)
{
	char events[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while (watch->fd >= 0 && (n = read(watch->fd, events, sizeof(events))) > 0)
		for (const char *at = events; at < events + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			tell(watch, event, news, data);
			at += sizeof(*event) + event->len;
		}
}
