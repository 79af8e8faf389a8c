/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sources: the segments, which are as new as it gets, and the supervisor's view, which may be a second old and knows what no segment
 * does: processes, restarts, why nobody sits in a seat. Where they differ the newer one counts: a seat whose board says another generation
 * than its segment has somebody who has not begun to speak.
 */
#include "console/picture.h"

#include "broker/observe/reading.h"
#include "common/base/clock.h"
#include "common/stage/registry.h"
#include "console/json.h"

/* ---- what the supervisor says ---- */

static const struct view_worker *view_of(const struct observer *observer, uint32_t slot, const struct view *view)
{
	const struct catalog *catalog = observer_catalog(observer);
	const struct catalog_slot *place = &catalog->slots[slot];

	if (!view || place->stage >= view->n_stages)
		return NULL;
	if (strcmp(view->stages[place->stage].name, catalog_stage_name(catalog, slot)) != 0 ||
	    place->worker_index >= view->stages[place->stage].n_workers)
		return NULL;
	return &view->stages[place->stage].workers[place->worker_index];
}

static const char *state_of(const struct observer *observer, uint32_t slot, const struct worker_reading *reading,
			    const struct view_worker *said)
{
	if (read_retired(observer, slot))
		return "retired";
	/* Of a seat where nobody sits the supervisor says the generation that comes next. */
	if (said && said->generation >= read_generation(observer, slot) &&
	    (!said->pid || reading->generation != said->generation))
		return said->state;
	if (reading->generation != read_generation(observer, slot))
		return "starting";
	return worker_state_name(reading->state);
}

static void add_ledger(struct text *text, const uint64_t ledger[LEDGER_COUNT])
{
	json_key(text, "ledger");
	text_add_char(text, '{');
	for (unsigned i = 0; i < LEDGER_COUNT; i++)
		json_add_number(text, ledger_lines[i].name, ledger[i]);
	text_add_char(text, '}');
}

/* ---- the plan ---- */

static void add_stage(const struct catalog *catalog, uint32_t number, struct text *text)
{
	const struct catalog_stage *stage = &catalog->stages[number];

	text_add_char(text, '{');
	json_add_string(text, "name", catalog_string(catalog, stage->name));
	json_add_string(text, "role", stage_role_name((enum weir_role)stage->role));
	json_add_string(text, "kind", catalog_string(catalog, stage->kind));
	json_add_number(text, "workers", stage->workers);
	json_add_number(text, "first_slot", stage->first_slot);
	json_add_number(text, "in_flight", stage->in_flight);
	json_add_number(text, "batch", stage->batch);
	json_add_seconds(text, "deadline_seconds", stage->deadline_ns);
	text_add_char(text, '}');
}

static void add_edge(const struct catalog *catalog, uint32_t number, struct text *text)
{
	const struct catalog_edge *edge = &catalog->edges[number];

	text_add_char(text, '{');
	json_add_string(text, "from", catalog_string(catalog, catalog->stages[edge->from].name));
	json_add_string(text, "to", catalog_string(catalog, catalog->stages[edge->to].name));
	json_add_number(text, "lanes", catalog_edge_lanes(catalog, number));
	json_add_number(text, "lane_bytes", edge->lane_bytes);
	json_add_flag(text, "feedback", edge->feedback != 0);
	text_add_char(text, '}');
}

void picture_plan(const struct observer *observer, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);

	text_add_char(text, '{');
	json_add_string(text, "pipeline", catalog_string(catalog, catalog->head->pipeline));
	json_add_string(text, "spec", catalog_string(catalog, catalog->head->spec));
	json_add_number(text, "generation", catalog->head->generation);
	json_key(text, "stages");
	text_add_char(text, '[');
	for (uint32_t i = 0; i < catalog->head->n_stages; i++) {
		json_next(text, i);
		add_stage(catalog, i, text);
	}
	text_add(text, "],\"edges\":[");
	for (uint32_t i = 0; i < catalog->head->n_edges; i++) {
		json_next(text, i);
		add_edge(catalog, i, text);
	}
	text_add(text, "]}");
}

/* ---- now ---- */

void picture_edge_fill(const struct observer *observer, uint32_t edge, uint64_t *ret_bytes,
		       uint64_t *ret_capacity_bytes)
{
	const struct catalog *catalog = observer_catalog(observer);
	uint32_t first = catalog->edges[edge].first_lane, n = catalog_edge_lanes(catalog, edge);

	*ret_bytes = *ret_capacity_bytes = 0;
	for (uint32_t i = first; i < first + n; i++) {
		struct lane_reading lane;

		read_lane(observer, i, &lane);
		*ret_bytes += lane.filled_bytes;
		*ret_capacity_bytes += catalog->lanes[i].capacity_bytes;
	}
}

