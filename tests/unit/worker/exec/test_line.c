/* SPDX-License-Identifier: Apache-2.0 */
/* The exec operator in line mode. */
#include "tests/unit/worker/exec/exec_test.h"

#define UPPER "while read -r a b; do echo $b $a; done"

static void start(struct fake_host *host, const char *const *command)
{
	exec_init(host, &exec_operator_callbacks, command);
	fake_host_option_string(host, "mode", "line");
	fake_host_option_number(host, "answer_within", 60 * (int64_t)NS_PER_S);
}

static void feed(struct fake_host *host, uint32_t from, uint32_t n, uint32_t per_turn)
{
	for (uint32_t i = from; i < from + n; i++) {
		char item[32];

		snprintf(item, sizeof(item), "line %05u", i);
		assert_int_equal(exec_item(host, item, i % per_turn == per_turn - 1), 0);
	}
}

static void assert_answers(struct fake_host *host, uint32_t n)
{
	char expected[64];

	assert_int_equal(fake_host_items(host), n);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(expected, sizeof(expected), "%05u line", i);
		assert_true(fake_host_item_is(host, i, expected));
	}
	assert_int_equal(host->n_settled, n);
}

static void test_answers(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL(UPPER));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_produce(&host), 0);
	feed(&host, 0, 2000, 64);
	assert_int_equal(exec_finish(&host), 0);
	assert_answers(&host, 2000);
	assert_int_equal(exec_finish(&host), 0);
	exec_deinit(&host);
}

/* A trickle: each answer leaves as soon as it has come, without the end of anything. */
static void test_trickle(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL(UPPER));
	assert_int_equal(fake_host_open(&host), 0);
	for (uint32_t i = 0; i < 5; i++) {
		feed(&host, i, 1, 1);
		while (fake_host_items(&host) <= i)
			assert_int_equal(exec_idle(&host), 0);
	}
	assert_answers(&host, 5);
	assert_int_equal(exec_finish(&host), 0);
	exec_deinit(&host);
}

/* Lines and answers larger than all pipes and windows together. */
static void test_large_lines(void **state)
{
	struct fake_host host;
	char *item = malloc(300001);

	(void)state;
	assert_non_null(item);
	memset(item, 'x', 300000);
	item[300000] = '\0';
	start(&host, COMMAND("cat"));
	host.item_size_max = 400000;
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(exec_item(&host, item, i % 3 == 0), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), 20);
	assert_int_equal(fake_host_item(&host, 19).size_bytes, 300000);
	free(item);
	exec_deinit(&host);
}

/* The log in the spool is reused: it does not grow with the stream. */
static void test_spool_is_bounded(void **state)
{
	struct fake_host host;
	char item[2001];

	(void)state;
	memset(item, 'x', sizeof(item) - 1);
	item[sizeof(item) - 1] = '\0';
	start(&host, COMMAND("cat"));
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(exec_item(&host, item, i % 16 == 0), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), 5000);
	assert_true(lseek(host.spool_fds[0], 0, SEEK_END) < 2 * 1024 * 1024);
	exec_deinit(&host);
}

static void test_full_lane(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL(UPPER));
	host.full_after = host.room = 7;
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 300, 10);
	assert_int_equal(exec_finish(&host), 0);
	assert_answers(&host, 300);
	exec_deinit(&host);
}

static void test_runs(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL(UPPER));
	assert_int_equal(fake_host_open(&host), 0);
	for (uint32_t run = 0; run < 3; run++) {
		feed(&host, run * 10, 10, 100);
		assert_int_equal(fake_host_end_run(&host), WEIR_MORE);
		assert_int_equal(fake_host_turn_end(&host), 0);
		assert_int_equal(exec_produce(&host), 0);
		assert_answers(&host, run * 10 + 10);
		assert_int_equal(fake_host_end_run(&host), 0);
	}
	assert_int_equal(exec_finish(&host), 0);
	exec_deinit(&host);
}

static void test_newline_is_rejected(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("cat"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a\nb", 3), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "newline"));
	assert_int_equal(exec_item(&host, "", false), 0);
	assert_int_equal(exec_item(&host, "c", false), 0);
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "\nc\n");
	exec_deinit(&host);
}

