/* SPDX-License-Identifier: Apache-2.0 */
/* What a death means for its seat. Pure. */
#pragma once

#include <stdbool.h>

#include "broker/spec/plan.h"

enum verdict {
	VERDICT_DONE,         /* the clean end */
	VERDICT_RESTART,      /* a crash: another generation, if its stage may; the strategy says who goes with it */
	VERDICT_AGAIN,        /* no crash: it was stopped because a sibling had one, and comes back with it */
	VERDICT_GIVEN_UP,     /* temporary: its stage loses this seat */
	VERDICT_LOST,         /* nobody follows: restarts are off */
	VERDICT_START_FAILED, /* the pipeline never ran, and never will */
	VERDICT_STAGE_FAILED, /* no other generation would do better */
};

struct verdict_facts {
	bool exited_zero;
	bool ended;        /* the status line of this very generation says ENDED, or CANCELLED ... */
	bool cancelled;    /* ... the latter: it left because it was told to */
	bool hung;         /* it said goodbye and had to be killed */
	bool failed;       /* its goodbye said WEIR_FAILED */
	bool closed;       /* its stream is over: a source that has handed on all that it had, or a producer is lost */
	bool stopped;      /* we have told it to end: a sibling died, or its stage is cancelled */
	bool overrun;      /* we have told it to end, for an item that took too long */
	bool no_program;   /* weir-worker can't be executed, and never could */
	bool started;      /* the pipeline has run */
	bool restarts_off; /* cancelled: nobody is restarted */
	enum plan_restart type;
};

enum verdict verdict_of(const struct verdict_facts *facts);
