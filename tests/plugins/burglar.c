/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries what each item says, and emits the item and what came of it: "done", or the name of an errno. WORD or WORD ARGUMENT; see the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/weir.h>

static int close_well(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int try_read(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -1 : (int)read(fd, &byte, 1);

	return close_well(fd) < 0 ? -1 : r < 0 ? -1 : 0;
}

static int try_write(const char *path)
{
	return close_well(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int try_rename(const char *path)
{
	return rename(path, "renamed");
}

static int try_remove(const char *path)
{
	return unlink(path);
}

static int try_list(const char *path)
{
	return close_well(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_mode(const char *path)
{
	return chmod(path, 0644);
}

static int try_socket(const char *family)
{
	return close_well(socket(atoi(family), SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int try_fork(const char *nothing)
{
	pid_t pid = fork();

	(void)nothing;
	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid(pid, NULL, 0) < 0 ? -1 : 0;
}

static int try_execute(const char *path)
{
	return execl(path, path, (char *)NULL);
}

static int try_signal(const char *pid)
{
	return kill(atoi(pid), 0);
}

static void *do_nothing(void *nothing)
{
	return nothing;
}

static int try_thread(const char *nothing)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, do_nothing, NULL);

	(void)nothing;
	errno = r;
	return r ? -1 : pthread_join(thread, NULL);
}

/* Not with ptrace(): a sanitizer has its own in the list. */
static int try_call(const char *number)
{
	return (int)syscall(atoi(number), -1, -1, -1, -1, -1);
}

static const struct {
	const char *word;
	int (*act)(const char *argument);
} acts[] = {
	{ "read", try_read },       { "write", try_write },   { "rename", try_rename }, { "remove", try_remove },
	{ "list", try_list },       { "mode", try_mode },     { "socket", try_socket }, { "fork", try_fork },
	{ "execute", try_execute }, { "signal", try_signal }, { "thread", try_thread }, { "call", try_call },
};

static int burglar_open(struct weir_context *context, void **state)
{
	(void)context, (void)state;
	return 0;
}

static int burglar_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	char line[512], answer[640];
	char *argument;
	const char *outcome = "no such act";

	(void)state;
	snprintf(line, sizeof(line), "%.*s", (int)item->size_bytes, (const char *)item->data);
	argument = strchr(line, ' ');
	if (argument)
		*argument++ = 0;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(acts[i].word, line) == 0)
			outcome = acts[i].act(argument ? argument : "") == 0 ? "done" : strerrorname_np(errno);
	snprintf(answer, sizeof(answer), "%.*s: %s", (int)item->size_bytes, (const char *)item->data, outcome);
	return weir_emit(context, 0, answer, strlen(answer));
}

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(stage),
	.role = WEIR_OPERATOR,
	.name = "burglar",
	.summary = "tries what it may",
	.open = burglar_open,
	.process = burglar_process,
};

WEIR_STAGE_EXPORT(stage)
