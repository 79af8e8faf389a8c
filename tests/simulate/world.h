/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A modelled world: lanes with numbered items, seats with what survives a worker (cursor, commit record, suspect), workers with their
 * faults, and a clock. All that broker/supervise and the workers are to the lifecycle, without a process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/lifecycle/lifecycle.h"
#include "common/memory/board_layout.h"
#include "tests/simulate/chance.h"

#define STAGES_MAX 8u
#define EDGES_MAX 16u
#define SEATS_MAX 32u
#define LANES_MAX 128u
#define ITEMS_PER_SOURCE_MAX 48u
#define OUTPUTS_MAX 4u
#define HAPPENINGS_MAX 4096u
#define KEYS 3u
#define NO_ITEM UINT32_MAX
#define NO_LANE UINT32_MAX

/* One item on one lane. Handing on makes new ones, with this one as their parent: each parent has one child an edge. */
struct item {
	uint32_t poisons;   /* stage that dies of it; STAGES_MAX: none */
	uint32_t stalls;    /* stage that takes too long over it, each time; STAGES_MAX: none */
	uint32_t passed_on; /* bit per edge: has a child there */
	bool taken;         /* its consumer's commit says so */
	uint32_t serial;    /* of its source's items: which it comes from; its key is a part of that */
	uint32_t attempts;  /* lives that it has cost at the seat where it lies */
};

struct lane {
	uint32_t edge, producer, consumer, capacity;
	uint32_t *items; /* by number, oldest first */
	uint32_t n, size;
	enum { OPEN, CLOSED, LOST } closed;
};

/* A turn that has been made: its effects, before they are visible. */
struct record {
	bool committed;
	uint32_t input; /* lane; NO_LANE: a source's turn */
	uint32_t item;
	uint32_t fate;                            /* line of the ledger */
	uint32_t n_outputs, outputs[OUTPUTS_MAX]; /* lanes */
};

/* What lies in a slot's memory, and outlives whoever sits there. */
struct memory {
	uint32_t cursor;                          /* source: items given */
	uint32_t passed_on[ITEMS_PER_SOURCE_MAX]; /* of each of them, as in struct item */
	uint32_t finished;                        /* 0, 1 clean, 2 failed */
	struct record record;
	uint32_t hand;     /* item; NO_ITEM: none */
	uint32_t n_blamed; /* how often a death here was laid to an item */
	uint64_t ledger[LEDGER_COUNT];
	bool retired, senseless;
};

/* An item has overrun its deadline in a worker's hands: what was so then, and what has to be. All zero: none has. */
struct overrun {
	uint64_t due_ns; /* when it had to be done */
	uint64_t off_ns; /* when the worker has to be off the machine, unless it is stuck in the kernel */
	uint32_t item, attempts_before; /* lives that it had cost until then */
	uint32_t blamed_before;         /* at this seat: any item */
	bool known;                     /* the repair knows whom to blame */
};

enum mode { GONE, BOOTING, OPENING, WAITING, IDLE, AT_WORK, LEAVING };

struct worker {
	enum mode mode;
	uint32_t number; /* of the process: what happens to an earlier one means nothing */
	bool exists;     /* not reaped */
	bool stands_in;
	bool new_plan; /* made by the plan of a reload that is not over */
	bool deaf;     /* hears no order */
	bool stubborn; /* hears no SIGTERM */
	bool stuck;    /* in the kernel: not even SIGKILL */
	bool hangs;    /* does not exit after its goodbye */
	bool dying;
	bool ended;       /* its status line says so ... */
	bool cancelled;   /* ... or that it was told to */
	bool ending;      /* a source that has made up its mind */
	bool woken;       /* a wake is on its way */
	bool left_behind; /* nobody watches it any more */
	uint32_t turns;
	uint32_t turn;        /* number of the one that it has begun last, */
	uint64_t turn_due_ns; /* and when that has to be done; 0: it is in time */
	struct overrun overrun;
	uint32_t order_seen;
	uint32_t dealings_seen; /* of the board, and what it said then */
	enum dealing dealings[SEATS_MAX];
	uint64_t rest_until_ns;
	uint64_t work_ns;
	uint64_t heard_ns;                               /* when its last message arrives */
	uint64_t cancelled_ns, terminated_ns, killed_ns; /* when it was told; 0: not yet */
};

