/* SPDX-License-Identifier: Apache-2.0 */
/* The exec source. */
#include <errno.h>

#include "tests/unit/worker/exec/exec_test.h"

static void start(struct fake_host *host, const char *const *command)
{
	exec_init(host, &exec_source_callbacks, command);
}

static void expect(const char *const *command, const char *split, const char *expected)
{
	struct fake_host host;

	start(&host, command);
	fake_host_option_string(&host, "split", split);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_assert_output(&host, expected);
	assert_int_equal(fake_host_produce(&host), WEIR_CLOSED);
	exec_deinit(&host);
}

static void test_lines(void **state)
{
	(void)state;
	expect(COMMAND("printf", "a\\nb\\n\\nc"), "lines", "a\nb\n\nc\n");
	expect(COMMAND("true"), "lines", "");
	expect(SHELL("echo a; sleep 0.05; printf b; sleep 0.05; echo c"), "lines", "a\nbc\n");
	expect(SHELL("yes | head -n 3"), "lines", "y\ny\ny\n");
}

static void test_stanzas(void **state)
{
	(void)state;
	expect(COMMAND("printf", "\\n\\nA: 1\\nB: 2\\n\\n\\n\\nC: 3\\n"), "stanzas", "A: 1\nB: 2\nC: 3\n");
	expect(SHELL("printf 'a\\n'; sleep 0.05; printf '\\nb'; sleep 0.05; printf '\\n\\n'"), "stanzas", "a\nb\n");
	expect(COMMAND("printf", "\\n\\n\\n"), "stanzas", "");
}

static void test_many(void **state)
{
	struct fake_host host;
	size_t size;
	char *text;

	(void)state;
	start(&host, COMMAND("seq", "0", "299999"));
	host.full_after = host.room = 1000;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 300000);
	text = fake_host_text(&host, &size);
	assert_int_equal(size, host.progress_position);
	assert_int_equal(size, 10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5 + 90000 * 6 + 200000 * 7);
	assert_string_equal(text + size - 14, "299998\n299999\n");
	free(text);
	exec_deinit(&host);
}

/* It says WEIR_WAIT, with something to watch, when the program has nothing to say. */
static void test_waits(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("echo a; read x <&1; sleep 100"));
	assert_int_equal(fake_host_open(&host), 0);
	while (fake_host_items(&host) == 0) {
		struct pollfd fd;

		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		fd = (struct pollfd){ .fd = host.watch_fd, .events = host.watch_events };
		assert_true(host.watch_fd >= 0);
		if (fake_host_items(&host) == 0)
			poll(&fd, 1, 5000);
	}
	fake_host_close(&host);
	exec_assert_nothing_left();
	exec_deinit(&host);
}

