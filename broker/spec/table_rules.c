/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: one stage writes one, with one worker. */
#include <string.h>

#include "broker/spec/reading.h"

static struct spec_position place(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option && (option->line || option->column) ? (struct spec_position){ option->line, option->column } :
							    stage->kind_position;
}

static bool is_kind(const struct stage_reading *stage, enum weir_role role, const char *name)
{
	return stage->descriptor && !stage->description && stage->descriptor->role == role &&
	       strcmp(stage->descriptor->name, name) == 0;
}

static void check_writer(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	const struct heritage_option *path = plan_option(planned, "path");

	if (planned->workers > 1)
		reading_error(reading, value_position(&stage->values[STAGE_KEY_WORKERS], planned->position), NULL,
			      "a table is written by one worker, not %u: the others would wait for it",
			      planned->workers);
	if (plan_option(planned, "encode"))
		reading_error(reading, value_position(&stage->values[STAGE_KEY_ENCODE], planned->position), NULL,
			      "a table keeps values as they are: leave encode out");
	for (uint32_t i = 0; path && path->string && i < index; i++) {
		const struct plan_stage *other = &reading->plan->stages[i];
		const struct heritage_option *theirs =
			is_kind(&reading->stages[i], WEIR_SINK, "table") ? plan_option(other, "path") : NULL;

		if (!theirs || !theirs->string || strcmp(theirs->string, path->string) != 0)
			continue;
		reading_error(reading, place(planned, "path"), "let one stage write it: from: [a, b]",
			      "stage '%s' writes the table '%s' already", other->name ? other->name : "?",
			      path->string);
		return;
	}
}

static void check_reader(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *into = plan_option(planned, "into");

	if (into && into->string && !into->string[0])
		reading_error(reading, place(planned, "into"), NULL, "into is empty: expected the name of a member");
}

void reading_table_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];

	if (is_kind(stage, WEIR_SINK, "table"))
		check_writer(reading, index);
	else if (is_kind(stage, WEIR_OPERATOR, "lookup"))
		check_reader(reading, &reading->plan->stages[index]);
}
