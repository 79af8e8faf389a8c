/* SPDX-License-Identifier: Apache-2.0 */
/* The last words of `weir run`: table, ledger, verdict. Pure: the last view in, text out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/supervise/view.h"
#include "common/base/text.h"

/* How a run ended. All borrowed. */
struct ending {
	const struct view *view;
	int exit_code;                /* of weir run: enum exit_code */
	uint64_t duration_ns;         /* from the command to the end */
	const char *dead_letter_path; /* file of a stage that gave items up or refused some; NULL: none */
	bool dead_letter_stored;      /* ... and that is the pipeline's store: weir dlq */
	const char *unsettled;        /* which dead letters could not be settled, and why; NULL: there are none */
	const char *failure;          /* why a stage could not go on; NULL: none did */
	const char *failure_stage;    /* NULL: unknown */
};

struct plan;
/* Notes where the letters of the first stage are that has given something up; `store` is the pipeline's. Both outlive `ending`. */
void ending_letters(struct ending *ending, const struct plan *plan, const char *store);

/*
 * The ledger as an equation, without a newline: "accepted 5 + derived 2 = delivered 5 + filtered 2, balanced". What is zero
 * is left out, but accepted and delivered always stand there.
 */
void ledger_format(const struct view *view, struct text *text);

/* One sentence for any end but success: what happened, what to do. Appends nothing for EXIT_DONE. */
void ending_format(const struct ending *ending, struct text *text);

/*
 * All of it, lines with '\n': a row for each stage if that says more than the last line does, the ledger, the sentence.
 * width: of the terminal, 0: unlimited.
 */
void summary_format(const struct ending *ending, unsigned width, bool color, struct text *text);
/* The same as one JSON object on one line, with '\n'. */
void summary_format_json(const struct ending *ending, struct text *text);
