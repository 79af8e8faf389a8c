/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of exec stages share: a worker's surroundings, and a loop that drives a stage as the runtime does. */
#pragma once

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "worker/builtin.h"
#include "worker/children.h"

#define COMMAND(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SHELL(line_) COMMAND("sh", "-c", (line_))

/* As every worker is. */
static inline int exec_test_group(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static inline void exec_init(struct fake_host *host, const struct weir_stage *stage, const char *const *command)
{
	fake_host_init(host, stage);
	fake_host_option_list(host, "command", command);
}

/* No child, dead or alive, is left of this process. */
static inline void exec_assert_nothing_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static inline void exec_deinit(struct fake_host *host)
{
	fake_host_deinit(host);
	exec_assert_nothing_left();
}

/* The worker is dead, and the supervisor has swept up after it. */
static inline void exec_kill(struct fake_host *host)
{
	fake_host_kill(host);
	children_kill_all();
}

/* produce() until it has nothing more to do, with a commit after each. Returns what ended it: 0 or an outcome. */
static inline int exec_produce(struct fake_host *host)
{
	int r = WEIR_MORE, flushed;

	for (uint32_t n = 0; r == WEIR_MORE; n++) {
		assert_true(n < 1000000);
		host->produce_wanted = false;
		r = fake_host_produce(host);
		flushed = fake_host_turn_end(host);
		if (flushed)
			return flushed;
		if (r == 0 && host->produce_wanted)
			r = WEIR_MORE;
	}
	return r;
}

/* The turn ends; whatever the stage asked for is done. */
static inline int exec_turn_end(struct fake_host *host)
{
	int r = fake_host_turn_end(host);

	return r ? r : host->produce_wanted ? exec_produce(host) : 0;
}

/* One item, in a turn of its own if `turn`. Returns 0 or what went wrong. */
static inline int exec_item(struct fake_host *host, const char *text, bool turn)
{
	int r = fake_host_process(host, text, strlen(text));

	if (r != WEIR_HELD)
		return r;
	return turn || host->produce_wanted ? exec_turn_end(host) : 0;
}

/* All inputs are closed. Returns 0 or what went wrong. */
static inline int exec_finish(struct fake_host *host)
{
	int r = fake_host_finish(host), flushed = fake_host_turn_end(host);

	return flushed ? flushed : r == WEIR_MORE ? exec_produce(host) : r;
}

/* Nothing to do: sleeps until what the stage watches, then produces. */
static inline int exec_idle(struct fake_host *host)
{
	struct pollfd fd = { .fd = host->watch_fd, .events = host->watch_events };

	assert_true(host->watch_fd >= 0 || host->watch_wake_ns);
	poll(&fd, 1, deadline_poll_ms(host->watch_wake_ns, clock_now_ns(), 10000));
	host->watch_fd = -1;
	host->watch_wake_ns = 0;
	return exec_produce(host);
}

static inline void exec_assert_output(const struct fake_host *host, const char *expected)
{
	size_t size;
	char *text = fake_host_text(host, &size);

	assert_string_equal(text, expected);
	free(text);
}
