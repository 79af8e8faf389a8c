/* SPDX-License-Identifier: Apache-2.0 */
/* Why work is cancelled: a closed set. Numbers travel between processes: append only. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum weir_cause {
	WEIR_CAUSE_NONE = 0,            /* not cancelled */
	WEIR_CAUSE_USER = 1,            /* somebody asked for it */
	WEIR_CAUSE_RUN_DEADLINE = 2,    /* the deadline of the run has passed */
	WEIR_CAUSE_ITEM_DEADLINE = 3,   /* the deadline of the item, or of a scope, has passed */
	WEIR_CAUSE_ADMISSION = 4,       /* it waited too long to be let in */
	WEIR_CAUSE_UPSTREAM_LOST = 5,   /* the stage before it has given up */
	WEIR_CAUSE_DOWNSTREAM_GONE = 6, /* the stage behind it has given up or is satisfied */
	WEIR_CAUSE_SIBLING_FAILED = 7,  /* another stage has failed for good */
	WEIR_CAUSE_DRAIN_DEADLINE = 8,  /* draining took longer than allowed */
	WEIR_CAUSE_SUPERVISOR_LOST = 9, /* the supervisor is gone */
	WEIR_CAUSE_CONFIG = 10,         /* the configuration is wrong or has changed */
};

/* "user", "run_deadline" ...; "?" for a number that is none. Static, never NULL. Any thread, signal handlers too. */
const char *weir_cause_name(enum weir_cause cause);

#ifdef __cplusplus
}
#endif
