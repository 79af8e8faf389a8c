/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking for stalls. Every 600 ms while somebody works or waits for a neighbour, so that a deadlock is named within two seconds; not at
 * all while all are at rest: then the first who wakes up says so (worker/blocked.c).
 *
 *      RUN, a later generation, "awake" --> look --> what has moved since the last one?  --> ask the kernel about who has not
 *                                            ^             |                                           |
 *                                            +-- 600 ms ---+-- all idle: board->at_rest, no timer      +--> graph --> episodes --> log
 *
 * Read from the workers' lines while they run, so it is only as consistent as that: what two looks agree on counts. Nothing is done about
 * a stall: it is named. But a worker that is stopped by a signal, of a stage with a deadline, is ended (deadline_watch.c).
 */
#include <stdlib.h>

#include "broker/supervise/process_state.h"
#include "broker/supervise/stall_dump.h"
#include "broker/supervise/stall_episode.h"
#include "broker/supervise/stall_report.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/flow/commit.h"
#include "common/observe/worker_state.h"
#include "common/store/letter_store.h"

#define LOOK_NS (600 * NS_PER_MS)
#define LOOK_SELDOM_NS (4 * LOOK_NS)
#define LOOKS_SELDOM 50u /* that have found nothing to have moved */

struct stall_watch {
	struct stall_topology topology;
	struct stall_snapshot snapshot;
	struct stall_history *histories;
	struct stall_episode episodes[STALL_FINDINGS_MAX];
	struct stall_finding findings[STALL_FINDINGS_MAX];
	size_t n_findings;
	sd_event_source *timer;
	uint64_t last_ns, due_ns; /* of the last look, of the next; 0: there was none, no timer is set */
};

/* ---- what is seen ---- */

/* The lane of a worker's own number; STALL_NONE: none. */
static uint32_t lane_of(const struct supervisor *supervisor, uint32_t slot, bool writer, uint32_t index)
{
	const struct stall_topology *topology = &supervisor->stalls->topology;
	const uint32_t *list = writer ? topology->out : topology->in,
		       *first = writer ? topology->out_first : topology->in_first;

	for (uint32_t i = first[slot]; i < first[slot + 1]; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[list[i]];

		if ((writer ? lane->writer_index : lane->reader_index) == index)
			return list[i];
	}
	return STALL_NONE;
}

static enum stall_doing doing_of(const struct seat *seat)
{
	unsigned state = load_acquire(&seat->segment.status->state); /* [S3] mate: worker_set_state_at */

	if (seat_state_over(seat->life->state) || seat->life->state == SEAT_LEAVING || seat->life->quarantined)
		return STALL_OVER;
	if (!seat_state_alive(seat->life->state))
		return STALL_ABSENT;
	if (seat->life->state == SEAT_SPAWNED || seat->life->state == SEAT_OPENING ||
	    load_acquire(&seat->segment.status->generation) != seat->generation) /* [S1] */
		return STALL_OPENING;
	switch (state) {
	case WORKER_STATE_BUSY:
	case WORKER_STATE_ENDING:
		return STALL_BUSY;
	case WORKER_STATE_WAIT_DATA:
	case WORKER_STATE_WAIT_SPACE:
	case WORKER_STATE_WAIT_OUTSIDE:
		return STALL_WAITS;
	case WORKER_STATE_CANCELLED:
	case WORKER_STATE_ENDED:
		return STALL_OVER;
	default:
		return STALL_OPENING;
	}
}

/* Of all that is decided elsewhere about its end, what people want to know. */
static struct stall_ending ending_of(const struct supervisor *supervisor, const struct seat *seat)
{
	static const char *const nexts[] = {
		[RUNG_CANCEL] = "SIGTERM", [RUNG_TERM] = "SIGKILL", [RUNG_KILL] = "left behind"
	};
	enum cause cause = seat->told.cause;
	struct ending ending;

