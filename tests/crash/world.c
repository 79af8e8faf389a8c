/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/world.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/flow/repair.h"
#include "common/observe/ledger.h"

#define ROUNDS_MAX 1000

static void must_work(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "crash: %s: %s\n", what, r < 0 ? strerror(-r) : "refused");
	exit(2);
}

/* ---- memory ---- */

static void slot_init(struct world *world, enum slot slot, uint32_t n_readers, uint32_t n_writers)
{
	static const uint64_t sizes[2] = { LANE_SIZE, LANE_SIZE };
	struct segment_geometry geometry;

	segment_plan(&geometry, slot, n_readers, n_writers, sizes, world->offsets[slot]);
	must_work(segment_create(&geometry, "weir-crash", &world->fds[slot]), "segment_create");
	must_work(segment_attach(&world->slots[slot], world->fds[slot], &geometry, SEGMENT_WRITE), "segment_attach");
	for (unsigned i = 0; i < n_writers; i++)
		must_work(lane_map(world->fds[slot], world->offsets[slot][i], LANE_SIZE, SEGMENT_WRITE, true,
				   &world->data[slot][i]),
			  "lane_map");
	must_work(doorbell_open(&world->doorbells[slot]), "doorbell_open");
}

void world_init(struct world *world)
{
	*world = (struct world){ 0 };
	slot_init(world, SLOT_PRODUCER, 0, N_INPUTS);
	slot_init(world, SLOT_VICTIM, N_INPUTS, N_OUTPUTS);
	slot_init(world, SLOT_CONSUMER, N_OUTPUTS, 0);
	for (unsigned i = 0; i < N_INPUTS; i++)
		world->put[i] = (struct lane_out){ .writer = &world->slots[SLOT_PRODUCER].writers[i],
						   .peer = &world->slots[SLOT_VICTIM].readers[i],
						   .index = i,
						   .data = world->data[SLOT_PRODUCER][i],
						   .capacity_bytes = LANE_SIZE };
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		world->got[i] = (struct lane_in){ .reader = &world->slots[SLOT_CONSUMER].readers[i],
						  .peer = &world->slots[SLOT_VICTIM].writers[i],
						  .index = i,
						  .data = world->data[SLOT_VICTIM][i],
						  .capacity_bytes = LANE_SIZE };
}

static unsigned char *words_of(const struct segment *segment)
{
	return segment->base + SEGMENT_PAGE_SIZE; /* the header never changes */
}

static size_t words_size(const struct segment *segment)
{
	return segment->geometry.control_size_bytes - SEGMENT_PAGE_SIZE;
}

static void peers_rewind(struct world *world)
{
	for (unsigned i = 0; i < N_INPUTS; i++)
		lane_out_rewind(&world->put[i]);
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		lane_in_rewind(&world->got[i]);
}

void world_copy(struct world *to, const struct world *from)
{
	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		memcpy(words_of(&to->slots[slot]), words_of(&from->slots[slot]), words_size(&to->slots[slot]));
		for (unsigned i = 0; i < 2; i++)
			if (to->data[slot][i])
				memcpy(to->data[slot][i], from->data[slot][i], LANE_SIZE);
	}
	to->peers = from->peers;
	peers_rewind(to);
}

bool world_same(const struct world *a, const struct world *b)
{
	const struct segment *left = &a->slots[SLOT_VICTIM], *right = &b->slots[SLOT_VICTIM];

	if (memcmp(words_of(left), words_of(right), words_size(left)))
		return false;
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		if (memcmp(a->data[SLOT_VICTIM][i], b->data[SLOT_VICTIM][i], LANE_SIZE))
			return false;
	return true;
}

uint64_t world_repair_key(const struct world *world)
{
	const struct segment *victim = &world->slots[SLOT_VICTIM];
	uint64_t key = hash_bytes(0, victim->hand, sizeof(*victim->hand));

	key = hash_bytes(key, victim->armed, sizeof(*victim->armed));
	key = hash_bytes(key, victim->cursor_switch, sizeof(*victim->cursor_switch));
	key = hash_bytes(key, victim->readers, N_INPUTS * sizeof(*victim->readers));
	key = hash_bytes(key, victim->writers, N_OUTPUTS * sizeof(*victim->writers));
	key = hash_mix(key, load_relaxed(&victim->record->state));
	if (load_relaxed(&victim->record->state))
		key = hash_bytes(key, victim->record->operations,
				 (N_INPUTS + N_OUTPUTS + 1) * sizeof(struct commit_operation));
	return key;
}

