/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline's life: every decision of the supervisor, as one pure function. It reads no clock, no memory of others, no random number; it
 * does nothing. It is told what has happened and when, and says what is to be done:
 *
 *      event, now ---> lifecycle_step() ---> actions ---> whoever performs them (broker/supervise, or a simulator in the tests)
 *                            |   ^                              |
 *                        struct lifecycle                       '--- answers are events: before any other event
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/lifecycle/event.h"
#include "broker/lifecycle/ladder.h"
#include "broker/lifecycle/outcome.h"
#include "broker/lifecycle/pipeline_state.h"
#include "broker/lifecycle/reload_end.h"
#include "broker/lifecycle/restart.h"
#include "broker/lifecycle/seat_state.h"
#include "broker/spec/plan.h"
#include "common/base/clock.h"
#include "common/scope/cause.h"

#define START_TIMEOUT_DEFAULT_NS (30 * NS_PER_S)
#define LAST_WORDS_WAIT_NS (200 * NS_PER_MS) /* for a goodbye that is still on its way when its sender is reaped */
#define TERM_TO_KILL_NS (25 * NS_PER_MS)     /* of an overrun: it ends everybody whose stage has not taken it away */
#define UNKILLABLE_NS (5 * NS_PER_S)         /* after SIGKILL: then a process counts as stuck in the kernel */
#define ORPHANS_AGAIN_NS (100 * NS_PER_MS)
#define SCALE_HOLD_NS (10 * NS_PER_S) /* for what was dealt by one map of keys to get through before the next */
#define RESUME_WAIT_NS (2 * NS_PER_S) /* for the sources to say that they go on */

/* How a worker that does not go by itself has been told to. */
enum told { TOLD_NOTHING, TOLD_TERM, TOLD_KILL };

/* What producers do about a seat: the same as on the board. */
enum dealing { DEALING_DEALT, DEALING_CLOSED, DEALING_HELD };

/* What is known of one seat, over all generations. */
struct life {
	enum seat_state state;
	uint32_t stage;
	uint32_t generation; /* of the next one while nobody sits here */
	uint32_t restarts;
	uint32_t failures;              /* deaths in a row without progress */
	struct restart_history history; /* on_failure: degrade counts for each seat; else the stage does */
	uint64_t due_ns; /* when the present wait ends, absolute; 0: it has no end of its own (lifecycle_bounded()) */
	uint64_t restart_ns;  /* when its back-off is over, absolute */
	enum dealing dealing; /* scale.c */
	bool unfed;           /* closed, and every producer has seen that: what lies there is the last */
	bool grows;           /* it has rested, and is not dealt to yet */
	bool waits;           /* it is over, but siblings are still being stopped */
	bool retires;         /* RETIRE is being tried: no sibling can count on it */
	bool quarantined;     /* its memory makes no sense: nothing in it is counted or repaired any more */
	uint32_t stopped_for; /* the seat for whose sake it was stopped last */
	bool together;        /* it is being stopped for that: nobody of them comes back before it is down */
	enum reason reason;   /* why it would be given up, while RETIRE is being tried */

	/* of the present generation */
	struct death_facts death;
	struct memory_facts memory; /* what was found behind it */
	enum told told;
	bool died;      /* it lived, and is dead: `death` tells how */
	bool stopped;   /* ... because we told it to end, and the others not */
	bool overrun;   /* an item has overrun its deadline there, and it was told to end for that */
	bool was_ready; /* its stage was open */
	bool stands_in; /* for its stage, which has failed for good */
	bool dismissed; /* told to end, for it was idle, and its stage does with fewer */
	bool hung;      /* told to end because it did not exit after its goodbye */
	bool goodbye, goodbye_failed, goodbye_blames_spec;
	bool heard_drain; /* the last order that it has acknowledged is to drain */
	bool awaited;     /* a source that has not yet said that it goes on: resume.c */
	bool makes_room;  /* it was told to end for a reload, or is killed because it was not ready in time */
	bool renewed;     /* by the plan of a reload that is not over */

	/* reload.c: who is to come after it */
	bool newcomer, at_gate; /* is being made; waits */
	bool canary;            /* it goes first */
};

