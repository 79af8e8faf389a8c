/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker's status line may say. */
#pragma once

enum worker_state {
#define WORKER_STATE(id_, name_, summary_) WORKER_STATE_##id_,
#include "common/observe/worker_state.def"
#undef WORKER_STATE
	WORKER_STATE_COUNT
};

/* Short name ("wait-in"); "?" for a number that is none (the status line is another process's word). */
const char *worker_state_name(unsigned state);