static void bind(struct world *world, struct worker *worker, struct segment slots[static N_SLOTS],
		 unsigned char *data[static N_SLOTS][2])
{
	struct segment *own = &slots[SLOT_VICTIM];

	*worker = (struct worker){ .own = own, .doorbell = world->doorbells[SLOT_VICTIM] };
	for (unsigned i = 0; i < N_INPUTS; i++)
		worker->in[i] = (struct lane_in){ .reader = &own->readers[i],
						  .peer = &slots[SLOT_PRODUCER].writers[i],
						  .index = i,
						  .data = data[SLOT_PRODUCER][i],
						  .capacity_bytes = LANE_SIZE };
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		worker->out[i] = (struct lane_out){ .writer = &own->writers[i],
						    .peer = &slots[SLOT_CONSUMER].readers[i],
						    .index = i,
						    .data = data[SLOT_VICTIM][i],
						    .capacity_bytes = LANE_SIZE,
						    .reserve_bytes = i ? 0 : (uint32_t)sizeof(struct item_header) };
	worker->producer =
		(struct doorbell_peer){ .armed = slots[SLOT_PRODUCER].armed, .fd = world->doorbells[SLOT_PRODUCER] };
	worker->consumer =
		(struct doorbell_peer){ .armed = slots[SLOT_CONSUMER].armed, .fd = world->doorbells[SLOT_CONSUMER] };
}

void world_bind(struct world *world, struct worker *worker)
{
	bind(world, worker, world->slots, world->data);
}

void world_attach(struct world *world, struct worker *worker)
{
	static struct segment slots[N_SLOTS];
	static unsigned char *data[N_SLOTS][2];

	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		enum segment_access access = slot == SLOT_VICTIM ? SEGMENT_WRITE : SEGMENT_READ;

		must_work(segment_attach(&slots[slot], world->fds[slot], &world->slots[slot].geometry, access),
			  "attach");
		for (unsigned i = 0; i < 2; i++)
			if (world->data[slot][i])
				must_work(lane_map(world->fds[slot], world->offsets[slot][i], LANE_SIZE, access, false,
						   &data[slot][i]),
					  "map");
	}
	bind(world, worker, slots, data);
}

/* ---- producer and consumer ---- */

static int put_one(struct world *world, unsigned input)
{
	struct lane_out *lane = &world->put[input];
	struct item_header header = { .size_bytes = 16 + (uint32_t)(world->peers.put[input] % 7) * 8,
				      .kind = ITEM_DATA,
				      .sequence = world->peers.put[input] };
	struct commit commit;
	void *place;
	int r = lane_out_reserve(lane, header.size_bytes, &place);

	if (r)
		return r;
	memset(place, 0xee, header.size_bytes);
	lane_out_push(lane, &header);
	commit_init(&commit, &world->slots[SLOT_PRODUCER]);
	commit_add_tail(&commit, lane);
	commit_publish(&commit);
	lane->tail = lane->built;
	world->peers.put[input]++;
	return 0;
}

static const char *check_item(struct world *world, unsigned output, const struct item_header *header, const void *place)
{
	struct peers *peers = &world->peers;
	struct payload payload = { 0 };

	if (header->kind == ITEM_RUN_END)
		return output || header->ticket != peers->next_ticket++ ?
			       "a run end is lost, repeated or out of order" :
			       NULL;
	if (header->size_bytes < 16 || header->size_bytes > sizeof(payload))
		return "an item has a size that none has";
	memcpy(&payload, place, header->size_bytes);
	if (payload.input >= N_INPUTS || header->size_bytes != payload_size(payload.sequence))
		return "an item's bytes are not what was sent";
	if (header->sequence != peers->got[output]++ * N_OUTPUTS + output)
		return "output sequence has a hole or a repetition";
	if (header->ticket != peers->next_ticket && !output)
		return "an item is in the wrong run";
	return payload.sequence != peers->next[output][payload.input]++ ? "an item is lost, repeated or out of order" :
									  NULL;
}

