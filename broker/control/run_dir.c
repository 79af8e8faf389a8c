/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   <base>/                 WEIR_RUN_DIR, or /run/weir-root (root), or $XDG_RUNTIME_DIR/weir, or /tmp/weir-<uid>
 *     <pipeline>/           0700, ours, no symbolic link
 *       lock                "<pid>\n"; locked for as long as the pipeline runs
 *       control             socket (broker/control/server.c)
 *       ...                 sockets of stages (weir_run_folder()), which go with the run
 *
 * The lock is an open-file-description lock: like flock() it belongs to the open file and goes with its last holder, however that
 * dies, and unlike flock() others can ask about it (F_OFD_GETLK) without taking it for a moment, which would make a pipeline
 * that starts in that moment believe that it already runs.
 *
 * Taking over and removing run against each other without a lock above them, so the one who opens looks again after locking:
 *
 *      closer (holds the lock)                     opener
 *      unlink all else, unlink lock                make the folder, open it, open or create lock
 *      rmdir folder  (fails if a new lock is in it)  lock it; is the path still this folder, and this file? no: start again
 *      close lock
 *
 * Everything below the base is reached by openat() from descriptors that were checked, never by path.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/control/run_dir.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/wire/socket.h"

#define LOCK_NAME "lock"
#define CONTROL_NAME "control"
#define ATTEMPTS_MAX 100 /* to open a folder that others keep removing */

enum { AGAIN = 100 }; /* outcome inside this file: it was removed meanwhile */

static void closedir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_own_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* The base's path, absolute: workers may change their folder. Never fails; without memory the process ends, as in struct text. */
static char *base_path(void)
{
	const char *wanted = getenv("WEIR_RUN_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");
	_cleanup_(free) char *here = wanted && *wanted && *wanted != '/' ? getcwd(NULL, 0) : NULL;
	struct text path = TEXT_NULL;

	if (wanted && *wanted)
		text_printf(&path, "%s%s%s", here ? here : "", here ? "/" : "", wanted);
	else if (geteuid() == 0)
		text_add(&path,
			 "/run/weir-root"); /* /run/weir is the units' (systemd/weir@.service), and their user's */
	else if (runtime && *runtime == '/' && is_own_directory(runtime))
		text_printf(&path, "%s/weir", runtime);
	else
		text_printf(&path, "/tmp/weir-%u", (unsigned)geteuid());
	while (path.length > 1 && path.data[path.length - 1] == '/')
		path.data[--path.length] = '\0';
	return text_steal(&path);
}

static bool is_name(const char *pipeline)
{
	return *pipeline && *pipeline != '.' && !strchr(pipeline, '/') && strlen(pipeline) <= NAME_MAX;
}

char *run_dir_path(const char *pipeline)
{
	_cleanup_(free) char *base = base_path();
	struct text path = TEXT_NULL;

	text_printf(&path, "%s/%s", base, pipeline);
	return text_steal(&path);
}

