/* SPDX-License-Identifier: Apache-2.0 */
/* The exec sink. */
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/worker/exec/exec_test.h"

struct fixture {
	struct fake_host host;
	int out, stdout_before; /* a file stands in for weir's stdout */
};

static void start(struct fixture *fixture, const char *const *command)
{
	exec_init(&fixture->host, &exec_sink_callbacks, command);
	fake_host_option_string(&fixture->host, "block", "20");
	fake_host_option_number(&fixture->host, "block_wait", 0);
	fixture->out = memfd_create("out", MFD_CLOEXEC);
	fixture->stdout_before = -1;
	assert_true(fixture->out >= 0);
}

static void redirect(struct fixture *fixture)
{
	fflush(stdout);
	fixture->stdout_before = dup(STDOUT_FILENO);
	dup2(fixture->out, STDOUT_FILENO);
}

static void restore(struct fixture *fixture)
{
	fflush(stdout);
	dup2(fixture->stdout_before, STDOUT_FILENO);
	fixture->stdout_before = fd_close(fixture->stdout_before);
}

static void done(struct fixture *fixture)
{
	fd_close(fixture->out);
	exec_deinit(&fixture->host);
}

static void assert_written(const struct fixture *fixture, const char *expected)
{
	char buffer[4096];
	ssize_t n = pread(fixture->out, buffer, sizeof(buffer) - 1, 0);

	assert_true(n >= 0);
	buffer[n] = '\0';
	assert_string_equal(buffer, expected);
}

static void test_delivers(void **state)
{
	struct fixture fixture;
	int r = 0;

	(void)state;
	start(&fixture, SHELL("echo block; cat"));
	assert_int_equal(fake_host_open(&fixture.host), 0);
	redirect(&fixture);
	for (int i = 0; i < 5 && !r; i++)
		r = exec_item(&fixture.host, "0123456789", true);
	restore(&fixture);
	assert_int_equal(r, 0);
	assert_int_equal(fixture.host.n_settled, 4);
	redirect(&fixture);
	r = exec_finish(&fixture.host);
	restore(&fixture);
	assert_int_equal(r, 0);
	assert_int_equal(fixture.host.n_settled, 5);
	assert_written(&fixture, "block\n0123456789\n0123456789\nblock\n0123456789\n0123456789\nblock\n0123456789\n");
	done(&fixture);
}

static void test_fails(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, SHELL("exit 7"));
	assert_int_equal(fake_host_open(&fixture.host), 0);
	assert_int_equal(exec_item(&fixture.host, "x", true), 0);
	assert_int_equal(exec_finish(&fixture.host), WEIR_FAILED);
	assert_non_null(strstr(fixture.host.reason, "exit status 7"));
	assert_int_equal(fixture.host.n_settled, 0);
	done(&fixture);
}

static void test_never_reads(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, COMMAND("true"));
	assert_int_equal(fake_host_open(&fixture.host), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(exec_item(&fixture.host, "0123456789", false), 0);
	assert_int_equal(exec_finish(&fixture.host), 0);
	assert_int_equal(fixture.host.n_settled, 100);
	done(&fixture);
}

static void test_block_wait(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, COMMAND("true"));
	fake_host_option_number(&fixture.host, "block_wait", 5 * (int64_t)NS_PER_MS);
	assert_int_equal(fake_host_open(&fixture.host), 0);
	assert_int_equal(exec_item(&fixture.host, "x", true), 0);
	assert_int_equal(fixture.host.n_settled, 0);
	assert_int_equal(exec_idle(&fixture.host), 0);
	assert_int_equal(fixture.host.n_settled, 1);
	done(&fixture);
}

/*
 * Killed once the program has run, before that is committed: the same block goes out again, whole. Killed after the
 * commit, with the next block in the spool already: that one goes out, and the first does not.
 */
static void test_kill(void **state)
{
	struct fixture fixture;
	int r;

	(void)state;
	start(&fixture, COMMAND("cat"));
	assert_int_equal(fake_host_open(&fixture.host), 0);
	redirect(&fixture);
	fake_host_process(&fixture.host, "aaaaaaaaaa", 10);
	fake_host_process(&fixture.host, "bbbbbbbbbb", 10);
	fake_host_turn_end(&fixture.host);
	r = fake_host_produce(&fixture.host);
	fake_host_flush(&fixture.host);
	exec_kill(&fixture.host);
	restore(&fixture);
	assert_int_equal(r, WEIR_MORE);
	assert_int_equal(fixture.host.n_settled, 0);

	assert_int_equal(fake_host_open(&fixture.host), 0);
	redirect(&fixture);
	r = exec_produce(&fixture.host);
	fake_host_process(&fixture.host, "c", 1);
	fake_host_turn_end(&fixture.host);
	exec_kill(&fixture.host);
	restore(&fixture);
	assert_int_equal(r, 0);
	assert_int_equal(fixture.host.n_settled, 2);

	assert_int_equal(fake_host_open(&fixture.host), 0);
	redirect(&fixture);
	r = exec_finish(&fixture.host);
	restore(&fixture);
	assert_int_equal(r, 0);
	assert_int_equal(fixture.host.n_settled, 3);
	assert_written(&fixture, "aaaaaaaaaa\nbbbbbbbbbb\naaaaaaaaaa\nbbbbbbbbbb\nc\n");
	done(&fixture);
}

static void test_missing_program(void **state)
{
	struct fixture fixture;

	(void)state;
	start(&fixture, COMMAND("/no/such/program"));
	assert_int_equal(fake_host_open(&fixture.host), WEIR_FAILED);
	assert_non_null(strstr(fixture.host.reason, "/no/such/program"));
	done(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivers),   cmocka_unit_test(test_fails), cmocka_unit_test(test_never_reads),
		cmocka_unit_test(test_block_wait), cmocka_unit_test(test_kill),  cmocka_unit_test(test_missing_program),
	};

	return cmocka_run_group_tests(tests, exec_test_group, NULL);
}
