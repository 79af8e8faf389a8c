/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines that could never come, or that nobody would keep. */
#include "broker/spec/reading.h"
#include "common/base/quantity.h"
#include "common/stage/expiry_rule.h"

static struct spec_position place(const struct stage_reading *stage, const struct plan_stage *planned, int key)
{
	return value_position(&stage->values[key], planned->position);
}

static void check_item_deadline(struct reading *reading, const struct stage_reading *stage,
				const struct plan_stage *planned)
{
	char run[QUANTITY_TEXT_SIZE];

	if (!planned->deadline_ns)
		return;
	if (stage->descriptor->role == WEIR_SOURCE)
		reading_error(reading, place(stage, planned, STAGE_KEY_DEADLINE),
			      "a deadline is for a stage that is given items, or, at the top of the spec, for the run",
			      "deadline on a source: it is given no items that it could take too long over");
	else if (reading->plan->deadline_ns && planned->deadline_ns >= reading->plan->deadline_ns)
		reading_error(
			reading, place(stage, planned, STAGE_KEY_DEADLINE), NULL,
			"deadline '%s' for one item is not shorter than the run's, %s: the run would be over first",
			stage->values[STAGE_KEY_DEADLINE].node->value,
			quantity_format_duration(reading->plan->deadline_ns, run));
}

static void check_admission(struct reading *reading, const struct stage_reading *stage,
			    const struct plan_stage *planned)
{
	if (planned->admission_ns && stage->descriptor->role != WEIR_SOURCE)
		reading_error(reading, place(stage, planned, STAGE_KEY_ADMISSION),
			      "write it to the source; for a lane that is full in the middle there is full: reject",
			      "admission is for sources, which let items in, and '%s' is none",
			      planned->name ? planned->name : "?");
}

static void check_expires(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	char expires[QUANTITY_TEXT_SIZE];

	if (planned->deadline_ns && reading->plan->expires_ns && planned->deadline_ns > reading->plan->expires_ns)
		reading_warning(reading, place(stage, planned, STAGE_KEY_DEADLINE), NULL,
				"deadline '%s' is longer than an item has for all stages: expires: %s",
				stage->values[STAGE_KEY_DEADLINE].node->value,
				quantity_format_duration(reading->plan->expires_ns, expires));
}

static void check_answer_within(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *within = plan_option(planned, "answer_within");

	if (planned->deadline_ns && within && within->line && plan_option(planned, "command"))
		reading_warning(
			reading, ((struct spec_position){ within->line, within->column }), NULL,
			"answer_within has no effect beside deadline, which gives up the item and not the stage");
}

/* What an operator delay lets wait. */
static void check_delay(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct heritage_option *delay = plan_option(planned, "for");
	const struct plan *plan = reading->plan;
	char own[QUANTITY_TEXT_SIZE], other[QUANTITY_TEXT_SIZE];
	struct spec_position position;

	if (stage->description || stage->descriptor->role != WEIR_OPERATOR ||
	    strcmp(stage->descriptor->name, "delay") != 0 || !delay)
		return;
	position = (struct spec_position){ delay->line, delay->column };
	if (plan->expires_ns && (uint64_t)delay->number >= plan->expires_ns)
		reading_error(reading, position, NULL,
			      "an item that waits here for %s has expired by then: expires: %s",
			      quantity_format_duration((uint64_t)delay->number, own),
			      quantity_format_duration(plan->expires_ns, other));
	if ((uint64_t)delay->number > plan->drain_ns)
		reading_warning(
			reading, position, "set drain: to more than that, if nothing is to be left",
			"a delay of %s is longer than a drain may take, %s: what is not due by then is left in flight",
			quantity_format_duration((uint64_t)delay->number, own),
			quantity_format_duration(plan->drain_ns, other));
}

/* A program that is ended for its overrun is no worker; whoever else is will be missing from then on. */
static void check_temporary(struct reading *reading, const struct stage_reading *stage,
			    const struct plan_stage *planned)
{
	if (planned->deadline_ns && planned->restart_type == PLAN_TEMPORARY && stage->descriptor->role != WEIR_SOURCE &&
	    !plan_option(planned, "command"))
		reading_warning(
			reading, place(stage, planned, STAGE_KEY_DEADLINE),
			"an item that overruns it costs a worker: let the stage be restarted",
			"deadline with restart: {type: temporary}: the first item that takes too long ends the stage, and is not tried again");
}

/* Of the two that a source says the earlier counts: one that never does was meant otherwise. */
static void check_own_expires(struct reading *reading, const struct stage_reading *stage,
			      const struct plan_stage *planned)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct expiry_rule rule = EXPIRY_RULE_NULL;
	const struct plan *plan = reading->plan;

	if (!planned->expires || expiry_rule_parse(planned->expires, &rule, &why) != 0)
		return;
	if (stage->descriptor->role != WEIR_SOURCE)
		reading_error(reading, place(stage, planned, STAGE_KEY_EXPIRES),
			      "write it to the source; for one attempt in this stage there is deadline",
			      "expires is for sources, from which items travel, and '%s' is none",
			      planned->name ? planned->name : "?");
	else if (rule.kind == EXPIRY_FOR && plan->deadline_ns && rule.for_ns >= plan->deadline_ns)
		reading_error(reading, place(stage, planned, STAGE_KEY_EXPIRES), NULL,
			      "expires '%s' is not shorter than the run's deadline: the run would be over first",
			      planned->expires);
	else if (rule.kind == EXPIRY_FOR && plan->expires_ns && rule.for_ns >= plan->expires_ns)
		reading_warning(
			reading, place(stage, planned, STAGE_KEY_EXPIRES), NULL,
			"expires '%s' has no effect: no item of this pipeline has longer than the spec says at its top",
			planned->expires);
	expiry_rule_deinit(&rule);
}

void reading_deadline_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];

	check_item_deadline(reading, stage, planned);
	check_admission(reading, stage, planned);
	check_expires(reading, stage, planned);
	check_answer_within(reading, planned);
	check_own_expires(reading, stage, planned);
	check_temporary(reading, stage, planned);
	check_delay(reading, stage, planned);
}
