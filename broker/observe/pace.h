/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a pipeline that moves spends its time, and who holds it back. Pure: what was seen comes as two views, taken one after the other;
 * pace_find.c and pace_trouble.c judge, pace_text.c puts it into words. stall.h of the supervisor is for what does not move.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/observe/catalog.h"
#include "common/base/text.h"
#include "common/observe/ledger.h"

#define PACE_NONE UINT32_MAX /* no worker, lane or stage in particular */
#define PACE_FINDINGS_MAX 32u
#define PACE_CHAIN_MAX 16u
#define PACE_EVENTS_MAX 256u

/* What a worker was seen to do. */
enum pace_doing {
	PACE_AT_WORK, /* in a turn */
	PACE_OUTSIDE, /* waits for something outside of weir */
	PACE_DUE,     /* waits for the time of an item that its stage has postponed */
	PACE_WANTS_ITEM,
	PACE_WANTS_ROOM,
	PACE_AWAY, /* nobody sits there, or is still opening */
	PACE_DOING_COUNT
};

enum pace_wait { PACE_FOR_ITEM, PACE_FOR_ROOM, PACE_WAIT_COUNT };

/* All numbers but those of "now" only grow. */
struct pace_worker {
	bool counts; /* somebody is wanted there */
	pid_t pid;   /* now; 0: nobody */
	uint32_t restarts;
	uint64_t ledger[LEDGER_COUNT];
	uint64_t n_items, processing_ns; /* measured, and what they took together */
	uint64_t starved_ns;             /* ready to run, and no processor */
	uint32_t n_looks, n_doing[PACE_DOING_COUNT];
	uint64_t n_waits[PACE_WAIT_COUNT], waited_ns[PACE_WAIT_COUNT]; /* asleep, the sleep that lasts included */
	/* Its program, if it has one. */
	pid_t program_pid;
	char program[64];
	uint32_t n_program_looks, n_program_ran, n_program_stopped, n_program_reads; /* reads: waits for more input */
};

struct pace_lane {
	uint64_t bytes_in, bytes_out;
	uint32_t n_looks;
	uint32_t n_room;        /* its producer waits for room in it, or in any of its edge */
	uint32_t n_item;        /* its consumer waits for an item, and nothing lies here */
	uint32_t n_passed_over; /* its consumer waits for an item, and here lies one */
	uint64_t filled_bytes;  /* sum over all looks */
};

enum pace_event_kind { PACE_EVENT_DIED, PACE_EVENT_SCALED };
struct pace_event {
	enum pace_event_kind kind;
	uint32_t stage;
	int64_t ago_ms;     /* before the view that has it */
	uint64_t item;      /* DIED: with this number in hand, and one more; 0: none */
	uint32_t n_workers; /* SCALED: that it has since */
	char text[160];     /* "": none */
};

struct pace_view {
	uint64_t now_ns;
	bool running;                /* neither coming up nor ending */
	struct pace_worker *workers; /* by slot */
	struct pace_lane *lanes;
	struct pace_event *events; /* what has happened lately, the oldest first */
	uint32_t n_events;
};
/* Room for the workers and lanes of that plan, all zero. */
void pace_view_init(struct pace_view *view, const struct catalog *catalog);
void pace_view_deinit(struct pace_view *view);

enum pace_kind {
#define PACE_KIND(id_, name_, by_design_, summary_, advice_) PACE_IS_##id_,
#include "broker/observe/pace_kind.def"
#undef PACE_KIND
	PACE_KIND_COUNT
};
struct pace_kind_line {
	const char *name, *summary, *advice;
	bool by_design;
};
/* PACE_KIND_COUNT lines, static. */
extern const struct pace_kind_line pace_kind_lines[];

/* A culprit, with the numbers that say so. Shares are of the time between the views, 0 to 1. */
struct pace_finding {
	enum pace_kind kind;
	uint32_t stage;
	uint32_t worker; /* slot; PACE_NONE: the stage as a whole */
	uint32_t edge;   /* that is full, empty, or loses; PACE_NONE */
	double waits; /* of who comes before it, for room; SILENT_INPUT, HEAD_OF_LINE: of who comes behind, for items */
	double busy, outside, idle, starved;
	double per_second;         /* items that it was through with */
	double item_ns, others_ns; /* for one, on the mean; SLOW_WORKER: for the others; 0: not known */
	double share;     /* HOT_KEY: of the items; DEAD_LETTERS, EXPIRING, DROPS, BREAKER: of those that came */
	uint64_t n;       /* POISON, CRASHING: deaths; THRASHING: turns; losses: items */
	double for_s;     /* ... within so long */
	const char *text; /* of the view after; NULL: none */
	pid_t program_pid;
	const char *program; /* of the view after */
	uint32_t n_chain;    /* who waits for whom: stages, the culprit last */
	uint32_t chain[PACE_CHAIN_MAX];
};

/*
 * Who holds the pipeline back between two views of it. Returns how many findings there are; the worst come first, those by design last.
 * None while it comes up or ends, or if the views are less than a few looks apart.
 */
size_t pace_find(const struct catalog *catalog, const struct pace_view *before, const struct pace_view *after,
		 struct pace_finding ret_findings[static PACE_FINDINGS_MAX]);

/* One sentence without an end: who waits how much, for whom, and what that one does. */
void pace_describe(const struct catalog *catalog, const struct pace_finding *finding, struct text *text);
/* What to do about it. */
void pace_advise(const struct catalog *catalog, const struct pace_finding *finding, const char *pipeline,
		 struct text *text);
/* A JSON object. */
void pace_format_json(const struct catalog *catalog, const struct pace_finding *finding, const char *pipeline,
		      struct text *text);
