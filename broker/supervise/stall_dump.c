/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/stall_dump.h"

#include <inttypes.h>
#include <string.h>

#include "broker/supervise/stall_report.h"
#include "common/base/clock.h"
#include "common/memory/segment_layout.h"

static const struct {
	uint32_t bit;
	const char *name;
} wait_names[] = {
	{ WAIT_FOR_ITEM, "item" },     { WAIT_FOR_ROOM, "room" },       { WAIT_FOR_CREDIT, "credit" },
	{ WAIT_FOR_COMMIT, "commit" }, { WAIT_FOR_READERS, "readers" }, { WAIT_FOR_EVENT, "event" },
	{ WAIT_FOR_TIME, "time" },     { WAIT_FOR_STORE, "store" },     { WAIT_FOR_DUE, "due" },
};

static const char *const doing_names[] = {
	[STALL_OVER] = "over", [STALL_ABSENT] = "absent", [STALL_OPENING] = "opening",
	[STALL_BUSY] = "busy", [STALL_WAITS] = "waits",
};

static void add_string(const char *key, const char *value, struct text *text)
{
	text_printf(text, "\"%s\":", key);
	text_add_json(text, value, strlen(value));
}

static void add_waits(const struct stall_worker *worker, struct text *text)
{
	bool any = false;

	text_add(text, ",\"waits_for\":[");
	for (size_t i = 0; worker->doing == STALL_WAITS && i < sizeof(wait_names) / sizeof(wait_names[0]); i++) {
		if (!(worker->waits_for & wait_names[i].bit))
			continue;
		text_printf(text, "%s\"%s\"", any ? "," : "", wait_names[i].name);
		any = true;
	}
	text_add_char(text, ']');
}

static uint64_t clamp(uint64_t bytes, uint64_t most)
{
	return bytes < most ? bytes : most;
}

/* The lane that it waits at; of several that would do, one. */
static void add_lane(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
		     struct text *text)
{
	const struct stall_lane *lane = number == STALL_NONE ? NULL : &topology->lanes[number];
	const struct stall_level *level = lane ? &snapshot->levels[number] : NULL;

	text_add(text, ",\"lane\":");
	if (!lane) {
		text_add(text, "null");
		return;
	}
	text_add_char(text, '{');
	add_string("from", topology->seats[lane->producer].stage, text);
	text_printf(text, ",\"from_index\":%" PRIu32 ",", topology->seats[lane->producer].index);
	add_string("to", topology->seats[lane->consumer].stage, text);
	text_printf(text,
		    ",\"to_index\":%" PRIu32 ",\"bytes\":%" PRIu64 ",\"kept_bytes\":%" PRIu64
		    ",\"capacity_bytes\":%" PRIu64 ",\"closed\":%s}",
		    topology->seats[lane->consumer].index, clamp(level->tail - level->done, lane->capacity_bytes),
		    clamp(level->done - level->free, lane->capacity_bytes), lane->capacity_bytes,
		    level->closed ? "true" : "false");
}

static void add_item(const struct stall_topology *topology, const struct stall_worker *worker, struct text *text)
{
	text_add(text, ",\"item\":");
	if (!worker->has_hand || worker->hand_lane == STALL_NONE) {
		text_add(text, "null");
		return;
	}
	text_add_char(text, '{');
	add_string("from", topology->seats[topology->lanes[worker->hand_lane].producer].stage, text);
	text_printf(text, ",\"sequence\":%" PRIu64 ",\"position\":%" PRIu64 "}", worker->hand_sequence,
		    worker->hand_position);
}

static void add_kernel(const struct stall_worker *worker, struct text *text)
{
	text_printf(text, ",\"kernel\":");
	if (worker->kernel) {
		text_add_char(text, '{');
		add_string("state", stall_kernel_words(worker->kernel), text);
		text_add_char(text, ',');
		add_string("where", worker->where, text);
		text_add_char(text, '}');
	} else {
		text_add(text, "null");
	}
	text_add(text, ",\"program\":");
	if (!worker->program) {
		text_add(text, "null");
		return;
	}
	text_printf(text, "{\"pid\":%d,", (int)worker->program);
	add_string("name", worker->program_name, text);
	text_add_char(text, ',');
	add_string("state", stall_kernel_words(worker->program_kernel), text);
	text_add_char(text, '}');
}

