/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-console NAME WHERE WAIT [HOST...]: what `weir console` runs. It is an observer and a client of the control socket, maps everything
 * read-only, and may end or be killed at any time: the pipeline does not notice.
 *
 *      this thread: watch_look() each half second, signals, connections whose time is up
 *      one thread:  asks the supervisor (asker.c)          a thread for each connection: answers (server.c, routes.c)
 */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "broker/cli/pipelines.h"
#include "broker/control/run_dir.h"
#include "broker/control/state_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "console/asker.h"
#include "console/server.h"
#include "console/watch.h"

#define GONE_NS (10 * NS_PER_S) /* so long the next supervisor may take to come */

struct program {
	const char *name, *where;
	bool waits; /* also while the pipeline does not run */
	char *run_dir, *letters;
	struct listener listener;
	struct console console;
	struct server *server;
	int signal_fd;
	uint64_t seen_ns; /* when the pipeline was there last */
};

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "weir-console: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return EXIT_TRY_AGAIN;
}

/* Before the first thread, so that all of them leave signals to the loop. */
static int watch_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int set_up(struct program *program)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r;

	program->signal_fd = watch_signals();
	if (program->signal_fd < 0)
		return fail("signals can not be heard: %s", strerror(errno));
	program->run_dir = run_dir_path(program->name);
	program->letters = state_dir_dead_letters(program->name);
	if (!program->waits && !run_dir_is_alive(program->run_dir)) {
		fail("no pipeline '%s' is running", program->name);
		return EXIT_NOT_RUNNING;
	}
	if (listener_open(&program->listener, program->where, &why) != 0)
		return fail("%s", text_get(&why));
	program->console.dead_letter_store = program->letters;
	r = asker_new(program->run_dir, &program->console.asker);
	if (r == 0)
		r = watch_new(program->run_dir, &program->console.watch);
	if (r)
		return fail("can not begin: %s", strerror(-r));
	watch_look(program->console.watch);
	r = server_new(&program->console, &program->listener, &program->server);
	return r ? fail("can not serve: %s", strerror(-r)) : 0;
}

/* Returns -1 to go on, else the exit code. */
static int look(struct program *program)
{
	enum watch_state state = watch_look(program->console.watch);
	uint64_t now_ns = clock_now_ns();

	server_expire(program->server, now_ns);
	if (state == WATCH_OPEN || state == WATCH_SHUT || program->waits)
		program->seen_ns = now_ns;
	if (state == WATCH_ENDED && !program->waits)
		return EXIT_DONE;
	return now_ns - program->seen_ns > GONE_NS ? EXIT_NOT_RUNNING : -1;
}

static int serve(struct program *program)
{
	struct pollfd wait = { .fd = program->signal_fd, .events = POLLIN };
	int r = -1;

	fprintf(stderr, "weir-console: %s at %s\n", program->name, program->listener.said);
	fflush(stderr);
	program->seen_ns = clock_now_ns();
	while (r < 0) {
		if (poll(&wait, 1, (int)(WATCH_LOOK_NS / NS_PER_MS)) > 0)
			return EXIT_DONE;
		r = look(program);
	}
	if (r == EXIT_NOT_RUNNING)
		fail("pipeline '%s' is gone", program->name);
	return r;
}

static void take_down(struct program *program)
{
	server_free(program->server);
	listener_close(&program->listener);
	asker_free(program->console.asker);
	watch_free(program->console.watch);
	fd_close(program->signal_fd);
	free(program->run_dir);
	free(program->letters);
}

int main(int argc, char **argv)
{
	struct program program = { .listener = { .fd = -1 }, .signal_fd = -1 };
	int r;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	if (argc < 4 || argc - 4 > (int)LISTENER_HOSTS_MAX || !pipeline_name_valid(argv[1])) {
		fprintf(stderr, "weir-console: run it as `weir console NAME`\n");
		return EXIT_USAGE;
	}
	program.name = argv[1];
	program.where = argv[2];
	program.waits = strcmp(argv[3], "wait") == 0;
	for (int i = 4; i < argc; i++)
		program.listener.hosts[program.listener.n_hosts++] = argv[i];
	r = set_up(&program);
	if (r == 0)
		r = serve(&program);
	take_down(&program);
	return r;
}
