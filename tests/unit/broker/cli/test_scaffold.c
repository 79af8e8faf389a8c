/* SPDX-License-Identifier: Apache-2.0 */
/* A new project has all of its files under its own name, replaces nothing, and is there as a whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/cli/scaffold.h"
#include "common/base/cleanup.h"

static char folder[] = "/tmp/weir-scaffold.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static unsigned count_files(const char *path)
{
	char command[128];
	unsigned n = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "find %s -mindepth 1 | wc -l", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%u", &n), 1);
	assert_int_equal(pclose(pipe), 0);
	return n;
}

static void test_all_files(void **state)
{
	static const char *const projects[] = { "pipeline", "plugin" };

	(void)state;
	for (size_t p = 0; p < 2; p++) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		unsigned n = 0;

		assert_int_equal(scaffold_write(projects[p], projects[p], "orders", &why), 0);
		for (size_t i = 0; i < n_scaffold_files; i++) {
			_cleanup_(text_deinit) struct text path = TEXT_NULL, wanted = TEXT_NULL;
			_cleanup_(free) char *found = NULL;
			struct stat status;
			FILE *file;

			if (strcmp(scaffold_files[i].project, projects[p]) != 0)
				continue;
			n++;
			text_printf(&path, "%s/", projects[p]);
			scaffold_name(&scaffold_files[i], "orders", &path);
			scaffold_text(&scaffold_files[i], "orders", &wanted);
			assert_null(strstr(text_get(&path), "NAME"));
			assert_null(strstr(text_get(&wanted), "@NAME@"));
			assert_int_equal(stat(text_get(&path), &status), 0);
			assert_int_equal(status.st_size, wanted.length);
			assert_int_equal((status.st_mode & S_IXUSR) != 0, strncmp(text_get(&wanted), "#!", 2) == 0);
			file = fopen(text_get(&path), "r");
			assert_non_null(file);
			found = calloc(1, wanted.length + 1);
			assert_non_null(found);
			assert_int_equal(fread(found, 1, wanted.length, file), wanted.length);
			fclose(file);
			assert_string_equal(found, text_get(&wanted));
		}
		assert_true(n >= 5);
		assert_int_equal(count_files(projects[p]), n);
	}
	assert_int_equal(access("pipeline/orders.yaml", R_OK), 0);
	assert_int_equal(access("plugin/orders.c", R_OK), 0);
	assert_int_equal(access("plugin/.gitignore", R_OK), 0);
}

static void test_nothing_is_replaced(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	unsigned before;

	(void)state;
	assert_int_equal(mkdir("empty", 0777), 0);
	assert_int_equal(symlink("nowhere", "link"), 0);
	before = count_files(".");
	assert_int_equal(scaffold_write("pipeline", "empty", "empty", &why), SCAFFOLD_E_TAKEN);
	assert_int_equal(scaffold_write("pipeline", "link", "link", &why), SCAFFOLD_E_TAKEN);
	assert_int_equal(count_files("."), before);
	assert_int_equal(why.length, 0);
}

/* No folder to put it into; no descriptor for one of its files; no room in one. */
static void test_all_or_nothing(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct rlimit files, none;
	int r, fd = open("/dev/null", O_RDONLY);
	unsigned before = count_files(".");

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(scaffold_write("plugin", "nowhere/late", "late", &why), -ENOENT);
	assert_non_null(strstr(text_get(&why), "nowhere/late can not be written"));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	none = files;
	none.rlim_cur = (rlim_t)fd + 1; /* the folder's, and no more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = scaffold_write("plugin", "late", "late", &why);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_int_equal(r, -EMFILE);
	assert_int_equal(count_files("."), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_files),
		cmocka_unit_test(test_nothing_is_replaced),
		cmocka_unit_test(test_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
