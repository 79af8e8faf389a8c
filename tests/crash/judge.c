/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/judge.h"

#include <string.h>

#include "common/flow/commit.h"
#include "common/flow/commit_priv.h"
#include "common/flow/hold.h"
#include "common/flow/repair.h"
#include "common/observe/ledger.h"

static struct world *replica;
static uint32_t victim_generation;

/* ---- what must hold between two turns ---- */

/* Items in all lanes; UINT64_MAX: one is no chain of records. */
static uint64_t census(const struct world *world)
{
	uint64_t sum = 0, items;

	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++) {
		const struct plan_lane *lane = &world_plan_now->lanes[i];
		uint64_t tail = load_acquire(&world->segments[lane->producer].writers[lane->writer_index].tail),
			 done = load_acquire(&world->segments[lane->consumer].readers[lane->reader_index].done);

		const struct segment *reader = &world->segments[lane->consumer];

		if (world->holds[i]) { /* what was overwritten and is not counted yet is among them */
			sum += load_acquire(&world->segments[lane->producer].writers[lane->writer_index].tail_ordinal) -
			       load_acquire(&reader->readers[lane->reader_index].done_ordinal);
			continue;
		}

		if (census_lane_with_bits(world->lanes[i], LANE_SIZE, done, tail,
					  reader->done_bits ? &reader->done_bits[lane->reader_index] : NULL, &items))
			return UINT64_MAX;
		sum += items;
	}
	return sum;
}

static const char *check_ledger(const struct world *world)
{
	struct outcome outcome = { .in_lanes = census(world) };

	if (outcome.in_lanes == UINT64_MAX)
		return "a lane is no chain of records";
	for (uint32_t slot = 0; slot < world_plan_now->n_slots; slot++)
		for (uint32_t line = 0; line < LEDGER_COUNT; line++)
			outcome.ledger[line] += cursor_current(&world->segments[slot])->ledger[line];
	return outcome_balanced(&outcome) ? NULL : "the ledger does not balance";
}

/* The standard stages fill their cursors with how far they are. */
static const char *check_cursors(const struct world *world)
{
	for (uint32_t slot = 0; slot < world_plan_now->n_slots; slot++) {
		uint32_t stage = world_plan_now->slots[slot].stage;
		const struct cursor *cursor = cursor_current(&world->segments[slot]);
		uint64_t words[CURSOR_STAGE_SIZE / sizeof(uint64_t)];

		memcpy(words, cursor->stage, sizeof(words));
		if (scenario_now->stages[stage])
			continue;
		if (world_plan_now->stages[stage].role == WEIR_SOURCE) {
			for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
				if (words[i] != cursor->ledger[LEDGER_ACCEPTED])
					return "a source's cursor is torn, or of another turn than the ledger";
		} else if (world_plan_now->stages[stage].role == WEIR_OPERATOR) {
			for (size_t i = 0; i < CURSOR_STAGE_SIZE; i++)
				if (cursor->stage[i] != (cursor->ledger[LEDGER_TAKEN] & 0xff))
					return "an operator's cursor is torn, or of another turn than the ledger";
		}
	}
	return NULL;
}

/* The record at this position, if one begins there; NULL: none. */
static const struct item_header *record_at(const struct world *world, uint32_t number, uint64_t position)
{
	const struct plan_lane *lane = &world_plan_now->lanes[number];
	uint64_t at = load_relaxed(&world->segments[lane->consumer].readers[lane->reader_index].done),
		 tail = load_relaxed(&world->segments[lane->producer].writers[lane->writer_index].tail);
	static struct item_header header;

	if (world->holds[number]) { /* the lane may hold something else there by now */
		const struct hold_record *held = (const struct hold_record *)(void *)world->holds[number];

		return held->position == position ? &held->header : NULL;
	}
	for (; at != tail; at += item_record_size(header.size_bytes)) {
		memcpy(&header, world->lanes[number] + (at & (LANE_SIZE - 1)), sizeof(header));
		if (at == position)
			return &header;
	}
	return NULL;
}

/* Its done-bit says so. */
static bool has_ended(const struct world *world, uint32_t number, uint64_t position)
{
	const struct plan_lane *lane = &world_plan_now->lanes[number];
	const struct segment *segment = &world->segments[lane->consumer];
	uint64_t at = load_relaxed(&segment->readers[lane->reader_index].done), ordinal;
	const struct done_bits *bits = segment->done_bits ? &segment->done_bits[lane->reader_index] : NULL;
	struct item_header header;

	if (!bits)
		return false;
	for (ordinal = load_relaxed(&bits->ordinal); at != position; ordinal++) {
		memcpy(&header, world->lanes[number] + (at & (LANE_SIZE - 1)), sizeof(header));
		at += item_record_size(header.size_bytes);
	}
	return load_relaxed(&bits->words[ordinal % DONE_BITS_WINDOW / 64]) >> (ordinal % 64) & 1;
}

