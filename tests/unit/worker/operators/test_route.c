/* SPDX-License-Identifier: Apache-2.0 */
/* operator route: the tables of docs/jq.md; outputs that several read, or several of which one reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/stage/host.h"
#include "tests/unit/common/record/document.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/script/script_test.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void prepare(struct fake_host *host, const char *const *routes, const char *other)
{
	fake_host_init(host, &route_operator_callbacks);
	fake_host_option_list(host, "routes", routes);
	fake_host_option_string(host, "default", other);
	fake_host_option_number(host, HOST_OPTION_FORM, WEIR_FORM_STRUCTURED);
}

static const char *const three[] = { "big", ".n > 10", "odd", ".n % 2 == 1", "named", ".name", NULL };

static int give(struct fake_host *host, const char *json)
{
	struct packed item = packed_json(json);
	int r = fake_host_process(host, item.data, item.size_bytes);

	packed_free(&item);
	return r;
}

static void route_row(const struct document_cell *cells)
{
	static const char *const outputs[] = { "rest", "named", "odd",
					       "big" }; /* edges need not be in the order of names */
	struct packed item = packed_json(cells[0].data);
	struct fake_host host;

	prepare(&host, three, "rest");
	host.n_outputs = 4;
	for (uint32_t i = 0; i < 4; i++)
		host.output_names[i] = UINT64_C(8) >> i;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	assert_string_equal(outputs[host.last_output], cells[1].data);
	assert_int_equal(fake_host_item(&host, 0).size_bytes, item.size_bytes);
	assert_memory_equal(fake_host_item(&host, 0).data, item.data, item.size_bytes);
	fake_host_deinit(&host);
	packed_free(&item);
}

static void refused_row(const struct document_cell *cells)
{
	const char *routes[] = { "none", "false", "one", cells[0].data, NULL };
	struct fake_host host;

	prepare(&host, routes, "rest");
	host.output_names[0] = 7;
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(give(&host, cells[1].data), WEIR_REJECTED);
		assert_string_equal(host.reason, cells[2].data);
	}
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows_of(DOCUMENT, "route: where it goes", route_row) >= 8);
	assert_true(document_rows_of(DOCUMENT, "route: what is refused", refused_row) >= 4);
}

/* Two read `big`; one of them reads `odd`, too; the default is a name of the others. */
static void test_readers_share(void **state)
{
	struct fake_host host;

	(void)state;
	prepare(&host, three, "odd");
	host.n_outputs = 3;
	host.output_names[0] = 1;
	host.output_names[1] = 3;
	host.output_names[2] = 4;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "{\"n\":12}"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(host.last_output, 1);
	assert_int_equal(give(&host, "{\"n\":2}"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 3);
	assert_int_equal(host.last_output, 1);
	fake_host_deinit(&host);
}

/* Comments, definitions, commas and pipes stay within their predicate. */
static void test_predicates_stand_by_themselves(void **state)
{
	static const char *const routes[] = {
		"a", "def f: .n == 1; f # a comment", "b", ".n | . == 2", "c", "first(.n, 5) == 3", NULL
	};
	struct fake_host host;

	(void)state;
	prepare(&host, routes, "d");
	host.n_outputs = 4;
	for (uint32_t i = 0; i < 4; i++)
		host.output_names[i] = UINT64_C(1) << i;
	assert_int_equal(route_operator_callbacks.check(&host.context), 0);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint32_t i = 0; i < 4; i++) {
		char item[16];

		snprintf(item, sizeof(item), "{\"n\":%u}", i + 1);
		assert_int_equal(give(&host, item), WEIR_OK);
		assert_int_equal(host.last_output, i);
	}
	fake_host_deinit(&host);
}

static void test_what_does_not_compile(void **state)
{
	static const struct {
		const char *predicate, *reason;
	} bad[] = {
		{ ".a +", "syntax error, unexpected $end" },
		{ "1) then 5 else (2", "syntax error, unexpected INVALID_CHARACTER, expecting $end" },
		{ "def f: 1;", "syntax error, unexpected ')'" }, /* a program, and no expression */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const routes[] = { "a", ".a", "b", bad[i].predicate, NULL };
		struct fake_host host;

		prepare(&host, routes, "rest");
		assert_int_equal(route_operator_callbacks.check(&host.context), WEIR_FAILED);
		assert_string_equal(host.reason, bad[i].reason);
		fake_host_deinit(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_readers_share),
		cmocka_unit_test(test_predicates_stand_by_themselves),
		cmocka_unit_test(test_what_does_not_compile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
