/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sources/file_list.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/hash.h"

void file_list_deinit(struct file_list *list)
{
	for (size_t i = 0; i < list->n_names; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct file_list)FILE_LIST_NULL;
}

static int list_add(struct file_list *list, const char *name)
{
	if ((list->n_names & (list->n_names - 1)) == 0) { /* grow at each power of two */
		char **names = realloc(list->names, (list->n_names ? list->n_names * 2 : 1) * sizeof(*names));

		if (!names)
			return error_origin(-ENOMEM);
		list->names = names;
	}
	list->names[list->n_names] = strdup(name);
	if (!list->names[list->n_names])
		return error_origin(-ENOMEM);
	list->n_names++;
	return 0;
}

/* glob() takes no argument for its callback; a worker has one thread. */
static char unreadable_folder[256];
static int unreadable_error;
static int unreadable_ends; /* 1: the search, too */

static int note_unreadable(const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return 0;
	strncpy(unreadable_folder, path, sizeof(unreadable_folder) - 1);
	unreadable_error = error;
	return unreadable_ends;
}

static int expand_glob(struct file_list *list, struct weir_context *context, const char *pattern)
{
	glob_t found = { 0 };
	int r, status = 0;

	unreadable_ends = 1;
	r = glob(pattern, GLOB_BRACE | GLOB_TILDE, note_unreadable, &found);
	if (r == GLOB_NOSPACE)
		status = error_origin(-ENOMEM);
	else if (r == GLOB_ABORTED)
		weir_fail(context, "cannot look for %s: the folder %s cannot be read: %s", pattern, unreadable_folder,
			  strerror(unreadable_error));
	else if (r != 0)
		weir_fail(context, "%s matches no file; check the pattern and the folder weir was started in", pattern);
	for (size_t i = 0; r == 0 && status == 0 && i < found.gl_pathc; i++)
		status = list_add(list, found.gl_pathv[i]);
	globfree(&found);
	return r != 0 && status == 0 ? WEIR_FAILED : status;
}

bool file_list_is_pattern(const char *path)
{
	struct stat st;

	return (strpbrk(path, "*?[{") || *path == '~') && lstat(path, &st) != 0;
}

static int look_glob(struct file_list *list, const char *pattern)
{
	glob_t found = { 0 };
	int r = glob(pattern, GLOB_BRACE | GLOB_TILDE, note_unreadable, &found);
	int status = r == GLOB_NOSPACE ? error_origin(-ENOMEM) : 0;

	for (size_t i = 0; r == 0 && status == 0 && i < found.gl_pathc; i++)
		status = list_add(list, found.gl_pathv[i]);
	globfree(&found);
	return status;
}

int file_list_look(struct file_list *list, const char *const *paths, char *unreadable, size_t size_bytes)
{
	int r = 0;

	unreadable_ends = unreadable_error = 0;
	*unreadable = '\0';
	for (; r == 0 && paths && *paths; paths++)
		r = file_list_is_pattern(*paths) ? look_glob(list, *paths) : list_add(list, *paths);
	if (unreadable_error)
		snprintf(unreadable, size_bytes, "%s: %s", unreadable_folder, strerror(unreadable_error));
	return r;
}

int file_list_expand(struct file_list *list, struct weir_context *context, const char *const *paths)
{
	for (; paths && *paths; paths++) {
		int r = file_list_is_pattern(*paths) ? expand_glob(list, context, *paths) : list_add(list, *paths);

		if (r != 0)
			return r;
	}
	return 0;
}

int file_list_save(const struct file_list *list, int fd, uint64_t *ret_hash, uint64_t *ret_bytes)
{
	uint64_t hash = 0, at = 0;

	if (ftruncate(fd, 0))
		return error_origin(-errno);
	for (size_t i = 0; i < list->n_names; i++) {
		size_t size = strlen(list->names[i]) + 1;
		ssize_t n = pwrite(fd, list->names[i], size, (off_t)at);

		if (n < 0 || (size_t)n != size)
			return error_origin(n < 0 ? -errno : -ENOSPC);
		hash = hash_bytes(hash, list->names[i], size);
		at += size;
	}
	*ret_hash = hash;
	*ret_bytes = at;
	return 0;
}

int file_list_load(struct file_list *list, int fd, uint64_t hash, uint64_t bytes)
{
	_cleanup_(free) char *names = malloc(bytes + 1);
	uint64_t seen = 0;

	if (!names)
		return error_origin(-ENOMEM);
	for (uint64_t at = 0; at < bytes;) {
		ssize_t n = pread(fd, names + at, bytes - at, (off_t)at);

		if (n <= 0)
			return error_origin(n < 0 ? -errno : -EBADMSG);
		at += (uint64_t)n;
	}
	names[bytes] = '\0';
	for (char *name = names; name < names + bytes; name += strlen(name) + 1) {
		int r = list_add(list, name);

		if (r < 0)
			return r;
		seen = hash_bytes(seen, name, strlen(name) + 1);
	}
	return seen == hash ? 0 : error_origin(-EBADMSG);
}

int file_list_open(struct weir_context *context, const char *name, int *ret_fd, uint64_t *ret_size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* so that a FIFO can't hold us up */
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		weir_fail(context, "cannot read %s: %s; %s", name, strerror(errno),
			  errno == EACCES ? "give the user who runs weir the right to read it, or leave it out" :
					    "check the path and the folder weir was started in");
		fd_close(fd);
		return WEIR_FAILED;
	}
	if (!S_ISREG(st.st_mode)) {
		if (S_ISDIR(st.st_mode))
			weir_fail(context, "%s is a folder; name the files in it, for example '%s/*'", name, name);
		else
			weir_fail(
				context,
				"%s is not a regular file, so reading can't be taken up again at a position; use `source: stdin` or "
				"`source: exec` with `command: [cat, %s]`",
				name, name);
		fd_close(fd);
		return WEIR_FAILED;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}
