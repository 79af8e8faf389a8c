/* SPDX-License-Identifier: Apache-2.0 */
/* Two specs, and what it takes to go from one to the other: a spec of three stages, with one word exchanged for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/difference.h"
#include "broker/spec/spec.h"
#include "common/base/cleanup.h"

static const char spec[] = "pipeline: two\n"
			   "drain: 10s\n"
			   "stages:\n"
			   "  - {name: read, source: generate, count: 5, rate: 10}\n"
			   "  - {name: work, exec: [cat], workers: 2, batch: 8, grace: 1s}\n"
			   "  - {name: write, sink: file, path: out}\n";

static char path[] = "/tmp/weir-difference-XXXXXX";

static struct plan *load(const char *from, const char *to)
{
	const char *at = from ? strstr(spec, from) : NULL;
	struct diagnostics diagnostics;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct plan *plan = NULL;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(!from || at);
	if (at)
		fprintf(file, "%.*s%s%s", (int)(at - spec), spec, to, at + strlen(from));
	else
		fputs(spec, file);
	fclose(file);
	if (spec_load(path, NULL, 0, &plan, &diagnostics) != 0) {
		diagnostics_format(&diagnostics, false, &text);
		fail_msg("%s", text_get(&text));
	}
	diagnostics_deinit(&diagnostics);
	return plan;
}

static const struct stage_difference *of(const struct difference *difference, const char *name)
{
	for (size_t i = 0; i < difference->n; i++)
		if (name ? difference->list[i].name && strcmp(difference->list[i].name, name) == 0 :
			   !difference->list[i].name)
			return &difference->list[i];
	fail_msg("nothing is said of '%s'", name ? name : "the pipeline");
	return NULL;
}

/* With `from` exchanged for `to`, this is said of the stage (NULL: the pipeline). */
static void check(const char *from, const char *to, const char *stage, enum difference_verdict verdict,
		  const char *what)
{
	struct plan *old = load(NULL, NULL), *new = load(from, to);
	_cleanup_(difference_deinit) struct difference difference = DIFFERENCE_NULL;
	const struct stage_difference *one;

	assert_int_equal(difference_of(old, new, &difference), 0);
	one = of(&difference, stage);
	if (one->verdict != verdict || strcmp(text_get(&one->what), what) != 0)
		fail_msg("%s -> %s: %s, '%s'", from, to, difference_verdict_name(one->verdict), text_get(&one->what));
	assert_int_equal(difference.refused, verdict > DIFFERENCE_RESTART);
	if (!difference.refused) /* else the neighbours are told something else, too */
		assert_int_equal(difference.n_restart, verdict == DIFFERENCE_RESTART);
	assert_true(difference.changed);
	plan_free(old);
	plan_free(new);
}

static void test_nothing(void **state)
{
	struct plan *old = load(NULL, NULL), *new = load("pipeline: two\n", "# moved\n\npipeline: two\n");
	_cleanup_(difference_deinit) struct difference difference = DIFFERENCE_NULL;

	(void)state;
	assert_int_equal(difference_of(old, new, &difference), 0);
	assert_false(difference.changed || difference.refused || difference.n_restart);
	plan_free(old);
	plan_free(new);
}

static void test_options(void **state)
{
	(void)state;
	check("rate: 10", "rate: 20", "read", DIFFERENCE_RESTART, "rate: 10 -> 20");
	check("[cat]", "[sort, -u]", "work", DIFFERENCE_RESTART, "command: \"cat\" -> \"sort\" \"-u\"");
	check("batch: 8", "batch: 9", "work", DIFFERENCE_RESTART, "batch: 8 -> 9");
	check("batch: 8", "batch: 8, deadline: 2s", "work", DIFFERENCE_RESTART, "deadline: none -> 2.0 s");
	check("path: out", "path: new", "write", DIFFERENCE_REFUSED,
	      "path: \"out\" -> \"new\" (the stage's position belongs to it)");
}

static void test_what_only_the_supervisor_knows(void **state)
{
	(void)state;
	check("grace: 1s", "grace: 2s", "work", DIFFERENCE_KEEP, "grace: 1.0 s -> 2.0 s");
	check("drain: 10s", "drain: 20s", NULL, DIFFERENCE_KEEP, "drain: 10.0 s -> 20.0 s");
	check("batch: 8", "batch: 8, restart: {intensity: 9}", "work", DIFFERENCE_KEEP, "restart: intensity: 10 -> 9");
}

static void test_refused(void **state)
{
	(void)state;
	check("pipeline: two", "pipeline: other", NULL, DIFFERENCE_REFUSED, "pipeline: \"two\" -> \"other\"");
	check("workers: 2", "workers: 3", "work", DIFFERENCE_REFUSED, "workers: 2 -> 3");
	check("workers: 2", "workers: {max: 2, target_age: 0}", "work", DIFFERENCE_REFUSED,
	      "workers that rest at first: 0 -> 1");
	check("workers: 2", "workers: {min: 2, max: 2, target_age: 0}", "work", DIFFERENCE_REFUSED,
	      "workers: min: 1 -> 2");
	check("name: work,", "name: toil,", "toil", DIFFERENCE_ADD, "");
	check("name: work,", "name: toil,", "work", DIFFERENCE_REMOVE, "");
	check("batch: 8", "batch: 8, full: drop-new", "work", DIFFERENCE_REFUSED, "full: 0 -> 2");
	check("drain: 10s", "drain: 10s\nrecorder: off", NULL, DIFFERENCE_REFUSED, "recorder: 1 -> 0");
}

/* Who holds the first plan sees the second one; and the first again. */
static void test_exchange(void **state)
{
	struct plan *running = load(NULL, NULL), *other = load("batch: 8", "batch: 9");
	const char *name = running->stages[1].name;

	(void)state;
	plan_exchange(running, other);
	assert_int_equal(running->stages[1].batch, 9);
	assert_int_equal(other->stages[1].batch, 8);
	assert_ptr_equal(running->stages[1].name, name);
	plan_exchange(running, other);
	assert_int_equal(running->stages[1].batch, 8);
	plan_free(running);
	plan_free(other);
}

static void test_words(void **state)
{
	struct plan *old = load(NULL, NULL), *new = load("rate: 10", "rate: 20");
	_cleanup_(difference_deinit) struct difference difference = DIFFERENCE_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL, json = TEXT_NULL;

	(void)state;
	assert_int_equal(difference_of(old, new, &difference), 0);
	difference_format(&difference, &text);
	assert_string_equal(text_get(&text), "restart  read: rate: 10 -> 20\nkeep     work\nkeep     write\n");
	difference_format_json(&difference, &json);
	assert_non_null(
		strstr(text_get(&json), "{\"stage\":\"read\",\"verdict\":\"restart\",\"what\":\"rate: 10 -> 20\"}"));
	plan_free(old);
	plan_free(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_what_only_the_supervisor_knows),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_words),
	};
	int fd = mkstemp(path), r;

	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
