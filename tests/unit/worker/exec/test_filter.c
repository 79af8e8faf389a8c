/* SPDX-License-Identifier: Apache-2.0 */
/* The exec operator in block mode: filter.c over block.c. */
#include "tests/unit/worker/exec/exec_test.h"
#include "worker/exec/spool.h"

static void start(struct fake_host *host, const char *const *command)
{
	exec_init(host, &exec_operator_callbacks, command);
	fake_host_option_string(host, "block", "100");
	fake_host_option_number(host, "block_wait", 0);
}

static void feed(struct fake_host *host, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		char item[32];

		snprintf(item, sizeof(item), "line %05u", i); /* 10 bytes: 10 items a block */
		assert_int_equal(exec_item(host, item, i % 3 == 0), 0);
	}
}

static void assert_lines(struct fake_host *host, uint32_t n, const char *before, const char *after)
{
	char expected[64];

	assert_int_equal(fake_host_items(host), n);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(expected, sizeof(expected), "%s%05u%s", before, i, after);
		assert_true(fake_host_item_is(host, i, expected));
	}
}

static void test_cat(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("cat"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_produce(&host), 0);
	feed(&host, 0, 95);
	assert_int_equal(fake_host_items(&host), 90);
	assert_int_equal(exec_finish(&host), 0);
	assert_lines(&host, 95, "line ", "");
	assert_int_equal(host.n_settled, 95);
	exec_deinit(&host);
}

static void test_one_run_per_block(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("wc", "-l"));
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 25);
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "10\n10\n5\n");
	exec_deinit(&host);
}

static void test_all(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("awk '{ n++ } END { print n, \"lines\" }'"));
	fake_host_option_string(&host, "block", "all");
	fake_host_option_number(&host, "block_wait", (int64_t)NS_PER_MS);
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 1000);
	assert_int_equal(host.watch_wake_ns, 0);
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "1000 lines\n");
	exec_deinit(&host);
}

static void test_all_beyond_spool(void **state)
{
	struct fake_host host;
	int r = 0;

	(void)state;
	start(&host, COMMAND("cat"));
	fake_host_option_string(&host, "block", "all");
	fake_host_option_number(&host, "spool", 1000);
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 200 && !r; i++)
		r = exec_item(&host, "0123456789", false);
	assert_int_equal(r, WEIR_FAILED);
	assert_non_null(strstr(host.reason, "spool"));
	exec_deinit(&host);
}

static void test_sized_block_ends_with_spool(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("wc", "-c"));
	fake_host_option_string(&host, "block", "1000");
	fake_host_option_number(&host, "spool", 1000);
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 600; i++)
		assert_int_equal(exec_item(&host, "x", false), 0); /* two bytes with its newline */
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "1000\n200\n");
	exec_deinit(&host);
}

/* Blocks of many pages, each larger than the one before, and items that end one page behind its bound. */
static void test_blocks_of_any_size(void **state)
{
	static char text[100001];
	struct fake_host host;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	start(&host, COMMAND("wc", "-c"));
	fake_host_option_string(&host, "block", "1000000");
	fake_host_option_number(&host, "spool", 2000000);
	assert_int_equal(fake_host_open(&host), 0);
	for (int n = 3; n < 14; n += 5) {
		for (int i = 0; i < n; i++)
			assert_int_equal(exec_item(&host, text, i % 2 == 0), 0);
		assert_true(spool_length(host.spool_fds[0]) <= 2000000 + (int64_t)sizeof(text));
		if (fake_host_end_run(&host) == WEIR_MORE) {
			assert_int_equal(fake_host_turn_end(&host), 0);
			assert_int_equal(exec_produce(&host), 0);
		}
	}
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "300003\n800008\n1000010\n300003\n");
	exec_deinit(&host);
}

/* No signal when the block after that is gathered. */
static void test_a_program_that_cuts_its_input(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("wc -c; : >/dev/stdin"));
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 40);
	assert_int_equal(exec_finish(&host), 0);
	exec_assert_output(&host, "110\n110\n110\n110\n");
	exec_deinit(&host);
}