/* A program that answers late, because it buffers: the message says what to do. One that does not even read does something else. */
static void expect_silence(const char *const *command, const char *expected, const char *not_expected)
{
	struct fake_host host;
	int r;

	start(&host, command);
	fake_host_option_number(&host, "answer_within", 300 * (int64_t)NS_PER_MS);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	r = exec_idle(&host);
	for (int i = 0; i < 5 && !r; i++)
		r = exec_idle(&host);
	assert_int_equal(r, WEIR_FAILED);
	assert_non_null(strstr(host.reason, "300 ms"));
	if (!strstr(host.reason, expected))
		fail_msg("'%s' says nothing of '%s'", host.reason, expected);
	assert_null(strstr(host.reason, not_expected));
	assert_int_equal(host.n_settled, 0);
	exec_deinit(&host);
}

static void test_buffering(void **state)
{
	(void)state;
	expect_silence(COMMAND("tr", "a-z", "A-Z"), "tr does that unless told otherwise: start it with stdbuf -oL",
		       "python");
	expect_silence(COMMAND("grep", "x"), "grep does that unless told otherwise: start it with --line-buffered",
		       "stdbuf");
	expect_silence(SHELL("exec tr a-z A-Z"), "buffer: start it with 'stdbuf -oL'", "unless told otherwise");
	expect_silence(COMMAND("sleep", "1000"), "has not read all that it was sent (2 bytes lie in its stdin)",
		       "buffer");
}

static void expect_failure(const char *script, uint32_t n, const char *expected)
{
	struct fake_host host;
	int r;

	start(&host, SHELL(script));
	if (strstr(expected, "within 300 ms"))
		fake_host_option_number(&host, "answer_within", 300 * (int64_t)NS_PER_MS);
	r = fake_host_open(&host);
	assert_int_equal(r, 0);
	for (uint32_t i = 0; i < n && !r; i++)
		r = exec_item(&host, "x", i + 1 == n);
	if (!r)
		r = exec_finish(&host);
	assert_int_equal(r, WEIR_FAILED);
	if (!strstr(host.reason, expected))
		fail_msg("'%s': %s", script, host.reason);
	exec_deinit(&host);
}

static void test_bad_programs(void **state)
{
	(void)state;
	expect_failure("head -n 2", 5, "has ended (exit status 0) after 2 answers");
	expect_failure("read x; echo $x; exit 4", 5, "has answered all lines, but then: exit status 4");
	expect_failure("read x; exit 4", 5, "(exit status 4) after 0 answers");
	expect_failure("kill -9 $$", 1, "killed by signal 9 (KILL)");
	expect_failure("while read -r x; do echo $x; echo $x; done", 5, "a line that answers nothing");
	expect_failure("cat; echo bye", 5, "a line that answers nothing");
	expect_failure("cat; exit 3", 5, "has answered all lines, but then: exit status 3");
	expect_failure("exec >&-; while :; do sleep 1; done", 1, "has closed its stdout");
	expect_failure("yes", 5, "a line that answers nothing");
	expect_failure("sleep 100", 5, "has not answered a line within 300 ms");
	expect_failure("exec <&-; sleep 100", 5, "has not answered a line within 300 ms");
	expect_failure("sed -u p", 5, "a line that answers nothing");
	expect_failure("no-such-program-anywhere", 5, "(exit status 127)");
}

static void test_odd_programs_that_do(void **state)
{
	static const char *const scripts[] = {
		"cat; sleep 100 &", /* leaves something behind that holds the pipes */
		"sleep 100 & cat",
		"yes | head -c 300000 >&2; cat", /* floods stderr */
		"cat; exec >&-; trap '' TERM; sleep 0.05",
		"while read -r x; do printf '%s' $x; echo; done", /* an answer in pieces */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct fake_host host;

		start(&host, SHELL(scripts[i]));
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(exec_item(&host, "a", false), 0);
		assert_int_equal(exec_item(&host, "b", true), 0);
		assert_int_equal(exec_finish(&host), 0);
		exec_assert_output(&host, "a\nb\n");
		exec_deinit(&host);
	}
}

/* Does not end when its stdin does: killed with a warning, nothing is lost. */
static void test_stays(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("cat; trap '' TERM; exec >&-; while :; do sleep 1; done"));
	fake_host_option_number(&host, "answer_within", 3 * (int64_t)NS_PER_S);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "a", true), 0);
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "a\n");
	exec_deinit(&host);
}

/*
 * The program crashes now and then: it is started again, and no answer is lost or given twice; half an answer is none.
 */
