/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping and waking.
 *
 *     waiter (here)                          waker (a peer's turn_commit)
 *     armed.need, armed.word = epoch|events  publish (tail, free)
 *     fence seq_cst                          fence seq_cst
 *     look again at everything               armed.word set, and for this? ring once per epoch
 *     sleep on the doorbell, ...              (sleeper.c)
 *     armed.word = 0
 *
 * Whichever fence comes first, one of the two sees the other: no wake is lost while both live. A waker that dies between
 * publishing and ringing is made good by the supervisor, which rings all neighbours after a death; and no sleep is without
 * a bound: a second, more and more while a pipeline is at rest. A ring that comes after the look is kept for the sleep, which
 * then ends at once (sleeper.c).
 */
#include <limits.h>
#include <sched.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/scope/cause.h"
#include "worker/admission.h"
#include "worker/blocked.h"
#include "worker/cancelled.h"
#include "worker/children.h"
#include "worker/dealing.h"
#include "worker/expiry.h"
#include "worker/in_flight.h"
#include "worker/input.h"
#include "worker/loop.h"
#include "worker/output.h"
#include "worker/patience.h"
#include "worker/recording.h"
#include "worker/pins.h"
#include "worker/retire.h"
#include "worker/scopes.h"
#include "worker/take.h"
#include "worker/turn.h"
#include "worker/wait.h"
#include "worker/window.h"

/* A sleep without any end in sight is bounded, against what nobody foresaw. A pipeline at rest lets the bound grow. */
#define BACKSTOP_MS 1000
#define SLEEP_MS_MAX 32000
#define SLEEP_GROWTH 8
#define STEP_ASIDE_NS_EACH 80000u /* that the supervisor takes to wake one more worker, and that one to see the order */
#define STEP_ASIDE_NS_MAX (10 * NS_PER_MS)

static uint32_t backstop_ms(const struct worker *worker)
{
	return worker->backstop_ms ? worker->backstop_ms : BACKSTOP_MS;
}

/* The supervisor's end of the lifeline has closed: it is dead, and nobody repairs or reaps after us. */
static void wait_supervisor_lost(void)
{
	children_kill_all();
	_exit(143);
}

/* Takes what the supervisor has sent. Orders stand on the board; the messages say who and why. */
static void wait_control(struct worker *worker)
{
	struct message message;

	while (client_unread(worker->client) && client_receive(worker->client, &message) == 0) {
		if (message.type == MESSAGE_QUERY)
			(void)client_send_status(worker->client,
						 worker_state_name(load_relaxed(&worker->segment.status->state)), NULL);
		else if (message.type == MESSAGE_DEADLINE)
			weir_log(WEIR_LOG_DEBUG, "the run has %llu ms left",
				 (unsigned long long)deadline_poll_ms(message.deadline.deadline_ns, clock_now_ns(),
								      INT_MAX));
		else if (message.type == MESSAGE_CANCEL)
			weir_log(WEIR_LOG_DEBUG, "cancelled: %s, by %.*s", cause_name((unsigned)message.cancel.cause),
				 (int)message.cancel.who.size_bytes, message.cancel.who.data);
	}
}

/*
 * An order goes to all workers, one after the other. To say that it was seen takes a while, and to end takes longer: so who has seen it
 * makes room for the supervisor to wake the others, and for them to see it.
 */
static void wait_aside(const struct worker *worker)
{
	uint64_t aside_ns = (uint64_t)STEP_ASIDE_NS_EACH * worker->board->n_slots;

	nanosleep(&(struct timespec){ .tv_nsec = (long)(aside_ns < STEP_ASIDE_NS_MAX ? aside_ns : STEP_ASIDE_NS_MAX) },
		  NULL);
}

/* The board is the truth; but that a source goes on after a drain, only it can say. To one worker alone nobody is in the way. */
static void wait_acknowledge(struct worker *worker, uint32_t order)
{
	struct segment_status *status = worker->segment.status;
	uint64_t seen_ns = clock_now_ns();

	recording_note(worker, RECORDER_ORDER_SEEN, order, 0, 0);
	store_relaxed(&status->seen_order, order);
	store_release(&status->seen_ns, seen_ns); /* [S5] mate: seat_hear_last_order */
	if (load_relaxed(&worker->board->order) >= BOARD_DRAIN)
		wait_aside(worker);
	if (!worker->parted || order != BOARD_RUN)
		(void)client_send_ack(worker->client, order, seen_ns);
	wait_control(worker);
}

int wait_check_order(struct worker *worker)
{
	uint32_t order = board_order_of(worker->board, worker->heritage.slot);

	if (order != worker->order_seen) {
		worker->order_seen = order;
		wait_acknowledge(worker, order);
		if (order >= BOARD_CANCEL)
			scopes_ordered(worker);
	}
	if (cancelled_is_new(worker))
		cancelled_news(worker);
	return order >= BOARD_CANCEL ? WEIR_CANCELLED : 0;
}

static int wait_open(struct worker *worker)
{
	if (worker->sleeper.is_open)
		return 0;
	return sleeper_open(&worker->sleeper, worker->heritage.doorbell_fd, client_fd(worker->client),
			    worker->heritage.lifeline_fd);
}

/*
 * Sleeps until something happens to the worker's own descriptors or to others, whose revents are set, at most until until_ns. Returns how
 * many of the others are ready, or -errno.
 */
static int wait_poll(struct worker *worker, struct pollfd *others, size_t n_others, uint64_t now_ns, uint64_t until_ns)
{
	int n_ready = 0, r = wait_open(worker);

	wait_control(worker);
	if (r == 0)
		r = n_others ? sleeper_wait_with(&worker->sleeper, others, n_others,
						 deadline_poll_ms(until_ns, now_ns, INT_MAX), &n_ready) :
			       sleeper_wait(&worker->sleeper, now_ns, until_ns);
	if (r < 0)
		return r;
	if (r & SLEEPER_LIFELINE)
		wait_supervisor_lost();
	if (r & SLEEPER_CONTROL) {
		client_rang(worker->client);
		wait_control(worker);
	}
	return n_ready;
}

static bool wait_is_over(struct worker *worker, const struct wait_request *request)
{
	turn_release(worker);
	return board_order_of(worker->board, worker->heritage.slot) != worker->order_seen ||
	       request->is_over(worker, request->data);
}

static void wait_arm(struct worker *worker, uint32_t events, uint64_t need_bytes)
{
	store_relaxed(&worker->segment.armed->need_bytes, need_bytes);
	store_release(&worker->segment.armed->word, ++worker->armed_epoch << 8 | events); /* W1 [D2] */
	fence_seq_cst();                                                                  /* [D1] mate: turn_wake */
}

/*
 * With pins, room in an output lane is also what this worker's producers, or its own shared lanes, may be waiting for: the least of
 * it will do, since it says nothing of the size of what is held. While no producer can be short of room it is enough to be asked:
 * either the producer, which arms, fences and looks for whom to ask, sees us armed for that, or we see that it is armed.
 */
static void wait_arm_with_pins(struct worker *worker, uint32_t events, uint64_t need_bytes)
{
	bool holds = pins_in_inputs(worker);

	if (holds && events == ARM_DATA && pins_may_stay(worker)) {
		wait_arm(worker, events | ARM_WANTED, 0);
		if (!pins_are_awaited(worker))
			return;
	}
	if (holds || (events & ARM_SPACE && pins_any(worker)))
		wait_arm(worker, events | ARM_SPACE, 1);
	else
		wait_arm(worker, events, need_bytes);
}

/* Rings the readers that hold room until they are asked for it. Not before this worker is armed. */
static void wait_ask_for_room(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++)
			if (doorbell_wake(&worker->outputs[i].lanes[j].peer->doorbell, ARM_WANTED, 0))
				counter_add(worker, COUNTER_WAKES, 1);
}

