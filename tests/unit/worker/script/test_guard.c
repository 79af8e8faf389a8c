/* SPDX-License-Identifier: Apache-2.0 */
/* The guard: what runs on, takes too much or crashes, in a child that is a worker as far as it knows, and in the next one. */
#include <jv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/record.h>

#include "common/base/clock.h"
#include "common/stage/host.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/script/script_test.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"
#include "worker/script/guard.h"

#define ACCEPTED_NS 77

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAULTS_ARE_OURS false /* and neither is the allocator */
#else
#define FAULTS_ARE_OURS true
#endif

static void begin(struct fake_host *host, const char *expr, uint64_t memory_bytes)
{
	fake_host_init(host, &map_operator_callbacks);
	fake_host_option_string(host, "expr", expr);
	fake_host_option_string(host, "emits", "same");
	fake_host_option_number(host, "memory", (int64_t)memory_bytes);
	fake_host_option_number(host, HOST_OPTION_FORM, WEIR_FORM_TEXT);
	host->accepted_ns = ACCEPTED_NS;
}

static int give(struct fake_host *host, uint64_t budget_ns)
{
	host->budget_ns = budget_ns ? clock_now_ns() + budget_ns : 0;
	return fake_host_process(host, "x", 1);
}

/* In this very process: the interpreter is stopped, and goes on with the next item. */
static void test_loops_are_stopped(void **state)
{
	static const char *const loops[] = { "if . == \"x\" then (def f: f; f) else . end", "[limit(1e18; repeat(1))]",
					     "last(range(1e18))" };

	(void)state;
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		struct fake_host host;

		begin(&host, loops[i], 0);
		assert_int_equal(fake_host_open(&host), 0);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(give(&host, 30 * NS_PER_MS), WEIR_REJECTED);
			assert_string_equal(host.reason,
					    "the expression was still at work when the stage's deadline was over");
		}
		assert_int_equal(host.n_overran, 2);
		if (i == 0) {
			assert_int_equal(fake_host_process(&host, "y", 1), WEIR_OK);
			assert_true(fake_host_item_is(&host, 0, "y"));
		}
		fake_host_deinit(&host);
	}
}

static void test_a_cancel_is_seen(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "def f: f; f", 0);
	assert_int_equal(fake_host_open(&host), 0);
	host.cancelled = true;
	assert_int_equal(give(&host, 0), WEIR_CANCELLED);
	assert_int_equal(host.n_overran, 0);
	fake_host_deinit(&host);
}

static void no_core(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

/* Gives the item in a child. Returns how that ended, as waitpid() tells. */
static int live(struct fake_host *host, uint64_t budget_ns, int *ret_outcome)
{
	static char stack[65536];
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
		int outcome;
		ssize_t written;

		no_core();
		sigaltstack(&other, NULL);
		if (!freopen("/dev/null", "w", stderr) || fake_host_open(host) != 0)
			_exit(3);
		outcome = give(host, budget_ns);
		written = write(pipes[1], &outcome, sizeof(outcome));
		written += write(pipes[1], host->reason, sizeof(host->reason));
		_exit(written > 0 ? 0 : 4);
	}
	close(pipes[1]);
	*ret_outcome = -1;
	if (read(pipes[0], ret_outcome, sizeof(*ret_outcome)) == sizeof(*ret_outcome))
		assert_int_equal(read(pipes[0], host->reason, sizeof(host->reason)), sizeof(host->reason));
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

struct bad {
	const char *expr;
	uint64_t memory_bytes, budget_ns;
	int exit_code; /* -1: of a signal */
	const char *reason;
};

#define BEHIND ", in a function that can't be stopped; its worker was ended"

/* One life for each: the next worker refuses the item, and only that one. */
static void test_what_can_not_be_stopped_costs_one_worker(void **state)
{
	static const struct bad all[] = {
		{ "\"x\" * 1e9 | length", 0, 30 * NS_PER_MS, 70,
		  "the expression was still at work when the stage's deadline was over" BEHIND },
		{ "\"x\" * 1e9 | length", 16 << 20, 0, 70,
		  "the expression took more memory than memory: 16.0 MiB allows" BEHIND },
		{ "reduce range(1000000) as $i (1; [.]) | length", 0, 0, -1,
		  "the expression made its worker crash: the log says where; a value nested very deep does that" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && FAULTS_ARE_OURS; i++) {
		struct fake_host host;
		int status, outcome;

		begin(&host, all[i].expr, all[i].memory_bytes);
		status = live(&host, all[i].budget_ns, &outcome);
		if (all[i].exit_code < 0)
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
		else
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == all[i].exit_code);
		host.attempt = 1;
		status = live(&host, all[i].budget_ns, &outcome);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		assert_int_equal(outcome, WEIR_REJECTED);
		assert_string_equal(host.reason, all[i].reason);
		fake_host_deinit(&host);
	}
}

/* A tick may come before the allocation that fails: then no worker dies of it. */
static void test_deep_recursion_costs_one_worker_at_most(void **state)
{
	static const char reason[] = "the expression took more memory than memory: 16.0 MiB allows";
	struct fake_host host;
	int status, outcome;

	(void)state;
	if (!FAULTS_ARE_OURS)
		skip();
	begin(&host, "def f: 1 + f; f", 16 << 20);
	status = live(&host, 0, &outcome);
	if (status != 0) {
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
		host.attempt = 1;
		assert_int_equal(live(&host, 0, &outcome), 0);
	}
	assert_int_equal(outcome, WEIR_REJECTED);
	assert_memory_equal(host.reason, reason, sizeof(reason) - 1);
	fake_host_deinit(&host);
}

/* Without `attempt` it is another one with the same number, and with it the number must be the same. */
static void test_a_note_names_one_item(void **state)
{
	struct fake_host host;
	int outcome;

	(void)state;
	if (!FAULTS_ARE_OURS)
		skip();
	begin(&host, "if . == \"x\" then \"x\" * 1e9 else . end | length", 16 << 20);
	(void)live(&host, 0, &outcome);
	fake_host_option_string(&host, "expr", "length"); /* as if the stage had been mended */
	assert_int_equal(live(&host, 0, &outcome), 0);
	assert_int_equal(outcome, WEIR_OK);
	host.attempt = 1;
	assert_int_equal(live(&host, 0, &outcome), 0);
	assert_int_equal(outcome, WEIR_REJECTED);
	host.accepted_ns++;
	assert_int_equal(live(&host, 0, &outcome), 0);
	assert_int_equal(outcome, WEIR_OK);
	host.accepted_ns--;
	host.n_taken++;
	assert_int_equal(live(&host, 0, &outcome), 0);
	assert_int_equal(outcome, WEIR_OK);
	fake_host_deinit(&host);
}

/* A tick sees what grows step by step, and stops it: no worker dies of that. */
static void test_memory_is_looked_at(void **state)
{
	struct fake_host host;
	int outcome;

	(void)state;
	if (!FAULTS_ARE_OURS)
		skip();
	begin(&host, "[range(1e9)] | length", 64 << 20);
	assert_int_equal(live(&host, 0, &outcome), 0);
	assert_int_equal(outcome, WEIR_REJECTED);
	assert_string_equal(host.reason, "the expression took more memory than memory: 64.0 MiB allows");
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loops_are_stopped),
		cmocka_unit_test(test_a_cancel_is_seen),
		cmocka_unit_test(test_what_can_not_be_stopped_costs_one_worker),
		cmocka_unit_test(test_deep_recursion_costs_one_worker_at_most),
		cmocka_unit_test(test_a_note_names_one_item),
		cmocka_unit_test(test_memory_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
