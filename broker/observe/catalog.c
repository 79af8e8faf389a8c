/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan can have a quarter of a million lanes, and whoever draws one picture a second needs all of them: so the catalog is an array of
 * each, used where it lies, and checked once. Seals make that enough: what was checked can't change.
 */
#include "broker/observe/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/spec/plan.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/memory/board_layout.h"

#define SEALS_FINAL (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* ---- made ---- */

static uint32_t add_name(struct text *strings, const char *name)
{
	size_t at = strings->length;

	text_add_bytes(strings, name ? name : "", (name ? strlen(name) : 0) + 1);
	return (uint32_t)at;
}

static void add_stages(const struct plan *plan, struct text *body, struct text *strings)
{
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		const struct plan_stage *planned = &plan->stages[i];
		const struct catalog_stage stage = { .name = add_name(strings, planned->name),
						     .kind = add_name(strings, planned->kind),
						     .role = (uint32_t)planned->role,
						     .workers = planned->workers,
						     .first_slot = planned->first_slot,
						     .in_flight = planned->in_flight,
						     .batch = planned->batch,
						     .order = (uint32_t)planned->order,
						     .deadline_ns = planned->deadline_ns,
						     .balance = (uint32_t)planned->balance,
						     .rendezvous = planned->rendezvous };

		text_add_bytes(body, &stage, sizeof(stage));
	}
}

/* "slow,rest" */
static uint32_t add_outputs(struct text *strings, const struct plan *plan, const struct plan_edge *edge)
{
	_cleanup_(text_deinit) struct text names = TEXT_NULL;
	const char *name;

	for (uint32_t i = 0; i < 64 && edge->names >> i && (name = plan_output_name(&plan->stages[edge->from], i)); i++)
		if (edge->names >> i & 1)
			text_printf(&names, "%s%s", names.length ? "," : "", name);
	return add_name(strings, text_get(&names));
}

static void add_edges(const struct plan *plan, struct text *body, struct text *strings)
{
	for (uint32_t i = 0; i < plan->n_edges; i++) {
		const struct plan_edge *planned = &plan->edges[i];
		const struct catalog_edge edge = { .from = planned->from,
						   .to = planned->to,
						   .first_lane = planned->first_lane,
						   .full = (uint32_t)plan->stages[planned->to].full,
						   .feedback = planned->feedback,
						   .credit = planned->credit,
						   .lane_bytes = planned->lane_bytes,
						   .outputs = add_outputs(strings, plan, planned) };

		text_add_bytes(body, &edge, sizeof(edge));
	}
}

static void add_lanes(const struct plan *plan, struct text *body)
{
	for (uint32_t i = 0; i < plan->n_lanes; i++) {
		const struct plan_lane *planned = &plan->lanes[i];
		const struct plan_stage *reader = &plan->stages[plan->edges[planned->edge].to];
		const struct catalog_lane lane = { .edge = planned->edge,
						   .producer = planned->producer,
						   .consumer = planned->consumer,
						   .writer_index = planned->writer_index,
						   .reader_index = planned->reader_index,
						   .ordinals = reader->full == HERITAGE_FULL_DROP_OLD,
						   .off_data = planned->off_data,
						   .capacity_bytes = planned->capacity_bytes };

		text_add_bytes(body, &lane, sizeof(lane));
	}
}

static void add_slots(const struct plan *plan, struct text *body)
{
	for (uint32_t i = 0; i < plan->n_slots; i++) {
		struct catalog_slot slot;

		memset(&slot, 0, sizeof(slot)); /* no bytes of ours between the fields */
		slot.stage = plan->slots[i].stage;
		slot.worker_index = plan->slots[i].worker_index;
		slot.geometry = plan->slots[i].geometry;
		text_add_bytes(body, &slot, sizeof(slot));
	}
}

static void fill(const struct plan *plan, uint32_t generation, struct text *all)
{
	_cleanup_(text_deinit) struct text strings = TEXT_NULL;
	struct catalog_head head = { .magic = CATALOG_MAGIC,
				     .version = CATALOG_VERSION,
				     .generation = generation,
				     .n_stages = plan->n_stages,
				     .n_edges = plan->n_edges,
				     .n_lanes = plan->n_lanes,
				     .n_slots = plan->n_slots,
				     .geometry_bytes = sizeof(struct segment_geometry),
				     .pid = (int32_t)getpid() };

	add_name(&strings, "");
	head.pipeline = add_name(&strings, plan->pipeline);
	head.spec = add_name(&strings, plan->spec_path);
	text_add_bytes(all, &head, sizeof(head));
	add_stages(plan, all, &strings);
	add_edges(plan, all, &strings);
	add_lanes(plan, all);
	add_slots(plan, all);
	text_add_bytes(all, text_get(&strings), strings.length);
	head.strings_bytes = (uint32_t)strings.length;
	head.size_bytes = all->length;
	memcpy(all->data, &head, sizeof(head));
}

