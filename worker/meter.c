/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring without a clock for each item.
 *
 *      producer                                        consumer
 *      every now and then, before a commit:            in a measured turn:
 *      mark = (tail, now) of the lane          --->    is the mark among what was taken?  waiting = begin of the turn - mark
 *                                                      is it ahead?                       follow it until its turn comes
 *
 *      turn    begin ......... stage ......... end     processing = (end - begin - asleep for room) / items
 *                                                      end to end = end - when the source took the last of them in
 *
 * A clock costs some 25 ns, and so as much as a small item. So a turn is measured only if the last measured one is long ago: fast stages
 * have one of up to 256 turns measured, and a sample stands for all items since the one before. Where an item takes PLENTY_NS each is
 * measured, and stands for itself. The same for marks, which cost their reader a cache line of another processor: it looks for one only
 * when it reads the clock, and keeps the one that it has found until it has come to it, however many are written meanwhile. So a
 * lane that holds much is measured as often as it is emptied, and its samples stand for as much more.
 *
 * What a stage holds (WEIR_HELD) has not ended: some of those items are followed, too, and have when as many are settled as were held
 * with them.
 * A stage with flush() does its work there, for all items of a turn together: so its turn ends behind that. Asynchronous stages have many
 * items at a time: each is measured, by the clock of the turns in which it was given and ended.
 */
#include "worker/meter.h"

#include "common/base/clock.h"
#include "worker/worker.h"

#ifndef WEIR_METER /* 0: only in bench/, to see what it costs */
#define WEIR_METER 1
#endif

#define STRIDE_MAX 256u
#define GAP_MIN_NS (32 * NS_PER_US) /* between two clocks: what costs 0.1 µs then costs less than half a percent */
#define GAP_MAX_NS (256 * NS_PER_US)
#define PLENTY_NS (20 * NS_PER_US) /* an item that takes so long is worth a clock ... */
#define SCARCE_NS (10 * NS_PER_US) /* ... until it takes less than this */
#define NEAR_BYTES 8192u           /* the turn that comes to a mark is measured: some 64 small items */

/* ---- which are measured ---- */

static void pace_step(struct pace *pace, uint64_t now_ns)
{
	uint64_t gap_ns = now_ns - pace->last_ns;

	if (gap_ns < GAP_MIN_NS && pace->stride < STRIDE_MAX)
		pace->stride *= 2;
	else if (gap_ns > GAP_MAX_NS && pace->stride > 1)
		pace->stride /= 2;
	pace->left = pace->stride - 1;
	pace->last_ns = now_ns;
}

static uint64_t items_taken(const struct worker *worker)
{
	return worker->cursor.ledger[LEDGER_TAKEN];
}

/* What the stage holds may be here for long. */
static uint64_t items_ended(const struct worker *worker)
{
	return items_taken(worker) - worker->cursor.ledger[LEDGER_HELD];
}

void meter_attach(struct worker *worker)
{
	struct meter *meter = &worker->meter;

	for (uint32_t i = 0; i < worker->segment.geometry.n_writers; i++)
		store_relaxed(&worker->segment.observed->lanes[i].mark_check, 0);
	if (!WEIR_METER)
		return;
	meter->turns.stride = meter->marks.stride = 1;
	meter->n_begun = items_taken(worker);
	for (uint32_t i = 0; i < HISTOGRAM_COUNT; i++)
		meter->n_told[i] = i == HISTOGRAM_WAITING ? items_taken(worker) : items_ended(worker);
}

/* ---- marks ---- */

static void mark_lane(struct worker *worker, const struct lane_out *lane, uint64_t now_ns)
{
	struct lane_observed *observed = &worker->segment.observed->lanes[lane->index];

	store_relaxed(&observed->mark_position, lane->tail);
	store_relaxed(&observed->mark_ns, now_ns);
	store_relaxed(&observed->mark_check, lane->tail ^ now_ns);
}

void meter_mark(struct worker *worker)
{
	uint64_t now_ns = 0;

	if (!pace_is_due(&worker->meter.marks))
		return;
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			const struct output_lane *lane = &worker->outputs[i].lanes[j];

			if (!lane->touched || lane->lane.built == lane->lane.tail)
				continue;
			now_ns = now_ns ? now_ns : clock_now_ns();
			mark_lane(worker, &lane->lane, now_ns);
		}
	if (now_ns)
		pace_step(&worker->meter.marks, now_ns);
}