/* What the next generation will read. */
static const char *check_noted(const struct world *world)
{
	const struct repair_report *report = &world->seats[scenario_now->victim].death.report;
	const struct board_slot *slot = &world->board->slots[scenario_now->victim];

	if (report->in_hand && (!slot->suspect_attempts || slot->suspect_lane != report->suspect_lane ||
				slot->suspect_position != report->suspect_position))
		return "the board names another suspect than the repair";
	if (slot->suspect_attempts &&
	    (int64_t)(load_relaxed(&world->segments[scenario_now->victim].readers[slot->suspect_lane].done) -
		      slot->suspect_position) > 0)
		return "the board names a suspect that is done";
	return NULL;
}

/* Which input of its consumer. */
static uint64_t input_of(const struct plan_lane *lane)
{
	uint64_t n = 0;

	for (uint32_t edge = 0; edge < lane->edge; edge++)
		n += world_plan_now->edges[edge].to == world_plan_now->edges[lane->edge].to;
	return n;
}

static const char *check_suspect(const struct world *world, const struct judge_case *judged)
{
	const struct repair_report *report = &world->seats[scenario_now->victim].death.report;

	if (judged->in_hand == ACTOR_HAND_SEVERAL)
		return report->in_hand ? "one of several in flight is suspected" : NULL;
	if (!report->in_hand)
		return judged->in_hand && !judged->repair_cut ? "the item in hand is not suspected" : NULL;
	if (judged->in_hand && report->suspect_sequence != (judged->in_hand & ACTOR_HAND_SEQUENCE_MASK) - 1)
		return "another item than the one in hand is suspected";
	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++) {
		const struct plan_lane *lane = &world_plan_now->lanes[i];
		const struct item_header *header;

		if (lane->consumer != scenario_now->victim || lane->reader_index != report->suspect_lane)
			continue;
		if (judged->in_hand && input_of(lane) != judged->in_hand >> ACTOR_HAND_INPUT_SHIFT)
			return "the suspect lies in another input than the item in hand";
		header = record_at(world, i, report->suspect_position);
		if (!header)
			return "the suspect's position is that of no item";
		if (has_ended(world, i, report->suspect_position))
			return "the suspect has ended already";
		/* Between two items of a turn the note is half the old one's: the position counts, the number is for people. */
		return judged->in_hand && header->sequence != report->suspect_sequence ?
			       "the suspect is not the item at its position" :
			       NULL;
	}
	return "the suspect is in no lane";
}

static bool is_retired(uint32_t slot)
{
	return slot && slot == scenario_now->retired;
}

static bool is_lost(uint32_t slot)
{
	return slot + 1 == scenario_now->lost;
}

/* What the supervisor tells the producers of a slot. */
static void deal(struct world *world, uint32_t slot, enum board_dealing dealing)
{
	store_release(&world->board->slots[slot].dealing, (uint32_t)dealing);
	store_release(&world->board->dealings, load_relaxed(&world->board->dealings) + 1);
}

/* What broker/supervise/retire.c does. */
static void retire(struct world *world, uint32_t slot)
{
	struct segment segment;

	must_work(segment_attach(&segment, world->fds[slot], &world->segments[slot].geometry, SEGMENT_WRITE),
		  "segment_attach");
	repair_close(&segment);
	segment_detach(&segment);
	deal(world, slot, BOARD_RETIRED);
}

int judge_mend(struct world *world)
{
	int r = seat_mend(&world->seats[scenario_now->victim]);

	if (r == 0 && scenario_now->given_up)
		retire(world, scenario_now->victim);
	return r;
}

const char *judge_repair(struct world *world, const struct judge_case *judged)
{
	struct segment *segment = &world->segments[scenario_now->victim];
	const char *wrong;

	if (judge_mend(world))
		return "the repair calls the record corrupt";
	if (load_relaxed(&segment->record->state) || load_relaxed(&segment->armed->word) ||
	    load_relaxed(&segment->hand->busy))
		return "the repair left the record, the hand or the armed word";
	wrong = check_ledger(world);
	if (!wrong)
		wrong = check_cursors(world);
	if (!wrong)
		wrong = check_suspect(world, judged);
	if (!wrong)
		wrong = check_noted(world);
	if (!wrong && scenario_now->check_repaired)
		wrong = scenario_now->check_repaired(world);
	return wrong;
}

/* ---- the end ---- */

static uint64_t sources(void)
{
	uint64_t n = 0;

	for (uint32_t slot = 0; slot < world_plan_now->n_slots; slot++)
		n += world_plan_now->stages[world_plan_now->slots[slot].stage].role == WEIR_SOURCE;
	return n;
}

/* Every item came once to each sink stage. */
static const char *check_arrivals(const struct world *world, uint32_t stage)
{
	const struct plan_stage *planned = &world_plan_now->stages[stage];
	struct crash_seen all = { 0 }, seen;

	for (uint32_t i = 0; i < planned->workers; i++) {
		memcpy(&seen, cursor_current(&world->segments[planned->first_slot + i])->stage, sizeof(seen));
		for (unsigned source = 0; source < 2; source++)
			for (unsigned word = 0; word < SOURCE_ITEMS_MAX / 64; word++) {
				if (all.bits[source][word] & seen.bits[source][word])
					return "an item came to two sinks";
				all.bits[source][word] |= seen.bits[source][word];
			}
	}
	for (uint64_t source = 0; source < sources(); source++)
		for (uint64_t number = 0; number < scenario_now->items; number++)
			if (!(all.bits[source][number / 64] >> number % 64 & 1))
				return "an item never arrived";
	return NULL;
}