/* Somebody made by another plan, who waits for a seat. All zero: nobody. */
struct newcomer {
	bool exists, at_gate;
	uint32_t number;
};

enum happening_kind {
	BOOTED,
	OPENED,
	SAYS_READY,
	WOKEN,
	COMMITTED,
	APPLIED,
	GOODBYE,
	EXIT,
	ACK,
	LOOKED, /* the watch sees that turn number `value` takes too long */
	CRASH,
	CANCEL_COMES,
	SIGTERM_COMES,
	SIGKILL_COMES,
	GATE_REACHED,
	NEWCOMER_DIES,
	TIMER,
	REQUEST,
};

struct happening {
	uint64_t at_ns, order; /* order: who comes first at the same time */
	enum happening_kind kind;
	uint32_t seat, worker; /* worker: its number */
	uint32_t value;
};

/* What can go wrong, in a thousand. */
struct faults {
	uint32_t crash, fork, never_ready, opens_late, fails_to_open, fails, exec, hang, deaf, stubborn, stuck, poison,
		senseless, orphans, late, stall; /* late: a turn; stall: an item, always */
};

struct request {
	enum event_kind kind;
	uint64_t after_ns; /* 0: the plan's deadline */
	enum cause cause;
	uint32_t seat; /* CANCEL_STAGE, SCALE */
	uint32_t n;    /* SCALE */
};

struct world {
	uint64_t seed, now_ns;
	struct chance chance;
	struct faults faults;
	uint64_t work_max_ns; /* of a turn */

	struct plan plan;
	struct plan_stage stages[STAGES_MAX];
	struct plan_edge edges[EDGES_MAX];
	struct plan_slot slots[SEATS_MAX];
	uint32_t numbers[2 * EDGES_MAX]; /* inputs and outputs of the stages */
	uint32_t n_items[SEATS_MAX];     /* of sources */
	bool rests[STAGES_MAX];          /* sources that rest before they end */

	struct newcomer newcomers[SEATS_MAX];
	uint32_t n_newcomers_ever;
	bool changed[STAGES_MAX]; /* by the reload that is under way, or was the last */
	bool bad_plan;            /* its workers often die soon */
	bool bad_ever;            /* one of them was to die */
	bool exchanged;           /* its plan is in force, and it is not over */
	bool makes_room[SEATS_MAX];
	uint64_t reload_begun_ns, reload_switched_ns, reload_probation_ns;
	uint32_t n_reloads, n_reverts; /* that have taken effect; that were taken back */

	struct lifecycle lifecycle;
	struct lane lanes[LANES_MAX];
	uint32_t n_lanes;
	struct memory memories[SEATS_MAX];
	struct worker workers[SEATS_MAX];
	uint32_t n_workers_ever;
	struct item *items;
	uint32_t n_items_ever, items_size;
	uint32_t order;             /* of the board */
	uint32_t orders[SEATS_MAX]; /* ... for one slot alone */
	uint32_t n_dealings;        /* of the board: how often these have changed */
	enum dealing dealings[SEATS_MAX];
	uint32_t
		taken_before[EDGES_MAX]
			    [KEYS]; /* by the last item of that key that was taken there: its serial + 1; 0: none was */
	uint32_t n_stage_cancels;   /* that were not refused */
	uint32_t n_failed;          /* stages: have failed for good, or were cancelled */
	bool silent;                /* nobody is woken by what changes now */
	uint32_t n_overruns;        /* that had to be taken */
	uint32_t n_resumes;         /* drains that somebody wanted to take back, and was not refused */

	struct happening happenings[HAPPENINGS_MAX]; /* a heap */
	uint32_t n_happenings;
	uint64_t n_orders, timer_ns;
	struct request requests[8];
	struct event answers[4 * SEATS_MAX];
	uint32_t n_answers;
	uint32_t orphan_rounds; /* sweeps that still find something */
	struct outcome counted;