static int write_all(int fd, const char *data, size_t size_bytes)
{
	while (size_bytes) {
		ssize_t n = write(fd, data, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_origin(-errno);
		data += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

int catalog_create(const struct plan *plan, uint32_t generation, int *ret_fd)
{
	_cleanup_(text_deinit) struct text all = TEXT_NULL;
	_cleanup_(close) int fd = -1;
	int r = memfd_new("weir-catalog", &fd);

	if (r)
		return error_trace(r);
	if (fchmod(fd, 0400))
		return error_origin(-errno);
	fill(plan, generation, &all);
	r = write_all(fd, text_get(&all), all.length);
	if (r)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SEALS_FINAL))
		return error_origin(-errno);
	return error_trace(memfd_reopen_read_only(fd, ret_fd));
}

/* ---- opened ---- */

static bool counts_fit(const struct catalog_head *head, uint64_t size_bytes)
{
	uint64_t wanted;

	if (head->n_stages > CATALOG_STAGES_MAX || head->n_edges > CATALOG_EDGES_MAX ||
	    head->n_lanes > CATALOG_LANES_MAX || !head->n_slots || head->n_slots > BOARD_SLOTS_MAX)
		return false;
	wanted = sizeof(*head) + (uint64_t)head->n_stages * sizeof(struct catalog_stage) +
		 (uint64_t)head->n_edges * sizeof(struct catalog_edge) +
		 (uint64_t)head->n_lanes * sizeof(struct catalog_lane) +
		 (uint64_t)head->n_slots * sizeof(struct catalog_slot) + head->strings_bytes;
	return wanted == size_bytes && head->size_bytes == size_bytes && head->strings_bytes;
}

static bool head_fits(const struct catalog_head *head, uint64_t size_bytes)
{
	return head->magic == CATALOG_MAGIC && head->version == CATALOG_VERSION &&
	       head->geometry_bytes == sizeof(struct segment_geometry) && counts_fit(head, size_bytes);
}

static void place(struct catalog *catalog, const struct catalog_head *head)
{
	catalog->head = head;
	catalog->stages = (const struct catalog_stage *)(head + 1);
	catalog->edges = (const struct catalog_edge *)(catalog->stages + head->n_stages);
	catalog->lanes = (const struct catalog_lane *)(catalog->edges + head->n_edges);
	catalog->slots = (const struct catalog_slot *)(catalog->lanes + head->n_lanes);
	catalog->strings = (const char *)(catalog->slots + head->n_slots);
}

/* The last byte ends the last string, so each number below strings_bytes is one. */
static bool strings_fit(const struct catalog *catalog)
{
	const struct catalog_head *head = catalog->head;
	bool fit = !catalog->strings[head->strings_bytes - 1] && head->pipeline < head->strings_bytes &&
		   head->spec < head->strings_bytes;

	for (uint32_t i = 0; fit && i < head->n_stages; i++)
		fit = catalog->stages[i].name < head->strings_bytes && catalog->stages[i].kind < head->strings_bytes;
	return fit;
}

static bool stage_fits(const struct catalog *catalog, const struct catalog_stage *stage)
{
	uint32_t n_slots = catalog->head->n_slots;

	return stage->workers && stage->first_slot < n_slots && stage->workers <= n_slots - stage->first_slot;
}

static bool edge_fits(const struct catalog *catalog, uint32_t edge)
{
	const struct catalog_head *head = catalog->head;

	return catalog->edges[edge].from < head->n_stages && catalog->edges[edge].to < head->n_stages &&
	       catalog->edges[edge].outputs < head->strings_bytes && catalog->edges[edge].first_lane <= head->n_lanes &&
	       catalog_edge_lanes(catalog, edge) <= head->n_lanes - catalog->edges[edge].first_lane;
}

static bool slot_fits(const struct catalog *catalog, uint32_t slot)
{
	const struct segment_geometry *geometry = &catalog->slots[slot].geometry;

	return catalog->slots[slot].stage < catalog->head->n_stages && geometry->slot == slot &&
	       geometry->control_size_bytes <= geometry->size_bytes &&
	       !(geometry->control_size_bytes % SEGMENT_PAGE_SIZE) && geometry->off_readers >= SEGMENT_OFF_CURSORS &&
	       geometry->off_readers <= geometry->off_writers && geometry->off_writers <= geometry->off_record &&
	       geometry->off_record < geometry->control_size_bytes &&
	       (uint64_t)geometry->n_readers * sizeof(struct lane_reader) <=
		       geometry->off_writers - geometry->off_readers &&
	       (uint64_t)geometry->n_writers * sizeof(struct lane_writer) <=
		       geometry->off_record - geometry->off_writers &&
	       geometry->off_done_bits < geometry->control_size_bytes;
}

static bool lane_fits(const struct catalog *catalog, const struct catalog_lane *lane)
{
	const struct catalog_head *head = catalog->head;
	const struct segment_geometry *producer;

	if (lane->edge >= head->n_edges || lane->producer >= head->n_slots || lane->consumer >= head->n_slots)
		return false;
	producer = &catalog->slots[lane->producer].geometry;
	return lane->writer_index < producer->n_writers &&
	       lane->reader_index < catalog->slots[lane->consumer].geometry.n_readers && lane->capacity_bytes &&
	       !(lane->capacity_bytes & (lane->capacity_bytes - 1)) && !(lane->capacity_bytes % SEGMENT_PAGE_SIZE) &&
	       !(lane->off_data % SEGMENT_PAGE_SIZE) && lane->off_data <= producer->size_bytes &&
	       lane->capacity_bytes <= producer->size_bytes - lane->off_data;
}

static bool all_fits(const struct catalog *catalog)
{
	const struct catalog_head *head = catalog->head;
	bool fit = strings_fit(catalog);

	for (uint32_t i = 0; fit && i < head->n_stages; i++)
		fit = stage_fits(catalog, &catalog->stages[i]);
	for (uint32_t i = 0; fit && i < head->n_edges; i++)
		fit = edge_fits(catalog, i);
	for (uint32_t i = 0; fit && i < head->n_slots; i++)
		fit = slot_fits(catalog, i);
	for (uint32_t i = 0; fit && i < head->n_lanes; i++)
		fit = lane_fits(catalog, &catalog->lanes[i]);
	return fit;
}

/* ---- lanes by slot and index ---- */

static uint32_t n_of(const struct catalog *catalog, uint32_t i)
{
	uint32_t n_slots = catalog->head->n_slots;

	return i < n_slots ? catalog->slots[i].geometry.n_readers : catalog->slots[i - n_slots].geometry.n_writers;
}

/* Each of them has a lane of its own, so there can't be more. */
static bool ends_fit(const struct catalog *catalog)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < 2 * catalog->head->n_slots; i++)
		n += n_of(catalog, i);
	return n <= 2 * (uint64_t)catalog->head->n_lanes;
}

