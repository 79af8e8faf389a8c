/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last look, when every process is gone and every dead one repaired: what lies in the lanes, and where everything else
 * went. The lanes' bytes were written by workers, so they are read through a read-only mapping and believed in nothing.
 */
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"
#include "common/flow/commit.h"

static int count_lane(const struct supervisor *supervisor, const struct plan_lane *lane, uint64_t *ret_items)
{
	const struct seat *producer = &supervisor->seats[lane->producer],
			  *consumer = &supervisor->seats[lane->consumer];
	uint64_t tail = load_acquire(&producer->segment.writers[lane->writer_index].tail); /* [L1] mate: commit_store */
	uint64_t done = load_acquire(&consumer->segment.readers[lane->reader_index].done); /* [L4] mate: commit_store */
	unsigned char *data;
	int r;

	*ret_items = 0;
	if (supervisor->plan->stages[supervisor->plan->edges[lane->edge].to].full == HERITAGE_FULL_DROP_OLD) {
		/* What was overwritten and not yet counted is among them. [L1] [L4] */
		*ret_items = load_acquire(&producer->segment.writers[lane->writer_index].tail_ordinal) -
			     load_acquire(&consumer->segment.readers[lane->reader_index].done_ordinal);
		return 0;
	}
	if (tail == done)
		return 0;
	if (tail - done > lane->capacity_bytes)
		return REPAIR_E_CORRUPT;
	r = lane_map(producer->segment_read_fd, lane->off_data, lane->capacity_bytes, SEGMENT_READ, false, &data);
	if (r < 0)
		return error_trace(r);
	r = census_lane_with_bits(data, lane->capacity_bytes, done, tail,
				  consumer->segment.done_bits ? &consumer->segment.done_bits[lane->reader_index] : NULL,
				  ret_items);
	lane_unmap(data, lane->capacity_bytes);
	return r;
}

void seat_ledger(const struct seat *seat, uint64_t ret_ledger[LEDGER_COUNT])
{
	struct cursor cursor;

	if (seat->life->quarantined || cursor_snapshot(&seat->segment, &cursor) != 0)
		memset(ret_ledger, 0,
		       LEDGER_COUNT * sizeof(ret_ledger[0])); /* faster than we are: the next look has it */
	else
		memcpy(ret_ledger, cursor.ledger, LEDGER_COUNT * sizeof(ret_ledger[0]));
}

void supervisor_sum_ledger(const struct supervisor *supervisor, uint64_t ret_ledger[LEDGER_COUNT])
{
	uint64_t ledger[LEDGER_COUNT];

	memset(ret_ledger, 0, LEDGER_COUNT * sizeof(ret_ledger[0]));
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		seat_ledger(&supervisor->seats[i], ledger);
		for (uint32_t line = 0; line < LEDGER_COUNT; line++)
			ret_ledger[line] += ledger[line];
	}
}

void supervisor_count(struct supervisor *supervisor, struct outcome *outcome)
{
	*outcome = (struct outcome){ 0 };
	supervisor_sum_ledger(supervisor, outcome->ledger);
	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];
		uint64_t items;
		int r = count_lane(supervisor, lane, &items);

		outcome->in_lanes += items;
		if (r == 0)
			continue;
		outcome->corrupt = true;
		supervisor_log(
			supervisor, WEIR_LOG_ERROR, "the lane %s#%u -> %s#%u can't be counted: %s",
			supervisor->seats[lane->producer].stage->name, supervisor->seats[lane->producer].worker_index,
			supervisor->seats[lane->consumer].stage->name, supervisor->seats[lane->consumer].worker_index,
			r < 0 ? strerrordesc_np(-r) : "its bytes are no chain of records");
	}
	if (!outcome_balanced(outcome))
		supervisor_log(
			supervisor, WEIR_LOG_ERROR,
			"the ledger does not balance: emitted %llu, replayed %llu, taken %llu, dropped or refused %llu, in lanes %llu",
			(unsigned long long)outcome->ledger[LEDGER_EMITTED],
			(unsigned long long)outcome->ledger[LEDGER_REPLAYED],
			(unsigned long long)outcome->ledger[LEDGER_TAKEN],
			(unsigned long long)ledger_skipped(outcome->ledger), (unsigned long long)outcome->in_lanes);
}
