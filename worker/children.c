/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and killing what was started below this worker.
 *
 *   worker (subreaper) --- sh (group leader, registered) --- awk
 *                     \                                 \--- x &        when sh ends, x becomes a child of the worker
 *                      \-- daemon (setsid, orphan)                      ... and so does whatever made a session of
 *   its own
 *
 * A group is killed as one. What left its group is found because the kernel gives every orphan below a subreaper to
 * that subreaper: killing all direct children, again and again until none is left, reaches every descendant. The list
 * of direct children is read from /proc/self/task/<tid>/children with plain system calls, since the handler may not
 * allocate. Without that file (CONFIG_PROC_CHILDREN off) groups are still killed; only what left its group would stay.
 */
#include "worker/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

#define LISTED_MAX 128u
#define PATIENCE_NS NS_PER_S

static atomic_int registered[CHILDREN_MAX];

/* What getdents64(2) fills in. */
struct directory_entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

struct listed {
	pid_t pids[LISTED_MAX];
	size_t n;
};

bool children_add(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (!atomic_load(&registered[i])) {
			atomic_store(&registered[i], pid);
			return true;
		}
	return false;
}

static bool is_registered(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (atomic_load(&registered[i]) == pid)
			return true;
	return false;
}

void children_remove(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (atomic_load(&registered[i]) == pid)
			atomic_store(&registered[i], 0);
}

/* Adds the numbers in a "children" file; what does not fit is found by the next round. */
static void list_file(int fd, struct listed *listed)
{
	char buffer[512];
	pid_t pid = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buffer[i] >= '0' && buffer[i] <= '9') {
				pid = pid * 10 + (buffer[i] - '0');
				continue;
			}
			if (pid && listed->n < LISTED_MAX)
				listed->pids[listed->n++] = pid;
			pid = 0;
		}
	if (pid && listed->n < LISTED_MAX)
		listed->pids[listed->n++] = pid;
}

static void list_thread(int tasks, const char *tid, struct listed *listed)
{
	char path[64];
	size_t length = strlen(tid);
	int fd;

	if (length + sizeof("/children") > sizeof(path))
		return;
	memcpy(path, tid, length);
	memcpy(path + length, "/children", sizeof("/children"));
	fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	list_file(fd, listed);
	close(fd);
}

/* Direct children of this process, zombies too. Async-signal-safe. */
static void list_children(struct listed *listed)
{
	_Alignas(struct directory_entry) char buffer[1024];
	int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	listed->n = 0;
	if (tasks < 0)
		return;
	while ((n = syscall(SYS_getdents64, tasks, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct directory_entry *entry = (const void *)(buffer + at);

			if (entry->name[0] != '.')
				list_thread(tasks, entry->name, listed);
			at += entry->length;
		}
	close(tasks);
}

static void sleep_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)NS_PER_MS }, NULL);
}

size_t children_sweep(void)
{
	uint64_t give_up_ns = clock_now_ns() + PATIENCE_NS;
	struct listed listed;
	size_t n_left;

	for (;;) {
		n_left = 0;
		list_children(&listed);
		for (size_t i = 0; i < listed.n; i++) {
			if (is_registered(listed.pids[i]))
				continue;
			kill(listed.pids[i], SIGKILL);
			n_left++;
			waitpid(listed.pids[i], NULL, WNOHANG);
		}
		if (!n_left || clock_now_ns() > give_up_ns)
			return n_left;
		sleep_a_little();
	}
}

void children_kill_all(void)
{
	uint64_t give_up_ns = clock_now_ns() + PATIENCE_NS;
	int saved = errno;
	struct listed listed;
	pid_t reaped;

	do {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			pid_t pid = atomic_load(&registered[i]);

			if (pid)
				kill(-pid, SIGKILL);
		}
		list_children(&listed);
		for (size_t i = 0; i < listed.n; i++)
			kill(listed.pids[i], SIGKILL);
		while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0)
			children_remove(reaped);
		if (reaped < 0 && errno == ECHILD)
			break;
		sleep_a_little();
	} while (clock_now_ns() < give_up_ns);
	errno = saved;
}