/* Run again it would be given zeros, and nobody would know. */
static void test_a_cut_input_is_not_run_again(void **state)
{
	struct fake_host host;
	int r = 0;

	(void)state;
	start(&host, SHELL("cat; : >/dev/stdin; false"));
	assert_int_equal(fake_host_open(&host), 0);
	for (uint32_t i = 0; i < 10 && !r; i++)
		r = exec_item(&host, "0123456789", false);
	assert_int_equal(r, WEIR_FAILED);
	assert_non_null(strstr(host.reason, "standard input"));
	assert_int_equal(fake_host_items(&host), 0);
	exec_deinit(&host);
}

static void test_nothing_in_nothing_run(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("echo", "ran"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_produce(&host), 0);
	assert_int_equal(fake_host_end_run(&host), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), 0);
	exec_deinit(&host);
}

static void test_runs(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("wc", "-l"));
	assert_int_equal(fake_host_open(&host), 0);
	for (int run = 1; run <= 3; run++) {
		for (int i = 0; i < run; i++)
			assert_int_equal(exec_item(&host, "x", false), 0);
		assert_int_equal(fake_host_end_run(&host), WEIR_MORE);
		assert_int_equal(fake_host_turn_end(&host), 0);
		assert_int_equal(exec_produce(&host), 0);
		assert_int_equal(fake_host_end_run(&host), 0); /* as the runtime asks again */
	}
	exec_assert_output(&host, "1\n2\n3\n");
	exec_deinit(&host);
}

static void test_block_wait(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("wc", "-l"));
	fake_host_option_number(&host, "block_wait", 600 * (int64_t)NS_PER_S);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_item(&host, "y", true), 0);
	assert_true(host.watch_wake_ns > clock_now_ns());
	assert_int_equal(exec_produce(&host), 0); /* woken too early: nothing happens, and the wake stands again */
	assert_int_equal(fake_host_items(&host), 0);
	assert_true(host.watch_wake_ns > clock_now_ns());
	exec_deinit(&host);

	start(&host, COMMAND("wc", "-l"));
	fake_host_option_number(&host, "block_wait", 30 * (int64_t)NS_PER_MS);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_item(&host, "y", true), 0);
	assert_int_equal(exec_idle(&host), 0);
	exec_assert_output(&host, "2\n");
	exec_deinit(&host);
}

static void test_stanzas(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("awk 'BEGIN { RS = \"\"; ORS = \"\\n\\n\" } { print $2 \"\\n\" $1 }'"));
	fake_host_option_string(&host, "join", "stanzas");
	fake_host_option_string(&host, "split", "stanzas");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "a\nb", false), 0);
	assert_int_equal(exec_item(&host, "c d", false), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 0, "b\na"));
	assert_true(fake_host_item_is(&host, 1, "d\nc"));
	exec_deinit(&host);
}

/* Programs that don't read, stop early, close their stdout, flood stderr or stdout. */
static void test_odd_programs(void **state)
{
	static const struct {
		const char *line, *output;
	} cases[] = {
		{ "true", "" },
		{ "head -n 2", "line 00000\nline 00001\n" },
		{ "exec >&-; cat >/dev/null", "" },
		{ "yes x | head -c 200000 >&2; echo done", "done\n" },
		{ "echo a; sleep 100 & echo b", "a\nb\n" },
		{ "trap '' TERM; cat | tail -n 1", "line 00009\n" },
		{ "printf 'no newline'", "no newline\n" },
		{ "printf '\\n\\n'", "\n\n" },
		{ "tac | tac | head -n 1; cat", "line 00000\n" },
		{ "echo a; echo b >&2; echo c", "a\nc\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_host host;

		start(&host, SHELL(cases[i].line));
		assert_int_equal(fake_host_open(&host), 0);
		feed(&host, 0, 10);
		assert_int_equal(exec_finish(&host), 0);
		exec_assert_output(&host, cases[i].output);
		assert_int_equal(host.n_settled, 10);
		exec_deinit(&host);
	}
}

static void test_exit_status(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("grep", "nothing like this"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "'grep nothing like this': exit status 1 on a block of 1 items"));
	assert_non_null(strstr(host.reason, "ok_exit: [0, 1]"));
	assert_int_equal(host.n_settled, 0);
	exec_deinit(&host);

	start(&host, COMMAND("grep", "nothing like this"));
	fake_host_option_list(&host, "ok_exit", COMMAND("0", "1"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(host.n_settled, 1);
	exec_deinit(&host);

	start(&host, SHELL("no-such-program-anywhere"));
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "exit status 127"));
	assert_non_null(strstr(host.reason, "did not find a program"));
	exec_deinit(&host);
}