static int index_lanes(struct catalog *catalog)
{
	uint32_t n = 2 * catalog->head->n_slots;

	catalog->first_of = calloc(n + 1, sizeof(uint32_t));
	if (!catalog->first_of)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < n; i++)
		catalog->first_of[i + 1] = catalog->first_of[i] + n_of(catalog, i);
	catalog->lanes_of = malloc((catalog->first_of[n] + 1ul) * sizeof(uint32_t));
	if (!catalog->lanes_of)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < catalog->first_of[n]; i++)
		catalog->lanes_of[i] = UINT32_MAX;
	for (uint32_t i = 0; i < catalog->head->n_lanes; i++) {
		const struct catalog_lane *lane = &catalog->lanes[i];

		catalog->lanes_of[catalog->first_of[lane->consumer] + lane->reader_index] = i;
		catalog->lanes_of[catalog->first_of[catalog->head->n_slots + lane->producer] + lane->writer_index] = i;
	}
	return 0;
}

int catalog_open(struct catalog *catalog, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), r = CATALOG_E_FOREIGN;
	struct stat st;
	void *bytes;

	if (seals < 0 || (seals & SEALS_FINAL) != SEALS_FINAL || fstat(fd, &st) ||
	    st.st_size < (off_t)sizeof(struct catalog_head))
		return CATALOG_E_FOREIGN;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return error_origin(-errno);
	*catalog = (struct catalog)CATALOG_NULL;
	if (!head_fits(bytes, (uint64_t)st.st_size)) {
		munmap(bytes, (size_t)st.st_size);
		return CATALOG_E_FOREIGN;
	}
	place(catalog, bytes);
	if (all_fits(catalog) && ends_fit(catalog))
		r = index_lanes(catalog);
	if (r)
		catalog_close(catalog);
	return r;
}

void catalog_close(struct catalog *catalog)
{
	if (catalog->head)
		munmap((void *)(uintptr_t)catalog->head, (size_t)catalog->head->size_bytes);
	free(catalog->lanes_of);
	free(catalog->first_of);
	*catalog = (struct catalog)CATALOG_NULL;
}

/* ---- looked into ---- */

const char *catalog_stage_name(const struct catalog *catalog, uint32_t slot)
{
	return catalog_string(catalog, catalog->stages[catalog->slots[slot].stage].name);
}

uint32_t catalog_find_stage(const struct catalog *catalog, const char *name)
{
	for (uint32_t i = 0; i < catalog->head->n_stages; i++)
		if (strcmp(catalog_string(catalog, catalog->stages[i].name), name) == 0)
			return i;
	return UINT32_MAX;
}

/* i: a slot, or n_slots and a slot */
static uint32_t lane_of(const struct catalog *catalog, uint32_t i, uint32_t index)
{
	return index < n_of(catalog, i) ? catalog->lanes_of[catalog->first_of[i] + index] : UINT32_MAX;
}

uint32_t catalog_input_lane(const struct catalog *catalog, uint32_t slot, uint32_t reader_index)
{
	return lane_of(catalog, slot, reader_index);
}

uint32_t catalog_output_lane(const struct catalog *catalog, uint32_t slot, uint32_t writer_index)
{
	return lane_of(catalog, catalog->head->n_slots + slot, writer_index);
}

uint32_t catalog_edge_lanes(const struct catalog *catalog, uint32_t edge)
{
	return catalog->stages[catalog->edges[edge].from].workers * catalog->stages[catalog->edges[edge].to].workers;
}