	uint32_t planted; /* enum planted */
	uint64_t n_events, hash;
	bool trace;
	char broken[256]; /* the invariant that does not hold; "": none yet */
	uint64_t drain_bound_ns;
	uint64_t deaths_ns[SEATS_MAX + STAGES_MAX]
			  [8]; /* without progress, the last of a stage, or a seat that degrades */
	uint32_t n_deaths[SEATS_MAX + STAGES_MAX];
};

/* spec.c: a plan, faults and requests by chance. */
void world_spec(struct world *world);

/* world.c */
/* Runs one seed to its end. broken tells the verdict. */
void world_run(struct world *world);
void world_free(struct world *world);
void world_happen(struct world *world, uint64_t after_ns, enum happening_kind kind, uint32_t seat, uint32_t value);
void world_post(struct world *world, const struct event *event);
void world_note(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_break(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* lanes.c */
uint32_t item_new(struct world *world, uint32_t poisons, uint32_t stalls, uint32_t serial);
void lane_put(struct world *world, uint32_t lane, uint32_t item);
/* What a committed turn has decided becomes visible. */
void record_apply(struct world *world, uint32_t seat);
/* The half of it: what happens to a committed turn that nobody repairs. */
void record_apply_half(struct world *world, uint32_t seat);
void lanes_close(struct world *world, uint32_t seat, bool lost);
/* What waits for the retired seat goes to its siblings. */
void lanes_move(struct world *world, uint32_t seat);
uint64_t lanes_sum(const struct world *world);
uint64_t lanes_before(const struct world *world, uint32_t seat);

/* workers.c */
void worker_spawn(struct world *world, uint32_t seat);
void worker_take(struct world *world, const struct happening *happening);
/* A hint that there is something to look at. */
void worker_wake(struct world *world, uint32_t seat);
/* It does nothing, and nothing lies before it; whether its lanes say so, and those behind it. */
bool worker_is_idle(const struct world *world, uint32_t seat);
/* It deals as the board says, or will deal nothing any more. */
bool worker_deals_as_said(const struct world *world, uint32_t seat);
/* It could go on, and nobody has told it. */
bool worker_sleeps_beside_work(const struct world *world, uint32_t seat);
void worker_die(struct world *world, uint32_t seat, uint32_t manner);
enum { MANNER_SIGNAL, MANNER_ZERO, MANNER_ONE, MANNER_NINE, MANNER_NOT_RUN, MANNER_NO_PROGRAM, MANNER_KILLED };

/* deeds.c: performs one action. */
void world_perform(struct world *world, const struct action *action);

/* reloads.c */
/* An event that wants another plan: which, by chance. Others are left alone. */
void reload_ask(struct world *world, struct event *event);
bool reload_changes(const struct world *world, uint32_t seat);
void newcomer_take(struct world *world, const struct happening *happening);
/* The seat is being filled. */
void newcomer_sits_down(struct world *world, uint32_t seat);
void reload_perform(struct world *world, const struct action *action);
void check_reload_action(struct world *world, const struct action *action);
void check_reload(struct world *world);

/* invariants.c */
/* Before an overrun is told to the lifecycle: notes what has to come of it. Returns whether it has to be taken. */
bool check_overrun(struct world *world, const struct event *event);
/* Nobody is on the machine whose time there is over. */
void check_overruns(struct world *world);
void check_action(struct world *world, const struct action *action);
void check_now(struct world *world);
void check_end(struct world *world);

/* planted.c */
enum planted {
	PLANTED_NOTHING,
#define PLANTED(id_, name_, summary_) PLANTED_##id_,
#include "tests/simulate/planted.def"
#undef PLANTED
	PLANTED_COUNT
};
extern uint32_t planted_now;
const char *planted_name(uint32_t planted);
/* What a faulty core would say instead. false: nothing. */
bool planted_action(struct world *world, struct action *action);
void planted_before_step(struct world *world, const struct event *event);
void planted_after_step(struct world *world);