static void wait_count(struct worker *worker, uint32_t events, uint64_t slept_ns, bool backstop)
{
	if (events & ARM_DATA && !worker->postponed.until_ns) {
		counter_add(worker, COUNTER_WAITS_DATA, 1);
		counter_add(worker, COUNTER_WAIT_DATA_NS, slept_ns);
	}
	if (events & ARM_SPACE) {
		counter_add(worker, COUNTER_WAITS_SPACE, 1);
		counter_add(worker, COUNTER_WAIT_SPACE_NS, slept_ns);
	}
	counter_add(worker, COUNTER_BACKSTOPS, backstop);
}

static bool is_crowded(const struct worker *worker)
{
	return load_relaxed(&worker->board->n_live) > worker->n_processors;
}

/* It has only woken to see that nothing was missed, so nothing is about to come. */
static bool is_at_rest(const struct worker *worker)
{
	return worker->sleep_ms > backstop_ms(worker);
}

/* Nobody rings for what lies outside: that is not worth a look before the sleep. */
static uint32_t wait_rounds(const struct worker *worker, const struct wait_request *request)
{
	return request->events && !is_at_rest(worker) ? spin_rounds(&worker->spin, is_crowded(worker)) : 0;
}

static bool turn_may_go_on(struct worker *worker, const void *data);

