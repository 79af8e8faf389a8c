/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one scenario and lets nothing of it get away: keeper SECONDS ORPHANS_FILE COMMAND...
 *
 * The keeper is a subreaper, so whatever loses its parent becomes its child and can neither hide nor stay a zombie unseen:
 *
 *     keeper ── scenario shell ── weir run ── weir-worker ── awk
 *        ^________ parent died first: an orphan, named in ORPHANS_FILE when it ends ________|
 *
 * A pipeline that ends cleanly leaves no orphans. After the command has ended, every process that is still there two seconds later is
 * a leak: it is shown with its command line and its memory files, and killed.
 *
 * Exit code: the command's (128+n for signal n), 124 it took too long, 125 it left processes behind.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { EXIT_TOO_LONG = 124, EXIT_LEAK = 125, EXIT_NO_COMMAND = 126 };
#define LEFT_TO_END_NS (2 * NS_PER_S)
#define PROCESSES_MAX 32768

struct process {
	pid_t pid, parent;
	char state;
	bool ours;
};

static struct process processes[PROCESSES_MAX];

/* Reads a small file of /proc into buffer, always terminated. Returns its length, 0 if the process is gone. */
static size_t read_proc(pid_t pid, const char *file, char *buffer, size_t size)
{
	char path[64];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buffer, size - 1);
		close(fd);
	}
	buffer[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static size_t list_processes(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	char stat[512];
	size_t n = 0;

	while (folder && n < PROCESSES_MAX && (entry = readdir(folder))) {
		struct process *process = &processes[n];
		const char *after_name;
		int parent;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		process->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (!read_proc(process->pid, "stat", stat, sizeof(stat)) || !(after_name = strrchr(stat, ')')) ||
		    sscanf(after_name, ") %c %d", &process->state, &parent) != 2)
			continue;
		process->parent = parent;
		process->ours = parent == getpid();
		n++;
	}
	if (folder)
		closedir(folder);
	return n;
}

/* Marks all descendants of this process among the n listed ones. Returns how many there are. */
static size_t mark_ours(size_t n)
{
	size_t n_ours = 0;

	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n && !processes[i].ours; j++)
				if (processes[j].ours && processes[i].parent == processes[j].pid)
					more = processes[i].ours = true;
	}
	for (size_t i = 0; i < n; i++)
		n_ours += processes[i].ours;
	return n_ours;
}

static unsigned count_memory_files(pid_t pid)
{
	char path[64], line[1024];
	unsigned n = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		n += strstr(line, "/memfd:") != NULL;
	if (maps)
		fclose(maps);
	return n;
}

static void show_ours(const char *why)
{
	size_t n = list_processes();
	char command[256];

	mark_ours(n);
	for (size_t i = 0; i < n; i++) {
		size_t length;

		if (!processes[i].ours)
			continue;
		length = read_proc(processes[i].pid, "cmdline", command, sizeof(command));
		for (size_t j = 0; j + 1 < length; j++)
			if (!command[j])
				command[j] = ' ';
		fprintf(stderr, "%s: process %d, state %c, maps %u memory files: %s\n", why, (int)processes[i].pid,
			processes[i].state, count_memory_files(processes[i].pid), command);
	}
}

/* Ends and reaps every descendant; new ones that appear meanwhile too. */
static void kill_ours(void)
{
	for (;;) {
		size_t n = list_processes();

		if (!mark_ours(n))
			return;
		for (size_t i = 0; i < n; i++)
			if (processes[i].ours)
				kill(processes[i].pid, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(10000);
	}
}

/* Reaps all that have ended; orphans are named in the file. Returns false once there are no children left. */
static bool reap(pid_t command, int *status, bool *ended, FILE *orphans)
{
	siginfo_t info = { 0 };
	char name[64];

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
		if (info.si_pid == command) {
			waitpid(command, status, 0);
			*ended = true;
		} else {
			read_proc(info.si_pid, "comm", name, sizeof(name));
			fprintf(orphans, "%d %s", (int)info.si_pid, name[0] ? name : "?\n");
			fflush(orphans);
			waitpid(info.si_pid, NULL, 0);
		}
		info.si_pid = 0;
	}
	return !(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD);
}

static pid_t start(char **command, const sigset_t *old_mask)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	sigprocmask(SIG_SETMASK, old_mask, NULL);
	execvp(command[0], command);
	fprintf(stderr, "keeper: %s: %s\n", command[0], strerror(errno));
	_exit(EXIT_NO_COMMAND);
}

/* Waits until the command has ended, and then for what it left, each with its bound. Returns the keeper's exit code. */
static int watch(pid_t command, const sigset_t *wanted, uint64_t deadline_ns, FILE *orphans)
{
	bool ended = false, left = true;
	int status = 0;

	while ((left = reap(command, &status, &ended, orphans))) {
		uint64_t now_ns = clock_now_ns();
		struct timespec bound = { 0, 100000000 };
		int signal_number;

		if (ended)
			deadline_ns = deadline_earlier(deadline_ns, now_ns + LEFT_TO_END_NS);
		if (now_ns >= deadline_ns)
			break;
		signal_number = sigtimedwait(wanted, NULL, &bound);
		if (signal_number == SIGINT || signal_number == SIGTERM) {
			kill_ours();
			return 128 + signal_number;
		}
	}
	if (left) {
		show_ours(ended ? "left behind" : "too slow");
		kill_ours();
		return ended ? EXIT_LEAK : EXIT_TOO_LONG;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* For the self-test: a process that maps a memory file and stays. */
static int hold_memory(void)
{
	int fd = memfd_create("weir-planted", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4096) < 0 || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		return EXIT_NO_COMMAND;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	sigset_t wanted, old_mask;
	FILE *orphans;
	pid_t command;
	int r;

	if (argc == 2 && strcmp(argv[1], "--hold-memory") == 0)
		return hold_memory();
	if (argc < 4) {
		fprintf(stderr, "usage: keeper SECONDS ORPHANS_FILE COMMAND [ARGUMENT...]\n");
		return EXIT_NO_COMMAND;
	}
	orphans = fopen(argv[2], "we");
	if (!orphans || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		fprintf(stderr, "keeper: %s: %s\n", argv[2], strerror(errno));
		return EXIT_NO_COMMAND;
	}
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigprocmask(SIG_BLOCK, &wanted, &old_mask);
	command = start(argv + 3, &old_mask);
	r = command < 0 ? EXIT_NO_COMMAND :
			  watch(command, &wanted, clock_now_ns() + strtoul(argv[1], NULL, 10) * NS_PER_S, orphans);
	fclose(orphans);
	return r;
}