static void test_failures(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("echo a; echo b; exit 3"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_FAILED);
	exec_assert_output(&host, "a\nb\n");
	fake_host_kill(&host); /* all of it had been committed */
	exec_assert_output(&host, "a\nb\n");
	assert_non_null(strstr(host.reason, "exit status 3, after 2 records, which have all been passed on"));
	exec_deinit(&host);

	start(&host, SHELL("exit 3"));
	fake_host_option_list(&host, "ok_exit", COMMAND("0", "3"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_deinit(&host);

	start(&host, SHELL("echo a; kill -SEGV $$"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_FAILED);
	exec_assert_output(&host, "a\n");
	assert_non_null(strstr(host.reason, "killed by signal 11 (SEGV)"));
	exec_deinit(&host);

	start(&host, COMMAND("no-such-program-anywhere"));
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	exec_deinit(&host);
}

static void test_odd_programs(void **state)
{
	(void)state;
	expect(SHELL("sleep 100 & echo a"), "lines", "a\n"); /* leaves something behind that holds its stdout */
	expect(SHELL("setsid sleep 100 & echo a"), "lines", "a\n");
	expect(SHELL("yes no | head -c 300000 >&2; echo a"), "lines", "a\n"); /* floods stderr */
	expect(SHELL("echo a; exec >&-; sleep 0.1"), "lines", "a\n");         /* closes its stdout early */
	expect(SHELL("cat; echo a"), "lines", "a\n");                         /* its stdin is empty */
}

/* Closes its stdout and stays: five seconds, then it is over. */
static void test_stays(void **state)
{
	struct fake_host host;
	uint64_t from_ns = clock_now_ns();

	(void)state;
	start(&host, SHELL("echo a; exec >&-; trap '' TERM; sleep 100; sleep 100"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_assert_output(&host, "a\n");
	assert_in_range(clock_now_ns() - from_ns, 5 * NS_PER_S, 50 * NS_PER_S);
	exec_deinit(&host);
}

static void expect_too_long(const char *choice, int result, const char *expected, uint64_t n_rejected)
{
	struct fake_host host;

	start(&host, SHELL("echo a; echo 123456789; yes | tr -d '\\n' | head -c 1000000; echo; echo b"));
	fake_host_option_string(&host, "too_long", choice);
	host.item_size_max = 8;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), result);
	exec_assert_output(&host, expected);
	assert_int_equal(host.n_rejected, n_rejected);
	if (n_rejected)
		assert_non_null(strstr(host.last_rejection, "record 3 of"));
	if (result == WEIR_FAILED)
		assert_non_null(strstr(host.reason, "record 2 of"));
	exec_deinit(&host);
}

static void test_too_long(void **state)
{
	(void)state;
	expect_too_long("reject", WEIR_CLOSED, "a\nb\n", 2);
	expect_too_long("cut", WEIR_CLOSED, "a\n12345678\nyyyyyyyy\nb\n", 0);
	expect_too_long("fail", WEIR_FAILED, "a\n", 0);
}

/* A worker dies after some records were committed and others not; the program runs again. */
static void kill_after_some(struct fake_host *host, const char *const *command, const char *resume)
{
	start(host, command);
	fake_host_option_string(host, "resume", resume);
	host->room = 4;
	assert_int_equal(fake_host_open(host), 0);
	while (fake_host_items(host) < 4) {
		int r = fake_host_produce(host);

		assert_true(r == WEIR_MORE || r == WEIR_WAIT);
		assert_int_equal(fake_host_turn_end(host), 0);
	}
	host->room = 2;
	fake_host_produce(host);
	assert_int_equal(fake_host_items(host), 6);
	exec_kill(host);
	assert_int_equal(fake_host_items(host), 4);
	host->room = UINT64_MAX;
	assert_int_equal(fake_host_open(host), 0);
}

static void test_resume(void **state)
{
	struct fake_host host;

	(void)state;
	kill_after_some(&host, COMMAND("seq", "8"), "rerun");
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_assert_output(&host, "1\n2\n3\n4\n5\n6\n7\n8\n");
	exec_deinit(&host);

	kill_after_some(&host, COMMAND("seq", "8"), "none");
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_assert_output(&host, "1\n2\n3\n4\n1\n2\n3\n4\n5\n6\n7\n8\n");
	exec_deinit(&host);

	kill_after_some(&host, COMMAND("seq", "8"), "fail");
	assert_int_equal(fake_host_run_source(&host, true), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "after 4 records; resume: fail"));
	exec_assert_output(&host, "1\n2\n3\n4\n");
	exec_deinit(&host);
}

/* The second run tells something else: same length, other length, or less. */
static void test_rerun_differs(void **state)
{
	static const char *const seconds[] = { "1\\n2\\n3\\nX\\n5\\n6\\n7\\n", "1\\n2\\n3\\n44\\n5\\n6\\n7\\n",
					       "1\\n2\\n", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		char marker[] = "/tmp/weir-test-XXXXXX", line[256];
		struct fake_host host;

		fd_close(mkstemp(marker));
		snprintf(line, sizeof(line), "if [ -e %s ]; then rm %s; seq 7; else printf '%s'; fi", marker, marker,
			 seconds[i]);
		kill_after_some(&host, SHELL(line), "rerun");
		assert_int_equal(fake_host_run_source(&host, true), WEIR_FAILED);
		assert_non_null(strstr(host.reason, "different output when run again"));
		exec_assert_output(&host, "1\n2\n3\n4\n");
		exec_deinit(&host);
	}
}

/* With resume: fail, a death before the program was started is no reason to fail; one after it is. */
static void test_fail_only_if_started(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("seq", "2"));
	fake_host_option_string(&host, "resume", "fail");
	assert_int_equal(fake_host_open(&host), 0);
	exec_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_assert_output(&host, "1\n2\n");
	exec_kill(&host); /* after the end there is nothing to run again */
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	exec_assert_output(&host, "1\n2\n");
	exec_deinit(&host);
}

#define KILL_ITEMS 200000u

static void worker_life(struct fake_host *host)
{
	if (fake_host_open(host))
		_exit(1);
	_exit(fake_host_run_source(host, true) == WEIR_CLOSED ? 0 : 1);
}

/* SIGKILL at any moment, for real; too long records among the others. */
static void test_kill_at_random(void **state)
{
	struct fake_host host;
	uint32_t n_lives = 0;
	unsigned seed = 4711;
	int status = -1;
	size_t size;
	char *text, *at;

	(void)state;
	start(&host,
	      SHELL("awk 'BEGIN { for (i = 0; i < 200000; i++) { printf \"%07d\\n\", i; if (i % 1000 == 7) print \"much too long\" } }'"));
	host.full_after = host.room = 100;
	host.item_size_max = 8;
	while (!(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		pid_t pid = fork();

		if (!pid)
			worker_life(&host);
		usleep((useconds_t)(rand_r(&seed) % 8000) + 2000 + n_lives * 500);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		children_kill_all();
		fake_host_inherit(&host);
		assert_true(++n_lives < 2000);
	}
	print_message("%u lives\n", n_lives);
	assert_int_equal(fake_host_items(&host), KILL_ITEMS);
	assert_int_equal(host.n_rejected, KILL_ITEMS / 1000);
	text = at = fake_host_text(&host, &size);
	for (uint32_t i = 0; i < KILL_ITEMS; i++, at += 8) {
		char expected[16];

		snprintf(expected, sizeof(expected), "%07u\n", i);
		assert_memory_equal(at, expected, 8);
	}
	free(text);
	exec_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_stanzas),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_odd_programs),
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_rerun_differs),
		cmocka_unit_test(test_fail_only_if_started),
		cmocka_unit_test(test_kill_at_random),
	};

	return cmocka_run_group_tests(tests, exec_test_group, NULL);
}