/*
 * An item is what most spinning is for, so its lanes are looked at most often, and nothing lies between its coming and its turn. To look at
 * all else takes as long as an answer needs to come: so not in the first microseconds.
 */
#define LOOKS_A_ROUND 4u
#define ROUNDS_BETWEEN_LOOKS 16u

int wait_for_plain(struct worker *worker)
{
	const struct wait_request request = { .events = ARM_DATA, .is_over = turn_may_go_on, .data = &request };
	uint32_t rounds = wait_rounds(worker, &request);

	/* Which of several lanes is the best is found out when there is something to put there. */
	if (rounds && worker->n_outputs && worker->outputs[0].n_lanes == 1)
		window_open(worker);
	for (uint32_t i = 0; i < rounds; i++) {
		for (uint32_t j = 0; j < LOOKS_A_ROUND; j++) {
			if (take_lies(worker)) {
				spin_succeeded(&worker->spin);
				recording_spun(worker);
				return 0;
			}
			cpu_relax();
		}
		if (i % ROUNDS_BETWEEN_LOOKS == ROUNDS_BETWEEN_LOOKS - 1 && wait_is_over(worker, &request)) {
			worker->look_further = true;
			return WAIT_E_OTHER;
		}
	}
	worker->spun = true;
	worker->spun_rounds = rounds;
	return WAIT_E_NOTHING;
}

static bool wait_spin(struct worker *worker, const struct wait_request *request, uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++) {
		if (wait_is_over(worker, request)) {
			spin_succeeded(&worker->spin);
			return true;
		}
		cpu_relax();
	}
	return false;
}

/* Lets others have the processor: one of them may be the peer that this worker waits for. */
static bool wait_yield(struct worker *worker, const struct wait_request *request)
{
	bool for_room = !(request->events & ARM_DATA);
	uint32_t n =
		request->events && !is_at_rest(worker) ? spin_yields(&worker->spin, is_crowded(worker), for_room) : 0;
	uint64_t from_ns = n ? clock_now_ns() : 0;

	while (n--) {
		uint64_t now_ns;
		bool over;

		sched_yield();
		over = wait_is_over(worker, request);
		now_ns = clock_now_ns();
		if (!spin_yielded(&worker->spin, for_room, now_ns - from_ns, over) || over)
			return over;
		from_ns = now_ns;
	}
	return false;
}

