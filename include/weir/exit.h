/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coming to an end: where a long stage asks whether it should, and what is cleaned up when it does.
 *
 *     outer   add a    add b    [inner]    add d             run(outer):   d, then inner: y, x, then b, a
 *                                  | add x   add y           run(inner):   y, x; and run(outer) later: d, b, a
 *
 * The runtime runs the worker's own coordinator once, behind the last callback and the last commit and before close(): at the natural
 * end, at a cancel, after a failure of the stage (of open(), too). Not after SIGTERM, SIGKILL or a crash: the process is gone or no more
 * to be trusted, and what it has not committed is done again by the next one. So a cleaner is for what a process holds outside (a
 * lock, a temporary file, a session); what the pipeline has to know goes through the cursor.
 *
 * A fault in a cleaner does not keep the others from running. It is either what it returned, other than 0; or a crash: SIGSEGV, SIGBUS,
 * SIGFPE, SIGILL or SIGABRT in its thread. Such a cleaner is left by a jump: what it held stays held (a lock), what it was writing
 * stays half-written. Both are counted, and the first is named. In the worker's own coordinator the first kind is logged; after a crash
 * close() is not called either, and the stage has failed.
 */
#pragma once

#include <stdint.h>
#include <weir/budget.h>
#include <weir/cause.h>
#include <weir/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;

/* What a graceful exit point has to say. */
struct weir_exit {
	enum weir_cause cause; /* CANCELLED: why; else NONE */
	uint64_t deadline_ns;  /* when SIGTERM comes, CLOCK_MONOTONIC; WEIR_FOREVER: nobody has ordered an end */
	uint64_t remaining_ns; /* until then; 0: any moment; UINT64_MAX: no end was ordered */
};

/*
 * A graceful exit point: a stage that works long in one callback asks here now and then. Acknowledges an order that is new, and then runs
 * the hooks of cancelled scopes. *ret_exit may be NULL. Worker process, the thread that was called back, any callback; does not wait.
 * Costs two loads while nothing was ordered.
 * Returns WEIR_OK: go on (while the pipeline drains *ret_exit says how long); WEIR_CLOSED: the pipeline drains, and this is a source:
 * take nothing more in, and come to an end; WEIR_CANCELLED: drop what is in hand and return that.
 */
int weir_exit_point(struct weir_context *context, struct weir_exit *ret_exit);

/* ---- exit coordinator ---- */

/* The caller's memory, zeroed, which stays where it is until the cleaner has run or was removed, or its coordinator is freed. */
struct weir_cleaner {
	const char *name; /* for reports; borrowed */
	int (*function)(void *data,
			enum weir_cause cause); /* cause NONE: the natural end. Returns 0, or what went wrong */
	void *data;
	struct weir_cleaner *older; /* from here on: the runtime's */
	const void *owner;
};

/* What came of a run. */
struct weir_exit_report {
	uint32_t n_run;     /* cleaners, those of inner coordinators too */
	uint32_t n_failed;  /* of these: have returned something else than 0 */
	uint32_t n_crashed; /* of these: were left by a jump */
	const char *name;   /* of the first of both kinds; NULL: none. The cleaner's */
	int status;         /* what it returned, 0: it crashed ... */
	int signal;         /* ... by this signal */
};

struct weir_coordinator;

/* The worker's own. Owned by the runtime, which runs it: a stage can neither run nor free it. Never NULL. */
struct weir_coordinator *weir_coordinator_of(struct weir_context *context);

/*
 * A new one; inside of `outer` (NULL: by itself) it takes the place that a cleaner added now would have. Any thread; does not wait.
 * Returns 0 and the coordinator, owned by the caller (weir_coordinator_free()); -ENOMEM; WEIR_CLOSED: outer has run.
 */
int weir_coordinator_new(struct weir_coordinator *outer, struct weir_coordinator **ret_coordinator);

/* Frees it and those inside, without running anything. Not while it runs; not the worker's own (nothing happens). Returns NULL. */
struct weir_coordinator *weir_coordinator_free(struct weir_coordinator *coordinator);

/*
 * Adds a cleaner: the last one in is the first one out. While the coordinator runs, too: it is next, then. Any thread; does not wait.
 * Returns WEIR_OK; WEIR_CLOSED: it has run, so the caller cleans up itself; -EINVAL: no function, or it is in a coordinator already.
 */
int weir_coordinator_add(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner);

/* Takes one out. Returns WEIR_OK: it will not run; WEIR_CLOSED: it is not there, or its turn has come. Any thread; does not wait. */
int weir_coordinator_remove(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner);

/*
 * Runs every cleaner, in this thread, each exactly once. For as long as it runs the signals above have handlers of the runtime.
 * *ret_report may be NULL. Returns WEIR_OK; WEIR_FAILED: there was a fault, see the report; WEIR_CLOSED: it runs already, maybe around
 * this very call, or has run: nothing is done; -EPERM: the worker's own, or a child after fork(), whose parent does it.
 */
int weir_coordinator_run(struct weir_coordinator *coordinator, enum weir_cause cause,
			 struct weir_exit_report *ret_report);

#ifdef __cplusplus
}
#endif
