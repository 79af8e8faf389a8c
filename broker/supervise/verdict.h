/* SPDX-License-Identifier: Apache-2.0 */
/* What a death means for its seat. Pure. */
#pragma once

#include <stdbool.h>

enum verdict {
	VERDICT_DONE,         /* the clean end */
	VERDICT_RESTART,      /* a crash: another generation, if its stage may */
	VERDICT_LOST,         /* nobody follows: restarts are off */
	VERDICT_START_FAILED, /* the pipeline never ran, and never will */
	VERDICT_STAGE_FAILED, /* no other generation would do better */
};

struct verdict_facts {
	bool exited_zero;
	bool ended;        /* the status line of this very generation says ENDED */
	bool hung;         /* it said goodbye and had to be killed */
	bool failed;       /* its goodbye said WEIR_FAILED */
	bool no_program;   /* weir-worker can't be executed, and never could */
	bool started;      /* the pipeline has run */
	bool restarts_off; /* cancelled: nobody is restarted */
};

enum verdict verdict_of(const struct verdict_facts *facts);
