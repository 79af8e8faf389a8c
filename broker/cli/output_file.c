/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/output_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int adopt(struct output_file *file)
{
	struct stat what;

	if (file->fd < 0 || fstat(file->fd, &what) != 0)
		return -errno;
	file->device = what.st_dev;
	file->number = what.st_ino;
	return 0;
}

int output_file_open(const char *path, struct output_file *ret_file)
{
	*ret_file = (struct output_file){ .path = path };
	ret_file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	ret_file->is_new = ret_file->fd >= 0;
	if (!ret_file->is_new && errno == EEXIST)
		ret_file->fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);
	return adopt(ret_file);
}

int output_file_open_stdout(struct output_file *ret_file)
{
	*ret_file = (struct output_file){ .path = "standard output", .is_stdout = true };
	ret_file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	return adopt(ret_file);
}

static bool is(const struct output_file *file, const struct stat *what)
{
	return file->device == what->st_dev && file->number == what->st_ino;
}

bool output_file_is_same(const struct output_file *a, const struct output_file *b)
{
	return a->fd >= 0 && b->fd >= 0 && a->device == b->device && a->number == b->number;
}

bool output_file_is_within(const struct output_file *file, const char *dir)
{
	DIR *folder = file->fd >= 0 ? opendir(dir) : NULL;
	bool found = false;
	struct dirent *entry;
	struct stat what;

	while (folder && !found && (entry = readdir(folder)))
		found = fstatat(dirfd(folder), entry->d_name, &what, 0) == 0 && is(file, &what);
	if (folder)
		closedir(folder);
	return found;
}

int output_file_begin(struct output_file *file)
{
	int fd = file->fd;
	struct stat what;

	if (!file->is_stdout && fstat(fd, &what) == 0 && S_ISREG(what.st_mode) && ftruncate(fd, 0) != 0)
		return -errno;
	file->fd = -1;
	return fd;
}

void output_file_remove(const struct output_file *file)
{
	struct stat what;

	if (file->is_new && lstat(file->path, &what) == 0 && is(file, &what))
		(void)unlink(file->path);
}

void output_file_drop(struct output_file *file)
{
	if (file->fd < 0)
		return;
	close(file->fd);
	file->fd = -1;
	output_file_remove(file);
}
