/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The item deadlines of stages (`deadline:`). While items move the supervisor looks, eight times in the shortest deadline, though not
 * oftener than each millisecond nor more seldom than each 25, which item each worker of such a stage has in hand; overrun.c judges. At
 * rest there is no timer: it comes and goes with the look for stalls.
 *
 *      first seen      + deadline   + a look
 *        |               |            |
 *        |----- looks ---|-- budget --|-- OVERRUN, when it was due --> broker/lifecycle/overrun.c: cancel, SIGTERM, SIGKILL
 *                          is over    its item is noted:
 *                                     the suspect, whatever the worker still does
 *
 * A worker that somebody has stopped (SIGSTOP) between two items has none in hand that could overrun, and those in its lanes wait as long.
 * The look for stalls finds it, and tells us since when: after one deadline it is ended in the same way, and nobody is blamed.
 *
 * What follows is decided there, also who is looked at. Here the item is kept: after the worker's death, however it comes, it alone is
 * blamed, with one more attempt that it has cost, and the obituary tells of it.
 */
#include "broker/supervise/process_state.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/flow/done_bits.h"
#include "common/observe/counters.h"
#include "common/observe/worker_state.h"

#define LOOKS_A_DEADLINE 8u
#define LOOK_SHORTEST_NS NS_PER_MS
#define LOOK_LONGEST_NS (25 * NS_PER_MS)
#define LOOK_LATE_NS NS_PER_S /* we got no processor, or were stopped: perhaps so were the workers */

/* ---- what is seen ---- */

static bool sleeps(unsigned state)
{
	return state == WORKER_STATE_WAIT_DATA || state == WORKER_STATE_WAIT_SPACE ||
	       state == WORKER_STATE_WAIT_OUTSIDE;
}

/* In this order: the state says that a sleep is over only after the counter has it. */
static uint64_t waited_ns(const struct seat *seat, unsigned state, uint64_t now_ns)
{
	uint64_t since_ns = load_relaxed(&seat->segment.status->since_ns),
		 counted_ns = load_relaxed(&seat->segment.counters->values[COUNTER_WAIT_SPACE_NS]);

	return counted_ns + (state == WORKER_STATE_WAIT_SPACE && since_ns < now_ns ? now_ns - since_ns : 0);
}

/* Written while we read; the stamp is taken away first and put back last. */
static void see_pending(const struct segment_hand *hand, struct overrun_sight *sight)
{
	uint64_t due_ns = load_acquire(&hand->due_ns); /* [S4] mate: note */

	sight->pending_lane = load_relaxed(&hand->due_lane);
	sight->pending_position = load_relaxed(&hand->due_position);
	sight->pending_sequence = load_relaxed(&hand->due_sequence);
	fence_acquire(); /* [S4] */
	sight->pending_due_ns = load_relaxed(&hand->due_ns) == due_ns ? due_ns : 0;
}

/* The same for the note of the item in hand: a position that has changed meanwhile is the next item's, and that is what counts. */
static void see_hand(const struct segment_hand *hand, struct overrun_sight *sight)
{
	sight->in_hand = load_acquire(&hand->busy) == 1; /* [S2] mate: turn_note_hand */
	sight->lane = load_relaxed(&hand->lane);
	sight->position = load_relaxed(&hand->position);
	sight->sequence = load_relaxed(&hand->sequence);
}

static void see(const struct seat *seat, uint64_t now_ns, struct overrun_sight *sight)
{
	const struct segment_hand *hand = seat->segment.hand;
	unsigned state = load_acquire(&seat->segment.status->state); /* [S3] mate: worker_set_state_at */
	bool asynchronous = seat->segment.geometry.off_done_bits;

	*sight = (struct overrun_sight){ .waited_ns = waited_ns(seat, state, now_ns) };
	if (load_acquire(&seat->segment.status->generation) != seat->generation) /* [S1] mate: worker_attach */
		return;
	if (state == WORKER_STATE_BUSY || (sleeps(state) && state != WORKER_STATE_WAIT_DATA && !asynchronous))
		see_hand(hand, sight);
	if (asynchronous)
		see_pending(hand, sight);
}

/* For the stage's own budget: when we shall say that the item in hand has overrun. */
static void publish_due(const struct seat *seat, uint64_t due_ns)
{
	struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];

	if (load_relaxed(&slot->due_ns) == due_ns && load_relaxed(&slot->due_position) == seat->overrun_track.position)
		return;
	store_relaxed(&slot->due_ns, 0);
	fence_release(); /* [B5] first */
	store_relaxed(&slot->due_lane, seat->overrun_track.lane);
	store_relaxed(&slot->due_position, seat->overrun_track.position);
	store_release(&slot->due_ns, due_ns); /* [B5] mate: board_deadline_ns */
}

