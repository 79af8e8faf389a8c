/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane is a byte ring with one producer and one consumer, each a process, and three positions that only ever grow:
 *
 *      consumer's segment            producer's segment        private to the producer
 *      free  <=  done            <=  tail                  <=  built
 *        |         |  taken, not       |   built, not            |
 *        |         |  yet committed    |   yet committed         |
 *        v         v                   v                         v
 *      --+---------+------ [next) -----+-------------------------+--------> position (64 bits, never wraps back)
 *        \_________________ at most capacity _________________/
 *
 * A position p lies at data[p & (capacity - 1)]; the data is mapped twice, so no record is ever cut. `tail` and
 * `done` move in commits only (commit.c); `free` follows `done` without a record, because it may lag: whoever attaches
 * or repairs computes it again.
 *
 * What the peer writes is another process's word: each number is loaded once and checked against private positions
 * before it is used. A number that makes no sense breaks the lane, never this process.
 *
 * Both ends keep the peer's last position in private memory and look at its cache line again only when that says
 * "full" or "empty". In small lanes the consumer runs at a quarter of its speed unless it prefetches ahead; past the
 * tail the prefetch would steal lines that the producer is writing.
 */
#include "common/flow/lane.h"

#include <string.h>

#include "common/base/must.h"
#include "common/base/prefetch.h"
#include "common/base/words.h"

void lane_out_rewind(struct lane_out *lane)
{
	lane->tail = load_relaxed(&lane->writer->tail);
	lane->built = lane->tail;
	lane->free_cached = load_acquire(&lane->peer->free); /* [L2] mate: lane_in_release */
}

void lane_in_rewind(struct lane_in *lane)
{
	lane->done = load_relaxed(&lane->reader->done);
	lane->next = lane->done;
	lane->tail_cached = lane->done;
	lane_in_release(lane);
}

uint64_t lane_payload_max(uint64_t capacity_bytes)
{
	return capacity_bytes / 2;
}

/* The consumer's `free` lies between what it last was and the tail that it could see, a capacity behind it at most. */
static int refresh_free(struct lane_out *lane)
{
	uint64_t now = load_acquire(&lane->peer->free); /* [L2] mate: lane_in_release */

	if (now - lane->free_cached > lane->tail - lane->free_cached || lane->tail - now > lane->capacity_bytes)
		return LANE_E_BROKEN;
	if (lane->held && (int64_t)(lane->held_from - now) < 0)
		now = lane->held_from;
	lane->free_cached = now;
	return 0;
}

static uint64_t room_cached(const struct lane_out *lane)
{
	uint64_t used = lane->built - lane->free_cached;

	return used < lane->capacity_bytes ? lane->capacity_bytes - used : 0;
}

static int make_room(struct lane_out *lane, uint64_t need_bytes)
{
	int r;

	if (room_cached(lane) >= need_bytes)
		return 0;
	r = refresh_free(lane);
	if (r)
		return r;
	return room_cached(lane) >= need_bytes ? 0 : LANE_E_FULL;
}

static unsigned char *place_of(const struct lane_out *lane, uint64_t position)
{
	return lane->data + (position & (lane->capacity_bytes - 1));
}

int lane_out_reserve(struct lane_out *lane, uint64_t payload_bytes, void **ret_payload)
{
	int r;

	if (payload_bytes > lane_payload_max(lane->capacity_bytes))
		return LANE_E_TOO_LARGE;
	r = make_room(lane, item_record_size(payload_bytes) + lane->reserve_bytes);
	if (r)
		return r;
	*ret_payload = place_of(lane, lane->built) + sizeof(struct item_header);
	return 0;
}

void lane_out_push(struct lane_out *lane, const struct item_header *header)
{
	uint64_t size_bytes = item_record_size(header->size_bytes);

	must(size_bytes <= room_cached(lane));
	words_copy(place_of(lane, lane->built), header, sizeof(*header));
	lane->built += size_bytes;
	/* The lines of the next record, while nobody waits for them. */
	if (room_cached(lane) >= 2 * LANE_LINE_BYTES) {
		prefetch_to_write(place_of(lane, lane->built));
		prefetch_to_write(place_of(lane, lane->built) + LANE_LINE_BYTES);
	}
}

