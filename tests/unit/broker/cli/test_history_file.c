/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/history_file.h"

static char base[64];

static int make(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/weir-test-history-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int drop(void **state)
{
	static const char *const names[] = { "a/b/history", "a/b/history.old", "a/b", "a", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, names[i]);
		(void)remove(path);
	}
	return access(base, F_OK) ? 0 : -1;
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) == 0 ? st.st_size : -1;
}

/* Folders are made; the next run writes behind what is there. */
static void test_lines_are_kept(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	int error;

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct history_file *file = history_file_new(path_of("a/b/history"));

		history_file_add(file, run ? "three\n" : "one\n");
		history_file_add(file, run ? "four\n" : "two\n");
		assert_int_equal(history_file_close(file, &error), 0);
		assert_int_equal(error, 0);
	}
	assert_int_equal(history_file_read(path_of("a/b/history"), &text), 0);
	assert_string_equal(text_get(&text), "one\ntwo\nthree\nfour\n");
}

/* Whatever happens, it does not grow: a full file becomes the old one, and that one is gone. */
static void test_it_does_not_grow(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	char line[4096];
	int error;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	for (int run = 0; run < 100; run++) {
		struct history_file *file = history_file_new(path_of("a/b/history"));

		for (int i = 0; i < 10; i++)
			history_file_add(file, line);
		assert_int_equal(history_file_close(file, &error), 0);
	}
	assert_in_range(size_of("a/b/history"), 1, HISTORY_FILE_BYTES_MAX + 65536);
	assert_in_range(size_of("a/b/history.old"), HISTORY_FILE_BYTES_MAX, HISTORY_FILE_BYTES_MAX + 65536);
	assert_int_equal(history_file_read(path_of("a/b/history"), &text), 0);
	assert_int_equal(text.length, size_of("a/b/history") + size_of("a/b/history.old"));
}

/* Where nothing can be written lines are counted, and nobody is held up. */
static void test_what_can_not_be_kept_is_counted(void **state)
{
	struct history_file *file;
	int error, fd;

	(void)state;
	fd = creat(path_of("a"), 0600); /* a file where its folder should be */
	assert_true(fd >= 0);
	close(fd);
	file = history_file_new(path_of("a/b/history"));
	history_file_add(file, "one\n");
	history_file_add(file, "two\n");
	assert_int_equal(history_file_close(file, &error), 2);
	assert_int_equal(error, ENOTDIR);
	history_file_add(NULL, "nobody keeps it\n");
	assert_int_equal(history_file_close(NULL, &error), 0);
}

static void test_nothing_there(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	assert_int_equal(history_file_read(path_of("a/b/history"), &text), 0);
	assert_int_equal(text.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines_are_kept, make, drop),
		cmocka_unit_test_setup_teardown(test_it_does_not_grow, make, drop),
		cmocka_unit_test_setup_teardown(test_what_can_not_be_kept_is_counted, make, drop),
		cmocka_unit_test_setup_teardown(test_nothing_there, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
