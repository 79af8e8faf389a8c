/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a stage about its options: weir-worker is played by shell scripts, which complain, keep silent, crash, refuse, and lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/spec/spec.h"
#include "common/base/text.h"

static char folder[] = "/tmp/question-XXXXXX";
static char worker[sizeof(folder) + 16], spec[sizeof(folder) + 16], marker[sizeof(folder) + 16];

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(worker, sizeof(worker), "%s/worker", folder);
	snprintf(spec, sizeof(spec), "%s/spec.yaml", folder);
	snprintf(marker, sizeof(marker), "%s/asked", folder);
	setenv("WEIR_WORKER", worker, 1);
	setenv("ASKED", marker, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(worker);
	unlink(spec);
	unlink(marker);
	return rmdir(folder);
}

/* Loads a spec with this stage, whose worker is this script. Returns the findings, "LINE:COLUMN: MESSAGE" each, for text_deinit(). */
static struct text ask(const char *script, const char *stage)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct text found = TEXT_NULL;
	struct diagnostics diagnostics;
	struct plan *plan = NULL;

	text_printf(&text, "#!/bin/sh\n%s\n", script);
	write_text(worker, text_get(&text), 0700);
	text_clear(&text);
	text_printf(&text, "pipeline: p\nstages:\n- {name: in, source: stdin}\n%s\n- {name: out, sink: discard}\n",
		    stage);
	write_text(spec, text_get(&text), 0600);
	(void)spec_load(spec, NULL, 0, &plan, &diagnostics);
	assert_int_equal(!plan, diagnostics.n_errors != 0);
	for (size_t i = 0; i < diagnostics.n; i++)
		text_printf(&found, "%u:%u: %s\n", diagnostics.list[i].position.line,
			    diagnostics.list[i].position.column, diagnostics.list[i].message);
	plan_free(plan);
	diagnostics_deinit(&diagnostics);
	return found;
}

static void expect(const char *script, const char *stage, const char *findings)
{
	_cleanup_(text_deinit) struct text found = ask(script, stage);

	assert_string_equal(text_get(&found), findings);
}

#define PLAIN "- {name: a, operator: filter, expr: .a}"

static void test_complaints(void **state)
{
	(void)state;
	expect("true", PLAIN, "");
	expect("printf 'expr\\t1\\tis no good\\n'", PLAIN, "4:37: expr: is no good\n");
	expect("printf 'expr\\t0\\tis no good\\nmemory\\t0\\tneither is this\\n'", PLAIN,
	       "4:23: memory: neither is this\n4:37: expr: is no good\n"); /* a default has the place of its kind */
	expect("printf 'other\\t0\\tis not there\\n'", PLAIN, "4:23: other: is not there\n");
}

/* The line within a block is a line of the spec; within anything else it is not. */
static void test_lines(void **state)
{
	(void)state;
	expect("printf 'expr\\t2\\there\\n'", "- name: a\n  operator: filter\n  expr: |\n    .a\n      | .b",
	       "8:7: expr: here\n");
	expect("printf 'expr\\t99\\there\\n'", "- name: a\n  operator: filter\n  expr: |\n    .a",
	       "105:1: expr: here\n");
	expect("printf 'expr\\t2\\there\\n'", "- name: a\n  operator: filter\n  expr: '.a\n    | .b'",
	       "6:9: expr: here\n");
}

static void test_who_does_not_answer(void **state)
{
	(void)state;
	expect("kill -ABRT $$", PLAIN, "4:23: filter crashed when it was asked about its options (Aborted)\n");
	expect("echo no kind like that >&2; exit 1", PLAIN,
	       "4:23: filter can't be asked about its options: no kind like that\n");
	expect("exit 1", PLAIN, "4:23: filter can't be asked about its options: weir-worker does not say why\n");
	expect("echo nonsense", PLAIN, "4:23: filter can't be asked about its options: weir-worker does not say why\n");
	expect("yes", PLAIN, "4:23: filter, asked about its options, says more than anybody needs\n");
}

static void test_no_worker(void **state)
{
	_cleanup_(text_deinit) struct text found = TEXT_NULL;

	(void)state;
	found = ask("", PLAIN);
	text_deinit(&found);
	setenv("WEIR_WORKER", "/nonexistent/weir-worker", 1);
	found = ask("", PLAIN);
	setenv("WEIR_WORKER", worker, 1);
	assert_string_equal(text_get(&found),
			    "4:23: filter can't be asked about its options: /nonexistent/weir-worker: No such file or "
			    "directory (WEIR_WORKER names another weir-worker)\n");
}

/* Nobody is asked about what is wrong already, or has nothing to say. */
static void test_who_is_not_asked(void **state)
{
	(void)state;
	expect("touch \"$ASKED\"", "- {name: a, operator: filter, expr: .a, memory: 1}",
	       "4:49: memory '1' is out of range: expected 1MiB to 64GiB\n");
	expect("touch \"$ASKED\"", "- {name: a, operator: take, count: 1}", "");
	assert_int_equal(access(marker, F_OK), -1);
	expect("touch \"$ASKED\"", PLAIN, "");
	assert_int_equal(access(marker, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complaints),          cmocka_unit_test(test_lines),
		cmocka_unit_test(test_who_does_not_answer), cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_who_is_not_asked),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
