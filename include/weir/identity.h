/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which item this is, for a store outside weir that must not have it twice.
 *
 *      begin; store the items of the turn; store who they are, too; commit      |  flush() returns, the turn commits
 *                                                                               ^
 *      killed here: the items are given again, to the next worker of the seat, or to another worker of the stage if that seat is
 *      given up. It reads who was stored last, and passes over whom it meets there.
 *
 * What is remembered is who, not how many: they may come in other batches, between others, and not all at once.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;

/* The same as often as the item is given to the stage, as a dead letter, too; and no other item's, in any run on this host. Plain data. */
struct weir_identity {
	uint64_t run;      /* in which it was first given */
	uint64_t sequence; /* number that its producer gave it: those of one producer mostly follow each other */
	uint64_t part;     /* 0; else: a dead letter that had none of its own */
	uint32_t producer; /* slot that gave the number */
	uint32_t input;    /* index of the input edge; WEIR_IDENTITY_LETTER: of a letter of which nobody knows it */
};
#define WEIR_IDENTITY_LETTER UINT32_MAX

/*
 * Of the item in hand. Worker process, in process(), in produce() after weir_resume(), in run() after weir_recv(); never waits.
 * Returns WEIR_OK; -EPERM: no item is in hand.
 */
int weir_identify(const struct weir_context *context, struct weir_identity *ret_identity);

/* The name of the pipeline; the number of its run: the time at which it began, in ns since 1970, which no two runs of it share. */
const char *weir_pipeline_name(const struct weir_context *context);
uint64_t weir_run(const struct weir_context *context);

/*
 * A folder of this run alone, which only its user may enter (0700): for sockets by which stages of a pipeline find each other. Its path is
 * absolute, and so short that a name of 7 bytes in it may be a socket's; good until close(). What lies there goes with the run, and is
 * there after a kill: a stage takes its own names over. Folders are not removed: make none.
 */
const char *weir_run_folder(const struct weir_context *context);

#ifdef __cplusplus
}
#endif
