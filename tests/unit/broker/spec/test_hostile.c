/* SPDX-License-Identifier: Apache-2.0 */
/* Specs that nobody wrote to be run: too large, too deep, too many, endless. Each is refused at once, with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/spec/source.h"
#include "broker/spec/spec.h"
#include "broker/spec/yaml.h"
#include "common/base/clock.h"

#define MOMENT_NS (5 * NS_PER_S) /* of work, with sanitizers */

static char folder[] = "/tmp/weir-test-hostile-XXXXXX";
static char path[sizeof(folder) + 16];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/spec.yaml", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* What this process has worked, whether others let it or not. */
static uint64_t worked_ns(void)
{
	struct timespec time;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

/* Loads, expects errors, quickly, and `said` in one of them. */
static void expect(const char *from, const char *said)
{
	struct diagnostics diagnostics;
	struct plan *plan = NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	uint64_t begun_ns = worked_ns();

	assert_int_equal(spec_load(from, NULL, 0, &plan, &diagnostics), SPEC_E_INVALID);
	assert_null(plan);
	assert_true(worked_ns() - begun_ns < MOMENT_NS);
	diagnostics_format(&diagnostics, false, &text);
	if (!strstr(text_get(&text), said))
		fail_msg("expected '%s', said\n%s", said, text_get(&text));
	diagnostics_deinit(&diagnostics);
}

static void write_spec(const struct text *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text_get(text), 1, text->length, file), text->length);
	fclose(file);
}

static void repeat(struct text *text, const char *piece, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text_add(text, piece);
}

/* Ten thousand levels of each sort. */
static void test_depth(void **state)
{
	static const char *const pieces[] = { "[", "{a: ", "- ", "? ", "[{", "- ? ", "&a [", "!x [" };

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		repeat(&text, pieces[i], 10000);
		write_spec(&text);
		expect(path, "nested deeper than 64 levels");
	}
}

static void test_block_depth(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		repeat(&text, " ", i);
		text_add(&text, "a:\n");
	}
	write_spec(&text);
	expect(path, "nested deeper than 64 levels");
}

/* 64 levels are read; what is wrong with them is something else. */
static void test_depth_allowed(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	repeat(&text, "[", YAML_DEPTH_MAX);
	repeat(&text, "]", YAML_DEPTH_MAX);
	write_spec(&text);
	expect(path, "a spec is a map");
}

static void test_billion_laughs(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	text_add(&text, "a0: &a0 lol\n");
	for (unsigned i = 1; i < 30; i++) {
		text_printf(&text, "a%u: &a%u [", i, i);
		for (unsigned j = 0; j < 9; j++)
			text_printf(&text, "%s*a%u", j ? ", " : "", i - 1);
		text_add(&text, "]\n");
	}
	write_spec(&text);
	expect(path, "aliases expand to more than");
}

static void test_alias_depth(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	text_add(&text, "a0: &a0 x\n");
	for (unsigned i = 1; i < 100; i++)
		text_printf(&text, "a%u: &a%u [*a%u]\n", i, i, i - 1);
	write_spec(&text);
	expect(path, "aliases nest deeper than");
}

static void test_many_aliases(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	text_add(&text, "a: &a x\nb: [");
	repeat(&text, "*a , ", 2000);
	text_add(&text, "]\n");
	write_spec(&text);
	expect(path, "more than 1000 aliases");
}