/* Opens a folder below at, made if it is missing. Returns 0; RUN_DIR_E_FOREIGN; AGAIN; -errno. */
static int folder_open(int at, const char *name, mode_t forbidden, const char *path, int *ret_fd, struct text *why)
{
	_cleanup_(close) int fd = -1;
	bool made = mkdirat(at, name, 0700) == 0;
	struct stat st;

	if (!made && errno != EEXIST) {
		if (errno == ENOENT && at != AT_FDCWD)
			return AGAIN;
		text_printf(why, "cannot create the run directory %s: %s; set WEIR_RUN_DIR to a folder of yours", path,
			    strerror(errno));
		return error_origin(-errno);
	}
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return AGAIN;
	if (fd < 0 && errno != ENOTDIR && errno != ELOOP && errno != EACCES) {
		text_printf(why, "cannot open the run directory %s: %s", path, strerror(errno));
		return error_origin(-errno);
	}
	if (fd < 0) {
		text_printf(why, "the run directory %s is not a folder of yours; remove it or set WEIR_RUN_DIR", path);
		return RUN_DIR_E_FOREIGN;
	}
	if ((made && fchmod(fd, 0700)) || fstat(fd, &st))
		return error_origin(-errno);
	if (st.st_uid != geteuid()) {
		text_printf(why,
			    "the run directory %s belongs to somebody else (uid %u); remove it or set WEIR_RUN_DIR",
			    path, (unsigned)st.st_uid);
		return RUN_DIR_E_FOREIGN;
	}
	if (st.st_mode & forbidden) {
		text_printf(why, "the run directory %s is open to others (mode %04o); chmod 700 it", path,
			    st.st_mode & 07777u);
		return RUN_DIR_E_FOREIGN;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Whether name below at is (still) the file behind fd. */
static bool is_same(int at, const char *name, int fd)
{
	struct stat a, b;

	return fstatat(at, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static pid_t lock_pid(int fd)
{
	char line[32];
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	if (n <= 0)
		return 0;
	line[n] = '\0';
	return (pid_t)strtol(line, NULL, 10);
}

static int lock_write_pid(int fd)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) || pwrite(fd, line, (size_t)n, 0) != n)
		return error_origin(errno ? -errno : -EIO);
	return 0;
}

/* What can be said without asking it. */
static void say_taken(const char *name, pid_t pid, struct text *why)
{
	if (pid)
		text_printf(why, "pipeline '%s' is already running (process %d); see 'weir ps %s'", name, (int)pid,
			    name);
	else
		text_printf(why, "pipeline '%s' is being started by somebody else just now; see 'weir ps'", name);
}

/* Opens, checks and locks the lock file of a folder. Returns 0; RUN_DIR_E_*; AGAIN; -errno. */
static int lock_take(int folder, const char *path, int *ret_fd, pid_t *ret_pid, struct text *why)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_(close) int fd =
		openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return AGAIN;
	if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO && errno != EACCES) {
		text_printf(why, "cannot create %s/%s: %s", path, LOCK_NAME, strerror(errno));
		return error_origin(-errno);
	}
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
		text_printf(why, "%s/%s is not a file of ours; remove it", path, LOCK_NAME);
		return RUN_DIR_E_FOREIGN;
	}
	if (fcntl(fd, F_OFD_SETLK, &lock)) {
		if (errno != EAGAIN && errno != EACCES)
			return error_origin(-errno);
		say_taken(strrchr(path, '/') + 1, *ret_pid = lock_pid(fd), why);
		return RUN_DIR_E_TAKEN;
	}
	if (!is_same(folder, LOCK_NAME, fd))
		return AGAIN;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* What an attempt that came to nothing has made. A folder that others use is not empty, and rmdir() refuses it. */
static void remove_empty(const char *base, int base_fd, const char *pipeline)
{
	unlinkat(base_fd, pipeline, AT_REMOVEDIR);
	if (is_own_directory(base))
		rmdir(base);
}

/* What the supervisor and its stages have put there, or those of a pipeline that was killed; only with the lock in hand. */
static void clear(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, LOCK_NAME) != 0)
			unlinkat(folder, entry->d_name, 0); /* folders stay */
}

/* One attempt. Returns 0; RUN_DIR_E_*; AGAIN; -errno. */
static int try_open(const char *base, const char *pipeline, const char *path, int *ret_lock_fd, pid_t *ret_pid,
		    struct text *why)
{
	_cleanup_(close) int base_fd = -1, folder = -1, lock_fd = -1;
	int r = folder_open(AT_FDCWD, base, 0022, base, &base_fd, why);

	if (r == 0)
		r = folder_open(base_fd, pipeline, 0077, path, &folder, why);
	if (r == 0)
		r = lock_take(folder, path, &lock_fd, ret_pid, why);
	if (r < 0 && base_fd >= 0)
		remove_empty(base, base_fd, pipeline);
	if (r)
		return r;
	if (!is_same(base_fd, pipeline, folder) || !is_same(AT_FDCWD, base, base_fd))
		return AGAIN;
	r = lock_write_pid(lock_fd);
	if (r) {
		text_printf(why, "cannot write %s/%s: %s", path, LOCK_NAME, strerror(-r));
		unlinkat(folder, LOCK_NAME, 0);
		remove_empty(base, base_fd, pipeline);
		return r;
	}
	clear(folder);
	*ret_lock_fd = steal_fd(&lock_fd);
	return 0;
}

