/* SPDX-License-Identifier: Apache-2.0 */
/* Events in, actions out: what the lifecycle and whoever performs for it say to each other. Plain values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/lifecycle/outcome.h"
#include "broker/lifecycle/reload_terms.h"
#include "common/scope/cause.h"

#define EVENT_WHO_SIZE 64u
#define NO_SEAT UINT32_MAX

enum event_kind {
#define EVENT(id_, name_, summary_) EVENT_##id_,
#include "broker/lifecycle/event.def"
#undef EVENT
	EVENT_COUNT
};

/* How the kernel, and the status line of this very generation, say that a worker ended. */
struct death_facts {
	bool exited_zero, exited_one;
	bool ended;     /* its status line said ENDED, or CANCELLED ... */
	bool cancelled; /* ... the latter: it left because it was told to, and has closed nothing */
	bool progressed; /* committed at least one turn that changed its books, or was killed from outside while it waited */
	bool not_run;    /* weir-worker was never executed ... */
	bool no_program; /* ... and never could be */
};

/* What the repaired memory of a dead worker says. */
struct memory_facts {
	bool closed;  /* a source's: it has handed on all that it had */
	bool idle;    /* nothing lies in its input lanes, nor is held back or begun ... */
	bool cut_off; /* a stand-in before it has ended: more will not come, and what came is not all */
};

/* What the memory of a stage and its neighbours says, while its workers become more or fewer. */
struct scale_facts {
	bool dealt;    /* every producer that lives deals as the board says now */
	bool empty;    /* nothing lies in the lanes into the stage, in its workers' hands, and in the lanes out of it */
	uint64_t idle; /* bit per worker: nothing lies in its input lanes, and it does nothing */
};

enum repair { REPAIR_DONE, REPAIR_SENSELESS, REPAIR_UNMAPPABLE };

/* Members that a kind does not name are not read. */
struct event {
	enum event_kind kind;
	uint32_t
		seat; /* all that are about a worker · CANCEL_STAGE, SCALE, LOOKED: any of the stage · JUDGED: or NO_SEAT */
	struct death_facts death;   /* EXITED */
	struct memory_facts memory; /* EXAMINED, SPAWN_FAILED */
	uint32_t chance;            /* EXAMINED, SPAWN_FAILED: for the back-off's jitter */
	enum repair repair;         /* REPAIRED */
	int error;                  /* SPAWN_FAILED: errno */
	bool done;                  /* RETIRED: carried out · SWEPT: nothing is left · JUDGED: their time is over */
	bool failed;                /* BYE: it can't go on ... */
	bool blames_spec;           /* ... and the spec is to blame */
	bool runs;                  /* ACKNOWLEDGED: the order to run; else to drain */
	bool closed;                /* ACKNOWLEDGED: a source, and its stream has ended */
	uint64_t deadline_ns;       /* DRAIN: absolute; 0: the plan's */
	enum cause cause;           /* CANCEL, CANCEL_STAGE */
	int signal_number;          /* SIGNAL */
	uint64_t due_ns;            /* OVERRUN: when the item had to be done, absolute */
	uint32_t n_workers;         /* SCALE: as many are wanted */
	struct scale_facts scale;   /* LOOKED */
	const struct outcome *counted; /* COUNTED: ledger, in_lanes, corrupt; borrowed */
	const bool *changed;           /* RELOAD: by stage; borrowed */
	struct reload_terms terms;     /* RELOAD */
	char who[EVENT_WHO_SIZE];      /* DRAIN, CANCEL, CANCEL_STAGE, SIGNAL, RESUME: for the log */
};

enum action_kind {
#define ACTION(id_, name_, summary_) ACTION_##id_,
#include "broker/lifecycle/action.def"
#undef ACTION
	ACTION_COUNT_OF_KINDS
};

enum reason {
#define REASON(id_, name_) REASON_##id_,
#include "broker/lifecycle/reason.def"
#undef REASON
	REASON_COUNT
};

/* What follows a death: SAY_DEATH. */
enum next {
	NEXT_RESTART,       /* at_ns: relative, how long the seat stays empty */
	NEXT_NOT_RESTARTED, /* too often */
	NEXT_TEMPORARY,     /* ... or not at all */
	NEXT_NOBODY,        /* restarts are off */
	NEXT_EXPECTED,      /* the same, and it was told to end */
	NEXT_REVERTED,      /* its stage goes back to the plan before the reload */
};

struct action {
	enum action_kind kind;
	uint32_t seat;   /* NO_SEAT: the whole pipeline */
	int value;       /* action.def says what */
	uint64_t at_ns;  /* ARM, GRACE, RUN, CANCEL: absolute; SAY_DEATH: relative */
	const char *who; /* borrowed from the event or from the plan, or static */
};

/* "start", ...; static. */
const char *event_name(enum event_kind kind);
const char *action_name(enum action_kind kind);
const char *reason_name(enum reason reason);
