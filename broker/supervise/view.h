/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot of a running pipeline, for everything that shows it: live lines, ps, the final ledger. Plain data. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/observe/ledger.h"

struct supervisor;

struct view_worker {
	uint32_t slot, index; /* in the pipeline; in its stage */
	pid_t pid;            /* 0: nobody sits there now */
	uint32_t generation, restarts;
	uint32_t overruns; /* attempts that have overrun the stage's deadline here */
	const char *state; /* static name: "busy", "wait-in", "restarting", "ended" ... */
	uint64_t state_since_ns;
	uint64_t ledger[LEDGER_COUNT];
	uint64_t progress_position, progress_total;
	uint64_t queue_bytes, queue_capacity_bytes; /* in its input lanes now */
	uint64_t ahead_bytes, ahead_capacity_bytes; /* in its output lanes now: what others have yet to take */
	const char *
		backtrace; /* "backtrace: f (file+0x1) < ...", the last one of this seat; NULL: none; owned by the seat */
	int filters;       /* of system calls, that it has put on; -1: not known */
	uint64_t backtrace_ns; /* when it was told */
	uint32_t backtrace_generation;
};

struct view_stage {
	const char *name; /* owned by the plan */
	const char *role, *kind;
	uint32_t n_workers, n_live, restarts, overruns;
	uint32_t n_resting;            /* seats where nobody is wanted: workers: {min, max} */
	uint32_t n_wanted;             /* workers that there are to be */
	bool scaling;                  /* ... and are not yet */
	uint32_t n_retired;            /* seats that the stage goes on without */
	bool sandboxed;                /* `sandbox` was asked for */
	int landlock_abi;              /* ... and files are restricted by it; 0: they are not */
	bool dropped;                  /* failed for good, and the pipeline goes on without it */
	uint64_t ledger[LEDGER_COUNT]; /* sum of its workers */
	uint64_t queue_bytes;          /* in its input lanes now */
	uint64_t queue_capacity_bytes;
	uint64_t progress_position, progress_total; /* sources; total 0: unknown */
	struct view_worker *workers;
};

struct view {
	const char *pipeline, *phase; /* phase: pipeline_state.def */
	const char *cause;            /* of the cancel; "none" */
	pid_t pid;
	uint64_t now_ns, started_ns; /* started: everybody was ready; 0: not yet */
	uint64_t stop_deadline_ns;   /* 0: not stopping */
	uint32_t n_stages;
	struct view_stage *stages;
	uint64_t ledger[LEDGER_COUNT]; /* sum over all slots */
	uint64_t in_flight;            /* in lanes and held: emitted - taken + held while running; counted at the end */
	bool balanced;                 /* only meaningful after the end */
};

/* Fills a snapshot; view_deinit() frees it. Supervisor thread; no waiting. */
void view_take(struct supervisor *supervisor, struct view *ret_view);
void view_deinit(struct view *view);
