/* SPDX-License-Identifier: Apache-2.0 */
/* How long a program may take over what it was given, and what happens when it takes longer: the stage keys deadline, grace, attempts. */
#pragma once

#include <stdint.h>
#include <weir/stage.h>

#include "worker/exec/child.h"

struct timeout {
	uint64_t deadline_ns; /* relative, for a block or a line; 0: none */
	uint64_t grace_ns;    /* from SIGTERM to SIGKILL */
	uint32_t attempts;    /* then it is given up */
	uint32_t n_overruns;  /* in a row */
};

/* From the stage's options. */
void timeout_init(struct timeout *timeout, const struct weir_context *context);
/* When the deadline is over for what was begun at from_ns; UINT64_MAX: never. */
uint64_t timeout_end_ns(const struct timeout *timeout, uint64_t from_ns);

/*
 * It is over: counts that (weir_overran()), logs who and how far (`what`: "a block of 3 items"), and ends the program: SIGTERM, grace, SIGKILL. Waits in
 * weir_wait(). Returns 0: it may be tried again; WEIR_EXPIRED: it was tried often enough, and has to be given up; WEIR_CANCELLED,
 * -errno. No program runs afterwards.
 */
int timeout_overrun(struct timeout *timeout, struct weir_context *context, struct child *child, const char *title,
		    const char *what, uint64_t from_ns);
