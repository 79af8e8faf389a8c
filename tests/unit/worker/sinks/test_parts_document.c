/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/files.md on what goes wrong with finished files, as a test: each row there is tried here. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/worker/document_cases.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static struct fake_host host;
static char folder[32];

static const char *in_folder(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* ---- before the start ---- */

static void make_nothing(void)
{
}

static void make_folder(void)
{
	assert_int_equal(mkdir(folder_path(in_folder("out")), 0700), 0);
}

static void make_fifo(void)
{
	assert_int_equal(mkfifo(folder_path(in_folder("out")), 0600), 0);
}

static void make_file(void)
{
	file_write_text(in_folder("out"), "old\n");
}

static void init(const char *path, const char *existing)
{
	fake_host_init(&host, &file_sink_callbacks);
	fake_host_option_string(&host, "path", folder_path(in_folder(path)));
	fake_host_option_string(&host, "existing", existing);
	fake_host_option_number(&host, "atomic", 1);
}

static void make_left_over(void)
{
	init("out", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "x", 1), 0);
	assert_int_equal(fake_host_turn_end(&host), 0);
	fake_host_deinit(&host);
}

/* ---- after the first turn ---- */

static void name_hidden(char *path, size_t size)
{
	DIR *open_folder = opendir(folder_path(folder));
	struct dirent *entry;

	assert_non_null(open_folder);
	while ((entry = readdir(open_folder)))
		if (strstr(entry->d_name, ".part"))
			snprintf(path, size, "%s/%s", folder, entry->d_name);
	closedir(open_folder);
}

static void again(void)
{
	fake_host_kill(&host);
	(void)fake_host_open(&host);
}

static void remove_hidden(void)
{
	char path[512] = "";

	name_hidden(path, sizeof(path));
	assert_int_equal(unlink(folder_path(path)), 0);
	again();
}

static void cut_hidden(void)
{
	char path[512] = "";

	name_hidden(path, sizeof(path));
	assert_int_equal(truncate(folder_path(path), 1), 0);
	again();
}

static void take_name(void)
{
	make_file();
	assert_int_equal(fake_host_finish(&host), WEIR_MORE);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(fake_host_produce(&host), WEIR_FAILED);
}

static const struct {
	const char *what, *path, *existing;
	bool rotates;
	void (*before)(void), (*after)(void);
} cases[] = {
	{ "the folder is not there", "absent/{n}", "replace", false, make_nothing, NULL },
	{ "{n} stands for a folder", "{n}/out", "replace", false, make_nothing, NULL },
	{ "rotation of one name", "out", "replace", true, make_nothing, NULL },
	{ "the path is a folder", "out", "replace", false, make_folder, NULL },
	{ "the path is a FIFO", "out", "replace", false, make_fifo, NULL },
	{ "it exists, and existing is refuse", "out", "refuse", false, make_file, NULL },
	{ "it exists, and existing is append", "out", "append", false, make_file, NULL },
	{ "its name is taken meanwhile", "out", "refuse", false, make_nothing, take_name },
	{ "the hidden file is removed", "out", "replace", false, make_nothing, remove_hidden },
	{ "the hidden file is cut", "out", "replace", false, make_nothing, cut_hidden },
	{ "a run was ended before its end", "out", "replace", false, make_left_over, NULL },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void run_case(size_t i)
{
	snprintf(folder, sizeof(folder), "case%zu", i);
	assert_int_equal(mkdir(folder_path(folder), 0700), 0);
	cases[i].before();
	init(cases[i].path, cases[i].existing);
	if (cases[i].rotates)
		fake_host_option_number(&host, "rotate_size", 10);
	if (fake_host_open(&host) == 0 && cases[i].after) {
		assert_int_equal(fake_host_process(&host, "item", 4), 0);
		assert_int_equal(fake_host_turn_end(&host), 0);
		cases[i].after();
	}
	document_case_say(&host);
	fake_host_deinit(&host);
}

static const char *what(size_t i)
{
	return cases[i].what;
}

static void test_document(void **state)
{
	(void)state;
	document_cases_try(&(const struct document_cases){ .document = WEIR_SOURCE_DIR "/docs/files.md",
							   .heading = "Finished files: what goes wrong",
							   .n = N_CASES,
							   .what = what,
							   .run = run_case });
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
