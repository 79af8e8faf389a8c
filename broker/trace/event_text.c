/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "broker/trace/event_text.h"
#include "broker/trace/value_name.h"
#include "common/base/quantity.h"

static void add_slot(const struct plan *plan, uint32_t slot, struct text *text)
{
	if (slot < plan->n_slots)
		text_printf(text, "%s#%u", plan->stages[plan->slots[slot].stage].name, plan->slots[slot].worker_index);
	else
		text_printf(text, "%u", slot);
}

static void add_lane(const struct plan *plan, uint32_t slot, uint32_t place, struct text *text)
{
	bool out = place & RECORDER_LANE_OUT;
	uint32_t index = place & ~RECORDER_LANE_OUT;

	for (uint32_t i = 0; i < plan->n_lanes; i++) {
		const struct plan_lane *lane = &plan->lanes[i];

		if ((out ? lane->producer : lane->consumer) != slot ||
		    (out ? lane->writer_index : lane->reader_index) != index)
			continue;
		add_slot(plan, lane->producer, text);
		text_add(text, "->");
		add_slot(plan, lane->consumer, text);
		return;
	}
	text_printf(text, "%s lane %u", out ? "output" : "input", index);
}

static void add_place(const struct plan *plan, uint32_t slot, const struct recorder_line *line, uint32_t place,
		      struct text *text)
{
	if (!line->place)
		return;
	text_add_char(text, ' ');
	if (place == RECORDER_NOWHERE)
		text_add(text, strcmp(line->place, "lane") == 0 ? "no lane" : "all");
	else if (strcmp(line->place, "lane") == 0)
		add_lane(plan, slot, place, text);
	else
		add_slot(plan, place, text);
}

/* A set: the names of its bits. */
static bool add_bits(const char *field, uint64_t bits, struct text *text)
{
	const char *name, *between = "";

	if (!value_bit_name(field, 0))
		return false;
	for (unsigned i = 0; (name = value_bit_name(field, i)); i++)
		if (bits >> i & 1) {
			text_printf(text, "%s%s", between, name);
			between = "+";
		}
	if (!*between)
		text_add(text, "nothing");
	return true;
}

static void add_field(const char *field, uint64_t value, struct text *text)
{
	char duration[QUANTITY_TEXT_SIZE];
	const char *name, *unit;

	if (!field)
		return;
	unit = strrchr(field, '_');
	name = value_name(field, value);
	text_printf(text, " %.*s ", (int)(unit && strcmp(unit, "_ns") == 0 ? (size_t)(unit - field) : strlen(field)),
		    field);
	if (name)
		text_add(text, name);
	else if (unit && strcmp(unit, "_ns") == 0)
		text_add(text, quantity_format_duration(value, duration));
	else if (!add_bits(field, value, text))
		text_printf(text, "%llu", (unsigned long long)value);
}

void event_text_add(const struct plan *plan, uint32_t slot, const struct recorder_record *record, struct text *text)
{
	const struct recorder_line *line = &recorder_lines[record->kind];

	if (!line->name) {
		text_add(text, "unknown event");
		return;
	}
	text_add(text, line->name);
	add_place(plan, slot, line, record->place, text);
	add_field(line->count, record->count, text);
	add_field(line->first, record->first, text);
	add_field(line->second, record->second, text);
}
