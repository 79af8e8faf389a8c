/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as data: the table is sound, counts land where they should, JSON has all of them, docs/metrics.md says what the tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/supervise/metrics.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/observe/ledger.h"
#include "common/scope/cause.h"

#define DOCUMENT WEIR_SOURCE_DIR "/docs/metrics.md"

static char pipeline[] = "orders", read_name[] = "read", price_name[] = "price";
static struct plan_stage stages[] = { { .name = read_name }, { .name = price_name } };
static const struct plan plan = { .pipeline = pipeline, .stages = stages, .n_stages = 2 };

static void test_the_table_is_sound(void **state)
{
	(void)state;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const struct metric_line *line = &metric_lines[i];
		const char *total = strstr(line->name, "_total");

		assert_int_equal(strncmp(line->name, "weir_", 5), 0);
		assert_int_equal(strspn(line->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(line->name));
		assert_int_equal(total && !total[6], line->type == METRIC_COUNTER);
		/* A unit other than things counted stands in the name. */
		if (strcmp(line->unit, "seconds") == 0 || strcmp(line->unit, "bytes") == 0)
			assert_non_null(strstr(line->name, line->unit));
		assert_true((line->type != METRIC_HISTOGRAM && line->type != METRIC_LATENCY) ||
			    (line->labels[1] == METRIC_LABEL_NONE && strcmp(line->unit, "seconds") == 0));
		assert_true(line->labels[0] != METRIC_LABEL_NONE || line->labels[1] == METRIC_LABEL_NONE);
		assert_true(*line->summary && line->summary[strlen(line->summary) - 1] != '.');
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(line->name, metric_lines[k].name);
	}
	for (unsigned i = 1; i < METRIC_BUCKETS; i++)
		assert_true(metric_bounds_ns[i - 1] < metric_bounds_ns[i]);
}

static void test_labels_are_closed_and_differ(void **state)
{
	(void)state;
	for (unsigned label = METRIC_LABEL_STAGE; *metric_label_name(label); label++) {
		size_t n = metric_label_size(label, &plan);

		assert_true(n > 1);
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < i; k++)
				if (metric_label_value(label, &plan, i) && metric_label_value(label, &plan, k))
					assert_string_not_equal(metric_label_value(label, &plan, i),
								metric_label_value(label, &plan, k));
		if (label == METRIC_LABEL_KIND)
			break;
	}
	assert_null(metric_label_value(METRIC_LABEL_LINE, &plan, LEDGER_HELD));
	assert_null(metric_label_value(METRIC_LABEL_CAUSE, &plan, CAUSE_NONE));
	assert_string_equal(metric_label_value(METRIC_LABEL_PLACE, &plan, 2), "");
}

static void test_counts_land_in_their_cell(void **state)
{
	struct metrics metrics;

	(void)state;
	assert_int_equal(metrics_init(&metrics, &plan), 0);
	metrics_add(&metrics, METRIC_RESTARTS, 1, RESTART_REASON_SIGNAL, 2);
	metrics_add(&metrics, METRIC_RESTARTS, 1, RESTART_REASON_SIGNAL, 1);
	metrics_add(&metrics, METRIC_TIMEOUTS, 2, TIMEOUT_RUN, 1);
	metrics_set(&metrics, METRIC_WORKERS, 0, 0, 7);
	for (size_t stage = 0; stage < 2; stage++)
		for (size_t reason = 0; reason < RESTART_REASON_COUNT; reason++)
			assert_int_equal(metrics_value(&metrics, METRIC_RESTARTS, stage, reason),
					 stage == 1 && reason == RESTART_REASON_SIGNAL ? 3 : 0);
	assert_int_equal(metrics_value(&metrics, METRIC_TIMEOUTS, 2, TIMEOUT_RUN), 1);
	assert_int_equal(metrics_value(&metrics, METRIC_WORKERS, 0, 0), 7);
	metrics_deinit(&metrics);
	metrics_deinit(&metrics);
}

static void test_buckets(void **state)
{
	const struct metric_buckets *drains;
	struct metrics metrics;

	(void)state;
	assert_int_equal(metrics_init(&metrics, &plan), 0);
	drains = metrics_histogram(&metrics, METRIC_EXIT, METRIC_ORDER_DRAIN);
	metrics_observe(&metrics, METRIC_EXIT, METRIC_ORDER_DRAIN, 0);
	metrics_observe(&metrics, METRIC_EXIT, METRIC_ORDER_DRAIN, NS_PER_MS); /* a bound belongs to its bucket */
	metrics_observe(&metrics, METRIC_EXIT, METRIC_ORDER_DRAIN, NS_PER_MS + 1);
	metrics_observe(&metrics, METRIC_EXIT, METRIC_ORDER_DRAIN, 31 * NS_PER_S);
	metrics_observe(&metrics, METRIC_EXIT, METRIC_ORDER_CANCEL, NS_PER_S);
	assert_int_equal(drains->counts[0], 2);
	assert_int_equal(drains->counts[1], 1);
	assert_int_equal(drains->counts[METRIC_BUCKETS], 1);
	assert_int_equal(drains->sum_ns, 31 * NS_PER_S + 2 * NS_PER_MS + 1);
	metrics_deinit(&metrics);
}