/* The mark of the lane's producer, if it makes sense. */
static bool read_mark(const struct input_lane *from, uint64_t *ret_position, uint64_t *ret_ns)
{
	const struct segment *segment = &from->peer->segment;
	const struct lane_observed *observed = &segment->observed->lanes[from->lane.peer - segment->writers];
	uint64_t check = load_relaxed(&observed->mark_check);

	*ret_position = load_relaxed(&observed->mark_position);
	*ret_ns = load_relaxed(&observed->mark_ns);
	return check && check == (*ret_position ^ *ret_ns);
}

/* ---- samples ---- */

/* Of n items ever; the sample stands for those since the one before. */
static void tell(struct worker *worker, enum histogram_id id, uint64_t ns, uint64_t n)
{
	uint64_t *told = &worker->meter.n_told[id];

	if (n <= *told)
		return;
	histogram_add(&worker->segment.observed->histograms[id], ns, n - *told);
	*told = n;
}

static uint64_t since_ns(uint64_t from_ns, uint64_t now_ns)
{
	return now_ns > from_ns ? now_ns - from_ns : 0;
}

static bool has_come_to_mark(const struct meter *meter)
{
	return meter->followed.lane && meter->followed.lane->lane.next > meter->followed.position;
}

static bool is_near_mark(const struct meter *meter)
{
	return meter->followed.lane && meter->followed.position - meter->followed.lane->lane.next < NEAR_BYTES;
}

/* What was taken up to now was begun at begun_ns. Looks for the next mark only if that is worth a line of another processor. */
static void look_at_marks(struct worker *worker, uint64_t begun_ns, uint64_t n_taken)
{
	struct meter *meter = &worker->meter;
	uint64_t position, when_ns;

	if (has_come_to_mark(meter)) {
		tell(worker, HISTOGRAM_WAITING, since_ns(meter->followed.when_ns, begun_ns), n_taken);
		meter->followed.lane = NULL;
	}
	if (meter->followed.lane || !meter->lane || !read_mark(meter->lane, &position, &when_ns))
		return;
	if (position >= meter->lane->lane.next) {
		meter->followed.lane = meter->lane;
		meter->followed.position = position;
		meter->followed.when_ns = when_ns;
	} else if (position >= meter->lane->lane.done) {
		tell(worker, HISTOGRAM_WAITING, since_ns(when_ns, begun_ns), n_taken);
	}
}

static uint64_t blocked_ns(const struct worker *worker)
{
	return load_relaxed(&worker->segment.counters->values[COUNTER_WAIT_SPACE_NS]);
}

static void begin(struct worker *worker, uint64_t now_ns)
{
	struct meter *meter = &worker->meter;

	meter->begun_ns = now_ns;
	meter->blocked_ns = blocked_ns(worker);
	meter->n_begun = items_taken(worker);
	meter->n_ended = items_ended(worker);
}

void meter_turn_begin_measured(struct worker *worker)
{
	begin(worker, clock_now_ns());
}

void meter_turn_begin(struct worker *worker)
{
	struct meter *meter = &worker->meter;

	meter->begun_ns = 0;
	if (pace_is_due(&meter->turns) || meter->each || is_near_mark(meter))
		meter_turn_begin_measured(worker);
}

#define HELD_OF_A_TURN 8u

static void follow_held(struct worker *worker, uint64_t until)
{
	struct meter *meter = &worker->meter;

	if (meter->n_held == METER_HELD_MAX)
		return;
	meter->held[(meter->held_first + meter->n_held++) % METER_HELD_MAX] = (struct held_item){
		.until = until, .since_ns = meter->begun_ns, .accepted_ns = worker->context.accepted_ns
	};
}

/* n more are held than before: follows some of them, far from each other, and the last. They leave in order, or it is as good as that. */
static void follow_some(struct worker *worker, uint64_t n)
{
	uint64_t before = worker->meter.n_settled + worker->cursor.ledger[LEDGER_HELD] - n,
		 n_followed = n < HELD_OF_A_TURN ? n : HELD_OF_A_TURN;

	for (uint64_t i = 1; i <= n_followed; i++)
		follow_held(worker, before + n * i / n_followed);
}