/* ---- what is said ---- */

static const char *stage_before(const struct seat *seat)
{
	const struct plan *plan = seat->supervisor->plan;

	if (seat->overrun.item.lane == HAND_LETTER)
		return "the dead letters";
	for (uint32_t i = 0; i < plan->n_lanes; i++)
		if (plan->lanes[i].consumer == seat->slot && plan->lanes[i].reader_index == seat->overrun.item.lane)
			return plan->stages[plan->edges[plan->lanes[i].edge].from].name;
	return "?";
}

static void add_whereabouts(const struct seat *seat, char state, struct text *text)
{
	char where[64] = "";

	if (state == 'R')
		text_add(text, "it is running");
	else if (state == 'T')
		text_add(text, "it is stopped");
	else
		text_add(text, "it is asleep");
	process_where(seat->pid, where, sizeof(where));
	if (state != 'R' && where[0])
		text_printf(text, " in %s", where);
}

static void say_stopped(const struct seat *seat)
{
	char deadline[QUANTITY_TEXT_SIZE], stopped[QUANTITY_TEXT_SIZE];

	seat_log(
		seat, WEIR_LOG_WARNING,
		"has been stopped by a signal for %s, items wait for it, and its stage has a deadline of %s: it is ended",
		quantity_format_duration(clock_now_ns() - seat->overrun.stopped_ns, stopped),
		quantity_format_duration(seat->stage->deadline_ns, deadline));
}

void overrun_say(struct seat *seat)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL, words = TEXT_NULL;
	char deadline[QUANTITY_TEXT_SIZE], grace[QUANTITY_TEXT_SIZE];
	uint64_t starved_ns;
	char state;

	if (seat->overrun.stopped_ns) {
		say_stopped(seat);
		return;
	}
	state = process_state(seat->pid, &starved_ns);
	seat->overrun.known = true;
	seat_record(seat, RECORDER_OVERRUN, 0, seat->overrun.item.sequence, seat->overrun.item.position);
	add_whereabouts(seat, state, &text);
	text_printf(&words, "item %llu from '%s' has overrun its deadline of %s here%s: cancelled, killed in %s; %s",
		    (unsigned long long)seat->overrun.item.sequence, stage_before(seat),
		    quantity_format_duration(seat->stage->deadline_ns, deadline),
		    seat->overrun.item.pending ? " (put aside, not completed)" : "",
		    quantity_format_duration(seat->stage->grace_ns, grace), text_get(&text));
	seat_log_item(seat, WEIR_LOG_WARNING, seat->overrun.item.sequence, text_get(&words));
	/* asleep it would be woken, and perhaps go on as if its time had come: that waits for SIGTERM */
	if (state == 'R')
		seat_ask_backtrace(seat);
}

/* ---- looking ---- */

static bool may_look(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; supervisor->look_ns && i < supervisor->plan->n_slots; i++)
		if (lifecycle_may_overrun(&supervisor->lifecycle, i))
			return true;
	return false;
}

static void declare(struct seat *seat, uint64_t now_ns)
{
	struct event event = { .kind = EVENT_OVERRUN, .seat = seat->slot };

	seat->overrun.stopped_ns = 0;
	event.due_ns = seat->overrun.due_ns = now_ns - seat->overrun.item.over_ns;
	supervisor_post(seat->supervisor, &event);
}

void overrun_stopped(struct seat *seat, uint64_t since_ns, uint64_t now_ns)
{
	struct event event = { .kind = EVENT_OVERRUN, .seat = seat->slot };

	/* Also one that looks after its deadline itself: it does not while it is stopped. */
	if (!lifecycle_may_overrun(&seat->supervisor->lifecycle, seat->slot) ||
	    now_ns < since_ns + seat->stage->deadline_ns)
		return;
	seat->overrun.stopped_ns = since_ns;
	event.due_ns = since_ns + seat->stage->deadline_ns;
	supervisor_post(seat->supervisor, &event);
}