struct group {
	uint32_t n, n_empty, n_closed;
	uint64_t bytes, kept_bytes, capacity_bytes;
};

static void add_group(const struct stall_topology *topology, uint32_t other, const struct group *group, bool first,
		      struct text *text)
{
	text_add(text, first ? "{" : ",{");
	add_string("stage", topology->seats[other].stage, text);
	text_printf(text,
		    ",\"lanes\":%" PRIu32 ",\"empty\":%" PRIu32 ",\"closed\":%" PRIu32 ",\"bytes\":%" PRIu64
		    ",\"kept_bytes\":%" PRIu64 ",\"capacity_bytes\":%" PRIu64 "}",
		    group->n, group->n_empty, group->n_closed, group->bytes, group->kept_bytes, group->capacity_bytes);
}

static void group_add(struct group *group, const struct stall_lane *lane, const struct stall_level *level)
{
	group->n++;
	group->n_empty += level->tail == level->done;
	group->n_closed += level->closed;
	group->bytes += clamp(level->tail - level->done, lane->capacity_bytes);
	group->kept_bytes += clamp(level->done - level->free, lane->capacity_bytes);
	group->capacity_bytes += lane->capacity_bytes;
}

/* Its lanes, those of an edge together: on a large machine there are thousands. */
static void add_edges(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
		      bool out, struct text *text)
{
	const uint32_t *list = out ? topology->out : topology->in,
		       *first = out ? topology->out_first : topology->in_first;
	struct group group = { 0 };
	bool any = false;

	text_printf(text, ",\"%s\":[", out ? "out" : "in");
	for (uint32_t i = first[number]; i < first[number + 1]; i++) {
		const struct stall_lane *lane = &topology->lanes[list[i]];
		bool last = i + 1 == first[number + 1] || topology->lanes[list[i + 1]].edge != lane->edge;

		group_add(&group, lane, &snapshot->levels[list[i]]);
		if (!last)
			continue;
		add_group(topology, out ? lane->consumer : lane->producer, &group, !any, text);
		group = (struct group){ 0 };
		any = true;
	}
	text_add_char(text, ']');
}

static void add_worker(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
		       uint64_t now_ns, struct text *text)
{
	const struct stall_worker *worker = &snapshot->workers[number];
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	stall_describe_doing(topology, snapshot, number, now_ns, &sentence);
	text_printf(text, "{\"index\":%" PRIu32 ",\"pid\":", topology->seats[number].index);
	if (worker->pid > 0)
		text_printf(text, "%d", (int)worker->pid);
	else
		text_add(text, "null");
	text_printf(text, ",\"generation\":%" PRIu32 ",", worker->generation);
	add_string("doing", doing_names[worker->doing], text);
	text_printf(text, ",\"seconds\":%.3f,",
		    now_ns > worker->since_ns && worker->since_ns ?
			    (double)(now_ns - worker->since_ns) / (double)NS_PER_S :
			    0.0);
	add_string("sentence", text_get(&sentence), text);
	add_waits(worker, text);
	add_lane(topology, snapshot, worker->lane, text);
	add_item(topology, worker, text);
	text_printf(text, ",\"put_aside\":%" PRIu64 ",\"held\":%" PRIu64, worker->n_pending, worker->n_held);
	add_kernel(worker, text);
	add_edges(topology, snapshot, number, false, text);
	add_edges(topology, snapshot, number, true, text);
	text_add_char(text, '}');
}

void stall_format_dump(const struct stall_topology *topology, const struct stall_snapshot *snapshot, const char *stage,
		       uint32_t first, uint32_t n, uint64_t now_ns, struct text *text)
{
	text_add_char(text, '{');
	add_string("stage", stage, text);
	text_add(text, ",\"workers\":[");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			text_add_char(text, ',');
		add_worker(topology, snapshot, first + i, now_ns, text);
	}
	text_add(text, "]}");
}
