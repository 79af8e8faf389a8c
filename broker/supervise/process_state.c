/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/process_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"

#define FILE_SIZE_MAX 1024u

/* The begin of a small file, terminated; "" if there is none. */
static void read_file(const char *path, char content[static FILE_SIZE_MAX])
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, content, FILE_SIZE_MAX - 1) : 0;

	content[n > 0 ? n : 0] = '\0';
}

static void read_of(pid_t pid, const char *what, char content[static FILE_SIZE_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	read_file(path, content);
}

char process_state(pid_t pid, uint64_t *ret_starved_ns)
{
	char content[FILE_SIZE_MAX], *end;

	read_of(pid, "schedstat", content);
	(void)strtoull(content, &end, 10);
	*ret_starved_ns = strtoull(end, NULL, 10);
	read_of(pid, "stat", content);
	end = strrchr(content, ')'); /* a program's name may hold anything */
	if (!end || end[1] != ' ')
		return 0;
	return end[2] == 't' ? 'T' : end[2];
}

pid_t process_parent(pid_t pid)
{
	char content[FILE_SIZE_MAX];
	const char *end;

	read_of(pid, "stat", content);
	end = strrchr(content, ')'); /* then " S PARENT" */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

void process_where(pid_t pid, char *where, size_t size_bytes)
{
	char content[FILE_SIZE_MAX];

	read_of(pid, "wchan", content);
	snprintf(where, size_bytes, "%s", strcmp(content, "0") == 0 ? "" : content);
}

/* -1: not told. */
static int count_filters(const char *whose)
{
	char path[64], line[256];
	_cleanup_(fclose) FILE *file = NULL;
	int n = -1;

	snprintf(path, sizeof(path), "/proc/%s/status", whose);
	file = fopen(path, "re");
	while (file && n < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp_filters: %d", &n) != 1)
			n = -1;
	return n;
}

int process_filters(pid_t pid)
{
	char whose[16];
	int own = count_filters("self"), its;

	snprintf(whose, sizeof(whose), "%d", (int)pid);
	its = pid > 0 ? count_filters(whose) : -1;
	return own < 0 || its < own ? -1 : its - own;
}

pid_t process_child(pid_t pid, char ret_name[static PROCESS_NAME_SIZE])
{
	char path[64], content[FILE_SIZE_MAX];
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	pid_t child;

	snprintf(path, sizeof(path), "task/%d/children", (int)pid);
	read_of(pid, path, content);
	child = (pid_t)strtol(content, NULL, 10);
	if (child <= 0)
		return 0;
	read_of(child, "comm", content);
	text_add_visible(&name, content, strcspn(content, "\n"));
	snprintf(ret_name, PROCESS_NAME_SIZE, "%s", text_get(&name));
	return child;
}

struct process_memory process_memory_of(pid_t pid)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), resident, shared;
	char content[FILE_SIZE_MAX], *end;

	read_of(pid, "statm", content);
	(void)strtoull(content, &end, 10); /* of its addresses */
	resident = strtoull(end, &end, 10);
	shared = strtoull(end, NULL, 10); /* files and shared memory */
	return (struct process_memory){ .resident_bytes = resident * page_bytes,
					.private_bytes = (resident > shared ? resident - shared : 0) * page_bytes };
}

uint64_t process_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n > 3 ? n - 3 : 0; /* ".", "..", and the folder itself */
}

#define STAT_STARTTIME 22 /* fields are numbered from 1; the name is the second */

uint64_t process_began_ticks(pid_t pid)
{
	char content[FILE_SIZE_MAX];
	const char *field;

	read_of(pid, "stat", content);
	field = strrchr(content, ')');
	for (unsigned number = 2; field && number < STAT_STARTTIME; number++)
		field = strchr(field + 1, ' ');
	return field ? strtoull(field, NULL, 10) : 0;
}

bool process_reads_input(pid_t pid)
{
	char content[FILE_SIZE_MAX], *end;
	long number;

	read_of(pid, "syscall", content); /* "0 0x0 0x7f...": the number, and its arguments */
	number = strtol(content, &end, 10);
	return end != content && number == SYS_read && strncmp(end, " 0x0 ", 5) == 0;
}
