/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is trusted step by step, on descriptors: what was looked at is what is gone on from, whatever is renamed meanwhile.
 *
 *      /  ->  srv  ->  current (link: v2/lib)  ->  v2  ->  lib  ->  libcheck.so
 *      |       |           |                       |       |           |
 *      +-------+-----------+-----------------------+-------+-----------+---- of a trusted owner, nobody else may write
 *
 * The words that are still to go lie in one string; a link's own words are put before the rest. As sshd's StrictModes, but for links: those
 * are followed, since whoever could change one is trusted, too.
 */
#include "common/stage/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"

#define LINKS_MAX 40u
#define NOT_TRUSTED "whoever can write it could put code into weir"

struct walk {
	const char *what, *path; /* for messages */
	struct text rest;        /* words that are still to go, without a slash at the front */
	struct text done;        /* where the walk is, for messages */
	int folder_fd;
	uint32_t n_links;
	struct text *why;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct walk *walk, const char *format, ...)
{
	va_list arguments;

	text_printf(walk->why, "%s %s", walk->what, walk->path);
	va_start(arguments, format);
	text_vprintf(walk->why, format, arguments);
	va_end(arguments);
	return TRUST_E_REFUSED;
}

static bool is_trusted(uid_t owner)
{
	const char *more = getenv(TRUST_VARIABLE);

	if (owner == 0 || owner == geteuid())
		return true;
	while (more && *more) {
		char *end;
		unsigned long number = strtoul(more, &end, 10);

		if (end == more)
			return false;
		if (number == owner)
			return true;
		more = *end == ',' ? end + 1 : "";
	}
	return false;
}

/* Owner and mode of what was just opened, which stands at walk->done. */
static int check_status(struct walk *walk, const struct stat *status)
{
	const char *where = text_get(&walk->done);

	if (!is_trusted(status->st_uid))
		return refuse(walk,
			      ": %s belongs to user %u, who is neither root nor the user of weir (%u); " NOT_TRUSTED
			      ": chown it, or name him in " TRUST_VARIABLE,
			      where, (unsigned)status->st_uid, (unsigned)geteuid());
	if (S_ISLNK(status->st_mode) || (S_ISDIR(status->st_mode) && status->st_mode & S_ISVTX))
		return 0;
	if (status->st_mode & S_IWOTH)
		return refuse(walk, ": %s can be written by everybody; " NOT_TRUSTED ": chmod o-w it", where);
	if (status->st_mode & S_IWGRP && status->st_gid != status->st_uid) /* same number: his own group */
		return refuse(walk, ": %s can be written by its group (%u); " NOT_TRUSTED ": chmod g-w it", where,
			      (unsigned)status->st_gid);
	return 0;
}

/* The link's words go before those that are left; an absolute one begins again at the root. */
static int follow(struct walk *walk, int link_fd)
{
	_cleanup_(text_deinit) struct text rest = TEXT_NULL;
	char target[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);

	if (n <= 0 || ++walk->n_links > LINKS_MAX)
		return refuse(walk, ": %s", strerror(n < 0 ? errno : ELOOP));
	target[n] = 0;
	text_printf(&rest, "%s/%s", target, text_get(&walk->rest));
	text_clear(&walk->rest);
	text_add(&walk->rest, text_get(&rest));
	if (target[0] == '/') {
		fd_close(walk->folder_fd);
		walk->folder_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		text_clear(&walk->done);
	} else { /* the link's own name goes */
		char *slash = strrchr(text_get(&walk->done), '/');
		_cleanup_(free) char *before = strndup(text_get(&walk->done), (size_t)(slash - text_get(&walk->done)));

		text_clear(&walk->done);
		text_add(&walk->done, before ? before : "");
	}
	return walk->folder_fd < 0 ? refuse(walk, ": /: %s", strerror(errno)) : 0;
}