static void test_crashing_program(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host,
	      SHELL("for i in 1 2 3 4 5 6 7; do read -r a b && echo $b $a; done; read -r a b && printf half; exit 9"));
	assert_int_equal(fake_host_open(&host), 0);
	fake_host_option_list(&host, "ok_exit", COMMAND("0"));
	feed(&host, 0, 21, 4);
	assert_int_equal(exec_turn_end(&host), 0);
	while (fake_host_items(&host) < 21)
		assert_int_equal(exec_idle(&host), 0);
	assert_answers(&host, 21);
	exec_deinit(&host);
}

/* It ends while nothing is asked of it: found out with the next line, which is not lost. */
static void test_ends_while_idle(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("read -r a b && echo $b $a; exit 9"));
	assert_int_equal(fake_host_open(&host), 0);
	for (uint32_t i = 0; i < 3; i++) {
		feed(&host, i, 1, 1);
		while (fake_host_items(&host) <= i)
			assert_int_equal(exec_idle(&host), 0);
		usleep(20000);
	}
	assert_answers(&host, 3);
	exec_deinit(&host);
}

static void test_missing_program(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("no-such-program-anywhere"));
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "not in PATH"));
	exec_deinit(&host);
}

static void test_answer_beyond_lane(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("while read -r x; do echo $x$x; done"));
	host.item_size_max = 8;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "1234", false), 0);
	assert_int_equal(exec_item(&host, "12345", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "a line of 10 bytes, the lane takes 8"));
	exec_assert_output(&host, "12341234\n");
	exec_deinit(&host);
}

static void cancel_at_once(struct fake_host *host, void *data)
{
	(void)data;
	host->cancelled = true;
}

static void test_cancel(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("sleep", "100"));
	host.on_wait = cancel_at_once;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_CANCELLED);
	exec_assert_nothing_left();
	exec_deinit(&host);
}

/* A worker dies with lines sent, answers read, answers emitted but not committed. */
static void test_kill_between_callbacks(void **state)
{
	(void)state;
	for (uint32_t step = 0; step < 10; step++) {
		struct fake_host host;

		start(&host, SHELL(UPPER));
		host.full_after = host.room = 3;
		assert_int_equal(fake_host_open(&host), 0);
		feed(&host, 0, 5, 100);
		assert_int_equal(exec_turn_end(&host), 0);
		feed(&host, 5, 5, 100);
		assert_int_equal(fake_host_flush(&host), 0);
		if (step > 0)
			fake_host_commit(&host);
		for (uint32_t n = 1; n < step; n++) {
			usleep(2000);
			fake_host_produce(&host);
			assert_int_equal(fake_host_flush(&host), 0);
			if (n + 1 < step || step % 2)
				fake_host_commit(&host);
		}
		exec_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(exec_produce(&host), 0);
		feed(&host, (uint32_t)host.n_taken, 20 - (uint32_t)host.n_taken, 7);
		assert_int_equal(exec_finish(&host), 0);
		assert_answers(&host, 20);
		exec_deinit(&host);
	}
}

#define KILL_ITEMS 20000u

static void worker_life(struct fake_host *host)
{
	if (fake_host_open(host) || exec_produce(host))
		_exit(1);
	while (host->n_taken < KILL_ITEMS) {
		uint32_t left = KILL_ITEMS - (uint32_t)host->n_taken;

		feed(host, (uint32_t)host->n_taken, left < 16 ? left : 16, 16);
		if (exec_turn_end(host))
			_exit(1);
	}
	_exit(exec_finish(host) ? 1 : 0);
}