/* Takes what is visible, up to `limit` records from each output. *ret_closed: outputs at their end. */
static const char *get_some(struct world *world, unsigned limit, unsigned *ret_closed)
{
	*ret_closed = 0;
	for (unsigned i = 0; i < N_OUTPUTS; i++) {
		struct lane_in *lane = &world->got[i];
		struct item_header header;
		struct commit commit;
		const void *place;
		int r = 0;

		for (unsigned n = 0; n < limit && !(r = lane_in_peek(lane, &header, &place)); n++) {
			const char *wrong = check_item(world, i, &header, place);

			if (wrong)
				return wrong;
			lane_in_advance(lane, &header);
		}
		if (r == LANE_E_BROKEN)
			return "the consumer finds its lane broken";
		*ret_closed += r == LANE_E_CLOSED;
		commit_init(&commit, &world->slots[SLOT_CONSUMER]);
		commit_add_done(&commit, lane);
		commit_publish(&commit);
		lane->done = lane->next;
		lane_in_release(lane);
	}
	return NULL;
}

static const char *get_all(struct world *world, unsigned *ret_closed)
{
	return get_some(world, UINT_MAX, ret_closed);
}

const char *world_disturb(struct world *world)
{
	unsigned closed;
	const char *wrong = get_all(world, &closed);

	for (unsigned i = 0; i < N_INPUTS && !wrong; i++) {
		int r = 0;

		while (!load_relaxed(&world->put[i].writer->closed) && !r)
			r = put_one(world, i);
		if (r == LANE_E_BROKEN)
			wrong = "the producer finds its lane broken";
	}
	return wrong;
}

static void wipe(struct world *world, uint64_t position)
{
	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		memset(words_of(&world->slots[slot]), 0, words_size(&world->slots[slot]));
		doorbell_clear(world->doorbells[slot]);
		for (unsigned i = 0; i < 2; i++)
			if (world->data[slot][i])
				memset(world->data[slot][i], 0, LANE_SIZE);
	}
	for (unsigned i = 0; i < 2; i++) {
		store_release(&world->slots[SLOT_PRODUCER].writers[i].tail, position);
		store_release(&world->slots[SLOT_VICTIM].readers[i].done, position);
		store_release(&world->slots[SLOT_VICTIM].readers[i].free, position);
		store_release(&world->slots[SLOT_VICTIM].writers[i].tail, position);
		store_release(&world->slots[SLOT_CONSUMER].readers[i].done, position);
	}
	peers_rewind(world);
}

/* Runs the pipeline until inputs and outputs are full, then takes a little out. */
static void crowd(struct world *world)
{
	struct worker worker;
	unsigned closed;
	bool full = false;

	world_bind(world, &worker);
	worker_start(&worker);
	while (!full) {
		for (unsigned i = 0; i < N_INPUTS; i++)
			full |= put_one(world, i) != 0;
		worker_run(&worker, 2);
	}
	must_work(get_some(world, 6, &closed) ? -EINVAL : 0, "crowded preset");
}

void world_reset(struct world *world, const struct preset *preset)
{
	wipe(world, preset->position);
	world->peers = (struct peers){ .batch = preset->batch };
	if (preset->crowded)
		crowd(world);
	for (unsigned i = 0; i < N_INPUTS; i++) {
		for (unsigned n = 0; n < preset->items; n++)
			must_work(put_one(world, i), "preset");
		if (preset->closed)
			lane_out_close(&world->put[i]);
	}
	store_release(&world->slots[SLOT_CONSUMER].armed->word, 1 << 8 | ARM_DATA);
}

/* ---- the judge ---- */

