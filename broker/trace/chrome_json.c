/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      process  stage                   pid 2, 3, ... in the order of the plan; pid 1: the supervisor
 *      thread   worker                  tid: its slot + 1
 *      X        what it did, with its length; a wait lies in its item, an item stands between what the worker does by itself
 *      b e      items that overlap, with a number of their own
 *      s f      flows: "items" from an emit to the take of them, "wake" from who has rung to who slept
 *      i        what has no length
 *
 * Times are microseconds with three decimals, from the first event on. Numbers that JSON's readers would round are strings.
 */
#include "broker/trace/chrome_json.h"

#include <inttypes.h>
#include <string.h>

#include "broker/trace/ctf.h"
#include "broker/trace/value_name.h"
#include "common/base/text.h"

#define SUPERVISOR_PID 1u
#define STAGES_PID 2u

static void add_time(struct text *text, const char *key, uint64_t ns)
{
	text_printf(text, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

/* Begins an event: {"ph":"X","pid":2,"tid":1,"ts":0.000 */
static void begin(const struct chrome_json *json, const char *phase, uint32_t slot, uint64_t time_ns, struct text *text)
{
	bool is_worker = slot < json->names->n_seats;

	text_printf(text, "{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u", phase,
		    is_worker ? STAGES_PID + json->names->seats[slot].stage : SUPERVISOR_PID, is_worker ? slot + 1 : 0);
	add_time(text, "ts", time_ns > json->origin_ns ? time_ns - json->origin_ns : 0);
}

static void add_string(struct text *text, const char *key, const char *value)
{
	text_printf(text, ",\"%s\":", key);
	text_add_json(text, value, strlen(value));
}

/* The first one of an object. */
static void open_string(struct text *text, const char *key, const char *value)
{
	text_printf(text, ",\"args\":{\"%s\":", key);
	text_add_json(text, value, strlen(value));
}

static void put(struct chrome_json *json, struct text *text)
{
	fprintf(json->file, "%s\n%s", json->begun ? "," : "", text_get(text));
	json->begun = true;
	text_deinit(text);
}

/* ---- tracks ---- */

static void put_name(struct chrome_json *json, const char *what, unsigned pid, unsigned tid, const char *name)
{
	struct text text = TEXT_NULL;

	text_printf(&text, "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\"", pid, tid, what);
	open_string(&text, "name", name);
	text_add(&text, "}}");
	put(json, &text);
}

static void put_order(struct chrome_json *json, unsigned pid)
{
	struct text text = TEXT_NULL;

	text_printf(&text,
		    "{\"ph\":\"M\",\"pid\":%u,\"tid\":0,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%u}}",
		    pid, pid);
	put(json, &text);
}

static void put_process(struct chrome_json *json, unsigned pid, const char *name)
{
	put_name(json, "process_name", pid, 0, name);
	put_order(json, pid);
}

void chrome_json_begin(struct chrome_json *json, FILE *file, const struct trace_names *names, uint64_t origin_ns)
{
	*json = (struct chrome_json){ .file = file, .names = names, .origin_ns = origin_ns };
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", file);
	put_process(json, SUPERVISOR_PID, "supervisor");
	put_name(json, "thread_name", SUPERVISOR_PID, 0, "supervisor");
	for (uint32_t i = 0; i < names->n_stages; i++)
		put_process(json, STAGES_PID + i, names->stages[i].name);
	for (uint32_t i = 0; i < names->n_seats; i++)
		put_name(json, "thread_name", STAGES_PID + names->seats[i].stage, i + 1, names->seats[i].name);
}

/* ---- slices ---- */

static const char *lane_name(const struct chrome_json *json, uint32_t lane)
{
	return lane < json->names->n_lanes ? json->names->lanes[lane].name : "none";
}

static void add_item(const struct chrome_json *json, const struct timeline_slice *slice, struct text *text)
{
	const char *outcome = value_name("outcome", slice->outcome);
	char number[32];

	open_string(text, "lane", lane_name(json, slice->lane));
	snprintf(number, sizeof(number), "%" PRIu64, slice->sequence);
	add_string(text, "sequence", number);
	add_string(text, "outcome", outcome ? outcome : "unknown");
	if (slice->trace.parent) {
		char traceparent[TRACEPARENT_SIZE];

		traceparent_format(&slice->trace, traceparent);
		add_string(text, "traceparent", traceparent);
	}
	text_printf(text, ",\"attempt\":%u", slice->attempt);
	add_time(text, "waited_us", slice->waited_ns);
	text_add_char(text, '}');
}

static void add_bits(const char *field, uint64_t bits, struct text *text)
{
	const char *name, *between = "";

	for (unsigned i = 0; (name = value_bit_name(field, i)); i++)
		if (bits >> i & 1) {
			text_printf(text, "%s%s", between, name);
			between = "+";
		}
}

static void add_arguments(const struct chrome_json *json, const struct timeline_slice *slice, struct text *text)
{
	if (slice->kind == TIMELINE_ITEM) {
		add_item(json, slice, text);
	} else if (slice->kind == TIMELINE_WAIT) {
		open_string(text, "lane", lane_name(json, slice->lane));
		text_add(text, ",\"waits_for\":\"");
		add_bits("waits_for", slice->waits_for, text);
		text_add(text, "\"}");
	} else {
		text_printf(text, ",\"args\":{\"turns\":%" PRIu64 ",\"taken\":%" PRIu64 ",\"emitted\":%" PRIu64 "}",
			    slice->turns, slice->taken, slice->emitted);
	}
}

/* Begin and end of an item that others overlap. */
static void put_end(struct chrome_json *json, const struct timeline_slice *slice, bool is_end)
{
	struct text text = TEXT_NULL;

	begin(json, is_end ? "e" : "b", slice->slot, is_end ? slice->end_ns : slice->begin_ns, &text);
	text_printf(&text, ",\"cat\":\"item\",\"name\":\"item\",\"id\":\"%" PRIx64 "\"", slice->number);
	if (!is_end)
		add_item(json, slice, &text);
	text_add_char(&text, '}');
	put(json, &text);
}

static void put_slice(void *context, const struct timeline_slice *slice)
{
	struct chrome_json *json = context;
	struct text text = TEXT_NULL;

	if (slice->overlaps) {
		put_end(json, slice, false);
		put_end(json, slice, true);
		return;
	}
	begin(json, "X", slice->slot, slice->begin_ns, &text);
	add_time(&text, "dur", slice->end_ns - slice->begin_ns);
	add_string(&text, "name",
		   slice->kind == TIMELINE_ITEM ? "item" :
		   slice->kind == TIMELINE_WAIT ? timeline_wait_name(slice->waits_for) :
						  "process");
	add_arguments(json, slice, &text);
	text_add_char(&text, '}');
	put(json, &text);
}

/* ---- flows ---- */

static void put_flow_end(struct chrome_json *json, const struct timeline_flow *flow, bool is_end)
{
	const char *name = flow->is_wake ? "wake" : "items";
	struct text text = TEXT_NULL;

	begin(json, is_end ? "f" : "s", is_end ? flow->to_slot : flow->from_slot, is_end ? flow->to_ns : flow->from_ns,
	      &text);
	text_printf(&text, ",\"cat\":\"%s\",\"name\":\"%s\",\"id\":%" PRIu64 "%s", name, name, flow->number,
		    is_end ? ",\"bp\":\"e\"" : "");
	if (!is_end) /* of both ends: the viewer would find each twice */
		open_string(&text, "lane", lane_name(json, flow->lane));
	text_add(&text, is_end ? "}" : "}}");
	put(json, &text);
}

static void put_flow(void *context, const struct timeline_flow *flow)
{
	put_flow_end(context, flow, false);
	put_flow_end(context, flow, true);
}

/* ---- what has no length ---- */

static void add_field(const struct chrome_json *json, const char *field, uint64_t value, struct text *text)
{
	const char *name = value_name(field, value);
	char number[32];

	snprintf(number, sizeof(number), "%" PRIu64, value);
	if (strcmp(field, "lane") == 0)
		name = lane_name(json, (uint32_t)value);
	else if (strcmp(field, "seat") == 0)
		name = value < json->names->n_seats ? json->names->seats[value].name : "all";
	add_string(text, field, name ? name : number);
}

static void put_instant(void *context, uint32_t slot, const struct trace_event *event)
{
	const struct recorder_record *record = &event->record;
	const struct recorder_line *line = &recorder_lines[record->kind];
	struct chrome_json *json = context;
	struct text text = TEXT_NULL;

	json->n_lost += event->n_lost;
	begin(json, "i", slot, record->time_ns, &text);
	add_string(&text, "s", "t");
	add_string(&text, "name", line->name ? line->name : "events lost");
	open_string(&text, "by",
		    event->slot < json->names->n_seats ? json->names->seats[event->slot].name : "supervisor");
	if (line->place)
		add_field(json, line->place, record->place, &text);
	if (line->count)
		add_field(json, line->count, record->count, &text);
	if (line->first)
		add_field(json, line->first, record->first, &text);
	if (line->second)
		add_field(json, line->second, record->second, &text);
	if (!line->name)
		text_printf(&text, ",\"events\":%" PRIu64, event->n_lost);
	text_add(&text, "}}");
	put(json, &text);
}

struct timeline_writer chrome_json_writer(struct chrome_json *json)
{
	return (struct timeline_writer){
		.context = json, .slice = put_slice, .flow = put_flow, .instant = put_instant
	};
}

void chrome_json_end(struct chrome_json *json)
{
	struct text text = TEXT_NULL;
	uint64_t begun_ns = json->origin_ns + json->names->offset_ns;

	text_printf(&text,
		    "\n],\"otherData\":{\"clock\":\"CLOCK_MONOTONIC\",\"events_lost\":\"%" PRIu64
		    "\",\"begins_unix_ns\":\"%" PRIu64 "\"",
		    json->n_lost, begun_ns);
	add_string(&text, "pipeline", json->names->pipeline);
	text_add(&text, "}}\n");
	fputs(text_get(&text), json->file);
	text_deinit(&text);
}
