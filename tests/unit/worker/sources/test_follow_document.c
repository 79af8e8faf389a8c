/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/files.md on what goes wrong with followed files, as a test: each row there is tried here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/worker/document_cases.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static struct fake_host host;

/* ---- what happens, before the start and after the first turn ---- */

static void make_folder(void)
{
	mkdir(folder_path("case/a.log"), 0700);
}

static void make_fifo(void)
{
	assert_int_equal(mkfifo(folder_path("case/a.log"), 0600), 0);
}

static void make_loop(void)
{
	assert_int_equal(symlink("a.log", folder_path("case/a.log")), 0);
}

static void make_binary(void)
{
	file_write("case/a.log", "a\0b\n", 4);
}

static void make_nothing(void)
{
}

static void make_lines(void)
{
	file_write_text("case/a.log", "1\n2\n");
}

static void make_half(void)
{
	file_write_text("case/a.log", "1\n2\n3456789");
}

static void make_long(void)
{
	char line[2002];

	memset(line, 'x', sizeof(line));
	line[2000] = '\n';
	file_write("case/a.log", line, 2001);
}

static void cut(void)
{
	assert_int_equal(truncate(folder_path("case/a.log"), 0), 0);
}

static void lose(void)
{
	assert_int_equal(unlink(folder_path("case/a.log")), 0);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
}

static const struct {
	const char *what, *path;
	void (*before)(void), (*after)(void);
} cases[] = {
	{ "the path is a folder", "case/a.log", make_folder, NULL },
	{ "the path is a FIFO", "case/a.log", make_fifo, NULL },
	{ "the path is a link to itself", "case/a.log", make_loop, NULL },
	{ "the path is a binary file", "case/a.log", make_binary, NULL },
	{ "the path is not there", "case/a.log", make_nothing, NULL },
	{ "the pattern fits nothing", "case/*.log", make_nothing, NULL },
	{ "the pattern fits a folder", "case/*.log", make_folder, NULL },
	{ "the pattern fits a FIFO", "case/*.log", make_fifo, NULL },
	{ "the pattern fits a link to itself", "case/*.log", make_loop, NULL },
	{ "the pattern fits a binary file", "case/*.log", make_binary, NULL },
	{ "cut to nothing", "case/a.log", make_lines, cut },
	{ "cut before it was read", "case/a.log", make_half, cut },
	{ "gone while nobody had it open", "case/a.log", make_half, lose },
	{ "a line longer than an item", "case/a.log", make_long, NULL },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void run_case(size_t i)
{
	static const char *paths[2];
	static char path[256];
	int r;

	mkdir(folder_path("case"), 0700);
	cases[i].before();
	snprintf(path, sizeof(path), "%s", folder_path(cases[i].path));
	paths[0] = path;
	fake_host_init(&host, &file_source_callbacks);
	host.item_size_max = 1000;
	fake_host_option_list(&host, "path", paths);
	fake_host_option_number(&host, "follow", 1);
	fake_host_option_number(&host, "open_files", 10);
	r = fake_host_open(&host);
	if (r == 0)
		r = fake_host_run_source(&host, false);
	if (r == WEIR_WAIT && cases[i].after) {
		cases[i].after();
		r = fake_host_run_source(&host, false);
	}
	assert_int_equal(r, host.failed ? WEIR_FAILED : WEIR_WAIT);
	document_case_say(&host);
	fake_host_deinit(&host);
	(void)unlink(folder_path("case/a.log"));
	(void)rmdir(folder_path("case/a.log"));
}

static const char *what(size_t i)
{
	return cases[i].what;
}

static void test_document(void **state)
{
	(void)state;
	document_cases_try(&(const struct document_cases){ .document = WEIR_SOURCE_DIR "/docs/files.md",
							   .heading = "Followed files: what goes wrong",
							   .n = N_CASES,
							   .what = what,
							   .run = run_case });
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
