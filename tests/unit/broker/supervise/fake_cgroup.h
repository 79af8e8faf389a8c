/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder with files as those of control groups, for machines that have none. What the kernel makes with a group is made here before.
 * Who is where is kept as the kernel does, for this program and its children until their exec: fork() and write() are the fake's.
 *
 *      fork()                            the child is in its parent's group
 *      PID > GROUP/cgroup.procs          it leaves its group for that one
 *      +NAME > cgroup.subtree_control    EBUSY, while somebody is in the group itself
 */
#pragma once

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fake_cgroup {
	char root[32];
};

static inline void fake_cgroup_write(const struct fake_cgroup *fake, const char *path, const char *words)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	file = fopen(whole, "we");
	assert(file);
	fputs(words, file);
	fclose(file);
}

/* What was written to it last; static. */
static inline const char *fake_cgroup_read(const struct fake_cgroup *fake, const char *path)
{
	static char words[256];
	char whole[256];
	FILE *file;
	size_t n;

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	file = fopen(whole, "re");
	assert(file);
	n = fread(words, 1, sizeof(words) - 1, file);
	words[n] = '\0';
	fclose(file);
	return words;
}

static inline void fake_cgroup_mkdir(const struct fake_cgroup *fake, const char *path)
{
	char whole[256];
	int r;

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	r = mkdir(whole, 0755);
	assert(r == 0);
}

/* ---- what the kernel does ---- */

static char fake_root[32];    /* "": there is none */
static unsigned fake_n_moved; /* processes that somebody else moved */

static inline int fake_lock(void)
{
	int fd = open(fake_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = flock(fd, LOCK_EX);

	assert(fd >= 0 && r == 0);
	return fd;
}

static inline void fake_unlock(int fd)
{
	flock(fd, LOCK_UN); /* for a child that has it, too */
	close(fd);
}

static inline bool fake_is_in(const char *path, pid_t pid)
{
	char whole[128];
	FILE *file;
	int one = 0;

	snprintf(whole, sizeof(whole), "%s/%s", fake_root, path);
	file = fopen(whole, "re");
	while (file && one != pid && fscanf(file, "%d", &one) == 1)
		;
	if (file)
		fclose(file);
	return one == pid;
}

static inline void fake_join(const char *path, pid_t pid)
{
	char whole[128];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", fake_root, path);
	file = fopen(whole, "ae");
	assert(file);
	fprintf(file, "%d\n", (int)pid);
	fclose(file);
}

static inline void fake_leave_one(const char *whole, pid_t pid)
{
	int pids[64], n = 0;
	FILE *file = fopen(whole, "re");

	assert(file);
	while (n < 64 && fscanf(file, "%d", &pids[n]) == 1)
		n += pids[n] != pid;
	fclose(file);
	assert(n < 64);
	file = fopen(whole, "we");
	assert(file);
	for (int i = 0; i < n; i++)
		fprintf(file, "%d\n", pids[i]);
	fclose(file);
}

/* Whatever group it is in. */
static inline void fake_leave(pid_t pid)
{
	char pattern[64];
	glob_t groups = { 0 };

	snprintf(pattern, sizeof(pattern), "%s/unit/cgroup.procs", fake_root);
	fake_leave_one(pattern, pid);
	snprintf(pattern, sizeof(pattern), "%s/unit/*/cgroup.procs", fake_root);
	glob(pattern, 0, NULL, &groups);
	for (size_t i = 0; i < groups.gl_pathc; i++)
		fake_leave_one(groups.gl_pathv[i], pid);
	globfree(&groups);
}

/* In the group itself. */
static inline bool fake_has_processes(void)
{
	char whole[128];
	FILE *file;
	int pid;
	bool has = false;

	snprintf(whole, sizeof(whole), "%s/unit/cgroup.procs", fake_root);
	file = fopen(whole, "re");
	while (file && !has && fscanf(file, "%d", &pid) == 1)
		has = kill(pid, 0) == 0;
	if (file)
		fclose(file);
	return has;
}

/* Returns the path below the root that is open there, "" if it is none of the fake's. */
static inline const char *fake_path(int fd, char whole[static 256])
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fake_root[0] ? readlink(link, whole, 255) : 0;
	whole[n > 0 ? n : 0] = '\0';
	return strncmp(whole, fake_root, strlen(fake_root)) == 0 && n > 0 ? whole + strlen(fake_root) + 1 : "";
}

static inline bool fake_ends(const char *path, const char *name)
{
	return strlen(path) >= strlen(name) && strcmp(path + strlen(path) - strlen(name), name) == 0;
}

static inline ssize_t fake_enter(const char *path, const void *words, size_t size_bytes)
{
	pid_t pid = atoi(words) ? atoi(words) : getpid();
	int lock = fake_lock();

	fake_n_moved += pid != getpid();
	fake_leave(pid);
	fake_join(path, pid);
	fake_unlock(lock);
	return (ssize_t)size_bytes;
}

ssize_t write(int fd, const void *words, size_t size_bytes)
{
	char whole[256];
	const char *path = fake_path(fd, whole);

	if (fake_ends(path, "/cgroup.procs"))
		return fake_enter(path, words, size_bytes);
	if (strcmp(path, "unit/cgroup.subtree_control") == 0 && *(const char *)words == '+' && fake_has_processes()) {
		errno = EBUSY;
		return -1;
	}
	return syscall(SYS_write, fd, words, size_bytes);
}

/* Of whoever has not moved itself: the lock is taken before there is a child. */
pid_t fork(void)
{
	int lock = fake_root[0] ? fake_lock() : -1;
	pid_t (*real)(void), pid;

	*(void **)&real = dlsym(RTLD_NEXT, "fork"); /* a sanitizer has one of its own */
	pid = real();
	if (pid > 0 && lock >= 0 && fake_is_in("unit/cgroup.procs", getpid()))
		fake_join("unit/cgroup.procs", pid);
	if (pid != 0 && lock >= 0)
		fake_unlock(lock);
	return pid;
}

/* A group /unit that has these controllers. */
static inline void fake_cgroup_init(struct fake_cgroup *fake, const char *controllers)
{
	char *made;

	strcpy(fake->root, "/tmp/weir-cgroup.XXXXXX");
	made = mkdtemp(fake->root);
	assert(made);
	fake_cgroup_mkdir(fake, "unit");
	fake_cgroup_write(fake, "unit/cgroup.controllers", controllers);
	fake_cgroup_write(fake, "unit/cgroup.subtree_control", "");
	fake_cgroup_write(fake, "unit/cgroup.procs", "");
	strcpy(fake_root, fake->root);
	fake_n_moved = 0;
	fake_join("unit/cgroup.procs", getpid());
}

/* A group below it, with the files that such a one has. */
static inline void fake_cgroup_add(const struct fake_cgroup *fake, const char *name)
{
	static const char *const files[] = { "cgroup.procs", "memory.max", "memory.swap.max", "cpu.max",
					     "cpu.weight.nice" };
	char path[200];

	snprintf(path, sizeof(path), "unit/%s", name);
	fake_cgroup_mkdir(fake, path);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "unit/%s/%s", name, files[i]);
		fake_cgroup_write(fake, path, "");
	}
}

static inline void fake_cgroup_deinit(const struct fake_cgroup *fake)
{
	char command[64];
	int r;

	fake_root[0] = '\0';
	snprintf(command, sizeof(command), "rm -r %s", fake->root);
	r = system(command);
	assert(r == 0);
}
