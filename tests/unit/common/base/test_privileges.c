/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up, in a child; what the kernel says of it is read before and after an exec. Without root there is little to give up. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/privileges.h"

struct told {
	uint64_t inheritable, permitted, effective, bounding, ambient, no_new_privs;
};

static struct told read_status(FILE *file)
{
	struct told told = { 0 };
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "CapInh: %" SCNx64, &told.inheritable);
		sscanf(line, "CapPrm: %" SCNx64, &told.permitted);
		sscanf(line, "CapEff: %" SCNx64, &told.effective);
		sscanf(line, "CapBnd: %" SCNx64, &told.bounding);
		sscanf(line, "CapAmb: %" SCNx64, &told.ambient);
		sscanf(line, "NoNewPrivs: %" SCNu64, &told.no_new_privs);
	}
	fclose(file);
	return told;
}

static struct told of_myself(void)
{
	FILE *file = fopen("/proc/self/status", "re");

	assert_non_null(file);
	return read_status(file);
}

/* What a program says that is started by who has kept these. */
static struct told after_exec(uint64_t keep)
{
	struct told told;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fds[1], STDOUT_FILENO) < 0 || privileges_give_up(keep) < 0)
			_exit(1);
		execl("/bin/cat", "cat", "/proc/self/status", NULL);
		_exit(1);
	}
	close(fds[1]);
	told = read_status(fdopen(fds[0], "r"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return told;
}

static void test_nothing_is_left(void **state)
{
	struct told before = of_myself(), told = after_exec(0);

	(void)state;
	assert_int_equal(told.no_new_privs, 1);
	assert_int_equal(told.inheritable | told.permitted | told.effective | told.ambient, 0);
	assert_int_equal(told.bounding, before.effective & PRIVILEGE(CAP_SETPCAP) ? 0 : before.bounding);
}

static void test_what_is_kept_and_nothing_beside(void **state)
{
	uint64_t had = of_myself().permitted, wanted = PRIVILEGE(CAP_KILL) | PRIVILEGE(CAP_SETUID), kept = wanted & had;
	struct told told = after_exec(wanted);

	(void)state;
	assert_int_equal(told.permitted, kept);
	assert_int_equal(told.effective, kept);
	assert_int_equal(told.ambient, kept);
	if (kept)
		assert_int_equal(told.bounding, kept);
}

static void test_it_is_not_given_back(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(privileges_give_up(PRIVILEGE(CAP_KILL)) || privileges_give_up(0) ||
		      privileges_give_up(UINT64_MAX) || of_myself().permitted);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_what_is_kept_and_nothing_beside),
		cmocka_unit_test(test_it_is_not_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
