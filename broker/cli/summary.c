/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "broker/cli/live.h"
#include "broker/cli/rates.h"
#include "broker/cli/summary.h"
#include "broker/cli/table.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view_json.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

#define SHORT_RUN_NS (2 * NS_PER_S) /* a shorter run that went well gets no table */

struct term {
	const char *name;
	uint64_t value;
};

static uint64_t rejected(const uint64_t ledger[static LEDGER_COUNT])
{
	return ledger[LEDGER_REJECTED_OUT] + ledger[LEDGER_REJECTED_IN];
}

/* Items that stages made out of others: what was emitted beyond what sources took in. Negative only in a broken ledger. */
static int64_t derived(const uint64_t ledger[static LEDGER_COUNT])
{
	return (int64_t)(ledger[LEDGER_EMITTED] - (ledger[LEDGER_ACCEPTED] - ledger[LEDGER_REJECTED_OUT]));
}

void ledger_format(const struct view *view, struct text *text)
{
	const uint64_t *ledger = view->ledger;
	const struct term terms[] = {
		{ "delivered", ledger[LEDGER_DELIVERED] },
		{ "filtered", ledger[LEDGER_FILTERED] },
		{ "consumed", ledger[LEDGER_CONSUMED] },
		{ "rejected", rejected(ledger) },
		{ "dead-lettered", ledger[LEDGER_DEAD_LETTERED] },
		{ "expired", ledger[LEDGER_EXPIRED] },
		{ "cancelled", ledger[LEDGER_CANCELLED] },
		{ "unwanted", ledger[LEDGER_UNWANTED] },
		{ "dropped (full: drop-new)", ledger[LEDGER_DROPPED_NEW] },
		{ "dropped (full: drop-old)", ledger[LEDGER_DROPPED_OLD] },
		{ "refused (full: reject)", ledger[LEDGER_REFUSED] },
		{ "in flight", view->in_flight },
	};
	char number[QUANTITY_TEXT_SIZE];
	int64_t more = derived(ledger);

	text_printf(text, "accepted %s", quantity_format_count(ledger[LEDGER_ACCEPTED], number));
	if (more)
		text_printf(text, " %s derived %s", more > 0 ? "+" : "-",
			    quantity_format_count((uint64_t)(more > 0 ? more : -more), number));
	if (ledger[LEDGER_REPLAYED])
		text_printf(text, " + replayed %s", quantity_format_count(ledger[LEDGER_REPLAYED], number));
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
		if (i == 0 || terms[i].value)
			text_printf(text, " %s %s %s", i == 0 ? "=" : "+", terms[i].name,
				    quantity_format_count(terms[i].value, number));
	text_add(text, view->balanced ? ", balanced" : ", NOT BALANCED");
}

/* "12 items rejected, 1 dead-lettered, 3 in flight" */
static void add_losses(const struct view *view, struct text *text)
{
	const struct term terms[] = {
		{ "rejected", rejected(view->ledger) },
		{ "dead-lettered", view->ledger[LEDGER_DEAD_LETTERED] },
		{ "expired", view->ledger[LEDGER_EXPIRED] },
		{ "cancelled", view->ledger[LEDGER_CANCELLED] },
		{ "refused at a full lane", view->ledger[LEDGER_REFUSED] },
		{ "still in flight", view->in_flight },
	};
	char number[QUANTITY_TEXT_SIZE];
	bool any = false;

	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		if (!terms[i].value)
			continue;
		text_printf(text, "%s%s %s%s", any ? ", " : "", quantity_format_count(terms[i].value, number),
			    any                 ? "" :
			    terms[i].value == 1 ? "item " :
						  "items ",
			    terms[i].name);
		any = true;
	}
	if (!any)
		text_add(text, "no item was lost");
}

static void add_failure(const struct ending *ending, struct text *text)
{
	if (ending->failure_stage)
		text_printf(text, "stage '%s' failed: ", ending->failure_stage);
	text_add(text, ending->failure);
}

static void add_unsettled(const struct ending *ending, struct text *text)
{
	if (ending->unsettled)
		text_printf(text, "; %s", ending->unsettled);
}

static void format_losses(const struct ending *ending, struct text *text)
{
	const struct view *view = ending->view;

	if (ending->failure) {
		add_failure(ending, text);
		text_add(text, "; ");
	} else if (view->cause && strcmp(view->cause, "none") != 0) {
		text_printf(text, "the run was cancelled (%s); ", view->cause);
	}
	add_losses(view, text);
	if (view->in_flight)
		text_add(text, ": these were accepted but have not arrived; run the pipeline again to have them done");
	if (ending->dead_letter_path && ending->dead_letter_stored)
		text_printf(text, "; look at them with 'weir dlq ls %s'", view->pipeline);
	else if (ending->dead_letter_path)
		text_printf(text, "; look into %s", ending->dead_letter_path);
	else if (rejected(view->ledger) || view->ledger[LEDGER_DEAD_LETTERED])
		text_add(text,
			 "; the log above says why; set dead_letter: {path: FILE} in the spec to keep such items");
	add_unsettled(ending, text);
}