/* What failing attempts wrote does not count. */
static void test_retry(void **state)
{
	char marker[] = "/tmp/weir-test-XXXXXX", line[256];
	struct fake_host host;

	(void)state;
	fd_close(mkstemp(marker));
	snprintf(line, sizeof(line), "cat; if [ $(wc -c <%s) -lt 2 ]; then printf x >>%s; echo rubbish; exit 3; fi",
		 marker, marker);
	start(&host, SHELL(line));
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 10);
	assert_int_equal(exec_finish(&host), 0);
	assert_lines(&host, 10, "line ", "");
	exec_deinit(&host);
	unlink(marker);
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

static void test_bad_block(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("cat"));
	fake_host_option_string(&host, "block", "much");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "'much' is no size"));
	fake_host_option_string(&host, "block", "1MiB");
	fake_host_option_number(&host, "spool", 1000);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "spool"));
	exec_deinit(&host);
}

static void test_output_beyond_spool(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, COMMAND("yes"));
	fake_host_option_number(&host, "spool", 1000000);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "wrote more than 1000000 bytes"));
	exec_deinit(&host);
}

static void test_record_beyond_lane(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("echo fine; echo 123456789; echo"));
	host.item_size_max = 8;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "record of 9 bytes, the lane takes 8"));
	exec_assert_output(&host, "fine\n");
	exec_deinit(&host);
}

/* More output than the lanes hold: emitted over many turns, and the spool gives its memory back. */
static void test_expansion(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("seq 0 49999"));
	host.full_after = host.room = 700;
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(exec_item(&host, "x", true), 0);
		assert_int_equal(fake_host_end_run(&host), WEIR_MORE);
		assert_int_equal(fake_host_turn_end(&host), 0);
		assert_int_equal(exec_produce(&host), 0);
	}
	assert_int_equal(fake_host_items(&host), 100000);
	assert_true(fake_host_item_is(&host, 49999, "49999"));
	assert_true(fake_host_item_is(&host, 50000, "0"));
	exec_deinit(&host);
}

static void cancel_soon(struct fake_host *host, void *data)
{
	(void)data;
	host->cancelled = host->n_waits > 2;
}

static void test_cancel(void **state)
{
	struct fake_host host;
	uint64_t from_ns = clock_now_ns();

	(void)state;
	start(&host, SHELL("trap '' TERM; sleep 100"));
	host.on_wait = cancel_soon;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_int_equal(exec_finish(&host), WEIR_CANCELLED);
	exec_assert_nothing_left();
	assert_int_equal(host.n_settled, 0);
	assert_true(clock_now_ns() - from_ns < 50 * NS_PER_S);
	exec_deinit(&host);
}

/* A worker dies at every step there is between two callbacks; the output is as if nothing had happened. */
static void test_kill_between_callbacks(void **state)
{
	(void)state;
	for (uint32_t step = 0; step < 12; step++) {
		struct fake_host host;
		uint32_t n = 0;
		int r = WEIR_MORE;

		start(&host, SHELL("sed s/line/LINE/"));
		host.full_after = host.room = 3;
		assert_int_equal(fake_host_open(&host), 0);
		feed(&host, 0, 9);
		assert_int_equal(fake_host_turn_end(&host), 0);
		fake_host_process(&host, "line 00009", 10);
		assert_true(host.produce_wanted);
		assert_int_equal(fake_host_flush(&host), 0);
		/* step 0: killed before the commit of the last item; 1: after; n + 1: after n turns; odd ones between flush and commit */
		if (step)
			fake_host_commit(&host);
		for (; n + 1 < step && r == WEIR_MORE; n++) {
			r = fake_host_produce(&host);
			assert_int_equal(fake_host_flush(&host), 0);
			if (n + 2 < step || step % 2)
				fake_host_commit(&host);
		}
		exec_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(exec_produce(&host), 0);
		feed(&host, (uint32_t)host.n_taken, 20 - (uint32_t)host.n_taken);
		assert_int_equal(exec_finish(&host), 0);
		assert_lines(&host, 20, "LINE ", "");
		assert_int_equal(host.n_settled, 20);
		exec_deinit(&host);
	}
}

