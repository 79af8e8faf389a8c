/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/stage/loader.h"

#define PLUGINS WEIR_BINARY_DIR "/tests/plugins/"

static void assert_refused(const char *path, const char *words)
{
	struct text why = TEXT_NULL;
	struct weir_stage stage;

	assert_int_equal(loader_open(path, &stage, &why), LOADER_E_REFUSED);
	if (!strstr(text_get(&why), words))
		fail_msg("'%s' does not say '%s'", text_get(&why), words);
	assert_non_null(strstr(text_get(&why), path)); /* where */
	assert_null(strchr(text_get(&why), '\n'));
	text_deinit(&why);
}

static void test_good(void **state)
{
	struct text why = TEXT_NULL;
	struct weir_stage stage;
	void *stage_state = NULL;

	(void)state;
	assert_int_equal(loader_open(PLUGINS "good.so", &stage, &why), 0);
	assert_string_equal(text_get(&why), "");
	assert_string_equal(stage.name, "pass");
	assert_int_equal(stage.role, WEIR_OPERATOR);
	assert_int_equal(stage.cursor_size_bytes, 16);
	assert_int_equal(stage.n_options, 1);
	assert_string_equal(stage.options[0].name, "limit");
	assert_int_equal(stage.open((struct weir_context *)&stage, &stage_state), 0); /* the code is there, too */
	assert_ptr_equal(stage_state, &stage);
	text_deinit(&why);
}

static void test_run_instead_of_process(void **state)
{
	struct text why = TEXT_NULL;
	struct weir_stage stage;

	(void)state;
	assert_int_equal(loader_open(PLUGINS "run_only.so", &stage, &why), 0);
	assert_non_null(stage.run);
	assert_null(stage.process);
	assert_refused(PLUGINS "run_and_process.so", "its stage 'pass' has run() and process()");
	/* Built before there was a run(): what lies behind its struct is not looked at. */
	assert_int_equal(loader_open(PLUGINS "before_run.so", &stage, &why), 0);
	assert_null(stage.run);
	text_deinit(&why);
}

static void test_not_a_plugin(void **state)
{
	(void)state;
	assert_refused("plugins/good.so", "the path must be absolute");
	assert_refused(PLUGINS "missing.so", "No such file or directory; check the path");
	assert_refused("/", "is not a regular file");
	assert_refused(WEIR_SOURCE_DIR "/tests/plugins/plugin.c", "can't be loaded: ");
}

static void test_broken(void **state)
{
	(void)state;
	assert_refused(PLUGINS "silent.so", "does not export weir_stage_entry(); write WEIR_STAGE_EXPORT");
	assert_refused(PLUGINS "nothing.so", "returned nothing");
	assert_refused(PLUGINS "other_abi.so", "has stage ABI 77, but this weir has 2; build it against");
	assert_refused(PLUGINS "other_size.so", "has 40 bytes");
	assert_refused(PLUGINS "no_name.so", "lacks a name");
	assert_refused(PLUGINS "no_role.so", "lacks a role");
	assert_refused(PLUGINS "no_process.so", "lacks a process() callback");
	assert_refused(PLUGINS "no_produce.so", "lacks a produce() callback");
	assert_refused(PLUGINS "big_cursor.so", "wants a cursor of 257 bytes, and 256 are the most");
	assert_refused(PLUGINS "many_spools.so", "wants 3 spools, and 2 are the most");
	assert_refused(PLUGINS "bad_flags.so", "has flags 0x40000000, and this weir knows 0x");
	assert_refused(PLUGINS "no_check.so", "says WEIR_STAGE_CHECKS, and has no check()");
}

static void test_writable_by_everybody(void **state)
{
	char path[] = "/tmp/stage-test-plugin-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	close(fd);
	assert_refused(path, "can be written by everybody");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_run_instead_of_process),
		cmocka_unit_test(test_not_a_plugin),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_writable_by_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