int run_dir_open(struct run_dir *ret_dir, const char *pipeline, pid_t *ret_pid, struct text *why)
{
	_cleanup_(free) char *base = base_path(), *path = run_dir_path(pipeline);
	int r = AGAIN, lock_fd = -1;

	if (!is_name(pipeline)) {
		text_printf(why, "'%s' can not be the name of a pipeline", pipeline);
		return error_origin(-EINVAL);
	}
	if (strlen(path) + strlen("/" CONTROL_NAME) > WIRE_PATH_MAX) {
		text_printf(
			why,
			"the path %s/%s is longer than a socket's may be (%u bytes); set WEIR_RUN_DIR to a shorter one",
			path, CONTROL_NAME, WIRE_PATH_MAX);
		return RUN_DIR_E_TOO_LONG;
	}
	for (int i = 0; i < ATTEMPTS_MAX && r == AGAIN; i++)
		r = try_open(base, pipeline, path, &lock_fd, ret_pid, why);
	if (r == AGAIN) {
		text_printf(why, "the run directory %s is removed again and again by somebody else", path);
		return error_origin(-EBUSY);
	}
	if (r)
		return r;
	ret_dir->path = steal_pointer(&path);
	ret_dir->lock_fd = lock_fd;
	return 0;
}

/* Removes what is ours; a folder in which somebody else has begun is left alone, since rmdir() refuses. */
static void remove_all(const struct run_dir *dir, char *base)
{
	const char *name = strrchr(dir->path, '/') + 1;
	_cleanup_(close) int base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder = -1;

	if (base_fd < 0)
		return;
	folder = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0 || !is_same(folder, LOCK_NAME, dir->lock_fd))
		return;
	clear(folder);
	unlinkat(folder, LOCK_NAME, 0);
	unlinkat(base_fd, name, AT_REMOVEDIR);
	if (is_own_directory(base))
		rmdir(base);
}

void run_dir_close(struct run_dir *dir)
{
	_cleanup_(free) char *base = NULL;

	if (dir->path) {
		base = strndup(dir->path, (size_t)(strrchr(dir->path, '/') - dir->path));
		if (base)
			remove_all(dir, base);
		free(dir->path);
	}
	fd_close(dir->lock_fd);
	*dir = (struct run_dir)RUN_DIR_NULL;
}

static bool is_alive_at(int at, const char *path, pid_t *ret_pid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_(close) int folder = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1;

	*ret_pid = 0;
	if (folder < 0)
		return false;
	fd = openat(folder, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return false;
	*ret_pid = lock_pid(fd);
	return true;
}

bool run_dir_is_alive(const char *path)
{
	pid_t pid;

	return is_alive_at(AT_FDCWD, path, &pid);
}

pid_t run_dir_pid(const char *path)
{
	pid_t pid;

	return is_alive_at(AT_FDCWD, path, &pid) ? pid : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int run_dir_list(char ***ret_names, size_t *ret_n)
{
	_cleanup_(free) char *base = base_path();
	_cleanup_(closedir) DIR *dir = opendir(base);
	char **names = NULL, **more;
	size_t n = 0;
	struct dirent *entry;
	pid_t pid;
	int r = 0;

	if (!dir && errno != ENOENT)
		return error_origin(-errno);
	while (dir && !r && (entry = readdir(dir))) {
		if (!is_name(entry->d_name) || !is_alive_at(dirfd(dir), entry->d_name, &pid))
			continue;
		more = reallocarray(names, n + 1, sizeof(*names));
		if (more) {
			names = more;
			names[n] = strdup(entry->d_name);
		}
		if (!more || !names[n])
			r = error_origin(-ENOMEM);
		else
			n++;
	}
	if (r) {
		while (n)
			free(names[--n]);
		free(names);
		return r;
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*ret_names = names;
	*ret_n = n;
	return 0;
}