/* What a dead generation wrote behind the committed length must not be given to the program. */
static void test_kill_after_spool_write(void **state)
{
	struct fake_host host;
	char behind[7];

	(void)state;
	start(&host, COMMAND("cat"));
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 4);
	assert_int_equal(exec_turn_end(&host), 0);
	for (int i = 0; i < 3; i++)
		fake_host_process(&host, "rubbish", 7);
	assert_int_equal(fake_host_flush(&host), 0);
	assert_int_equal(pread(host.spool_fds[0], behind, sizeof(behind), 44), sizeof(behind));
	assert_memory_equal(behind, "rubbish", sizeof(behind));
	exec_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_finish(&host), 0);
	assert_lines(&host, 4, "line ", "");
	exec_deinit(&host);
}

#define KILL_ITEMS 400u

static void worker_life(struct fake_host *host)
{
	if (fake_host_open(host) || exec_produce(host))
		_exit(1);
	while (host->n_taken < KILL_ITEMS)
		feed(host, (uint32_t)host->n_taken, 1);
	_exit(exec_finish(host) ? 1 : 0);
}

/* SIGKILL at any moment, for real. */
static void test_kill_at_random(void **state)
{
	struct fake_host host;
	uint32_t n_kills = 0;
	unsigned seed = 4711;
	int status = -1;

	(void)state;
	start(&host, SHELL("while read -r a b; do echo $b $a; done"));
	host.full_after = host.room = 4;
	while (!(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		pid_t pid = fork();

		if (!pid)
			worker_life(&host);
		usleep((useconds_t)(rand_r(&seed) % 4000) + 300 + n_kills * 20);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		children_kill_all();
		fake_host_inherit(&host);
		assert_true(++n_kills < 2000);
	}
	print_message("%u lives\n", n_kills);
	assert_lines(&host, KILL_ITEMS, "", " line");
	assert_int_equal(host.n_settled, KILL_ITEMS);
	exec_deinit(&host);
}

/* The second block overruns, by a program that hears nothing; the others are done, and so is one that is only slow at first. */
static void test_a_block_that_takes_too_long_is_given_up(void **state)
{
	struct fake_host host;

	(void)state;
	start(&host, SHELL("trap '' TERM INT; a=$(cat); case $a in *00013*) sleep 1000;; esac; echo \"$a\""));
	fake_host_option_number(&host, "deadline", 600 * (int64_t)NS_PER_MS);
	fake_host_option_number(&host, "grace", 10 * (int64_t)NS_PER_MS);
	fake_host_option_number(&host, "attempts", 2);
	assert_int_equal(fake_host_open(&host), 0);
	feed(&host, 0, 30);
	assert_int_equal(exec_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), 20);
	assert_true(fake_host_item_is(&host, 9, "line 00009"));
	assert_true(fake_host_item_is(&host, 10, "line 00020"));
	assert_int_equal(host.n_settled, 20);
	assert_true(host.n_overran >= 2); /* who is not scheduled may overrun once, too */
	assert_int_equal(host.n_given_up, 10);
	assert_int_equal(strncmp(host.last_given_up, "line 00010\nline 00011\n", 22), 0);
	exec_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_that_takes_too_long_is_given_up),
		cmocka_unit_test(test_cat),
		cmocka_unit_test(test_one_run_per_block),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_all_beyond_spool),
		cmocka_unit_test(test_sized_block_ends_with_spool),
		cmocka_unit_test(test_blocks_of_any_size),
		cmocka_unit_test(test_a_program_that_cuts_its_input),
		cmocka_unit_test(test_a_cut_input_is_not_run_again),
		cmocka_unit_test(test_nothing_in_nothing_run),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_block_wait),
		cmocka_unit_test(test_stanzas),
		cmocka_unit_test(test_odd_programs),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_bad_block),
		cmocka_unit_test(test_output_beyond_spool),
		cmocka_unit_test(test_record_beyond_lane),
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_kill_between_callbacks),
		cmocka_unit_test(test_kill_after_spool_write),
		cmocka_unit_test(test_kill_at_random),
	};

	return cmocka_run_group_tests(tests, exec_test_group, NULL);
}