	if (!seat->told.since_ns || !lifecycle_ending(&supervisor->lifecycle, seat->slot, &ending))
		return (struct stall_ending){ 0 };
	return (struct stall_ending){
		.since_ns = seat->told.since_ns,
		.next_ns = ending.next_ns,
		.next = nexts[ending.rung],
		.signalled_ns = seat->told.rung_ns,
		.signal = ending.rung >= RUNG_TERM ? rung_name(ending.rung) : NULL,
		.who = seat->told.who,
		/* Ready after all, when everybody was to end: what they were told holds for it. */
		.cause = cause_name(cause == CAUSE_NONE ? supervisor->lifecycle.cause : cause),
		.late = cause == CAUSE_NONE && !seat->life->was_ready,
		.says_goodbye = cause == CAUSE_NONE && seat->life->goodbye,
		.n_held_back = seat->life->together ? supervisor->lifecycle.n_waiting : 0,
	};
}

static void see_hand(const struct supervisor *supervisor, const struct seat *seat, struct stall_worker *worker)
{
	const struct segment_hand *hand = seat->segment.hand;

	worker->n_pending = load_relaxed(&hand->in_flight);
	/* Asleep with items put aside, none of them is in hand, whatever the note says. */
	worker->has_hand = load_relaxed(&hand->busy) && !(worker->doing == STALL_WAITS && worker->n_pending);
	worker->hand_position = load_relaxed(&hand->position);
	worker->hand_sequence = load_relaxed(&hand->sequence);
	worker->hand_lane =
		worker->has_hand ? lane_of(supervisor, seat->slot, false, load_relaxed(&hand->lane)) : STALL_NONE;
	worker->moved = hash_mix(hash_mix(worker->moved, worker->hand_position), worker->hand_sequence);
}

static void see_books(const struct seat *seat, struct stall_worker *worker, uint64_t now_ns)
{
	struct cursor cursor;

	if (cursor_snapshot(&seat->segment, &cursor) != 0) {
		worker->moved = hash_mix(worker->moved, now_ns); /* it commits faster than it can be read */
		return;
	}
	worker->n_held = cursor.ledger[LEDGER_HELD];
	worker->moved = hash_bytes(worker->moved, &cursor, sizeof(cursor));
}

static void see_worker(const struct supervisor *supervisor, uint32_t slot, uint64_t now_ns)
{
	const struct seat *seat = &supervisor->seats[slot];
	const struct segment_status *status = seat->segment.status;
	struct stall_worker *worker = &supervisor->stalls->snapshot.workers[slot];
	uint32_t index = load_relaxed(&status->wait_lane);
	bool source = seat->stage->role == WEIR_SOURCE;

	*worker = (struct stall_worker){ .doing = doing_of(seat),
					 .pid = seat->pid,
					 .generation = seat->generation,
					 .held_back =
						 seat->life->state == SEAT_BACKOFF && supervisor->lifecycle.n_stopping,
					 .ending = ending_of(supervisor, seat),
					 .since_ns = load_relaxed(&status->since_ns),
					 .lane = STALL_NONE,
					 .hand_lane = STALL_NONE,
					 .moved = hash_mix(0, load_relaxed(&status->progress_position)) };
	if (worker->doing == STALL_OVER || worker->doing == STALL_ABSENT || worker->doing == STALL_OPENING)
		return;
	worker->asked_to_end = source && supervisor->lifecycle.state == PIPELINE_DRAINING;
	if (worker->doing == STALL_WAITS) {
		worker->waits_for = load_relaxed(&status->wait_for);
		if (index != UINT32_MAX)
			worker->lane = lane_of(supervisor, slot, !(worker->waits_for & WAIT_FOR_ITEM), index);
	}
	see_hand(supervisor, seat, worker);
	see_books(seat, worker, now_ns);
}

static void see_lane(const struct supervisor *supervisor, uint32_t number)
{
	const struct plan_lane *lane = &supervisor->plan->lanes[number];
	const struct stall_watch *watch = supervisor->stalls;
	const struct lane_writer *writer = &supervisor->seats[lane->producer].segment.writers[lane->writer_index];
	const struct lane_reader *reader = &supervisor->seats[lane->consumer].segment.readers[lane->reader_index];
	struct stall_level *level = &watch->snapshot.levels[number];
	uint64_t *produced = &watch->snapshot.workers[lane->producer].moved,
		 *consumed = &watch->snapshot.workers[lane->consumer].moved;

	*level = (struct stall_level){ .tail = load_relaxed(&writer->tail),
				       .done = load_relaxed(&reader->done),
				       .free = load_relaxed(&reader->free),
				       .closed = load_relaxed(&writer->closed) != LANE_OPEN };
	*produced = hash_mix(*produced, level->tail + level->closed);
	*consumed = hash_mix(hash_mix(*consumed, level->done), level->free);
}