/* After a sleep: sets the bound of the next one. Returns true if the bound ended it though there was work. */
static bool wait_bound(struct worker *worker, const struct wait_request *request, uint64_t slept_ns)
{
	bool ended_by_bound = slept_ns >= worker->sleep_ms * NS_PER_MS;
	bool missed = ended_by_bound && request->events && wait_is_over(worker, request);

	if (!ended_by_bound || missed)
		worker->sleep_ms = backstop_ms(worker);
	else
		worker->sleep_ms =
			worker->sleep_ms < SLEEP_MS_MAX / SLEEP_GROWTH ? worker->sleep_ms * SLEEP_GROWTH : SLEEP_MS_MAX;
	return missed;
}

/* Somebody reads what this worker writes, and has found nothing more: it sleeps, or is about to. */
static bool wait_has_starved(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++)
			if (load_relaxed(&worker->outputs[i].lanes[j].peer->doorbell.armed->word) & ARM_DATA)
				return true;
	return false;
}

/* Not before it has armed and looked again; now_ns is the time. Returns what wait_poll() says, 0 if it did not come to that. */
static int wait_asleep(struct worker *worker, const struct wait_request *request, uint32_t rounds)
{
	uint64_t from_ns = worker->now_ns, wake_ns, slept_ns;
	int r;

	if (worker->patience.allowed)
		patience_before_sleep(&worker->patience, request->events == ARM_SPACE && is_crowded(worker));
	wait_arm_with_pins(worker, request->events, request->need_bytes);
	if (wait_is_over(worker, request))
		return 0;
	if (request->events & ARM_SPACE)
		wait_ask_for_room(worker);
	if (!worker->sleep_ms)
		worker->sleep_ms = backstop_ms(worker);
	wake_ns = deadline_earlier(request->wake_ns, request->events & ARM_DATA ? loop_look_ns(worker, from_ns) : 0);
	r = wait_poll(worker, request->fds, request->n_fds, from_ns,
		      deadline_earlier(wake_ns, from_ns + worker->sleep_ms * NS_PER_MS));
	if (worker->patience.patient)
		patience_after_sleep(&worker->patience, wait_has_starved(worker));
	worker->now_ns = clock_now_ns();
	slept_ns = worker->now_ns - from_ns;
	if (request->events)
		spin_failed(&worker->spin, rounds, slept_ns);
	wait_count(worker, request->events, slept_ns, wait_bound(worker, request, slept_ns));
	if (worker->loop && request->events & ARM_SPACE)
		(void)loop_stands_still(worker, worker->now_ns);
	return r;
}

static enum worker_state wait_state(const struct worker *worker, uint32_t events)
{
	if (events & ARM_DATA && !in_flight_pending(worker))
		return worker->postponed.until_ns ? WORKER_STATE_WAIT_OUTSIDE : WORKER_STATE_WAIT_DATA;
	return events & ARM_SPACE ? WORKER_STATE_WAIT_SPACE : WORKER_STATE_WAIT_OUTSIDE;
}

int wait_for_request(struct worker *worker, const struct wait_request *request)
{
	bool spun = request->events & ARM_DATA && worker->spun;
	uint32_t rounds = spun ? worker->spun_rounds : wait_rounds(worker, request);
	uint64_t blocked_ns;
	int r;

	worker->spun = false;
	worker->look_further = true;
	if ((!spun && wait_spin(worker, request, rounds)) || wait_yield(worker, request))
		return wait_check_order(worker);
	blocked_ns = worker->now_ns = clock_now_ns();
	blocked_note(worker, request, wait_state(worker, request->events), blocked_ns);
	r = wait_asleep(worker, request, rounds);
	store_relaxed(&worker->segment.armed->word, 0);
	worker->turns_to_left = 0; /* what woke it may be that its readers have left */
	recording_unblock(worker, request, worker->now_ns, worker->now_ns - blocked_ns);
	blocked_over(worker, worker->now_ns, is_at_rest(worker));
	return r < 0 ? r : wait_check_order(worker);
}

