/* SPDX-License-Identifier: Apache-2.0 */
/* docs/metrics.md from the tables: a test compares. */
#include "broker/supervise/metrics.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/observe/ledger.h"
#include "common/scope/cause.h"

struct row {
	const char *name, *summary;
};

static const struct row label_rows[] = {
#define METRIC_LABEL(id, name, summary) { name, summary },
#include "broker/supervise/metric_label.def"
#undef METRIC_LABEL
};

static const struct row level_rows[] = {
#define TIMEOUT_LEVEL(id, name, summary) { name, summary },
#include "broker/supervise/timeout_level.def"
#undef TIMEOUT_LEVEL
};

static const struct row reason_rows[] = {
#define RESTART_REASON(id, name, summary) { name, summary },
#include "broker/supervise/restart_reason.def"
#undef RESTART_REASON
};

static const struct row kind_rows[] = {
#define STALL_KIND(id, name, deadlock, advice) { name, advice },
#include "broker/supervise/stall_kind.def"
#undef STALL_KIND
};

static const struct row order_rows[METRIC_ORDER_COUNT] = {
	{ "drain", "take nothing more in, finish what is there" },
	{ "cancel", "stop now" },
};

/* The values of a label that are the same for all specs. Returns false for index at the end of them. */
static bool row_of(enum metric_label label, size_t index, struct row *ret_row)
{
	static const struct plan no_plan = { 0 };

	if (label <= METRIC_LABEL_PLACE || label == METRIC_LABEL_EDGE || index >= metric_label_size(label, &no_plan))
		return false;
	switch (label) {
	case METRIC_LABEL_LINE:
		*ret_row = (struct row){ ledger_lines[index].name, ledger_lines[index].summary };
		break;
	case METRIC_LABEL_CAUSE:
		*ret_row = (struct row){ cause_lines[index].name, cause_lines[index].summary };
		break;
	case METRIC_LABEL_LEVEL:
		*ret_row = level_rows[index];
		break;
	case METRIC_LABEL_REASON:
		*ret_row = reason_rows[index];
		break;
	case METRIC_LABEL_ORDER:
		*ret_row = order_rows[index];
		break;
	default:
		*ret_row = kind_rows[index];
		break;
	}
	if (!metric_label_value(label, &no_plan, index))
		ret_row->name = NULL;
	return true;
}

static void add_metrics(struct text *text)
{
	text_add(text, "### Metrics\n\n| name | type | unit | labels | what |\n|---|---|---|---|---|\n");
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const struct metric_line *line = &metric_lines[i];

		text_printf(text, "| `%s` | %s | %s | ", line->name, metric_type_name(line->type), line->unit);
		for (unsigned k = 0; k < 2 && line->labels[k] != METRIC_LABEL_NONE; k++)
			text_printf(text, "%s`%s`%s", k ? ", " : "",
				    line->labels[k] == METRIC_LABEL_EDGE ? "from`, `to" :
									   metric_label_name(line->labels[k]),
				    line->labels[k] == METRIC_LABEL_PLACE ? " (or empty)" : "");
		text_printf(text, " | %s |\n", line->summary);
	}
}

static void add_label(struct text *text, enum metric_label label)
{
	struct row row;

	text_printf(text, "\n### Label `%s`: %s\n\n| value | meaning |\n|---|---|\n", label_rows[label].name,
		    label_rows[label].summary);
	for (size_t i = 0; row_of(label, i, &row); i++)
		if (row.name)
			text_printf(text, "| `%s` | %s |\n", row.name, row.summary);
}

void metrics_reference(struct text *text)
{
	char bound[QUANTITY_TEXT_SIZE];

	add_metrics(text);
	text_add(
		text,
		"\nBuckets of the three latencies (`weir_waiting_seconds` and those beside it) end at each power of two of "
		"nanoseconds from 1.024 µs to 68.7 s.\nBuckets of other histograms end at");
	for (unsigned i = 0; i < METRIC_BUCKETS; i++)
		text_printf(text, "%s %s", i ? "," : "", quantity_format_duration(metric_bounds_ns[i], bound));
	text_add(text, ".\n");
	for (unsigned i = METRIC_LABEL_PLACE + 1; i < METRIC_LABEL_EDGE; i++)
		add_label(text, i);
	text_add_char(text, '\n');
}