/* Asked only while somebody waits for it. */
static void see_store(const struct supervisor *supervisor)
{
	struct stall_worker *workers = supervisor->stalls->snapshot.workers;
	uint32_t n = supervisor->plan->n_slots, holder;
	pid_t pid = supervisor->dead_letter_store ? -1 : 0;

	for (uint32_t i = 0; i < n; i++) {
		workers[i].store_holder = STALL_NONE;
		if (workers[i].doing != STALL_WAITS || !(workers[i].waits_for & WAIT_FOR_STORE))
			continue;
		if (pid < 0)
			pid = letter_store_holder(supervisor->dead_letter_store);
		for (holder = 0; holder < n && (!pid || workers[holder].pid != pid); holder++)
			;
		workers[i].store_holder = holder < n ? holder : STALL_NONE;
		workers[i].store_pid = pid;
	}
}

static void see(const struct supervisor *supervisor, uint64_t now_ns)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		see_worker(supervisor, i, now_ns);
	see_store(supervisor);
	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++)
		see_lane(supervisor, i);
}

static void ask_kernel(struct stall_watch *watch)
{
	for (uint32_t i = 0; i < watch->topology.n_workers; i++) {
		struct stall_worker *worker = &watch->snapshot.workers[i];

		worker->since_ns = stall_since_ns(&watch->histories[i], worker);
		if (worker->pid > 0 && (worker->ending.since_ns ||
					stall_is_suspect(&watch->topology, watch->histories, &watch->snapshot, i)))
			worker->kernel = process_state(worker->pid, &worker->starved_ns);
	}
}

static void ask_more_of_culprits(struct stall_watch *watch)
{
	for (size_t i = 0; i < watch->n_findings; i++) {
		struct stall_worker *worker = &watch->snapshot.workers[watch->findings[i].culprit];
		uint64_t starved_ns;

		if (worker->pid <= 0)
			continue;
		process_where(worker->pid, worker->where, sizeof(worker->where));
		worker->program = process_child(worker->pid, worker->program_name);
		if (worker->program)
			worker->program_kernel = process_state(worker->program, &starved_ns);
	}
}

/* ---- what is said ---- */

static void say(struct supervisor *supervisor, const char *what, const struct stall_finding *finding)
{
	const struct stall_watch *watch = supervisor->stalls;
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	stall_describe(&watch->topology, &watch->snapshot, finding, watch->last_ns, &sentence);
	supervisor_log(supervisor, WEIR_LOG_WARNING, "%s%s: %s; %s", what,
		       stall_kind_is_deadlock(finding->kind) ? "deadlock" : "stall", text_get(&sentence),
		       stall_kind_advice(finding->kind));
}

static void note(struct supervisor *supervisor, const struct stall_episode *episode,
		 const struct stall_finding *finding)
{
	const struct stall_watch *watch = supervisor->stalls;
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	stall_describe(&watch->topology, &watch->snapshot, finding, watch->last_ns, &sentence);
	history_stalled(supervisor, episode, text_get(&sentence));
}

static void tell(void *data, enum stall_news news, const struct stall_episode *episode,
		 const struct stall_finding *finding)
{
	struct supervisor *supervisor = data;
	const struct stall_watch *watch = supervisor->stalls;
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	char duration[QUANTITY_TEXT_SIZE];

	if (news != STALL_LASTS)
		metrics_stalled(supervisor, episode, watch->last_ns);
	if (finding) {
		say(supervisor, news == STALL_LASTS ? "still a " : "", finding);
		if (news == STALL_BEGAN)
			note(supervisor, episode, finding);
		return;
	}
	history_stalled(supervisor, episode, "");
	stall_name(&watch->topology, episode->culprit, &name);
	supervisor_log(supervisor, WEIR_LOG_WARNING, "the %s of %s (%s) is over after %s: %s",
		       stall_kind_is_deadlock(episode->kind) ? "deadlock" : "stall", text_get(&name),
		       stall_kind_name(episode->kind),
		       quantity_format_duration(watch->last_ns - episode->since_ns, duration),
		       watch->histories[episode->culprit].generation != episode->generation ? "its worker has ended" :
		       watch->snapshot.workers[episode->culprit].ending.since_ns            ? "it was told to end" :
		       watch->histories[episode->culprit].n_looks ? "that is not so any more" :
								    "it moves again");
}