static size_t count_of(const char *string, const char *part)
{
	size_t n = 0;

	for (; (string = strstr(string, part)); string += strlen(part))
		n++;
	return n;
}

static void test_json(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fy_document *document;
	struct metrics metrics;

	(void)state;
	assert_int_equal(metrics_init(&metrics, &plan), 0);
	metrics_add(&metrics, METRIC_STUCK, 1, 0, 1500000001);
	metrics_add(&metrics, METRIC_CANCELS, CAUSE_USER, 0, 4);
	metrics_observe(&metrics, METRIC_ORDER_SEEN, METRIC_ORDER_CANCEL, 3 * NS_PER_MS);
	metrics_format_json(&metrics, &text);
	metrics_deinit(&metrics);
	document = fy_document_build_from_string(NULL, text_get(&text), text.length);
	assert_non_null(document);
	fy_document_destroy(document);
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		char name[64];

		snprintf(name, sizeof(name), "\"name\":\"%s\"", metric_lines[i].name);
		assert_int_equal(count_of(text_get(&text), name), 1);
	}
	assert_non_null(
		strstr(text_get(&text), "{\"labels\":{\"stage\":\"price\",\"kind\":\"cycle\"},\"value\":1.500000001}"));
	assert_non_null(strstr(text_get(&text), "{\"labels\":{\"cause\":\"user\"},\"value\":4}"));
	assert_non_null(strstr(text_get(&text), "{\"labels\":{\"stage\":\"\",\"level\":\"run\"},\"value\":0}"));
	assert_null(strstr(text_get(&text), "\"held\""));
	assert_non_null(strstr(text_get(&text),
			       "{\"labels\":{\"order\":\"cancel\"},\"buckets\":[{\"le\":0.001000000,\"count\":0},"
			       "{\"le\":0.002000000,\"count\":0},{\"le\":0.005000000,\"count\":1},"));
	assert_non_null(strstr(text_get(&text), "\"sum\":0.003000000,\"count\":1}"));
}

static void test_latencies(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct histogram *latency;
	struct metrics metrics;

	(void)state;
	assert_int_equal(metrics_init(&metrics, &plan), 0);
	latency = metrics_latency(&metrics, METRIC_WAITING, 1);
	assert_ptr_not_equal(latency, metrics_latency(&metrics, METRIC_WAITING, 0));
	latency->counts[histogram_bucket(1000)] = 2;
	latency->counts[histogram_bucket(1024)] = 1;
	latency->counts[histogram_bucket(UINT64_C(1) << 40)] = 1; /* behind all bounds */
	latency->sum_ns = 3024;
	metrics_format_json(&metrics, &text);
	metrics_deinit(&metrics);
	assert_non_null(strstr(text_get(&text), "{\"labels\":{\"stage\":\"price\"},\"buckets\":[{\"le\":0.000001024,"
						"\"count\":2},{\"le\":0.000002048,\"count\":3},"));
	assert_non_null(strstr(text_get(&text), "{\"le\":68.719476736,\"count\":3}],\"sum\":0.000003024,\"count\":4,"
						"\"quantiles\":{\"0.5\":0.000000991,\"0.9\":"));
	assert_non_null(strstr(text_get(&text), "\"fine\":[[0.000000991,2],[0.000001087,1],["));
	assert_non_null(strstr(text_get(&text), "\"sum\":0.000000000,\"count\":0,\"quantiles\":{\"0.5\":0.000000000,"));
	assert_int_equal(histogram_lower_ns(histogram_bucket(metric_latency_bound_ns(0))), metric_latency_bound_ns(0));
	assert_true(metric_latency_bound_ns(METRIC_LATENCY_BOUNDS - 1) < HISTOGRAM_LIMIT_NS);
}

static void read_document(struct text *text)
{
	FILE *file = fopen(DOCUMENT, "r");
	char buffer[4096];
	size_t n;

	assert_non_null(file);
	while ((n = fread(buffer, 1, sizeof(buffer), file)))
		text_add_bytes(text, buffer, n);
	fclose(file);
}

static void test_document(void **state)
{
	_cleanup_(text_deinit) struct text document = TEXT_NULL, wanted = TEXT_NULL;
	const char *begin, *end;

	(void)state;
	read_document(&document);
	begin = strstr(text_get(&document), "<!-- begin of the generated tables");
	assert_non_null(begin);
	begin = strchr(begin, '\n') + 1;
	end = strstr(begin, "<!-- end of the generated tables");
	assert_non_null(end);
	text_add_bytes(&wanted, document.data, (size_t)(begin - document.data));
	text_add_char(&wanted, '\n');
	metrics_reference(&wanted);
	text_add(&wanted, end);
	if (getenv("WEIR_UPDATE")) {
		FILE *file = fopen(DOCUMENT, "w");

		assert_non_null(file);
		fputs(text_get(&wanted), file);
		fclose(file);
		return;
	}
	if (strcmp(text_get(&document), text_get(&wanted)) != 0)
		fail_msg(
			"docs/metrics.md is behind its tables: run this test with WEIR_UPDATE=1 and read the difference");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_labels_are_closed_and_differ),
		cmocka_unit_test(test_counts_land_in_their_cell),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_latencies),
		cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