int lane_out_push_run_end(struct lane_out *lane, uint64_t ticket)
{
	const struct item_header header = { .kind = ITEM_RUN_END, .ticket = ticket };
	int r = make_room(lane, sizeof(header));

	if (r)
		return r;
	lane_out_push(lane, &header);
	return 0;
}

uint64_t lane_out_room(struct lane_out *lane, bool refresh)
{
	uint64_t room;

	if (refresh && refresh_free(lane))
		return 0;
	room = room_cached(lane);
	return room > lane->reserve_bytes ? room - lane->reserve_bytes : 0;
}

uint64_t lane_out_load(const struct lane_out *lane)
{
	uint64_t load = lane->built - load_relaxed(&lane->peer->done); /* a hint: orders nothing */

	return load < lane->capacity_bytes ? load : lane->capacity_bytes;
}

void lane_out_close(struct lane_out *lane)
{
	store_release(&lane->writer->closed, LANE_CLOSED_CLEAN); /* [L3] mate: lane_in_refresh */
}

void lane_out_lose(struct lane_out *lane)
{
	if (load_relaxed(&lane->writer->closed) == LANE_OPEN)
		store_release(&lane->writer->closed, LANE_CLOSED_LOST); /* [L3] mate: lane_in_refresh */
}

/*
 * Looks at the producer's line. `closed` is loaded before `tail`: it was stored after the last tail, so whoever sees
 * it sees that tail too, and "closed and nothing left" can't hide a last item.
 */
int lane_in_refresh(struct lane_in *lane)
{
	uint32_t closed = load_acquire(&lane->peer->closed); /* [L3] mate: lane_out_close */
	uint64_t tail = load_acquire(&lane->peer->tail);     /* [L1] mate: commit_store */

	if (tail - lane->done > lane->capacity_bytes || tail - lane->next > lane->capacity_bytes ||
	    tail % ITEM_ALIGNMENT)
		return LANE_E_BROKEN;
	lane->tail_cached = tail;
	if (tail != lane->next) {
		/* Most records reach into a second line, which would be asked for only when the first has come. */
		prefetch_to_read(lane->data + (lane->next & (lane->capacity_bytes - 1)) + LANE_LINE_BYTES);
		return 0;
	}
	return lane_end(closed);
}

/* The word with the fields that are checked is loaded once: what was checked is what is used. */
static inline struct item_header copy_header(const unsigned char *record)
{
	uint64_t word = load_relaxed((const atomic_u64 *)record);
	struct item_header header;

	static_assert(offsetof(struct item_header, sequence) == sizeof(word), "size, kind and flags share a word");
	memcpy(&header, &word, sizeof(word));
	memcpy((unsigned char *)&header + sizeof(word), record + sizeof(word), sizeof(header) - sizeof(word));
	return header;
}

int lane_in_peek(struct lane_in *lane, struct item_header *ret_header, const void **ret_payload)
{
	uint64_t mask = lane->capacity_bytes - 1, left;
	const unsigned char *record;
	struct item_header header;

	if (lane->next == lane->tail_cached) {
		int r = lane_in_refresh(lane);

		if (r)
			return r;
	}
	left = lane->tail_cached - lane->next;
	if (left < sizeof(header))
		return LANE_E_BROKEN;
	record = lane->data + (lane->next & mask);
	lane_prefetch(record, left);
	header = copy_header(record);
	if (item_record_size(header.size_bytes) > left || !item_makes_sense(&header))
		return LANE_E_BROKEN;
	*ret_header = header;
	*ret_payload = record + sizeof(header);
	return 0;
}

bool lane_in_release(struct lane_in *lane)
{
	uint64_t before = load_relaxed(&lane->reader->free), now = lane->done;

	if (lane->held && (int64_t)(lane->held_from - now) < 0)
		now = lane->held_from;
	if (before == now)
		return false;
	store_release(&lane->reader->free, now); /* [L2] mate: refresh_free */
	return true;
}

uint64_t lane_in_room(const struct lane_in *lane)
{
	uint64_t used = lane->tail_cached - load_relaxed(&lane->reader->free);

	return used < lane->capacity_bytes ? lane->capacity_bytes - used : 0;
}