/* The items since begin() have ended, or are held. Returns how long each took, 0 if there were none. */
static uint64_t end(struct worker *worker, uint64_t now_ns)
{
	struct meter *meter = &worker->meter;
	uint64_t n = items_taken(worker) - meter->n_begun, n_ended = items_ended(worker), each_ns;

	if (!n)
		return 0;
	each_ns = since_ns(meter->begun_ns + (blocked_ns(worker) - meter->blocked_ns), now_ns) / n;
	if (n_ended > meter->n_ended) {
		tell(worker, HISTOGRAM_PROCESSING, each_ns, n_ended);
		tell(worker, HISTOGRAM_END_TO_END, since_ns(worker->context.accepted_ns, now_ns), n_ended);
	}
	if (n_ended - meter->n_ended < n)
		follow_some(worker, n - (n_ended - meter->n_ended));
	return each_ns ? each_ns : 1;
}

void meter_turn_taken(struct worker *worker)
{
	const struct meter *meter = &worker->meter;
	uint64_t n_taken = items_taken(worker);

	if (meter->begun_ns && n_taken > meter->n_begun)
		look_at_marks(worker, meter->begun_ns, n_taken);
	else if (has_come_to_mark(meter))
		look_at_marks(worker, clock_now_ns(), n_taken);
}

bool meter_item_end(struct worker *worker)
{
	struct meter *meter = &worker->meter;
	uint64_t now_ns, took_ns;

	if (!meter->each || !meter->begun_ns)
		return false;
	meter_turn_taken(worker);
	now_ns = clock_now_ns();
	took_ns = end(worker, now_ns);
	if (took_ns)
		begin(worker, now_ns);
	meter->each = !took_ns || took_ns >= SCARCE_NS;
	return true;
}

void meter_turn_end(struct worker *worker)
{
	struct meter *meter = &worker->meter;
	uint64_t begun_ns = meter->begun_ns, took_ns;

	if (!begun_ns)
		return;
	took_ns = end(worker, clock_now_ns());
	meter->begun_ns = 0;
	if (took_ns)
		pace_step(&meter->turns, begun_ns);
	meter->each = meter->each || (took_ns >= PLENTY_NS && !worker->stage.flush);
}

void meter_settled(struct worker *worker, uint64_t n)
{
	struct meter *meter = &worker->meter;
	uint64_t now_ns = 0;

	meter->n_settled += n;
	while (meter->n_held && meter->held[meter->held_first].until <= meter->n_settled) {
		const struct held_item *held = &meter->held[meter->held_first];
		uint64_t n_ended = items_ended(worker) - (meter->n_settled - held->until);

		now_ns = now_ns ? now_ns : clock_now_ns();
		tell(worker, HISTOGRAM_PROCESSING, since_ns(held->since_ns, now_ns), n_ended);
		tell(worker, HISTOGRAM_END_TO_END, since_ns(held->accepted_ns, now_ns), n_ended);
		meter->held_first = (meter->held_first + 1) % METER_HELD_MAX;
		meter->n_held--;
	}
}

/* ---- asynchronous stages ---- */

uint64_t meter_given(struct worker *worker, const struct input_lane *lane)
{
	struct meter *meter = &worker->meter;
	uint64_t now_ns;

	if (!meter->turns.stride || !lane)
		return 0;
	now_ns = worker_now_ns(worker);
	meter->lane = lane;
	look_at_marks(worker, now_ns, ++meter->n_begun);
	return now_ns;
}

void meter_ended(struct worker *worker, uint64_t given_ns, uint64_t accepted_ns, bool at_once)
{
	struct segment_observed *observed = worker->segment.observed;

	if (!given_ns)
		return;
	if (at_once)
		worker->now_ns = clock_now_ns();
	histogram_add(&observed->histograms[HISTOGRAM_PROCESSING], since_ns(given_ns, worker_now_ns(worker)), 1);
	histogram_add(&observed->histograms[HISTOGRAM_END_TO_END], since_ns(accepted_ns, worker_now_ns(worker)), 1);
}

/* ---- sleeps ---- */

void meter_unblocked(struct worker *worker, uint64_t now_ns)
{
	const struct segment_status *status = worker->segment.status;
	uint32_t lane = load_relaxed(&status->wait_lane);
	atomic_u64 *blocked;

	if (!(load_relaxed(&status->wait_for) & (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT)) ||
	    lane >= worker->segment.geometry.n_writers)
		return;
	blocked = &worker->segment.observed->lanes[lane].blocked_ns;
	store_relaxed(blocked, load_relaxed(blocked) + since_ns(load_relaxed(&status->since_ns), now_ns));
}
