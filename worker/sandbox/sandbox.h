/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox that a stage's `sandbox` asks for. */
#pragma once

#include "common/base/text.h"
#include "common/wire/heritage.h"

enum { SANDBOX_E_REFUSED = 1 };

/* What is in force, or not, and is to be said once there is somebody to say it to. */
struct sandbox_said {
	struct text in_force; /* empty: no sandbox was asked for */
	struct text missing;  /* what the kernel can't do, and the spec does not insist on; empty: nothing */
	char option[64];      /* SANDBOX_E_REFUSED: which key of the spec can't be served */
};

/*
 * Worker, while it has one thread: enters it, or returns 0 at once where none is asked for. For good, for all threads to come and
 * whatever is started. Returns 0; SANDBOX_E_REFUSED with a sentence in *why, and nothing begun may be gone on with; -errno. Reads
 * the disk.
 */
int sandbox_enter(const struct heritage *heritage, struct sandbox_said *ret_said, struct text *why);
void sandbox_said_deinit(struct sandbox_said *said);