/* Whether its worker is to end, and the others are not: its death is nobody's fault. */
static inline bool life_is_stopped(const struct life *life)
{
	return life->state == SEAT_STOPPING || life->makes_room;
}

struct stage_life {
	struct restart_history history;
	struct restart_policy policy;
	bool reloads;     /* has other options in the plan that is being changed to */
	bool abandoned;   /* it has failed for good, or was cancelled, and stand-ins discard what comes to it ... */
	enum cause cause; /* ... for this */

	/* scale.c: seats are bits */
	uint32_t wanted;         /* workers */
	bool scaling;            /* it has not come there yet */
	bool asked;              /* `open` is not by it yet: it waits for the end of a hold */
	bool news;               /* a `dealing` has changed in this step */
	uint64_t open;           /* are to work, and be dealt to */
	uint64_t open_before;    /* ... as it was when it last was as wanted: to go back to */
	uint64_t look_due_ns;    /* when memory is looked at, absolute; 0: nothing is waited for there */
	uint64_t look_ns;        /* between two looks */
	uint64_t held_until_ns;  /* nothing is dealt to the stage, until then at most; 0: it is */
	struct scale_facts seen; /* by this step's look */
};

/* What the supervisor before this one had decided when it died. Seats and stages as in the plan; borrowed. */
struct legacy_seat {
	uint32_t generation, restarts, failures;
	bool retired, rests;
	enum dealing dealing;
};
struct legacy_stage {
	bool abandoned;
	enum cause cause;
	bool scaling; /* towards `wanted` */
	uint32_t wanted;
	uint64_t open, open_before; /* as in struct stage_life */
};
struct legacy {
	uint64_t started_ns;   /* everybody was ready then */
	uint64_t run_due_ns;   /* absolute; 0: no end */
	uint64_t drain_for_ns; /* that the pipeline was given to drain, relative; 0: the plan's */
	enum rung rung;
	enum cause cause;
	bool stage_failed, drain_deadline_passed;
	int signal_number;
	const struct legacy_seat *seats;
	const struct legacy_stage *stages;
};

/* reload.c: a change to another plan. */
enum reload_state {
	RELOAD_NONE,
	RELOAD_PREPARING,
	RELOAD_CANARY,
	RELOAD_SWITCHING,
	RELOAD_PROBATION,
	RELOAD_REVERTING
};
struct reload {
	enum reload_state state;
	uint64_t due_ns; /* when PREPARING fails, CANARY is looked at, PROBATION is over; absolute, 0: none of these */
	uint64_t canary_end_ns; /* CANARY: absolute; 0: not all of them are ready */
	struct reload_terms terms;
	uint32_t n_deaths; /* of new workers that had got somewhere */
	uint32_t culprit;  /* REVERTING: the seat that has failed */
};

struct lifecycle {
	const struct plan *plan; /* borrowed */
	uint64_t start_timeout_ns;
	struct life *lives;        /* plan->n_slots */
	struct stage_life *stages; /* plan->n_stages */
	bool *behind;              /* plan->n_stages: scratch */
	struct action *actions;    /* of the present step */
	uint32_t n_actions, actions_max;

	enum pipeline_state state;
	struct ladder ladder;
	enum cause cause;
	struct outcome outcome;
	bool restarts_off;
	struct reload reload;
	bool goes_on;          /* it began as another one's legacy: legacy.c ... */
	enum rung left_on;     /* ... that stood there */
	uint64_t drain_for_ns; /* what the order to end gave, relative; 0: none was given */
	bool signalled;        /* a SIGINT or SIGTERM has come */
	enum { RESUME_NOT, RESUME_ASKED, RESUME_TOLD } resuming; /* resume.c */
	bool resume_failed;                                      /* it was tried, and rolled back */
	bool ending;                                             /* the last sweep and the count are being made */
	bool finished;
	int exit_code;
	uint32_t n_spawned; /* of the start: seats below have been filled once */
	uint32_t n_live, n_over, n_stopping,
		n_waiting,   /* seats: with a process, over, STOPPING together, that wait for those, */
		n_resting;   /* ... that rest */
	uint64_t started_ns; /* everybody was ready then; 0: not yet */