/* A turn sleeps for any input, or for the room that it was refused. */
static bool turn_may_go_on(struct worker *worker, const void *data)
{
	const struct wait_request *request = data;
	bool changed = worker->changed;
	struct input input;

	/* Looking may find that the end of a lane was overwritten, which has to be committed: see input_count_end(). */
	if ((request->events & ARM_DATA) && (input_next(worker, &input) != INPUT_E_EMPTY || worker->changed != changed))
		return true;
	/* Inside a callback nobody could move a lane: waking up for it would be a busy loop. */
	if (worker->retiring)
		return retire_has_room(worker);
	if (worker->phase == PHASE_NONE && !worker->settled && retire_is_due(worker))
		return true;
	if (worker->phase != PHASE_NONE && dealing_may_let_go(worker))
		return true;
	if (worker->handing_over)
		return admission_handed_over(worker);
	if (request->events & ARM_SPACE)
		return worker->lingering ? retire_is_drained(worker) : output_room(worker, request->need_bytes);
	return false;
}

static void wait_watch_fired(struct worker *worker)
{
	worker->watch = (struct watch){ .fd = -1 };
	worker->produce_wanted = worker->stage.produce != NULL;
}

/* watches: for what the stage watches, too. */
static int sleep_for(struct worker *worker, uint32_t events, uint64_t need_bytes, bool watches)
{
	struct pollfd watch = { .fd = worker->watch.fd, .events = worker->watch.events };
	/* Inside a callback nobody could end a run: waking up for it would be a busy loop. */
	uint64_t due_ns = worker->phase == PHASE_NONE && worker->deals_runs ? output_runs_due_ns(worker) : 0;
	struct wait_request request = {
		.events = events,
		.need_bytes = need_bytes,
		.is_over = turn_may_go_on,
		.data = &request,
		.fds = &watch,
		.n_fds = watch.fd >= 0 && watches,
		.wake_ns = deadline_earlier(watches ? worker->watch.wake_ns : 0, due_ns),
	};
	int r;

	if (events & ARM_SPACE)
		request.wake_ns = deadline_earlier(request.wake_ns, expiry_of_wait_ns(worker));
	if (!(events & ARM_SPACE))
		request.wake_ns = deadline_earlier(request.wake_ns, worker->postponed.until_ns);
	r = wait_for_request(worker, &request);
	if (watch.revents)
		wait_watch_fired(worker);
	return r;
}

int wait_sleep(struct worker *worker, uint32_t events, uint64_t need_bytes)
{
	return sleep_for(worker, events, need_bytes, !(events & ARM_SPACE));
}

int wait_watching(struct worker *worker, uint64_t need_bytes)
{
	return sleep_for(worker, ARM_SPACE, need_bytes, true);
}

int wait_look(struct worker *worker)
{
	struct pollfd watch = { .fd = worker->watch.fd, .events = worker->watch.events };
	int r = watch.fd >= 0 ? wait_poll(worker, &watch, 1, 1, 1) : 0; /* no time at all */

	if (r < 0)
		return r;
	if (r > 0)
		wait_watch_fired(worker);
	return wait_check_order(worker);
}

int wait_for_stage(struct worker *worker, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns)
{
	int r = 0;

	blocked_note_outside(worker, n_fds, deadline_ns, clock_now_ns());
	for (;;) {
		uint64_t now_ns = clock_now_ns();

		worker->now_ns = now_ns;
		if (wait_check_order(worker) == WEIR_CANCELLED) {
			r = WEIR_CANCELLED;
			break;
		}
		r = wait_poll(worker, fds, n_fds, now_ns,
			      deadline_earlier(deadline_ns, now_ns + backstop_ms(worker) * NS_PER_MS));
		if (r != 0) {
			r = r > 0 ? 0 : r;
			break;
		}
		if (deadline_ns && clock_now_ns() >= deadline_ns) {
			r = WEIR_EXPIRED;
			break;
		}
	}
	blocked_over(worker, clock_now_ns(), false);
	return r;
}

int wait_for_start(struct worker *worker)
{
	uint64_t now_ns = clock_now_ns();

	return wait_poll(worker, NULL, 0, now_ns, now_ns + backstop_ms(worker) * NS_PER_MS);
}