/* A megabyte of keys, of list elements, of stages. */
static void test_many(void **state)
{
	static const char *const pieces[][2] = {
		{ "a:\n", "more than 1000 keys in one map" },
		{ "- a\n", "more than 200000 values" },
		{ "- {name: a, exec: cat}\n", "more than 200000 values" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		repeat(&text, pieces[i][0], (unsigned)(SOURCE_SIZE_MAX / strlen(pieces[i][0])));
		write_spec(&text);
		expect(path, pieces[i][1]);
	}
}

static void test_many_stages(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	text_add(&text, "pipeline: p\nstages:\n");
	repeat(&text, "- {name: a}\n", 5000);
	write_spec(&text);
	expect(path, "5000 stages; a pipeline has at most 4096");
}

/* Thousands of findings: the first thousand are shown, the rest counted. */
static void test_many_findings(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	text_add(&text, "pipeline: p\nstages:\n");
	repeat(&text, "- {name: a, source: nothing, workers: 0}\n", 1000);
	write_spec(&text);
	expect(path, "... and 1999 more");
}

static void test_many_lanes(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	text_add(&text, "pipeline: p\nstages:\n- {name: in, source: stdin}\n");
	for (unsigned i = 0; i < 20; i++)
		text_printf(&text, "- {name: a%u, exec: cat, workers: 64}\n", i);
	text_add(&text, "- {name: out, sink: discard}\n");
	write_spec(&text);
	expect(path, "77952 lanes in all");
	text_clear(&text);
	text_add(&text, "pipeline: p\nstages:\n- {name: in, source: stdin}\n");
	for (unsigned i = 0; i < 70; i++)
		text_printf(&text, "- {name: a%u, from: in, sink: discard, workers: 64}\n", i);
	write_spec(&text);
	expect(path, "more than 16 stages read from 'in'");
}

static void test_size(void **state)
{
	(void)state;
	close(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
	assert_int_equal(truncate(path, (off_t)1 << 30), 0); /* a hole: nothing is written */
	expect(path, ": error: 1073741824 bytes; a spec is at most 1 MiB");
	expect("/dev/zero", "/dev/zero: error: more than 1048576 bytes; a spec is at most 1 MiB");
	expect("/dev/null", "nothing is in it");
}

static void test_no_file(void **state)
{
	(void)state;
	expect("/", "/: error: is a folder");
	expect("/no/such/spec.yaml", "/no/such/spec.yaml: error: cannot be opened: No such file or directory");
}

/* A pipe is read to its end, at the writer's pace, and not a byte further than allowed. */
static void test_pipe(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		FILE *file = fopen(path, "w");

		usleep(50000);
		fputs("pipeline: p\n", file);
		fflush(file);
		usleep(50000);
		fputs("stages: cat\n", file);
		fclose(file);
		_exit(0);
	}
	expect(path, ":2:1: error: stages wants a list");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
}

static void write_words(const char *words)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	text_add(&text, words);
	write_spec(&text);
}

/* A spec that comes from standard input leaves nothing there for a stage that reads it. */
static void test_spec_from_stdin(void **state)
{
	struct diagnostics diagnostics;
	struct plan *plan = NULL;
	int saved = dup(STDIN_FILENO), fd;

	(void)state;
	write_words("pipeline: p\nstages:\n- {name: in, source: stdin}\n- {name: out, sink: stdout}\n");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(saved >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
	assert_int_equal(spec_load("-", NULL, 0, &plan, &diagnostics), 0);
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
	assert_int_equal(diagnostics.n, 1);
	assert_int_equal(diagnostics.list[0].level, DIAGNOSTIC_WARNING);
	assert_int_equal(diagnostics.list[0].position.line, 3);
	assert_int_equal(diagnostics.list[0].position.column, 22);
	diagnostics_deinit(&diagnostics);
	plan_free(plan);
	assert_int_equal(spec_load(path, NULL, 0, &plan, &diagnostics), 0);
	assert_int_equal(diagnostics.n, 0);
	diagnostics_deinit(&diagnostics);
	plan_free(plan);
}

/* A bracket that is open where the file ends, and a file that ends without a newline: the place is in the file. */
static void test_end_of_file(void **state)
{
	(void)state;
	write_words("pipeline: p\nstages:\n- {name: in, source: stdin}\n- {name");
	expect(path, ":4:3: error: this { is never closed\n     4 | - {name\n       |   ^\n");
	write_words("pipeline: p\nstages:\n- name: in\n  exec: [a, b\n\n\n");
	expect(path, ":4:9: error: this [ is never closed\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),         cmocka_unit_test(test_block_depth),
		cmocka_unit_test(test_depth_allowed), cmocka_unit_test(test_billion_laughs),
		cmocka_unit_test(test_alias_depth),   cmocka_unit_test(test_many_aliases),
		cmocka_unit_test(test_many),          cmocka_unit_test(test_many_stages),
		cmocka_unit_test(test_many_findings), cmocka_unit_test(test_many_lanes),
		cmocka_unit_test(test_size),          cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_pipe),          cmocka_unit_test(test_spec_from_stdin),
		cmocka_unit_test(test_end_of_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
