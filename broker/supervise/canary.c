/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first new worker of a stage at a reload, held against what its spec says:
 *
 *      errors      refused + expired + dead letters, of all that it took in (a source: of all that it read)
 *      latency     time in which it waited neither for input nor for room, for each item
 *      health      broker/lifecycle/reload.c: who dies, is late or says that it can't go on
 *
 * All of it stands in the segment anyway; nothing is measured for this. A worker that is killed meanwhile begins anew.
 */
#include "broker/supervise/canary.h"

#include <inttypes.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/observe/counters.h"
#include "common/observe/worker_state.h"

#define FAIR_ITEMS_FOR_ERRORS 100u
#define FAIR_ITEMS_FOR_TIME 20u
#define BILLION UINT64_C(1000000000)

/* ---- the judgement ---- */

static uint64_t at_least(uint64_t items, uint64_t fair, bool is_over)
{
	if (items < fair && !is_over)
		return fair;
	return items ? items : 1;
}

enum canary_verdict canary_verdict_of(const struct canary_limits *limits, const struct canary_sight *sight,
				      bool is_over)
{
	double of_errors = (double)at_least(sight->items, FAIR_ITEMS_FOR_ERRORS, is_over),
	       of_time = (double)at_least(sight->items, FAIR_ITEMS_FOR_TIME, is_over);

	if ((double)sight->errors * (double)BILLION > (double)limits->errors * of_errors)
		return CANARY_ERRORS;
	if (limits->latency_ns && (double)sight->working_ns > (double)limits->latency_ns * of_time)
		return CANARY_SLOW;
	return CANARY_WITHIN;
}

void canary_explain(enum canary_verdict verdict, const struct canary_limits *limits, const struct canary_sight *sight,
		    struct text *text)
{
	char each[QUANTITY_TEXT_SIZE], limit[QUANTITY_TEXT_SIZE];

	if (verdict == CANARY_ERRORS)
		text_printf(text,
			    "went first, and has failed with %" PRIu64 " of %" PRIu64
			    " items, more than %.4g %% (canary)",
			    sight->errors, sight->items, (double)limits->errors / (double)BILLION * 100);
	else if (verdict == CANARY_SLOW)
		text_printf(text, "went first, and took %s for each of %" PRIu64 " items, more than %s (canary)",
			    quantity_format_duration(sight->working_ns / (sight->items ? sight->items : 1), each),
			    sight->items, quantity_format_duration(limits->latency_ns, limit));
}

/* ---- what is seen ---- */

/* Its worker may be writing: what is read is about now. */
static uint64_t waited_ns(const struct seat *seat, uint64_t now_ns)
{
	const struct segment_counters *counters = seat->segment.counters;
	unsigned state = load_acquire(&seat->segment.status->state); /* [S3] mate: worker_set_state_at */
	uint64_t since_ns = load_relaxed(&seat->segment.status->since_ns);
	bool waits = (state == WORKER_STATE_WAIT_DATA || state == WORKER_STATE_WAIT_SPACE) && since_ns < now_ns;

	return load_relaxed(&counters->values[COUNTER_WAIT_DATA_NS]) +
	       load_relaxed(&counters->values[COUNTER_WAIT_SPACE_NS]) + (waits ? now_ns - since_ns : 0);
}

static struct canary_base stands_at(const struct seat *seat)
{
	uint64_t now_ns = clock_now_ns(), ledger[LEDGER_COUNT];

	seat_ledger(seat, ledger);
	return (struct canary_base){ .items = ledger[LEDGER_ACCEPTED] + ledger[LEDGER_REJECTED_OUT] +
					      ledger[LEDGER_TAKEN],
				     .errors = ledger[LEDGER_REJECTED_OUT] + ledger[LEDGER_REJECTED_IN] +
					       ledger[LEDGER_DEAD_LETTERED] + ledger[LEDGER_EXPIRED],
				     .waited_ns = waited_ns(seat, now_ns),
				     .at_ns = now_ns,
				     .generation = seat->generation };
}

static uint64_t more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

void canary_begin(struct seat *seat)
{
	seat->canary = stands_at(seat);
}

static enum canary_verdict look_at(struct seat *seat, bool is_over, struct text *why)
{
	const struct canary_limits limits = { seat->stage->canary_errors, seat->stage->canary_latency_ns };
	struct canary_base now = stands_at(seat);
	struct canary_sight sight = { more(now.items, seat->canary.items), more(now.errors, seat->canary.errors),
				      more(now.at_ns - seat->canary.at_ns, now.waited_ns - seat->canary.waited_ns) };
	enum canary_verdict verdict;

	if (now.generation != seat->canary.generation || seat->life->state != SEAT_READY) {
		seat->canary = now;
		return CANARY_WITHIN;
	}
	verdict = canary_verdict_of(&limits, &sight, is_over);
	canary_explain(verdict, &limits, &sight, why);
	return verdict;
}

void canaries_judge(struct supervisor *supervisor, bool is_over)
{
	struct event event = { .kind = EVENT_JUDGED, .seat = NO_SEAT, .done = is_over };

	text_clear(&supervisor->reload_why);
	for (uint32_t i = 0; event.seat == NO_SEAT && i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].life->canary &&
		    look_at(&supervisor->seats[i], is_over, &supervisor->reload_why) != CANARY_WITHIN)
			event.seat = i;
	supervisor->canary_outside = event.seat != NO_SEAT;
	supervisor_answer(supervisor, &event);
}
