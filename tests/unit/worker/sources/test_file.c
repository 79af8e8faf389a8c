/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static const char *paths[8];

static void source_init(struct fake_host *host, const char *first, const char *second)
{
	static char copies[2][256];

	fake_host_init(host, &file_source_callbacks);
	snprintf(copies[0], sizeof(copies[0]), "%s", folder_path(first));
	snprintf(copies[1], sizeof(copies[1]), "%s", second ? folder_path(second) : "");
	paths[0] = copies[0];
	paths[1] = second ? copies[1] : NULL;
	paths[2] = NULL;
	fake_host_option_list(host, "path", paths);
}

static void assert_fails(struct fake_host *host, int r, const char *words)
{
	assert_int_equal(r, WEIR_FAILED);
	assert_true(host->failed);
	if (!strstr(host->reason, words))
		fail_msg("'%s' does not say '%s'", host->reason, words);
}

static void test_lines(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("a", "one\r\n\ntwo\n");
	file_write_text("b", "three\nlast without newline");
	source_init(&host, "a", "b");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 5);
	assert_true(fake_host_item_is(&host, 0, "one\r"));
	assert_true(fake_host_item_is(&host, 1, ""));
	assert_true(fake_host_item_is(&host, 2, "two"));
	assert_true(fake_host_item_is(&host, 3, "three"));
	assert_true(fake_host_item_is(&host, 4, "last without newline"));
	assert_int_equal(host.last_output, WEIR_ALL_OUTPUTS);
	assert_int_equal(host.progress_position, 10 + 26);
	assert_int_equal(host.progress_total, 10 + 26);
	assert_int_equal(fake_host_produce(&host), WEIR_CLOSED);
	fake_host_kill(&host); /* the end is remembered too */
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 5);
	fake_host_deinit(&host);
}

static void test_empty(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("empty", "");
	file_write_text("newline", "\n");
	source_init(&host, "empty", "newline");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, ""));
	fake_host_deinit(&host);
}

/* Killed behind every commit, and once more with a turn in the air. */
static void test_kill_at_every_commit(void **state)
{
	struct fake_host host;
	size_t size, got_size;
	char *text = lines_make(3000, &size), *got;
	int r;

	(void)state;
	file_write("a", text, size / 2);
	file_write("b", text + size / 2, size - size / 2);
	source_init(&host, "a", "b");
	host.full_after = 7;
	host.room = 7;
	do {
		assert_int_equal(fake_host_open(&host), 0);
		r = fake_host_produce(&host);
		assert_true(r == WEIR_MORE || r == WEIR_CLOSED);
		assert_int_equal(fake_host_turn_end(&host), 0);
		if (r == WEIR_MORE)
			(void)fake_host_produce(&host); /* never committed */
		fake_host_kill(&host);
	} while (r == WEIR_MORE);
	got = fake_host_text(&host, &got_size);
	/* the cut between the files made two lines of one, unless it fell behind a newline */
	assert_int_equal(got_size, size + (text[size / 2 - 1] != '\n'));
	assert_memory_equal(got, text, size / 2);
	assert_string_equal(got + got_size - (size - size / 2), text + size / 2);
	assert_true(host.generation > 400);
	free(got);
	free(text);
	fake_host_deinit(&host);
}

static void test_too_long(void **state)
{
	struct fake_host host;
	char *text = malloc(3 << 20);
	size_t n = 2 << 20;

	(void)state;
	memcpy(text, "before\n", 7);
	memset(text + 7, 'y', n);
	strcpy(text + 7 + n, "\nafter\n");
	file_write("long", text, 7 + n + 7);

	for (int kill = 0; kill < 2; kill++) {
		source_init(&host, "long", NULL);
		host.item_size_max = 1000;
		assert_int_equal(fake_host_open(&host), 0);
		while (fake_host_produce(&host) == WEIR_MORE) {
			fake_host_turn_end(&host);
			if (kill) {
				fake_host_kill(&host);
				assert_int_equal(fake_host_open(&host), 0);
			}
		}
		assert_int_equal(fake_host_items(&host), 2);
		assert_true(fake_host_item_is(&host, 0, "before"));
		assert_true(fake_host_item_is(&host, 1, "after"));
		assert_int_equal(host.n_rejected, 1);
		assert_non_null(
			strstr(host.last_rejection, "long:2: the line has 2,097,152 bytes and an item may have 1,000"));
		assert_int_equal(host.last_rejection_size, 65536);
		fake_host_deinit(&host);
	}

	source_init(&host, "long", NULL);
	host.item_size_max = 1000;
	fake_host_option_string(&host, "too_long", "cut");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 3);
	assert_int_equal(fake_host_item(&host, 1).size_bytes, 1000);
	assert_int_equal(host.n_rejected, 0);
	fake_host_deinit(&host);

	source_init(&host, "long", NULL);
	host.item_size_max = 1000;
	fake_host_option_string(&host, "too_long", "fail");
	assert_int_equal(fake_host_open(&host), 0);
	assert_fails(&host, fake_host_run_source(&host, false), "long:2: the line is longer than 1,000 bytes");
	fake_host_deinit(&host);
	free(text);
}

