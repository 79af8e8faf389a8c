/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/world.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/reading.h"
#include "broker/spec/spec.h"
#include "common/base/hash.h"
#include "common/memory/doorbell.h"
#include "common/memory/scope_table.h"
#include "common/scope/cause.h"
#include "tests/rings.h"

const struct scenario *scenario_now;
struct plan *world_plan_now;

void must_work(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "crash: %s: %s\n", what, r < 0 ? strerror(-r) : "refused");
	exit(2);
}

/* ---- the plan ---- */

/* The spec's smallest lane is too large to be copied and filled at every instruction. */
static void shrink_lanes(struct plan *plan)
{
	for (uint32_t slot = 0; slot < plan->n_slots; slot++) {
		struct segment_geometry *geometry = &plan->slots[slot].geometry;
		uint64_t sizes[WORLD_LANES_MAX], offsets[WORLD_LANES_MAX];

		for (uint32_t i = 0; i < geometry->n_writers; i++)
			sizes[i] = LANE_SIZE;
		(plan->stages[plan->slots[slot].stage].in_flight > 1 ? segment_plan_asynchronous : segment_plan)(
			geometry, slot, geometry->n_readers, geometry->n_writers, sizes, offsets);
		for (uint32_t i = 0; i < plan->n_lanes; i++)
			if (plan->lanes[i].producer == slot) {
				plan->lanes[i].capacity_bytes = LANE_SIZE;
				plan->lanes[i].off_data = offsets[plan->lanes[i].writer_index];
			}
	}
}

static bool has_hold(const struct plan_lane *lane)
{
	return world_plan_now->stages[world_plan_now->edges[lane->edge].to].full == HERITAGE_FULL_DROP_OLD;
}

static void lay_holds(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_lanes; i++) {
		struct segment_geometry *consumer = &plan->slots[plan->lanes[i].consumer].geometry;

		if (!has_hold(&plan->lanes[i]))
			continue;
		consumer->holds = true;
		plan->slots[plan->lanes[i].producer].geometry.drops = true;
		plan->lanes[i].off_hold = consumer->size_bytes;
		consumer->size_bytes += LANE_SIZE;
	}
}

/* Which stages forward is said by the stages that run, not by the kinds. */
static void find_references(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_stages; i++)
		plan->stages[i].forwards =
			scenario_now->stages[i] && scenario_now->stages[i]->flags & WEIR_STAGE_FORWARDS;
	plan_find_origins(plan);
}

void world_plan(const struct scenario *scenario)
{
	struct diagnostics diagnostics = DIAGNOSTICS_NULL;
	struct text text = TEXT_NULL;
	char path[64];
	int fd;

	scenario_now = scenario;
	must_work(memfd_new("weir-crash-spec", &fd), "memfd");
	must_work(write(fd, scenario->spec, strlen(scenario->spec)) < 0 ? -errno : 0, "spec");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (spec_load(path, NULL, 0, &world_plan_now, &diagnostics) != 0) {
		diagnostics_format(&diagnostics, false, &text);
		fprintf(stderr, "crash: %s: %s\n", scenario->name, text_get(&text));
		exit(2);
	}
	diagnostics_deinit(&diagnostics);
	close(fd);
	for (uint32_t i = 0; i < world_plan_now->n_stages; i++)
		world_plan_now->stages[i].attempts =
			UINT32_MAX; /* no item is given up, however often its worker is killed */
	find_references(world_plan_now);
	if (scenario->adapt)
		scenario->adapt(world_plan_now);
	if (world_plan_now->n_slots > WORLD_SLOTS_MAX || world_plan_now->n_lanes > WORLD_LANES_MAX ||
	    scenario->victim >= world_plan_now->n_slots)
		must_work(1, scenario->name);
	shrink_lanes(world_plan_now);
	lay_holds(world_plan_now);
}

/* ---- memory ---- */

static void slot_init(struct world *world, uint32_t slot)
{
	const struct segment_geometry *geometry = &world_plan_now->slots[slot].geometry;

	must_work(segment_create(geometry, "weir-crash", &world->fds[slot]), "segment_create");
	must_work(segment_attach(&world->segments[slot], world->fds[slot], geometry, SEGMENT_WRITE), "segment_attach");
	must_work(doorbell_open(&world->doorbells[slot]), "doorbell_open");
	world->seats[slot] = (struct seat){ .supervisor = &world->supervisor,
					    .slot = slot,
					    .segment_fd = world->fds[slot],
					    .doorbell_fd = world->doorbells[slot],
					    .segment = world->segments[slot] };
}

static void lane_init(struct world *world, uint32_t number)
{
	const struct plan_lane *lane = &world_plan_now->lanes[number];
	struct lane_reader *reader = &world->segments[lane->consumer].readers[lane->reader_index];

	must_work(lane_map(world->fds[lane->producer], lane->off_data, LANE_SIZE, SEGMENT_WRITE, true,
			   &world->lanes[number]),
		  "lane_map");
	if (has_hold(lane))
		must_work(lane_map(world->fds[lane->consumer], lane->off_hold, LANE_SIZE, SEGMENT_WRITE, true,
				   &world->holds[number]),
			  "lane_map");
	store_release(&world->segments[lane->producer].writers[lane->writer_index].tail, scenario_now->position);
	store_release(&reader->done, scenario_now->position);
	store_release(&reader->free, scenario_now->position);
}