const char *crash_check_dropped(const struct world *world)
{
	const uint64_t *from = cursor_current(&world->segments[0])->ledger,
		       *to = cursor_current(&world->segments[1])->ledger;
	struct crash_seen seen;
	uint64_t n = 0;

	memcpy(&seen, cursor_current(&world->segments[1])->stage, sizeof(seen));
	for (uint64_t number = 0; number < scenario_now->items; number++)
		n += seen.bits[0][number / 64] >> number % 64 & 1;
	if (!(seen.bits[0][(scenario_now->items - 1) / 64] >> (scenario_now->items - 1) % 64 & 1))
		return "the newest item never arrived";
	return from[LEDGER_ACCEPTED] != scenario_now->items || n != to[LEDGER_DELIVERED] ||
			       n + to[LEDGER_DROPPED_OLD] != scenario_now->items ?
		       "an item neither arrived nor was counted as dropped" :
		       NULL;
}

/* Whoever writes has said by which board he deals. */
static const char *check_dealings(const struct world *world)
{
	for (uint32_t i = 0; i < world_plan_now->n_lanes; i++) {
		const struct plan_lane *lane = &world_plan_now->lanes[i];

		if (scenario_now->closed == lane->consumer && lane->consumer &&
		    load_relaxed(&world->segments[lane->producer].status->seen_dealings) !=
			    load_relaxed(&world->board->dealings))
			return "a producer does not say that it deals by the new board";
	}
	return NULL;
}

static const char *check_end(const struct world *world)
{
	const char *wrong = check_ledger(world);

	if (!wrong)
		wrong = check_cursors(world);
	if (!wrong)
		wrong = check_dealings(world);
	if (!wrong && census(world))
		wrong = "hang: an item is left in a lane and nobody wakes for it";
	if (scenario_now->check_end)
		return wrong ? wrong : scenario_now->check_end(world);
	for (uint32_t stage = 0; stage < world_plan_now->n_stages && !wrong; stage++)
		if (world_plan_now->stages[stage].role == WEIR_SINK)
			wrong = check_arrivals(world, stage);
	return wrong;
}

/* ---- a death ---- */

/* What the supervisor does to a slot before the walk. */
static void bury(struct world *world, uint32_t slot)
{
	actor_kill(slot);
	must_work(seat_mend(&world->seats[slot]) ? 1 : 0, "the repair of a slot that nobody takes again");
	if (is_retired(slot))
		retire(world, slot);
	else
		seat_close_lost(&world->seats[slot]);
	seat_ring_neighbours(&world->seats[slot]);
}

void judge_prepare(struct world *world)
{
	static const struct judge_case asleep;
	uint32_t victim = scenario_now->victim;

	replica = world;
	actor_use(world);
	for (unsigned i = 0; i < STEPS_MAX && scenario_now->steps[i].calls; i++)
		actor_run(&scenario_now->steps[i]);
	victim_generation = actor_is_seated(victim);
	if (victim_generation) {
		actor_kill(victim);
		must_work(judge_repair(world, &asleep) ? 1 : 0, "the repair before the walk");
	}
	for (uint32_t slot = 0; slot < world_plan_now->n_slots; slot++)
		if (is_retired(slot) || is_lost(slot))
			bury(world, slot);
		else if (slot != victim && !actor_is_seated(slot))
			actor_seat(slot, 0);
	if (scenario_now->closed) {
		deal(world, scenario_now->closed, BOARD_CLOSED);
		seat_ring_neighbours(&world->seats[scenario_now->closed]);
	}
	actor_save(false);
}

uint32_t judge_generation(void)
{
	return victim_generation;
}

const char *judge_interlude(struct world *world)
{
	const char *wrong;

	world_copy(replica, world);
	actor_restore();
	wrong = actor_run_all(false);
	actor_save(true);
	world_copy(world, replica);
	return wrong;
}

void judge_rewind(void)
{
	actor_restore_first();
}

const char *judge_image(const struct world *image, const struct judge_case *judged)
{
	const char *wrong = NULL;

	world_copy(replica, image);
	actor_restore();
	if (judged->disturbed)
		wrong = actor_run_all(true);
	if (!wrong)
		wrong = judge_repair(replica, judged);
	if (wrong)
		return wrong;
	if (WEIR_MUTANT != MUTANT_NEIGHBOURS_UNRUNG)
		seat_ring_neighbours(&replica->seats[scenario_now->victim]);
	/* Once they find the next generation at work; once they sleep again before it comes, and only it can wake them. */
	if (!judged->disturbed)
		wrong = actor_run_all(false);
	if (wrong)
		return wrong;
	if (!scenario_now->given_up)
		actor_seat(scenario_now->victim, victim_generation + 2); /* real kills use up the one before */
	wrong = actor_run_all(false);
	if (!wrong && !scenario_now->endless)
		wrong = actor_asleep();
	return wrong ? wrong : check_end(replica);
}