/* What is known of a worker in any case: its members, without the braces. */
static void add_worker(const struct observer *observer, uint32_t slot, const struct worker_reading *reading,
		       const struct view_worker *said, uint64_t now_ns, struct text *text)
{
	json_add_number(text, "slot", slot);
	json_add_number(text, "index", observer_catalog(observer)->slots[slot].worker_index);
	json_add_number(text, "generation", read_generation(observer, slot));
	json_add_string(text, "state", state_of(observer, slot, reading, said));
	json_add_seconds(text, "state_seconds", reading->since_ns ? now_ns - reading->since_ns : 0);
	json_add_number(text, "pid", said && said->pid > 0 ? (uint64_t)said->pid : 0);
	json_add_number(text, "restarts", said ? said->restarts : 0);
	json_add_number(text, "turns", reading->counters[COUNTER_TURNS]);
	json_add_seconds(text, "wait_in_seconds", reading->counters[COUNTER_WAIT_DATA_NS]);
	json_add_seconds(text, "wait_out_seconds", reading->counters[COUNTER_WAIT_SPACE_NS]);
	json_add_number(text, "taken", reading->ledger[LEDGER_TAKEN]);
	json_add_number(text, "emitted", reading->ledger[LEDGER_EMITTED]);
	json_add_number(text, "accepted", reading->ledger[LEDGER_ACCEPTED]);
	json_add_number(text, "delivered", reading->ledger[LEDGER_DELIVERED]);
}

static void add_stage_now(const struct observer *observer, uint32_t number, const struct view *view, uint64_t now_ns,
			  uint64_t sum[LEDGER_COUNT], struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);
	const struct catalog_stage *stage = &catalog->stages[number];
	uint64_t ledger[LEDGER_COUNT] = { 0 };

	text_add_char(text, '{');
	json_add_string(text, "name", catalog_string(catalog, stage->name));
	json_key(text, "workers");
	text_add_char(text, '[');
	for (uint32_t i = 0; i < stage->workers; i++) {
		uint32_t slot = stage->first_slot + i;
		struct worker_reading reading;

		read_worker(observer, slot, now_ns, &reading);
		text_add(text, i ? ",{" : "{");
		add_worker(observer, slot, &reading, view_of(observer, slot, view), now_ns, text);
		text_add_char(text, '}');
		for (unsigned line = 0; line < LEDGER_COUNT; line++)
			ledger[line] += reading.ledger[line];
	}
	text_add_char(text, ']');
	add_ledger(text, ledger);
	text_add_char(text, '}');
	for (unsigned line = 0; line < LEDGER_COUNT; line++)
		sum[line] += ledger[line];
}

static void add_edge_now(const struct observer *observer, uint32_t number, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);
	const struct catalog_edge *edge = &catalog->edges[number];
	uint64_t bytes, capacity_bytes;

	picture_edge_fill(observer, number, &bytes, &capacity_bytes);
	text_add_char(text, '{');
	json_add_string(text, "from", catalog_string(catalog, catalog->stages[edge->from].name));
	json_add_string(text, "to", catalog_string(catalog, catalog->stages[edge->to].name));
	json_add_number(text, "bytes", bytes);
	json_add_number(text, "capacity_bytes", capacity_bytes);
	text_add_char(text, '}');
}

static void add_supervisor(const struct view *view, struct text *text)
{
	json_key(text, "supervisor");
	if (!view) {
		text_add(text, "null");
		return;
	}
	text_add_char(text, '{');
	json_add_string(text, "phase", view->phase);
	json_add_string(text, "cause", view->cause);
	json_add_number(text, "pid", (uint64_t)view->pid);
	json_add_seconds(text, "uptime_seconds", view->started_ns ? view->now_ns - view->started_ns : 0);
	json_add_number(text, "in_flight", view->in_flight);
	text_add_char(text, '}');
}