/* The next word, off the rest; NULL: there is none. The caller frees it. */
static char *next_word(struct walk *walk)
{
	const char *rest = text_get(&walk->rest);
	size_t skip = strspn(rest, "/"), n = strcspn(rest + skip, "/");
	char *word = n ? strndup(rest + skip, n) : NULL;
	_cleanup_(free) char *left = strdup(rest + skip + n);

	text_clear(&walk->rest);
	text_add(&walk->rest, left ? left : "");
	return word;
}

static bool is_last(const struct walk *walk)
{
	const char *rest = text_get(&walk->rest);

	return rest[strspn(rest, "/")] == 0;
}

static int take_file(struct walk *walk, char **word, struct trusted_file *ret_file)
{
	struct stat status;

	/* Not to wait for a FIFO's writer: what it is was looked at by name only. */
	ret_file->file_fd = openat(walk->folder_fd, *word, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (ret_file->file_fd < 0 || fstat(ret_file->file_fd, &status))
		return refuse(walk, ": %s; check the path and that it is built", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return refuse(walk, " is not a regular file; name a shared object (.so)");
	ret_file->folder_fd = steal_fd(&walk->folder_fd);
	ret_file->name = *word;
	*word = NULL;
	return check_status(walk, &status);
}

/* One word further. *ret_file has the file once the last word is taken. */
static int step(struct walk *walk, char **word, struct trusted_file *ret_file)
{
	_cleanup_(close) int fd = openat(walk->folder_fd, *word, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int r;

	text_printf(&walk->done, "/%s", *word);
	if (fd < 0 || fstat(fd, &status))
		return refuse(walk, ": %s; check the path and that it is built", strerror(errno));
	r = check_status(walk, &status);
	if (r != 0)
		return r;
	if (S_ISLNK(status.st_mode))
		return follow(walk, fd);
	if (is_last(walk) && !S_ISDIR(status.st_mode))
		return take_file(walk, word, ret_file);
	if (is_last(walk))
		return refuse(walk, " is not a regular file; name a shared object (.so)");
	if (!S_ISDIR(status.st_mode))
		return refuse(walk, ": %s is no folder; check the path", text_get(&walk->done));
	fd_close(walk->folder_fd);
	walk->folder_fd = steal_fd(&fd);
	return 0;
}

static int begin(struct walk *walk)
{
	_cleanup_(free) char *here = walk->path[0] == '/' ? NULL : getcwd(NULL, 0);
	struct stat status;

	if (walk->path[0] != '/' && !here)
		return refuse(walk, ": the working folder: %s", strerror(errno));
	text_printf(&walk->rest, "%s/%s", here ? here : "", walk->path);
	walk->folder_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (walk->folder_fd < 0 || fstat(walk->folder_fd, &status))
		return refuse(walk, ": /: %s", strerror(errno));
	text_add(&walk->done, "/");
	return check_status(walk, &status);
}

int trusted_file_open(const char *what, const char *path, struct trusted_file *ret_file, struct text *why)
{
	struct trusted_file file = TRUSTED_FILE_NULL;
	struct walk walk = {
		.what = what, .path = path, .rest = TEXT_NULL, .done = TEXT_NULL, .folder_fd = -1, .why = why
	};
	int r = begin(&walk);

	text_clear(&walk.done);
	while (r == 0 && file.file_fd < 0) {
		_cleanup_(free) char *word = next_word(&walk);

		r = word ? step(&walk, &word, &file) :
			   refuse(&walk, " is not a regular file; name a shared object (.so)");
	}
	if (r == 0)
		*ret_file = file;
	else
		trusted_file_deinit(&file);
	fd_close(walk.folder_fd);
	text_deinit(&walk.rest);
	text_deinit(&walk.done);
	return r;
}

void trusted_file_deinit(struct trusted_file *file)
{
	free(file->name);
	file->folder_fd = fd_close(file->folder_fd);
	file->file_fd = fd_close(file->file_fd);
	file->name = NULL;
}
