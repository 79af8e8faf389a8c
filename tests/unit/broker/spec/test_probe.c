/* SPDX-License-Identifier: Apache-2.0 */
/* Asking plugins through a child: played by shell scripts, which answer, refuse, crash, hang, shout, and lie. */
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

#include "broker/spec/probe.h"
#include "broker/spec/spec.h"
#include "common/base/clock.h"
#include "common/stage/host.h"
#include "common/stage/registry.h"

static char folder[] = "/tmp/weir-test-probe-XXXXXX";
static char worker[sizeof(folder) + 16], plugin[sizeof(folder) + 16], answer[sizeof(folder) + 16];

static void write_bytes(const char *path, const char *bytes, size_t size, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(worker, sizeof(worker), "%s/worker", folder);
	snprintf(plugin, sizeof(plugin), "%s/lib.so", folder);
	snprintf(answer, sizeof(answer), "%s/answer", folder);
	setenv("WEIR_WORKER", worker, 1);
	setenv("ANSWER", answer, 1);
	write_bytes(plugin, "", 0, 0600);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(worker);
	unlink(plugin);
	unlink(answer);
	return rmdir(folder);
}

static void play(const char *script)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	text_printf(&text, "#!/bin/sh\n%s\n", script);
	write_bytes(worker, text.data, text.length, 0700);
}

static void expect_refusal(const char *said)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct stage_description *description;

	assert_int_equal(probe_describe(plugin, &description, &why), PROBE_E_UNUSABLE);
	if (!strstr(text_get(&why), said))
		fail_msg("expected '%s', said '%s'", said, text_get(&why));
}

static void write_answer(const struct weir_stage *stage)
{
	char *bytes;
	size_t size;

	assert_int_equal(stage_description_write(stage, &bytes, &size), 0);
	write_bytes(answer, bytes, size, 0600);
	free(bytes);
}

static void test_answer(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct stage_description *description;

	(void)state;
	write_answer(stage_descriptor_find(WEIR_SINK, "file"));
	play("test \"$1\" = --describe || exit 1; cat \"$ANSWER\"; echo chatter >&2");
	assert_int_equal(probe_describe(plugin, &description, &why), 0);
	assert_int_equal(description->stage.role, WEIR_SINK);
	assert_string_equal(description->stage.name, "file");
	assert_int_equal(description->stage.n_options, stage_descriptor_find(WEIR_SINK, "file")->n_options);
	stage_description_free(description);
}

static void test_refusals(void **state)
{
	(void)state;
	play("echo \"plugin $2 does not export it\" >&2; echo more >&2; exit 1");
	expect_refusal("lib.so does not export it");
	play("exit 7");
	expect_refusal("does not say why");
	play("kill -SEGV $$");
	expect_refusal("crashed when it was loaded (Segmentation fault");
	play("echo nonsense");
	expect_refusal("makes no sense");
	play("exec cat /dev/zero");
	expect_refusal("says more than anybody needs");
	play("yes >&2; exit 0");
	expect_refusal("says more than anybody needs");
}

/* It hangs, and so does its child, which holds the pipes: both are gone after fifteen seconds. */
static void test_hang(void **state)
{
	uint64_t begun_ns = clock_now_ns();

	(void)state;
	play("sleep 60 & echo $! > \"$ANSWER\"; sleep 60");
	expect_refusal("did not answer within 15 s");
	assert_true(clock_now_ns() - begun_ns < 50 * NS_PER_S);
}

static void test_no_worker(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct stage_description *description;

	(void)state;
	unlink(worker);
	assert_true(probe_describe(plugin, &description, &why) < 0);
	assert_non_null(strstr(text_get(&why), "can't be asked what it is"));
	assert_non_null(strstr(text_get(&why), worker));
}

/* The whole way: the plugin's options are checked as any others; an option that is a key of weir's is refused. */
static void test_spec(void **state)
{
	static const struct weir_option options[] = {
		{ .name = "limit",
		  .type = WEIR_TYPE_INTEGER,
		  .required = true,
		  .minimum = 1,
		  .maximum = 9,
		  .summary = "most",
		  .example = "3" },
		{ .name = "word", .type = WEIR_TYPE_STRING, .fallback = "hey", .summary = "what", .example = "ho" },
	};
	const struct weir_stage stage = { .abi = WEIR_STAGE_ABI,
					  .size_bytes = sizeof(stage),
					  .role = WEIR_OPERATOR,
					  .n_spools = 1,
					  .name = "check",
					  .summary = "s",
					  .description = "d",
					  .options = options,
					  .n_options = 2 };
	_cleanup_(text_deinit) struct text text = TEXT_NULL, spec = TEXT_NULL;
	struct diagnostics diagnostics;
	struct plan *plan = NULL;

	(void)state;
	write_answer(&stage);
	play("cat \"$ANSWER\"");
	text_printf(&spec, "%s/spec.yaml", folder);
	text_printf(
		&text,
		"pipeline: p\nstages:\n- {name: in, source: stdin}\n- {name: a, plugin: %s, limit: 4, spool: 2MiB}\n"
		"- {name: out, sink: discard}\n",
		plugin);
	write_bytes(text_get(&spec), text.data, text.length, 0600);
	assert_int_equal(spec_load(text_get(&spec), NULL, 0, &plan, &diagnostics), 0);
	assert_int_equal(plan->stages[1].role, WEIR_OPERATOR);
	assert_string_equal(plan->stages[1].kind, "check");
	assert_string_equal(plan->stages[1].plugin, plugin);
	assert_int_equal(plan->stages[1].n_options, 4);
	assert_int_equal(plan->stages[1].options[0].number, 4);
	assert_string_equal(plan->stages[1].options[1].string, "hey");
	assert_string_equal(plan->stages[1].options[2].name, "spool");
	assert_int_equal(plan->stages[1].options[2].number, 2097152);
	assert_string_equal(plan->stages[1].options[3].name, HOST_OPTION_FORM);
	assert_int_equal(plan->stages[1].options[3].number, WEIR_FORM_TEXT);
	plan_free(plan);
	diagnostics_deinit(&diagnostics);

	static const struct spec_override bad[] = { { "stages.a.limit", "10" }, { "stages.a.wrod", "x" } };

	assert_int_equal(spec_load(text_get(&spec), bad, 2, &plan, &diagnostics), SPEC_E_INVALID);
	assert_int_equal(diagnostics.n_errors, 2);
	assert_string_equal(diagnostics.list[0].message, "limit '10' is out of range: expected 1 to 9");
	assert_string_equal(diagnostics.list[1].hint, "did you mean 'word'?");
	diagnostics_deinit(&diagnostics);

	unlink(text_get(&spec));
}

static void test_an_option_may_not_have_the_name_of_a_key(void **state)
{
	static const struct weir_option taken = { .name = "workers", .type = WEIR_TYPE_INTEGER, .summary = "s" };
	const struct weir_stage stage = { .abi = WEIR_STAGE_ABI,
					  .size_bytes = sizeof(stage),
					  .role = WEIR_OPERATOR,
					  .name = "check",
					  .summary = "s",
					  .description = "d",
					  .options = &taken,
					  .n_options = 1 };

	(void)state;
	write_answer(&stage);
	play("cat \"$ANSWER\"");
	expect_refusal("has an option 'workers', which is a key of every stage");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),    cmocka_unit_test(test_an_option_may_not_have_the_name_of_a_key),
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_hang),
		cmocka_unit_test(test_no_worker), cmocka_unit_test(test_spec),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