static const char *signal_word(int number)
{
	return number == SIGINT  ? "SIGINT (^C)" :
	       number == SIGTERM ? "SIGTERM" :
	       number == SIGHUP  ? "SIGHUP (the terminal has gone)" :
				   "a signal";
}

void ending_format(const struct ending *ending, struct text *text)
{
	char number[QUANTITY_TEXT_SIZE];

	switch (ending->exit_code) {
	case EXIT_DONE:
		return;
	case EXIT_LOSSES:
		text_add(text, "ended with losses: ");
		format_losses(ending, text);
		return;
	case EXIT_DRAIN_DEADLINE:
		text_printf(text,
			    "the drain deadline passed with %s of the accepted items not delivered; give it more time "
			    "('drain:' in the spec, or --timeout), and look for the stage with the full queue",
			    quantity_format_count(ending->view->in_flight + ending->view->ledger[LEDGER_CANCELLED],
						  number));
		add_unsettled(ending, text);
		return;
	case EXIT_STATE_CORRUPT:
		if (ending->failure) {
			text_add(text, "the books do not balance, so the result can not be trusted: ");
			add_failure(ending, text);
			text_add(
				text,
				"; a stage that writes outside of its own memory does this: look for it there and in its "
				"neighbours. If none can: it is a fault of weir; please report it together with this output");
			return;
		}
		text_add(
			text,
			"the books do not balance, so the result can not be trusted; this is a fault of weir, not of the data: "
			"please report it together with this output");
		return;
	case EXIT_SPEC_INVALID:
	case EXIT_TRY_AGAIN:
		text_add(text, "could not start, nothing was accepted");
		if (ending->failure) {
			text_add(text, ": ");
			add_failure(ending, text);
		}
		return;
	default:
		if (ending->exit_code > EXIT_SIGNAL_BASE)
			text_printf(text, "ended by %s; nothing that was accepted was lost",
				    signal_word(ending->exit_code - EXIT_SIGNAL_BASE));
		else
			text_printf(text, "ended with exit code %d", ending->exit_code);
	}
}

enum {
	COLUMN_STAGE,
	COLUMN_IN,
	COLUMN_OUT,
	COLUMN_FILTERED,
	COLUMN_REJECTED,
	COLUMN_DEAD,
	COLUMN_RESTARTS,
	COLUMN_WORKERS,
	N_COLUMNS
};

static const struct table_column columns[N_COLUMNS] = {
	[COLUMN_STAGE] = { "STAGE", false, 9 },      [COLUMN_IN] = { "IN", true, 7 },
	[COLUMN_OUT] = { "OUT", true, 6 },           [COLUMN_FILTERED] = { "FILTERED", true, 2 },
	[COLUMN_REJECTED] = { "REJECTED", true, 5 }, [COLUMN_DEAD] = { "DEAD-LETTERED", true, 4 },
	[COLUMN_RESTARTS] = { "RESTARTS", true, 3 }, [COLUMN_WORKERS] = { "WORKERS", true, 1 },
};

/* Something happened that the ledger line does not show, or the run was long enough to be looked at closely. */
static bool table_wanted(const struct ending *ending)
{
	const struct view *view = ending->view;

	if (!view->started_ns)
		return false;
	for (uint32_t i = 0; i < view->n_stages; i++) {
		const struct view_stage *stage = &view->stages[i];

		if (stage->restarts || stage->n_retired || rejected(stage->ledger) ||
		    stage->ledger[LEDGER_DEAD_LETTERED] || stage->ledger[LEDGER_EXPIRED] ||
		    ledger_skipped(stage->ledger))
			return true;
	}
	return ending->duration_ns >= SHORT_RUN_NS || view->in_flight || !view->balanced;
}

static void set_count(struct table *table, size_t row, size_t column, enum cell_style style, uint64_t value)
{
	char number[QUANTITY_TEXT_SIZE];

	if (value || style == CELL_PLAIN)
		table_set(table, row, column, value ? style : CELL_DIM, "%s", quantity_format_count(value, number));
}

static void format_table(const struct ending *ending, unsigned width, bool color, struct text *text)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	const struct view *view = ending->view;

	table_init(&table, columns, N_COLUMNS, view->n_stages);
	for (uint32_t i = 0; i < view->n_stages; i++) {
		const struct view_stage *stage = &view->stages[i];
		bool sink = strcmp(stage->role, "sink") == 0;

		table_set(&table, i, COLUMN_STAGE, CELL_BOLD, "%s", stage->name);
		set_count(&table, i, COLUMN_IN, CELL_PLAIN, view_stage_items(stage));
		set_count(&table, i, COLUMN_OUT, CELL_PLAIN, stage->ledger[sink ? LEDGER_DELIVERED : LEDGER_EMITTED]);
		set_count(&table, i, COLUMN_FILTERED, CELL_DIM, stage->ledger[LEDGER_FILTERED]);
		set_count(&table, i, COLUMN_REJECTED, CELL_WARNING, rejected(stage->ledger));
		set_count(&table, i, COLUMN_DEAD, CELL_BAD, stage->ledger[LEDGER_DEAD_LETTERED]);
		set_count(&table, i, COLUMN_RESTARTS, CELL_WARNING, stage->restarts);
		table_set(&table, i, COLUMN_WORKERS, CELL_PLAIN, "%" PRIu32, stage->n_workers);
	}
	table_format(&table, width, true, color, text);
}

