/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/scaffold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"

/* Appends n bytes with `value` wherever `mark` stands. */
static void add_filled(struct text *text, const char *bytes, size_t n, const char *mark, const char *value)
{
	size_t mark_size = strlen(mark);
	const char *end = bytes + n, *at;

	while ((at = memmem(bytes, (size_t)(end - bytes), mark, mark_size))) {
		text_add_bytes(text, bytes, (size_t)(at - bytes));
		text_add(text, value);
		bytes = at + mark_size;
	}
	text_add_bytes(text, bytes, (size_t)(end - bytes));
}

void scaffold_name(const struct scaffold_file *file, const char *name, struct text *text)
{
	add_filled(text, file->name, strlen(file->name), "NAME", name);
}

void scaffold_text(const struct scaffold_file *file, const char *name, struct text *text)
{
	add_filled(text, (const char *)file->bytes, file->n_bytes, "@NAME@", name);
}

static int write_bytes(int fd, const struct text *text)
{
	for (size_t done = 0; done < text->length;) {
		ssize_t n = write(fd, text->data + done, text->length - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

/* Scripts can be run. */
static int write_file(int folder_fd, const struct scaffold_file *file, const char *name)
{
	_cleanup_(text_deinit) struct text file_name = TEXT_NULL, text = TEXT_NULL;
	_cleanup_(close) int fd = -1;

	scaffold_name(file, name, &file_name);
	scaffold_text(file, name, &text);
	fd = openat(folder_fd, text_get(&file_name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    text.length > 2 && memcmp(text.data, "#!", 2) == 0 ? 0777 : 0666);
	return fd < 0 ? -errno : write_bytes(fd, &text);
}

static int write_files(int folder_fd, const char *project, const char *name)
{
	int r = 0;

	for (size_t i = 0; i < n_scaffold_files && r == 0; i++)
		if (strcmp(scaffold_files[i].project, project) == 0)
			r = write_file(folder_fd, &scaffold_files[i], name);
	return r;
}

static void remove_files(int folder_fd, const char *hidden, const char *name)
{
	for (size_t i = 0; i < n_scaffold_files; i++) {
		_cleanup_(text_deinit) struct text file_name = TEXT_NULL;

		scaffold_name(&scaffold_files[i], name, &file_name);
		(void)unlinkat(folder_fd, text_get(&file_name), 0);
	}
	(void)rmdir(hidden);
}

/* Some file systems do not know RENAME_NOREPLACE; rename() replaces nothing there but an empty folder, and it was looked for. */
static int give_name(const char *hidden, const char *path)
{
	if (renameat2(AT_FDCWD, hidden, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return SCAFFOLD_E_TAKEN;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return rename(hidden, path) == 0 ? 0 : errno == ENOTEMPTY || errno == EEXIST ? SCAFFOLD_E_TAKEN : -errno;
}

int scaffold_write(const char *project, const char *path, const char *name, struct text *why)
{
	_cleanup_(text_deinit) struct text hidden = TEXT_NULL;
	_cleanup_(close) int folder_fd = -1;
	const char *last = strrchr(path, '/');
	struct stat found;
	int r;

	if (lstat(path, &found) == 0)
		return SCAFFOLD_E_TAKEN;
	text_printf(&hidden, "%.*s.%s.new-%d", last ? (int)(last + 1 - path) : 0, path, name, (int)getpid());
	r = mkdir(text_get(&hidden), 0777) == 0 ? 0 : -errno;
	if (r == 0) {
		folder_fd = open(text_get(&hidden), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = folder_fd < 0 ? -errno : write_files(folder_fd, project, name);
	}
	if (r == 0)
		r = give_name(text_get(&hidden), path);
	if (r != 0 && folder_fd >= 0)
		remove_files(folder_fd, text_get(&hidden), name);
	if (r < 0)
		text_printf(why, "%s can not be written: %s", path, strerror(-r));
	return r;
}