	/* Deadlines, absolute; 0: not set. Those of seats are theirs, those of the ladder are worked out from it. */
	uint64_t start_due_ns, run_due_ns, ladder_due_ns, resume_due_ns, orphans_due_ns, orphans_end_ns;
	uint64_t armed_ns; /* what the last ARM said */
};

struct actions {
	const struct action *actions; /* until the next step */
	uint32_t n;
	bool refused; /* what a worker or a person wants does not fit: nothing has changed */
};

/* Returns 0 or -ENOMEM; lifecycle_deinit() either way. start_timeout_ns 0: the default. */
int lifecycle_init(struct lifecycle *lifecycle, const struct plan *plan, uint64_t start_timeout_ns);
/* Fine after zeros. */
void lifecycle_deinit(struct lifecycle *lifecycle);

/* Before START: goes on with the run as it was left, instead of beginning one. */
void lifecycle_inherit(struct lifecycle *lifecycle, const struct legacy *legacy);

/* The next supervisor need fill that seat only when its stage grows: nothing lies there, or its stream has ended while it was closed. */
bool lifecycle_leaves_resting(const struct lifecycle *lifecycle, uint32_t seat);

/* Takes one event. The next one only after all that this says has been done, answers first. now_ns: CLOCK_MONOTONIC, never backward. */
struct actions lifecycle_step(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns);

/*
 * What the plan says of restarts has changed under it: whoever performs EXCHANGE calls this then. Deaths of stages whose
 * intensity or period is another one are counted anew.
 */
void lifecycle_replan(struct lifecycle *lifecycle);

/* The earliest deadline; 0: nothing is waited for. What the last ARM said. */
uint64_t lifecycle_due_ns(const struct lifecycle *lifecycle);
/* The seat waits for nothing, or for something that ends at an absolute time which is armed. For tests: always true between two events. */
bool lifecycle_bounded(const struct lifecycle *lifecycle, uint32_t seat);

/* Whoever sits there has item deadlines to keep now: EVENT_OVERRUN would be taken. Else there is nothing to look for. */
bool lifecycle_may_overrun(const struct lifecycle *lifecycle, uint32_t seat);

/* Whoever sits there has been told to end, alone or with everybody, or has said goodbye, and is still there. */
struct ending {
	enum rung rung;   /* the last one that it was told: RUNG_CANCEL (or its own goodbye), RUNG_TERM, RUNG_KILL */
	uint64_t next_ns; /* when the next one comes, absolute; behind RUNG_KILL: when it is left behind */
};
/* false: nobody is, or is being ended: *ret_ending is not set. */
bool lifecycle_ending(const struct lifecycle *lifecycle, uint32_t seat, struct ending *ret_ending);

/* Why the stage of that seat can't have n workers; SCALE_POSSIBLE: it will. */
enum scale_refusal {
#define SCALE_REFUSAL(id_, name_, sentence_) SCALE_##id_,
#include "broker/lifecycle/scale_refusal.def"
#undef SCALE_REFUSAL
	SCALE_REFUSAL_COUNT
};
enum scale_refusal lifecycle_scale_refusal(const struct lifecycle *lifecycle, uint32_t seat, uint32_t n);
/* For people; static. */
const char *scale_refusal_sentence(enum scale_refusal refusal);
/* Workers that the stage is to have now, by what was decided. */
uint32_t scale_open(const struct stage_life *stage);

/* Why a drain can't be taken back now; RESUME_POSSIBLE: it can, unless a source says something else when it is asked. */
enum resume_refusal {
#define RESUME_REFUSAL(id_, name_, sentence_) RESUME_##id_,
#include "broker/lifecycle/resume_refusal.def"
#undef RESUME_REFUSAL
	RESUME_REFUSAL_COUNT
};
enum resume_refusal lifecycle_resume_refusal(const struct lifecycle *lifecycle);
/* For people; static. */
const char *resume_refusal_sentence(enum resume_refusal refusal);