/* Around the limit, and at the very end of the file. */
static void test_limit(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("limit", "12345\n123456\n1234567\n1234567");
	source_init(&host, "limit", NULL);
	host.item_size_max = 6;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "123456"));
	assert_int_equal(host.n_rejected, 2);
	assert_non_null(strstr(host.last_rejection, "limit:4:"));
	assert_int_equal(host.last_rejection_size, 7);
	fake_host_deinit(&host);
}

static void test_binary(void **state)
{
	struct fake_host host;

	(void)state;
	file_write("x.bin", "hello\0world\n", 12);
	file_write_text("fine", "text\n");
	source_init(&host, "fine", "x.bin");
	assert_fails(&host, fake_host_open(&host), "x.bin: binary file (NUL at byte 5)");
	fake_host_deinit(&host);

	source_init(&host, "x.bin", NULL);
	fake_host_option_string(&host, "binary", "accept");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 1);
	assert_int_equal(fake_host_item(&host, 0).size_bytes, 11);
	fake_host_deinit(&host);
}

static void test_globs(void **state)
{
	struct fake_host host;

	(void)state;
	mkdir(folder_path("logs"), 0700);
	file_write_text("logs/2.log", "2\n");
	file_write_text("logs/1.log", "1\n");
	file_write_text("logs/10.log", "10\n");
	file_write_text("logs/[x].log", "x\n");
	source_init(&host, "logs/[0-9]*.log", "logs/[x].log");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_produce(&host), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 4);
	assert_true(fake_host_item_is(&host, 0, "1"));
	assert_true(fake_host_item_is(&host, 1, "10"));
	assert_true(fake_host_item_is(&host, 2, "2"));
	assert_true(fake_host_item_is(&host, 3, "x"));
	fake_host_deinit(&host);

	source_init(&host, "logs/*.txt", NULL);
	assert_fails(&host, fake_host_open(&host), "*.txt matches no file");
	fake_host_deinit(&host);
}

/* A file that appears under a glob while the pipeline runs changes nothing for the next worker. */
static void test_list_is_kept(void **state)
{
	struct fake_host host;

	(void)state;
	mkdir(folder_path("kept"), 0700);
	file_write_text("kept/b", "1\n2\n3\n");
	source_init(&host, "kept/*", NULL);
	host.full_after = 1;
	host.room = 1;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_produce(&host), WEIR_MORE);
	assert_int_equal(fake_host_turn_end(&host), 0);
	fake_host_kill(&host);
	file_write_text("kept/a", "new\n");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(&host, 1, "2"));
	fake_host_deinit(&host);
}

static void test_not_files(void **state)
{
	struct fake_host host;

	(void)state;
	source_init(&host, "missing", NULL);
	assert_fails(&host, fake_host_open(&host), "missing: No such file or directory; check the path");
	fake_host_deinit(&host);

	mkdir(folder_path("folder"), 0700);
	source_init(&host, "folder", NULL);
	assert_fails(&host, fake_host_open(&host), "is a folder");
	fake_host_deinit(&host);

	assert_int_equal(mkfifo(folder_path("fifo"), 0600), 0);
	source_init(&host, "fifo", NULL);
	assert_fails(&host, fake_host_open(&host), "is not a regular file");
	assert_non_null(strstr(host.reason, "source: stdin"));
	fake_host_deinit(&host);

	if (geteuid() != 0) {
		file_write_text("locked", "x\n");
		chmod(folder_path("locked"), 0);
		source_init(&host, "locked", NULL);
		assert_fails(&host, fake_host_open(&host), "locked: Permission denied; give the user");
		fake_host_deinit(&host);
	}
}

static void run_two_lines(struct fake_host *host)
{
	host->full_after = 2;
	host->room = 2;
	assert_int_equal(fake_host_open(host), 0);
	assert_int_equal(fake_host_produce(host), WEIR_MORE);
	assert_int_equal(fake_host_turn_end(host), 0);
	fake_host_kill(host);
}

static void test_changed_files(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("shrunk", "1\n2\n3\n");
	source_init(&host, "shrunk", NULL);
	run_two_lines(&host);
	assert_int_equal(truncate(folder_path("shrunk"), 2), 0);
	assert_int_equal(fake_host_open(&host), 0);
	assert_fails(&host, fake_host_produce(&host), "was truncated to 2 bytes, below byte 4");
	fake_host_deinit(&host);

	file_write_text("moved", "1\n2\n3\n");
	source_init(&host, "moved", NULL);
	run_two_lines(&host);
	assert_int_equal(rename(folder_path("moved"), folder_path("moved.1")), 0);
	file_write_text("moved", "other\nlines\nhere\n");
	assert_int_equal(fake_host_open(&host), 0);
	assert_fails(&host, fake_host_produce(&host), "is another file");
	fake_host_deinit(&host);
}

static void test_truncated_while_read(void **state)
{
	struct fake_host host;
	size_t size;
	char *text = lines_make(20000, &size);

	(void)state;
	file_write("cut", text, size);
	source_init(&host, "cut", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_produce(&host), WEIR_MORE);
	assert_int_equal(truncate(folder_path("cut"), 10), 0);
	assert_fails(&host, fake_host_run_source(&host, false), "was truncated to 10 bytes while it was read");
	free(text);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_kill_at_every_commit),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_list_is_kept),
		cmocka_unit_test(test_not_files),
		cmocka_unit_test(test_changed_files),
		cmocka_unit_test(test_truncated_while_read),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
