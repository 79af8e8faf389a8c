/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      <state folder>/<pipeline>/spec/<digest of its plan>.yaml          a spec with two remarks before it:
 *
 *          # begun: /etc/weir/orders.yaml
 *          # read: /etc/weir/orders-2.yaml
 *          pipeline: orders ...
 *
 * The estate says by its digest which plan the run goes by, at every instruction; so the text of each plan that it may name has to be there
 * before it is named, under a name that says which one it is. No order of two stores has to be kept then:
 *
 *      reload      put(new) ...... the estate names the new plan ...... settle(new)
 *      X anywhere  the next supervisor takes the text of the plan that the estate names
 *
 * Nothing is synced: the memory that it belongs to does not outlive the host either.
 */
#include "broker/keep/last_good.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/store/store_folder.h"

#define BEGUN "# begun: "
#define READ "# read: "
#define SUFFIX ".yaml"
#define FILE_BYTES_MAX ((off_t)2 << 20) /* a spec has one MiB at most */

static void closedir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

void last_good_deinit(struct last_good *good)
{
	free(good->begun);
	free(good->read);
	free(good->text);
	*good = (struct last_good){ 0 };
}

char *last_good_name(const char *spec)
{
	const char *slash = strrchr(spec, '/');
	_cleanup_(free) char *given = slash ? strndup(spec, (size_t)(slash - spec) + 1) : strdup(".");
	_cleanup_(free) char *folder = given ? realpath(given, NULL) : NULL;
	struct text name = TEXT_NULL;

	if (!folder || strcmp(spec, "-") == 0)
		return NULL;
	text_printf(&name, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash ? slash + 1 : spec);
	if (strchr(text_get(&name), '\n'))
		text_deinit(&name);
	return name.length ? text_steal(&name) : NULL;
}

static void name_file(const char *folder, uint64_t digest, struct text *path)
{
	text_printf(path, "%s/%016" PRIx64 SUFFIX, folder, digest);
}

/* ---- keeping ---- */

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno != EINTR)
			return error_origin(-errno);
		bytes += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

int last_good_put(const char *folder, uint64_t digest, const struct last_good *good)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL, fresh = TEXT_NULL, head = TEXT_NULL;
	_cleanup_(close) int fd = -1;
	int r = store_folder_make(folder);

	if (r < 0)
		return error_trace(r);
	name_file(folder, digest, &path);
	text_printf(&fresh, "%s.new", text_get(&path));
	text_printf(&head, BEGUN "%s\n" READ "%s\n", good->begun, good->read);
	fd = open(text_get(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_origin(-errno);
	r = write_all(fd, text_get(&head), head.length);
	if (r == 0)
		r = write_all(fd, good->text, good->size);
	if (r == 0 && rename(text_get(&fresh), text_get(&path)))
		r = error_origin(-errno);
	if (r < 0)
		(void)unlink(text_get(&fresh));
	return error_trace(r);
}

/* keep "": nothing. */
static void remove_all_but(const char *folder, const char *keep)
{
	_cleanup_(closedir) DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, keep) != 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
}

void last_good_settle(const char *folder, uint64_t digest)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL;

	name_file("", digest, &path);
	remove_all_but(folder, text_get(&path) + 1);
}

void last_good_forget(const char *folder)
{
	_cleanup_(free) char *above = strdup(folder);
	char *slash = above ? strrchr(above, '/') : NULL;

	remove_all_but(folder, "");
	(void)rmdir(folder);
	if (!slash)
		return;
	*slash = '\0';
	(void)rmdir(above); /* not empty, if there are dead letters */
}

/* ---- finding ---- */

/* "# begun: /a/b\n" at *at: the caller frees what is behind the word, and *at is behind the line. NULL: it is no such line. */
static char *take_remark(const char **at, const char *word)
{
	const char *value = *at + strlen(word),
		   *end = strncmp(*at, word, strlen(word)) == 0 ? strchr(value, '\n') : NULL;

	if (!end || *value != '/')
		return NULL;
	*at = end + 1;
	return strndup(value, (size_t)(end - value));
}

/* bytes: ended by a NUL, without one inside. */
static int split(const char *bytes, struct last_good *ret_good)
{
	const char *at = bytes;
	struct last_good good = { .begun = take_remark(&at, BEGUN) };

	good.read = good.begun ? take_remark(&at, READ) : NULL;
	good.text = good.read ? strdup(at) : NULL;
	if (!good.text) {
		last_good_deinit(&good);
		return error_origin(-EBADMSG);
	}
	good.size = strlen(good.text);
	*ret_good = good;
	return 0;
}

static int read_file(const char *path, struct last_good *ret_good)
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_(free) char *bytes = NULL;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? LAST_GOOD_E_NONE : error_origin(-errno);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
		return error_origin(-EBADMSG);
	bytes = calloc(1, (size_t)st.st_size + 1);
	if (!bytes)
		return error_origin(-ENOMEM);
	if (pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size || strlen(bytes) != (size_t)st.st_size)
		return error_origin(-EBADMSG);
	return error_trace(split(bytes, ret_good));
}

static int check_folder(const char *folder)
{
	int r = store_folder_check(folder);

	if (r == STORE_E_FOREIGN)
		return error_origin(-EPERM);
	return r == STORE_E_NONE ? LAST_GOOD_E_NONE : error_fold(r);
}

int last_good_get(const char *folder, uint64_t digest, struct last_good *ret_good)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL;
	int r = check_folder(folder);

	name_file(folder, digest, &path);
	return r == 0 ? read_file(text_get(&path), ret_good) : r;
}

static bool is_of(const char *folder, const char *file, const char *begun, struct last_good *ret_good)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL;
	const char *suffix = strrchr(file, '.');

	if (!suffix || strcmp(suffix, SUFFIX) != 0)
		return false;
	text_printf(&path, "%s/%s", folder, file);
	if (read_file(text_get(&path), ret_good) != 0)
		return false;
	if (strcmp(ret_good->begun, begun) == 0)
		return true;
	last_good_deinit(ret_good);
	return false;
}

static bool find_in(const char *folder, const char *begun, struct last_good *ret_good)
{
	_cleanup_(closedir) DIR *dir = check_folder(folder) == 0 ? opendir(folder) : NULL;
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_of(folder, entry->d_name, begun, ret_good))
			return true;
	return false;
}

int last_good_find(const char *state_folder, const char *begun, struct last_good *ret_good)
{
	_cleanup_(closedir) DIR *dir = opendir(state_folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_(text_deinit) struct text folder = TEXT_NULL;

		if (entry->d_name[0] == '.')
			continue;
		text_printf(&folder, "%s/%s/" LAST_GOOD_FOLDER, state_folder, entry->d_name);
		if (find_in(text_get(&folder), begun, ret_good))
			return 0;
	}
	return LAST_GOOD_E_NONE;
}
