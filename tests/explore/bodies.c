/* SPDX-License-Identifier: Apache-2.0 */
/* Small workers over the real lanes: what worker/turn.c does, without stages and without sleep. Compiled with all accesses watched. */
#include <string.h>

#include "common/observe/ledger.h"
#include "tests/explore/world.h"

struct body {
	struct segment *segment;
	struct lane_in in;
	struct lane_out out;
	bool takes, puts;
	unsigned slot, n_open; /* items in this turn */
	struct commit commit;
	struct cursor cursor;
};

static struct body bodies[SLOTS];

void item_fill(uint64_t *payload, uint64_t sequence)
{
	for (unsigned i = 0; i < WORDS_OF_PAYLOAD; i++)
		payload[i] = (sequence + 1) * UINT64_C(0x0101010101010101) + i;
}

void item_check(const struct item_header *header, const void *payload, uint64_t sequence)
{
	uint64_t expected[WORDS_OF_PAYLOAD], found[WORDS_OF_PAYLOAD];

	item_fill(expected, sequence);
	memcpy(found, payload, sizeof(found));
	if (header->sequence != sequence)
		explore_fail("an item is lost, repeated or out of order");
	if (header->size_bytes != sizeof(found) || memcmp(expected, found, sizeof(found)))
		explore_fail("an item's bytes are not what was sent");
}

static struct body *begin(unsigned slot, bool takes, bool puts)
{
	struct body *body = &bodies[slot];

	*body = (struct body){ .segment = &world_segments[slot], .slot = slot, .takes = takes, .puts = puts };
	if (takes)
		body->in = world_lane_in(slot);
	if (puts)
		body->out = world_lane_out(slot);
	body->cursor = *cursor_current(body->segment);
	commit_init(&body->commit, body->segment);
	return body;
}

static void commit(struct body *body)
{
	if (!body->n_open)
		return;
	memset(body->cursor.stage, (int)body->cursor.sequence, sizeof(body->cursor.stage));
	if (body->puts)
		commit_add_tail(&body->commit, &body->out);
	commit_add_cursor(&body->commit, &body->cursor);
	if (body->takes)
		commit_add_done(&body->commit, &body->in);
	commit_publish(&body->commit);
	body->n_open = 0;
	if (body->puts)
		body->out.tail = body->out.built;
	if (!body->takes)
		return;
	body->in.done = body->in.next;
	lane_in_release(&body->in);
}

static void count(struct body *body)
{
	body->cursor.sequence++;
	if (body->takes)
		body->cursor.ledger[LEDGER_TAKEN]++;
	if (++body->n_open == world_settings.batch)
		commit(body);
}

/* Room for one item: its payload's place. */
static void *reserve(struct body *body)
{
	void *place;

	for (;;) {
		int r = lane_out_reserve(&body->out, WORDS_OF_PAYLOAD * 8, &place);

		if (!r)
			return place;
		if (r != LANE_E_FULL)
			explore_fail("the producer finds its lane broken");
		if (body->n_open)
			commit(body);
		else
			explore_pause((const void *[]){ &body->out.peer->free }, 1);
	}
}

static void push(struct body *body)
{
	const struct item_header header = { .size_bytes = WORDS_OF_PAYLOAD * 8,
					    .kind = ITEM_DATA,
					    .sequence = body->cursor.sequence };

	lane_out_push(&body->out, &header);
}

void produce(unsigned slot)
{
	struct body *body = begin(slot, false, true);

	while (body->cursor.sequence < world_settings.items) {
		item_fill(reserve(body), body->cursor.sequence);
		push(body);
		count(body);
	}
	commit(body);
	lane_out_close(&body->out);
}

/* Takes until the lane is closed; passes each item on if this slot also puts. */
static void take_all(struct body *body)
{
	for (;;) {
		struct item_header header;
		const void *payload;
		int r = lane_in_peek(&body->in, &header, &payload);

		if (r == LANE_E_CLOSED)
			break;
		if (r == LANE_E_BROKEN)
			explore_fail("the consumer finds its lane broken");
		if (r == LANE_E_EMPTY && body->n_open) {
			commit(body);
			continue;
		}
		if (r == LANE_E_EMPTY) {
			explore_pause((const void *[]){ &body->in.peer->tail, &body->in.peer->closed }, 2);
			continue;
		}
		item_check(&header, payload, body->cursor.sequence);
		if (body->puts) {
			memcpy(reserve(body), payload, header.size_bytes);
			push(body);
		}
		lane_in_advance(&body->in, &header);
		count(body);
	}
	commit(body);
}

void relay(unsigned slot)
{
	struct body *body = begin(slot, true, true);

	take_all(body);
	lane_out_close(&body->out);
}

void consume(unsigned slot)
{
	take_all(begin(slot, true, false));
}

static unsigned victim; /* of the repair that is going on */

static void repair(unsigned slot)
{
	struct repair_report report;

	if (repair_run(&world_segments[slot], &report))
		explore_fail("the repair finds the record corrupt");
	world_check_repaired(slot);
}

void supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(7)) >= 0) {
		victim = (unsigned)dead;
		explore_killable(true);
		repair(victim);
		explore_killable(false);
		explore_spawn(victim);
	}
}

void supervise_again(unsigned thread)
{
	if (explore_wait_death(1u << (thread - 1)) < 0)
		return;
	repair(victim);
	explore_spawn(victim);
}