/* Returns when something is due for this seat before the next look; UINT64_MAX: nothing. */
static uint64_t look_at(struct seat *seat, uint64_t now_ns, uint64_t late_ns)
{
	const struct overrun_limits limits = { seat->stage->deadline_ns, seat->supervisor->look_ns };
	struct overrun_sight sight;
	uint64_t due_ns;

	if (seat->stage->keeps_deadline || !lifecycle_may_overrun(&seat->supervisor->lifecycle, seat->slot)) {
		seat->overrun_track = (struct overrun_track){ 0 };
		return UINT64_MAX;
	}
	overrun_forgive(&seat->overrun_track, late_ns);
	see(seat, now_ns, &sight);
	if (overrun_look(&seat->overrun_track, &sight, &limits, now_ns, &seat->overrun.item)) {
		declare(seat, now_ns);
		return UINT64_MAX;
	}
	due_ns = overrun_due_ns(&seat->overrun_track, &sight, limits.deadline_ns);
	if (!due_ns)
		return UINT64_MAX;
	publish_due(seat, due_ns);
	return due_ns + limits.slack_ns;
}

static int on_look_due(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;
	uint64_t now_ns = clock_now_ns(),
		 late_ns = now_ns > supervisor->look_due_ns + LOOK_LATE_NS ? now_ns - supervisor->look_due_ns : 0;
	uint64_t next_ns = UINT64_MAX;

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->look_timer);
	if (supervisor->lifecycle.finished)
		return 0;
	for (uint32_t i = 0; i < supervisor->plan->n_slots && !supervisor->lifecycle.finished; i++) {
		uint64_t due_ns = look_at(&supervisor->seats[i], now_ns, late_ns);

		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	if (supervisor->lifecycle.finished)
		return 0;
	if (may_look(supervisor) && !load_relaxed(&supervisor->board->at_rest))
		next_ns = now_ns + supervisor->look_ns < next_ns ? now_ns + supervisor->look_ns : next_ns;
	if (next_ns == UINT64_MAX)
		return 0;
	supervisor->look_due_ns = next_ns;
	timer_set(supervisor, &supervisor->look_timer, next_ns, on_look_due, supervisor);
	return 0;
}

void deadlines_wake(struct supervisor *supervisor)
{
	if (supervisor->look_timer || !may_look(supervisor))
		return;
	supervisor->look_due_ns = clock_now_ns();
	timer_set(supervisor, &supervisor->look_timer, supervisor->look_due_ns, on_look_due, supervisor);
}

void deadlines_open(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_stages; i++) {
		uint64_t part_ns = supervisor->plan->stages[i].deadline_ns / LOOKS_A_DEADLINE;

		if (!supervisor->plan->stages[i].deadline_ns || supervisor->plan->stages[i].keeps_deadline)
			continue;
		part_ns = part_ns < LOOK_SHORTEST_NS ? LOOK_SHORTEST_NS : part_ns;
		part_ns = part_ns > LOOK_LONGEST_NS ? LOOK_LONGEST_NS : part_ns;
		if (!supervisor->look_ns || part_ns < supervisor->look_ns)
			supervisor->look_ns = part_ns;
	}
}

/* ---- the death ---- */

void overrun_blame(struct seat *seat, const struct segment *segment, struct repair_report *report)
{
	const struct overrun_item *item = &seat->overrun.item;

	if (seat->overrun.stopped_ns) { /* whoever has stopped it, it was no item */
		report->in_hand = false;
		report->in_flight = 0;
	}
	if (!seat->overrun.known)
		return;
	report->in_flight = 0; /* who is guilty is known */
	report->in_hand = repair_is_untaken(segment, item->lane, item->position);
	report->suspect_lane = item->lane;
	report->suspect_position = item->position;
	report->suspect_sequence = item->sequence;
}

void overrun_describe(const struct seat *seat, struct text *text)
{
	char deadline[QUANTITY_TEXT_SIZE], over[QUANTITY_TEXT_SIZE];

	if (seat->overrun.stopped_ns)
		text_printf(text, "; it had been stopped by a signal for %s",
			    quantity_format_duration(seat->death.when_ns - seat->overrun.stopped_ns, over));
	if (seat->overrun.known)
		text_printf(text, "; item %llu had overrun its deadline of %s, by %s at the end",
			    (unsigned long long)seat->overrun.item.sequence,
			    quantity_format_duration(seat->stage->deadline_ns, deadline),
			    quantity_format_duration(seat->death.when_ns - seat->overrun.due_ns, over));
}

void overrun_forget(struct seat *seat)
{
	store_relaxed(&seat->supervisor->board->slots[seat->slot].due_ns, 0);
	seat->overrun_track = (struct overrun_track){ 0 };
	seat->overrun = (struct overrun){ 0 };
}
