/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel without Landlock: a filter in a child makes the call fail as in such a kernel, in one that has it off, in a container. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/stage.h>

#include "worker/sandbox/sandbox.h"

#define NO_LANDLOCK "this kernel can't restrict files: it has no Landlock, or it is switched off, or forbidden here"

/* In the child: outcome, option, why, missing, in_force, a line each. */
static void enter(const struct heritage *heritage, int error, int fd)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct sandbox_said said;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
	r = sandbox_enter(heritage, &said, &why);
	dprintf(fd, "%d\n%s\n%s\n%s\n%s\n", r, said.option, text_get(&why), text_get(&said.missing),
		text_get(&said.in_force));
	_exit(0);
}

/* What a worker of that stage finds whose kernel says so. false: no filter can be set here. */
static bool try_to_enter(bool required, int error, char *words, size_t size)
{
	static char kind[] = "discard", sandbox[] = "sandbox", is_required[] = "sandbox.required";
	struct heritage_option options[] = { { .name = sandbox, .type = HERITAGE_NUMBER, .number = 1 },
					     { .name = is_required, .type = HERITAGE_NUMBER, .number = required } };
	const struct heritage heritage = {
		.kind = kind, .role = WEIR_SINK, .options = options, .n_options = required ? 1 : 2
	};
	int fds[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		enter(&heritage, error, fds[1]);
	close(fds[1]);
	while (n + 1 < size && (got = read(fds[0], words + n, size - 1 - n)) > 0)
		n += (size_t)got;
	words[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static const int errors[] = { ENOSYS, EOPNOTSUPP, EPERM };
#define N_ERRORS (sizeof(errors) / sizeof(errors[0]))

static void test_strict_is_refused(void **state)
{
	char words[1024];

	(void)state;
	for (size_t i = 0; i < N_ERRORS; i++) {
		if (!try_to_enter(true, errors[i], words, sizeof(words)))
			skip();
		assert_string_equal(words,
				    "1\nsandbox\n" NO_LANDLOCK "; sandbox: {required: false} does without\n\n\n");
	}
}

/* The other part is in force nevertheless, and what is missing is said. */
static void test_without_what_is_not_required(void **state)
{
	char words[1024];

	(void)state;
	for (size_t i = 0; i < N_ERRORS; i++) {
		if (!try_to_enter(false, errors[i], words, sizeof(words)))
			skip();
		if (strstr(words, "libseccomp"))
			skip(); /* the library is not here: then nothing is in force, which is said, too */
		assert_string_equal(words,
				    "0\n\n\n" NO_LANDLOCK "\nsystem calls by seccomp, network: no, processes: no\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strict_is_refused),
		cmocka_unit_test(test_without_what_is_not_required),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