/* ---- looking ---- */

static bool may_look(const struct supervisor *supervisor)
{
	return supervisor->stalls && !supervisor->lifecycle.finished &&
	       supervisor->lifecycle.ladder.rung < RUNG_CANCEL &&
	       (supervisor->lifecycle.state == PIPELINE_RUNNING || supervisor->lifecycle.state == PIPELINE_DRAINING);
}

/* Those of a stage with a deadline are not only named. */
static void end_stopped(struct supervisor *supervisor, uint64_t now_ns)
{
	const struct stall_watch *watch = supervisor->stalls;

	for (size_t i = 0; i < watch->n_findings && !supervisor->lifecycle.finished; i++)
		if (watch->findings[i].kind == STALL_KIND_STOPPED)
			overrun_stopped(&supervisor->seats[watch->findings[i].culprit],
					watch->histories[watch->findings[i].culprit].stopped_ns, now_ns);
}

static void look(struct supervisor *supervisor)
{
	struct stall_watch *watch = supervisor->stalls;
	uint64_t now_ns = clock_now_ns(), late_ns = stall_late_ns(watch->last_ns, watch->due_ns, now_ns);

	if (late_ns)
		watch->last_ns = stall_forgive(&watch->topology, watch->histories, watch->last_ns, late_ns);
	see(supervisor, now_ns);
	stall_remember(&watch->topology, watch->histories, &watch->snapshot, watch->last_ns, now_ns);
	ask_kernel(watch);
	stall_hear_kernel(&watch->topology, watch->histories, &watch->snapshot, now_ns);
	watch->last_ns = now_ns;
	watch->n_findings = stall_find(&watch->topology, watch->histories, &watch->snapshot, now_ns, watch->findings);
	ask_more_of_culprits(watch);
	stall_episodes_update(watch->episodes, watch->histories, watch->findings, watch->n_findings, now_ns, tell,
			      supervisor);
	end_stopped(supervisor, now_ns);
}

/* Nothing has moved for long: there is nothing new to be seen soon. */
static bool is_quiet(const struct stall_watch *watch)
{
	for (uint32_t i = 0; i < watch->topology.n_workers; i++)
		if (watch->snapshot.workers[i].doing != STALL_OVER && watch->histories[i].n_looks < LOOKS_SELDOM)
			return false;
	return true;
}

static int on_look_due(sd_event_source *source, uint64_t at_us, void *data);

static void set_timer(struct supervisor *supervisor, uint64_t pause_ns)
{
	struct stall_watch *watch = supervisor->stalls;

	watch->due_ns = clock_now_ns() + pause_ns;
	timer_set(supervisor, &watch->timer, watch->due_ns, on_look_due, supervisor);
}

sd_event_source *stalls_timer(const struct supervisor *supervisor)
{
	return supervisor->stalls ? supervisor->stalls->timer : NULL;
}

/* All are idle: asks to be told when that changes. Returns false if it has changed already. */
static bool stall_rest(struct supervisor *supervisor)
{
	struct stall_watch *watch = supervisor->stalls;

	if (stall_episodes_open(watch->episodes) ||
	    !stall_is_idle(&watch->topology, watch->histories, &watch->snapshot))
		return false;
	store_relaxed(&supervisor->board->at_rest, 1);
	fence_seq_cst(); /* [B3] mate: blocked_over */
	see(supervisor, watch->last_ns);
	if (stall_is_idle(&watch->topology, watch->histories, &watch->snapshot))
		return true;
	store_relaxed(&supervisor->board->at_rest, 0);
	return false;
}

static int on_look_due(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->stalls->timer);
	if (!may_look(supervisor))
		return 0;
	look(supervisor);
	supervisor->stalls->due_ns = 0;
	if (!stall_rest(supervisor))
		set_timer(supervisor, is_quiet(supervisor->stalls) ? LOOK_SELDOM_NS : LOOK_NS);
	return 0;
}