/* What broker/supervise/spawn.c adds. */
static void heritage_init(struct world *world, uint32_t slot)
{
	struct heritage *heritage = &world->heritages[slot];

	must_work(plan_heritage(world_plan_now, slot, heritage), "plan_heritage");
	heritage->segment_fd = world->fds[slot];
	heritage->board_fd = world->board_fd;
	heritage->doorbell_fd = world->doorbells[slot];
	heritage->lifeline_fd = -1;
	heritage->cancel_fd = heritage->scopes_fd = -1;
	for (uint32_t i = 0; i < heritage->n_peers; i++) {
		heritage->peers[i].segment_fd = world->fds[heritage->peers[i].slot];
		heritage->peers[i].doorbell_fd = world->doorbells[heritage->peers[i].slot];
	}
	for (uint32_t i = 0; i < heritage->n_origins; i++)
		heritage->origins[i].segment_fd = world->fds[heritage->origins[i].slot];
}

void world_init(struct world *world)
{
	*world = (struct world){ .supervisor = { .plan = world_plan_now } };
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++)
		slot_init(world, i);
	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++)
		lane_init(world, i);
	must_work(board_create(world_plan_now->n_slots, &world->board, &world->board_fd), "board_create");
	store_release(&world->board->order, BOARD_RUN);
	store_release(&world->board->n_live, UINT32_MAX / 2); /* many: nobody spins for long */
	if (scenario_now->cancelled_scope)
		must_work(scope_table_add(world->board, scenario_now->cancelled_scope, CAUSE_USER, &(uint32_t){ 0 }),
			  "scope_table_add");
	world->supervisor.board = world->board;
	world->supervisor.seats = world->seats;
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++)
		heritage_init(world, i);
}

void world_deinit(struct world *world)
{
	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++) {
		lane_unmap(world->lanes[i], LANE_SIZE);
		if (world->holds[i])
			lane_unmap(world->holds[i], LANE_SIZE);
	}
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++) {
		segment_detach(&world->segments[i]);
		heritage_deinit(&world->heritages[i]);
		close(world->fds[i]);
		close(world->doorbells[i]);
	}
	board_detach(world->board);
	close(world->board_fd);
}

static unsigned char *words_of(const struct segment *segment)
{
	return segment->base + SEGMENT_PAGE_SIZE; /* the header never changes */
}

static size_t words_size(const struct segment *segment)
{
	return segment->geometry.control_size_bytes - SEGMENT_PAGE_SIZE;
}

static size_t slots_size(void)
{
	return sizeof(struct board) + world_plan_now->n_slots * sizeof(struct board_slot);
}

bool doorbell_is_rung(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) > 0;
}

void world_copy(struct world *to, const struct world *from)
{
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++) {
		memcpy(words_of(&to->segments[i]), words_of(&from->segments[i]), words_size(&to->segments[i]));
		rings_forget(to->doorbells[i]);
		if (doorbell_is_rung(from->doorbells[i]))
			doorbell_ring(to->doorbells[i]);
	}
	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++) {
		memcpy(to->lanes[i], from->lanes[i], LANE_SIZE);
		if (to->holds[i])
			memcpy(to->holds[i], from->holds[i], LANE_SIZE);
	}
	memcpy(to->board, from->board, slots_size());
}

bool world_same(const struct world *a, const struct world *b, uint32_t slot)
{
	const struct segment *left = &a->segments[slot], *right = &b->segments[slot];

	if (memcmp(words_of(left), words_of(right), words_size(left)) || memcmp(a->board, b->board, slots_size()))
		return false;
	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++) {
		const struct plan_lane *lane = &world_plan_now->lanes[i];

		if (lane->producer == slot && memcmp(a->lanes[i], b->lanes[i], LANE_SIZE))
			return false;
		if (lane->consumer == slot && a->holds[i] && memcmp(a->holds[i], b->holds[i], LANE_SIZE))
			return false;
	}
	return true;
}

uint64_t world_repair_key(const struct world *world, uint32_t slot)
{
	const struct segment *segment = &world->segments[slot];
	/* Behind them lies what nobody reads: the next turn is being collected there. */
	uint64_t n = load_relaxed(&segment->record->state);
	uint64_t key = hash_bytes(0, segment->hand, sizeof(*segment->hand));

	key = hash_bytes(key, segment->armed, sizeof(*segment->armed));
	key = hash_bytes(key, segment->cursor_switch, sizeof(*segment->cursor_switch));
	key = hash_bytes(key, world->board, slots_size());
	key = hash_bytes(key, segment->base + segment->geometry.off_readers,
			 segment->geometry.off_record - segment->geometry.off_readers);
	return hash_bytes(key, segment->record, sizeof(*segment->record) + n * sizeof(segment->record->operations[0]));
}
