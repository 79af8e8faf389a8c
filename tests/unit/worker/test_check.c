/* SPDX-License-Identifier: Apache-2.0 */
/* `weir-worker --check`, without the process: a question on standard input, complaints on standard output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/stage.h>

#include "common/wire/heritage.h"
#include "worker/check.h"

static struct heritage_option expr = { .name = (char *)"expr", .type = HERITAGE_STRING };

/* In a child, for it takes standard input and output. Returns its exit status, with what it has said. */
static int ask(int question_fd, char *answer, size_t size)
{
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(question_fd, STDIN_FILENO);
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		_exit(check_stage_options());
	}
	close(pipes[1]);
	for (size_t length = 0;; length += (size_t)n) {
		n = read(pipes[0], answer + length, size - 1 - length);
		answer[length + (n > 0 ? (size_t)n : 0)] = '\0';
		if (n <= 0)
			break;
	}
	close(pipes[0]);
	close(question_fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int ask_kind(const char *kind, const char *value, char *answer, size_t size)
{
	struct heritage_question question = {
		.kind = (char *)kind, .role = WEIR_OPERATOR, .options = &expr, .n_options = 1
	};
	int fd;

	expr.string = (char *)value;
	assert_int_equal(heritage_question_write(&question, &fd), 0);
	return ask(fd, answer, size);
}

static void test_complaints(void **state)
{
	char answer[1024];

	(void)state;
	assert_int_equal(ask_kind("filter", ".a", answer, sizeof(answer)), 0);
	assert_string_equal(answer, "");
	assert_int_equal(ask_kind("filter", ".a |\n foo", answer, sizeof(answer)), 0);
	assert_string_equal(answer, "expr\t2\tfoo/0 is not defined\n");
	assert_int_equal(ask_kind("take", "", answer, sizeof(answer)), 0); /* it has nothing to say */
	assert_string_equal(answer, "");
}

static void test_bad_questions(void **state)
{
	char answer[1024];
	FILE *file = tmpfile();

	(void)state;
	assert_int_equal(ask_kind("no-such", "", answer, sizeof(answer)), 1);
	assert_non_null(strstr(answer, "has no operator 'no-such'"));
	assert_non_null(file);
	fputs("nonsense", file);
	fflush(file);
	assert_int_equal(ask(dup(fileno(file)), answer, sizeof(answer)), 1);
	assert_string_equal(answer, "the question is unusable: another version, or damaged\n");
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_bad_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
