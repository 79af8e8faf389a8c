/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/stage/describe.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/describe.h"

#define PLUGINS WEIR_BINARY_DIR "/tests/plugins/"

/* Runs it as the supervisor does: a child, with both streams caught in files "out" and "err". Returns the exit status. */
static int describe(const char *path)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int out = open(folder_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600),
		    err = open(folder_path("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		_exit(describe_plugin(path));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_described(const char *path)
{
	struct stage_description *description;
	size_t size;
	char *bytes;

	assert_int_equal(describe(path), 0);
	bytes = file_read("out", &size);
	assert_int_equal(stage_description_read(bytes, size, &description), 0);
	assert_string_equal(description->stage.name, "pass");
	assert_int_equal(description->stage.role, WEIR_OPERATOR);
	assert_string_equal(description->stage.options[0].fallback, "10");
	stage_description_free(description);
	free(bytes);
}

static void test_good(void **state)
{
	(void)state;
	assert_described(PLUGINS "good.so");
}

static void test_constructor_prints(void **state)
{
	(void)state;
	assert_described(PLUGINS "noisy.so");
	assert_file_is("err", "a constructor that talks\n");
}

static void test_refused(void **state)
{
	size_t size;
	char *reason;

	(void)state;
	assert_int_equal(describe(PLUGINS "other_abi.so"), 1);
	assert_file_is("out", "");
	assert_int_equal(describe(PLUGINS "bad_default.so"), 1);
	assert_file_is("out", "");
	reason = file_read("err", &size);
	assert_non_null(strstr(reason, "bad_default.so: its descriptor makes no sense"));
	assert_ptr_equal(strchr(reason, '\n'), reason + size - 1);
	free(reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_constructor_prints),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