/* Items that lie in two lanes; UINT64_MAX: they are no chain of records. */
static uint64_t census(const struct world *world, enum slot from, enum slot to)
{
	uint64_t sum = 0, items;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t tail = load_acquire(&world->slots[from].writers[i].tail),
			 done = load_acquire(&world->slots[to].readers[i].done);

		if (census_lane(world->data[from][i], LANE_SIZE, done, tail, &items))
			return UINT64_MAX;
		sum += items;
	}
	return sum;
}

static const char *check_suspect(const struct world *world, const struct repair_report *report)
{
	struct item_header header;

	if (!report->in_hand)
		return NULL;
	if (report->suspect_lane >= N_INPUTS)
		return "the suspect is in no lane";
	memcpy(&header, world->data[SLOT_PRODUCER][report->suspect_lane] + (report->suspect_position & (LANE_SIZE - 1)),
	       sizeof(header));
	return header.sequence != report->suspect_sequence ? "the suspect is not the item at its position" : NULL;
}

const char *world_repair(struct world *world)
{
	struct segment *victim = &world->slots[SLOT_VICTIM];
	const struct peers *peers = &world->peers;
	struct repair_report report;
	const struct cursor *cursor;

	if (repair_run(victim, &report))
		return "repair calls the record corrupt";
	if (load_relaxed(&victim->record->state) || load_relaxed(&victim->armed->word) ||
	    load_relaxed(&victim->hand->busy))
		return "repair left the record, the hand or the armed word";
	cursor = cursor_current(victim);
	if (cursor->ledger[LEDGER_TAKEN] + census(world, SLOT_PRODUCER, SLOT_VICTIM) != peers->put[0] + peers->put[1])
		return "ledger: taken and waiting are not what was put in";
	if (cursor->ledger[LEDGER_EMITTED] != peers->got[0] + peers->got[1] + census(world, SLOT_VICTIM, SLOT_CONSUMER))
		return "ledger: emitted is not what was taken out and what is waiting";
	if (cursor->ledger[LEDGER_EMITTED] != N_OUTPUTS * cursor->ledger[LEDGER_TAKEN] ||
	    cursor->sequence != cursor->ledger[LEDGER_EMITTED])
		return "ledger: the state is not one between two turns";
	for (unsigned i = 0; i < CURSOR_STAGE_SIZE; i++)
		if (cursor->stage[i] != (cursor->ledger[LEDGER_TAKEN] & 0xff))
			return "the stage's cursor is torn, or of another turn than the ledger";
	return check_suspect(world, &report);
}

static const char *check_end(struct world *world)
{
	const struct peers *peers = &world->peers;
	const struct cursor *cursor = cursor_current(&world->slots[SLOT_VICTIM]);
	uint64_t put = peers->put[0] + peers->put[1];

	for (unsigned output = 0; output < N_OUTPUTS; output++)
		for (unsigned input = 0; input < N_INPUTS; input++)
			if (peers->next[output][input] != peers->put[input])
				return "an item never arrived";
	if (cursor->ledger[LEDGER_TAKEN] != put || cursor->ledger[LEDGER_EMITTED] != N_OUTPUTS * put ||
	    !cursor->finished)
		return "the final ledger does not balance";
	return peers->next_ticket != cursor->outputs[0].ticket ? "a run end never arrived" : NULL;
}

const char *world_judge(struct world *world)
{
	const char *wrong = world_repair(world);
	unsigned closed = 0, more = 3;
	struct worker worker;

	if (wrong)
		return wrong;
	world_bind(world, &worker);
	worker_start(&worker);
	for (unsigned round = 0; round < ROUNDS_MAX && closed < N_OUTPUTS; round++) {
		if (worker_run(&worker, world->peers.batch) == WORKER_BROKEN)
			return "the next generation finds a lane broken";
		wrong = get_all(world, &closed);
		if (wrong)
			return wrong;
		for (unsigned i = 0; i < N_INPUTS; i++) {
			if (load_relaxed(&world->put[i].writer->closed))
				continue;
			if (!more)
				lane_out_close(&world->put[i]);
			else if (put_one(world, i))
				return "the next generation does not give room back";
		}
		more -= more > 0;
	}
	return closed < N_OUTPUTS ? "the stream never ends" : check_end(world);
}