void picture_now(const struct observer *observer, const struct view *view, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);
	uint64_t now_ns = clock_now_ns(), sum[LEDGER_COUNT] = { 0 };

	text_add_char(text, '{');
	json_add_string(text, "pipeline", catalog_string(catalog, catalog->head->pipeline));
	json_add_number(text, "generation", catalog->head->generation);
	json_add_seconds(text, "clock_seconds", now_ns);
	add_supervisor(view, text);
	json_key(text, "stages");
	text_add_char(text, '[');
	for (uint32_t i = 0; i < catalog->head->n_stages; i++) {
		json_next(text, i);
		add_stage_now(observer, i, view, now_ns, sum, text);
	}
	text_add(text, "],\"edges\":[");
	for (uint32_t i = 0; i < catalog->head->n_edges; i++) {
		json_next(text, i);
		add_edge_now(observer, i, text);
	}
	text_add_char(text, ']');
	add_ledger(text, sum);
	text_add_char(text, '}');
}

/* ---- one worker ---- */

static const char *const wait_names[] = { "item",  "room", "credit", "commit", "readers",
					  "event", "time", "",       "store",  "due" };

static void add_lane(const struct observer *observer, uint32_t number, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);
	const struct catalog_lane *lane = &catalog->lanes[number];
	struct lane_reading reading;

	read_lane(observer, number, &reading);
	text_add_char(text, '{');
	json_add_string(text, "from", catalog_stage_name(catalog, lane->producer));
	json_add_number(text, "from_index", catalog->slots[lane->producer].worker_index);
	json_add_string(text, "to", catalog_stage_name(catalog, lane->consumer));
	json_add_number(text, "to_index", catalog->slots[lane->consumer].worker_index);
	json_add_number(text, "bytes", reading.filled_bytes);
	json_add_number(text, "capacity_bytes", lane->capacity_bytes);
	json_add_flag(text, "closed", reading.closed != LANE_OPEN);
	text_add_char(text, '}');
}

static void add_lanes(const struct observer *observer, uint32_t slot, bool inputs, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);
	const struct segment_geometry *geometry = &catalog->slots[slot].geometry;
	uint32_t n = inputs ? geometry->n_readers : geometry->n_writers;

	json_key(text, inputs ? "inputs" : "outputs");
	text_add_char(text, '[');
	for (uint32_t i = 0, shown = 0; i < n; i++) {
		uint32_t lane = inputs ? catalog_input_lane(catalog, slot, i) : catalog_output_lane(catalog, slot, i);

		if (lane == NO_LANE)
			continue;
		json_next(text, shown++);
		add_lane(observer, lane, text);
	}
	text_add_char(text, ']');
}

static void add_wait(const struct observer *observer, const struct worker_reading *reading, struct text *text)
{
	json_key(text, "waits_for");
	text_add_char(text, '[');
	for (unsigned i = 0, shown = 0; i < sizeof(wait_names) / sizeof(wait_names[0]); i++)
		if (reading->wait_for >> i & 1 && *wait_names[i])
			text_printf(text, "%s\"%s\"", shown++ ? "," : "", wait_names[i]);
	text_add_char(text, ']');
	json_key(text, "waits_at");
	if (reading->wait_lane == NO_LANE)
		text_add(text, "null");
	else
		add_lane(observer, reading->wait_lane, text);
}

static void add_hand(const struct observer *observer, const struct worker_reading *reading, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);

	json_key(text, "in_hand");
	if (!reading->in_hand) {
		text_add(text, "null");
		return;
	}
	text_add_char(text, '{');
	if (reading->hand_lane != NO_LANE)
		json_add_string(text, "from", catalog_stage_name(catalog, catalog->lanes[reading->hand_lane].producer));
	json_add_number(text, "sequence", reading->hand_sequence);
	json_add_number(text, "position", reading->hand_position);
	text_add_char(text, '}');
	json_add_number(text, "in_flight", reading->in_flight);
}

static void add_counters(const struct worker_reading *reading, struct text *text)
{
	json_key(text, "counters");
	text_add_char(text, '{');
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		json_add_number(text, counter_lines[i].name, reading->counters[i]);
	text_add_char(text, '}');
}

void picture_worker(const struct observer *observer, uint32_t slot, const struct view *view, struct text *text)
{
	uint64_t now_ns = clock_now_ns();
	struct worker_reading reading;

	read_worker(observer, slot, now_ns, &reading);
	text_add_char(text, '{');
	json_add_string(text, "stage", catalog_stage_name(observer_catalog(observer), slot));
	add_worker(observer, slot, &reading, view_of(observer, slot, view), now_ns, text);
	add_wait(observer, &reading, text);
	add_hand(observer, &reading, text);
	add_counters(&reading, text);
	add_ledger(text, reading.ledger);
	add_lanes(observer, slot, true, text);
	add_lanes(observer, slot, false, text);
	text_add_char(text, '}');
}