void stalls_wake(struct supervisor *supervisor)
{
	if (!may_look(supervisor) || supervisor->stalls->timer)
		return;
	store_relaxed(&supervisor->board->at_rest, 0);
	set_timer(supervisor, LOOK_NS);
}

void supervisor_why(struct supervisor *supervisor, struct text *text)
{
	struct stall_watch *watch = supervisor->stalls;

	if (may_look(supervisor)) {
		look(supervisor);
		stalls_wake(supervisor);
	} else {
		see(supervisor, clock_now_ns());
		watch->n_findings = 0; /* it is coming up, or being ended: the log says how that goes */
	}
	stall_format_json(&watch->topology, &watch->snapshot, watch->findings, watch->n_findings,
			  supervisor->plan->pipeline, clock_now_ns(), text);
}

/* A worker's, whatever it does. */
static void ask_all_of(struct stall_watch *watch, uint32_t number)
{
	struct stall_worker *worker = &watch->snapshot.workers[number];

	worker->since_ns = stall_since_ns(&watch->histories[number], worker);
	if (worker->pid <= 0)
		return;
	worker->kernel = process_state(worker->pid, &worker->starved_ns);
	process_where(worker->pid, worker->where, sizeof(worker->where));
	worker->program = process_child(worker->pid, worker->program_name);
	if (worker->program) {
		uint64_t starved_ns;

		worker->program_kernel = process_state(worker->program, &starved_ns);
	}
}

void supervisor_dump(struct supervisor *supervisor, const char *name, struct text *text)
{
	struct stall_watch *watch = supervisor->stalls;
	uint32_t number;
	const struct plan_stage *stage = plan_find_stage(supervisor->plan, name, &number);

	must(stage);
	see(supervisor, clock_now_ns());
	for (uint32_t i = 0; i < stage->workers; i++)
		ask_all_of(watch, stage->first_slot + i);
	stall_format_dump(&watch->topology, &watch->snapshot, stage->name, stage->first_slot, stage->workers,
			  clock_now_ns(), text);
}

/* ---- birth ---- */

void stalls_open(struct supervisor *supervisor)
{
	const struct plan *plan = supervisor->plan;
	struct stall_seat *seats = calloc(plan->n_slots + 1ul, sizeof(*seats));
	struct stall_lane *lanes = calloc(plan->n_lanes + 1ul, sizeof(*lanes));
	struct stall_watch *watch = calloc(1, sizeof(*watch));

	must(seats && lanes && watch);
	for (uint32_t i = 0; i < plan->n_slots; i++)
		seats[i] = (struct stall_seat){ .stage = plan->stages[plan->slots[i].stage].name,
						.index = plan->slots[i].worker_index,
						.source = plan->stages[plan->slots[i].stage].role == WEIR_SOURCE };
	for (uint32_t i = 0; i < plan->n_lanes; i++)
		lanes[i] = (struct stall_lane){ .producer = plan->lanes[i].producer,
						.consumer = plan->lanes[i].consumer,
						.edge = plan->lanes[i].edge,
						.capacity_bytes = plan->lanes[i].capacity_bytes };
	stall_topology_init(&watch->topology, seats, plan->n_slots, lanes, plan->n_lanes);
	watch->histories = calloc(plan->n_slots + 1ul, sizeof(*watch->histories));
	watch->snapshot.workers = calloc(plan->n_slots + 1ul, sizeof(*watch->snapshot.workers));
	watch->snapshot.levels = calloc(plan->n_lanes + 1ul, sizeof(*watch->snapshot.levels));
	must(watch->histories && watch->snapshot.workers && watch->snapshot.levels);
	supervisor->stalls = watch;
	free(seats);
	free(lanes);
}

void stalls_stop(struct supervisor *supervisor)
{
	if (supervisor->stalls)
		timer_stop(&supervisor->stalls->timer);
}

const struct stall_episode *stalls_episodes(const struct supervisor *supervisor)
{
	return supervisor->stalls ? supervisor->stalls->episodes : NULL;
}

void stalls_close(struct supervisor *supervisor)
{
	struct stall_watch *watch = supervisor->stalls;

	if (!watch)
		return;
	timer_stop(&watch->timer);
	stall_topology_deinit(&watch->topology);
	free(watch->histories);
	free(watch->snapshot.workers);
	free(watch->snapshot.levels);
	free(watch);
	supervisor->stalls = NULL;
}