/* SIGKILL at any moment, for real. */
static void test_kill_at_random(void **state)
{
	struct fake_host host;
	uint32_t n_lives = 0;
	unsigned seed = 4711;
	int status = -1;

	(void)state;
	start(&host, SHELL(UPPER));
	host.full_after = host.room = 50;
	while (!(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		pid_t pid = fork();

		if (!pid)
			worker_life(&host);
		usleep((useconds_t)(rand_r(&seed) % 4000) + 1000 + n_lives * 20);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		children_kill_all();
		fake_host_inherit(&host);
		assert_true(++n_lives < 2000);
	}
	print_message("%u lives\n", n_lives);
	assert_true(n_lives > 3);
	{
		size_t size;
		char *text = fake_host_text(&host, &size), *at = text;

		assert_int_equal(fake_host_items(&host), KILL_ITEMS);
		for (uint32_t i = 0; i < KILL_ITEMS; i++, at += 11) {
			char expected[16];

			snprintf(expected, sizeof(expected), "%05u line\n", i);
			assert_memory_equal(at, expected, 11);
		}
		free(text);
	}
	assert_int_equal(host.n_settled, KILL_ITEMS);
	exec_deinit(&host);
}

/* Deaf to everything but SIGKILL on one line, quick on all others. */
#define DEAF_ON_3 "trap '' TERM INT HUP; while read -r a b; do [ $b = 00003 ] && sleep 1000; echo $b $a; done"

static void start_impatient(struct fake_host *host, const char *const *command)
{
	start(host, command);
	fake_host_option_number(host, "deadline", 600 * (int64_t)NS_PER_MS);
	fake_host_option_number(host, "grace", 10 * (int64_t)NS_PER_MS);
	fake_host_option_number(host, "attempts", 2);
}

static void assert_all_but_3(struct fake_host *host, uint32_t n)
{
	char expected[64];

	assert_int_equal(fake_host_items(host), n - 1);
	for (uint32_t i = 0; i < n - 1; i++) {
		snprintf(expected, sizeof(expected), "%05u line", i < 3 ? i : i + 1);
		assert_true(fake_host_item_is(host, i, expected));
	}
	assert_int_equal(host->n_settled, n - 1);
	assert_true(host->n_overran >= 2); /* who is not scheduled may overrun once, too */
	assert_int_equal(host->n_given_up, 1);
	assert_string_equal(host->last_given_up, "line 00003");
	assert_non_null(strstr(host->reason, "deadline of 600 ms on this line, in each of 2 attempts"));
}

static void test_a_line_that_takes_too_long_is_given_up_alone(void **state)
{
	struct fake_host host;

	(void)state;
	start_impatient(&host, SHELL(DEAF_ON_3));
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 40, 8);
	assert_int_equal(exec_finish(&host), 0);
	assert_all_but_3(&host, 40);
	exec_deinit(&host);
}

/* Killed at any time around it: the line is given up all the same, and the others leave once. */
static void test_a_kill_does_not_save_it(void **state)
{
	struct fake_host host;

	(void)state;
	start_impatient(&host, SHELL(DEAF_ON_3));
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 8, 8);
	exec_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_all_but_3(&host, 8);
	exec_deinit(&host);
}

#define BAGGAGE_ITEMS 900u

/* Two of three bring something along. */
static void feed_with_baggage(struct fake_host *host)
{
	uint32_t number = (uint32_t)host->n_taken;

	host->baggage[0] = '\0';
	if (number % 3)
		snprintf(host->baggage, sizeof(host->baggage), "%05u", number);
	feed(host, number, 1, 50);
}

static void test_an_answer_brings_along_what_its_line_has_brought(void **state)
{
	char expected[64];
	struct fake_host host;

	(void)state;
	start(&host, SHELL(UPPER));
	host.shows_baggage = true;
	host.full_after = host.room = 20;
	assert_int_equal(fake_host_open(&host), 0);
	for (uint32_t n = 1; host.n_taken < BAGGAGE_ITEMS; n++) {
		feed_with_baggage(&host);
		if (n % 170 != 0)
			continue;
		exec_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
	}
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), BAGGAGE_ITEMS);
	for (uint32_t i = 0; i < BAGGAGE_ITEMS; i++) {
		if (i % 3)
			snprintf(expected, sizeof(expected), "%05u:%05u line", i, i);
		else
			snprintf(expected, sizeof(expected), ":%05u line", i);
		assert_true(fake_host_item_is(&host, i, expected));
	}
	exec_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_that_takes_too_long_is_given_up_alone),
		cmocka_unit_test(test_a_kill_does_not_save_it),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_trickle),
		cmocka_unit_test(test_large_lines),
		cmocka_unit_test(test_spool_is_bounded),
		cmocka_unit_test(test_full_lane),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_newline_is_rejected),
		cmocka_unit_test(test_buffering),
		cmocka_unit_test(test_bad_programs),
		cmocka_unit_test(test_odd_programs_that_do),
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_crashing_program),
		cmocka_unit_test(test_ends_while_idle),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_answer_beyond_lane),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_kill_between_callbacks),
		cmocka_unit_test(test_an_answer_brings_along_what_its_line_has_brought),
		cmocka_unit_test(test_kill_at_random),
	};

	return cmocka_run_group_tests(tests, exec_test_group, NULL);
}
