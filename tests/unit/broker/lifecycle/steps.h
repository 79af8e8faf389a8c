/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lifecycle, step by step, without a process: one source, two workers in the middle, one sink. What it asks for is answered at once;
 * what it does stands in a line. tests/simulate drives it through everything else, by chance.
 *
 *      in#0 (seat 0) ---> mid#0, mid#1 (1, 2) ---> out#0 (3)
 */
#pragma once

#include "broker/lifecycle/lifecycle.h"

enum { STEPS_IN, STEPS_MID, STEPS_MID_TOO, STEPS_OUT, STEPS_SEATS };
enum { STAGE_IN, STAGE_MID, STAGE_OUT, STEPS_STAGES };

#define STEPS_GRACE_NS NS_PER_S
#define STEPS_BACKOFF_NS (100 * NS_PER_MS)

struct steps {
	struct plan plan;
	struct plan_stage stages[STEPS_STAGES]; /* change them before steps_start() */
	struct plan_edge edges[2];
	struct plan_slot slots[STEPS_SEATS];
	struct lifecycle lifecycle;
	uint64_t now_ns;
	char did[1024]; /* by the last event and its answers: "kill:2 order=2 spawn:1 ", without ARM */

	/* The answers. */
	struct memory_facts memory; /* of the dead */
	enum repair repair;
	uint32_t outside; /* the seat that JUDGE is answered with; NO_SEAT: none */
	bool no_forks, no_retiring, orphans;
	struct outcome counted;
};

/* Four restarts in 30 s, 100 ms of back-off, a minute to drain. */
void steps_init(struct steps *steps);
void steps_deinit(struct steps *steps);
/* START, and everybody is spawned. */
void steps_start(struct steps *steps);
/* ... and ready. */
void steps_run(struct steps *steps);

/* One event, a nanosecond after the last one, and the answers to what it asks for. Returns false if it was refused. */
bool steps_tell(struct steps *steps, struct event event);
/* Events without members. */
bool steps_tell_of(struct steps *steps, enum event_kind kind, uint32_t seat);
/* The seat's worker exits so. */
void steps_exit(struct steps *steps, uint32_t seat, struct death_facts death);
/* ... by a signal, and without having done anything. */
void steps_crash(struct steps *steps, uint32_t seat);
/* ... at the end of its stream, with a goodbye. */
void steps_finish(struct steps *steps, uint32_t seat);
/* Hello and ready. */
void steps_sit_down(struct steps *steps, uint32_t seat);
/* The clock moves on to what is due next, which happens. */
void steps_wait(struct steps *steps);

/* How often the last event has done this: "spawn:1", "order=2". */
unsigned steps_count(const struct steps *steps, const char *what);
bool steps_did(const struct steps *steps, const char *what);
/* "2 3 ": whose workers are being stopped, in whatever way. */
const char *steps_stopping(const struct steps *steps);