static double overall_rate(const struct ending *ending)
{
	uint64_t accepted = ending->view->ledger[LEDGER_ACCEPTED];

	return ending->duration_ns ? (double)accepted * (double)NS_PER_S / (double)ending->duration_ns : 0;
}

void summary_format(const struct ending *ending, unsigned width, bool color, struct text *text)
{
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL, ledger = TEXT_NULL, head = TEXT_NULL, rest = TEXT_NULL;
	const struct view *view = ending->view;
	char duration[QUANTITY_TEXT_SIZE], speed[LIVE_NUMBER_SIZE];
	bool table = table_wanted(ending);

	if (table)
		format_table(ending, width, color, text);
	ending_format(ending, &sentence);
	if (view->started_ns) {
		ledger_format(view, &ledger);
		text_printf(&head, "%s %s in %s", view->pipeline, ending->exit_code == EXIT_DONE ? "done" : "ended",
			    quantity_format_duration(ending->duration_ns, duration));
		table_add_styled(text,
				 !view->balanced                ? CELL_BAD :
				 ending->exit_code == EXIT_DONE ? CELL_GOOD :
								  CELL_WARNING,
				 color, text_get(&head));
		if (table)
			text_printf(&rest, " (%s/s)", live_speed(overall_rate(ending), speed));
		text_printf(&rest, ": %s", text_get(&ledger));
		table_add_wrapped(text, text_get(&rest), width, head.length);
		text_add_char(text, '\n');
	}
	if (sentence.length) {
		table_add_styled(text, ending->exit_code > EXIT_SIGNAL_BASE ? CELL_WARNING : CELL_BAD, color, "weir: ");
		table_add_wrapped(text, text_get(&sentence), width, strlen("weir: "));
		text_add_char(text, '\n');
	}
	for (uint32_t i = 0; i < view->n_stages; i++)
		if (view->stages[i].n_retired)
			text_printf(text,
				    "stage '%s' ended with %" PRIu32 " of its %" PRIu32
				    " workers: the others died too often\n",
				    view->stages[i].name, view->stages[i].n_workers - view->stages[i].n_retired,
				    view->stages[i].n_workers);
	if (!sentence.length && ending->dead_letter_path && ending->dead_letter_stored)
		text_printf(text, "given up or refused items are in the dead letters: weir dlq ls %s\n",
			    view->pipeline);
	else if (!sentence.length && ending->dead_letter_path)
		text_printf(text, "given up or refused items are in %s\n", ending->dead_letter_path);
}

void summary_format_json(const struct ending *ending, struct text *text)
{
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	ending_format(ending, &sentence);
	text_printf(
		text,
		"{\"type\":\"summary\",\"exit_code\":%d,\"seconds\":%.3f,\"items_per_second\":%.1f,\"balanced\":%s,\"derived\":%" PRId64
		",\"dead_letter_path\":",
		ending->exit_code, (double)ending->duration_ns / (double)NS_PER_S, overall_rate(ending),
		ending->view->balanced ? "true" : "false", derived(ending->view->ledger));
	if (ending->dead_letter_path)
		text_add_json(text, ending->dead_letter_path, strlen(ending->dead_letter_path));
	else
		text_add(text, "null");
	text_add(text, ",\"message\":");
	text_add_json(text, text_get(&sentence), sentence.length);
	text_add(text, ",\"view\":");
	view_format_json(ending->view, text);
	text_add(text, "}\n");
}

/* The first stage that has put something into its dead letters; NULL: none. */
static const struct plan_stage *stage_with_letters(const struct plan *plan, const struct view *view)
{
	for (uint32_t i = 0; i < view->n_stages && i < plan->n_stages; i++) {
		const uint64_t *ledger = view->stages[i].ledger;

		if ((ledger[LEDGER_REFUSED] && plan->stages[i].role != WEIR_SOURCE) || ledger[LEDGER_DEAD_LETTERED] ||
		    ledger[LEDGER_REJECTED_IN] || ledger[LEDGER_REJECTED_OUT])
			return &plan->stages[i];
	}
	return NULL;
}

void ending_letters(struct ending *ending, const struct plan *plan, const char *store)
{
	const struct plan_stage *stage = stage_with_letters(plan, ending->view);

	if (!stage)
		return;
	ending->dead_letter_path = stage->dead_letter_path ? stage->dead_letter_path : store;
	ending->dead_letter_stored = !stage->dead_letter_path;
}
