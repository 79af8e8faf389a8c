/* SPDX-License-Identifier: Apache-2.0 */
/* Drawings of pipelines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/graph.h"
#include "broker/spec/spec.h"

static struct plan *load(const char *spec)
{
	char path[] = "/tmp/weir-test-graph-XXXXXX";
	struct diagnostics diagnostics;
	struct plan *plan = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, spec, strlen(spec)), strlen(spec));
	close(fd);
	assert_int_equal(spec_load(path, NULL, 0, &plan, &diagnostics), 0);
	diagnostics_deinit(&diagnostics);
	unlink(path);
	return plan;
}

/* The drawing below its headline. */
static void expect(const char *spec, bool utf8, const char *drawing)
{
	struct plan *plan = load(spec);
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const char *body;

	graph_text(plan, utf8, &text);
	body = strstr(text_get(&text), "\n\n");
	assert_non_null(body);
	assert_string_equal(body + 2, drawing);
	plan_free(plan);
}

static const char chain[] = "pipeline: p\nstages:\n"
			    "  - {name: in, source: generate, count: 5}\n"
			    "  - {name: upper, exec: [tr, a-z, A-Z], workers: 4, order: fifo}\n"
			    "  - {name: out, sink: stdout}\n";

static void test_chain(void **state)
{
	(void)state;
	expect(chain, false,
	       "  o   in     source generate\n"
	       "  |\n"
	       "  o   upper  exec tr a-z A-Z  4 workers, fifo, least-loaded\n"
	       "  |\n"
	       "  o   out    sink stdout      puts back in order\n");
	expect(chain, true,
	       "  ●   in     source generate\n"
	       "  │\n"
	       "  ●   upper  exec tr a-z A-Z  4 workers, fifo, least-loaded\n"
	       "  │\n"
	       "  ●   out    sink stdout      puts back in order\n");
}

static void test_branches(void **state)
{
	(void)state;
	expect("pipeline: p\nstages:\n"
	       "  - {name: a, source: generate}\n"
	       "  - {name: a2, source: stdin}\n"
	       "  - {name: b, from: a, exec: 'tr a-z A-Z', workers: 4, order: fifo}\n"
	       "  - {name: c, from: [a, a2], exec: [cat], workers: 2}\n"
	       "  - {name: d, from: [b, c], exec: [cat]}\n"
	       "  - {name: e, from: b, sink: discard}\n"
	       "  - {name: f, from: [d, a], sink: file, path: x.txt}\n"
	       "  - {name: g, from: d, sink: stdout}\n",
	       false,
	       "  o           a   source generate\n"
	       "  |-.-.\n"
	       "  | | | o     a2  source stdin\n"
	       "  | | | |\n"
	       "  o | | |     b   exec tr a-z A-Z  4 workers, fifo, least-loaded\n"
	       "  |-+-+-+-.\n"
	       "  | |-+-' |\n"
	       "  | o |   |   c   exec cat         2 workers, any order, least-loaded\n"
	       "  |-' |   |\n"
	       "  o   |   |   d   exec cat         puts back in order\n"
	       "  |-. |   |\n"
	       "  | | |   o   e   sink discard     puts back in order\n"
	       "  |-+-'\n"
	       "  o |         f   sink file x.txt\n"
	       "    |\n"
	       "    o         g   sink stdout\n");
}

/* A stage may stand in the file before those that it reads from. */
static void test_order(void **state)
{
	(void)state;
	expect("pipeline: p\nstages:\n"
	       "  - {name: out, from: up, sink: discard}\n"
	       "  - {name: up, from: in, exec: cat}\n"
	       "  - {name: in, source: stdin}\n",
	       false,
	       "  o   in   source stdin\n"
	       "  |\n"
	       "  o   up   exec cat\n"
	       "  |\n"
	       "  o   out  sink discard\n");
}

/* An edge that leads back is named where it leads to, and drawn as what it is. */
static void test_feedback(void **state)
{
	static const char spec[] = "pipeline: p\nstages:\n"
				   "  - {name: in, source: stdin}\n"
				   "  - {name: a, from: [in, {stage: b, credit: 64}], exec: cat, full: drop-new}\n"
				   "  - {name: b, from: a, exec: cat, workers: 2, order: key, balance: key(item)}\n"
				   "  - {name: out, from: b, sink: discard, capacity: 0}\n";
	struct plan *plan = load(spec);
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	expect(spec, false,
	       "  o   in   source stdin\n"
	       "  |\n"
	       "  o   a    exec cat      full: drop-new, back from b, credit 64\n"
	       "  |\n"
	       "  o   b    exec cat      2 workers, in order by key, by key\n"
	       "  |\n"
	       "  o   out  sink discard  capacity 0\n");
	graph_dot(plan, &text);
	assert_non_null(strstr(text_get(&text), "\"b\" -> \"a\" [label=\"credit 64\", style=dashed"));
	text_clear(&text);
	graph_mermaid(plan, &text);
	assert_non_null(strstr(text_get(&text), "\ts2 -.->|credit 64| s1\n"));
	text_clear(&text);
	graph_json(plan, &text);
	assert_non_null(strstr(text_get(&text), "\"order\":\"key\",\"balance\":\"key\",\"full\":\"block\""));
	assert_non_null(strstr(text_get(&text), "\"credit\":64,\"lanes\":2,"));
	plan_free(plan);
}

/* What a program is made of can't break out of a label, a line, or a terminal. */
static void test_escapes(void **state)
{
	struct plan *plan =
		load("pipeline: p\nstages:\n"
		     "  - {name: in, source: stdin}\n"
		     "  - {name: a, exec: \"awk '{print \\\"\\\\\\\\<b>\\\"}' | \\e[31mcat\\n&\", workers: 2}\n"
		     "  - {name: out, sink: discard}\n");
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	graph_dot(plan, &text);
	assert_non_null(strstr(text_get(&text), "{print \\\"\\\\\\\\<b>\\\"}' |  [31mcat &\\n2 workers"));
	assert_non_null(strstr(text_get(&text), "\"in\" -> \"a\" [label=\"2 lanes\"];"));
	text_clear(&text);
	graph_mermaid(plan, &text);
	assert_non_null(strstr(text_get(&text), "{print #34;\\\\#60;b#62;#34;}' #124;  [31mcat #38;<br/>2 workers"));
	assert_non_null(strstr(text_get(&text), "s0 -->|2 lanes| s1\n"));
	text_clear(&text);
	graph_text(plan, true, &text);
	assert_null(strchr(text_get(&text), '\033'));
	text_clear(&text);
	graph_json(plan, &text);
	assert_non_null(
		strstr(text_get(&text),
		       "\"command\":[\"sh\",\"-c\",\"awk '{print \\\"\\\\\\\\<b>\\\"}' | \\u001b[31mcat\\n&\"]"));
	assert_non_null(strstr(
		text_get(&text),
		"\"edges\":[{\"from\":\"in\",\"to\":\"a\",\"order\":\"none\",\"merge\":false,\"credit\":0,\"lanes\":2,"));
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_chain), cmocka_unit_test(test_branches),
					    cmocka_unit_test(test_order), cmocka_unit_test(test_escapes),
					    cmocka_unit_test(test_feedback) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
