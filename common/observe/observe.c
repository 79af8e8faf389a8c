/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that the .def files stand for. */
#include <assert.h>

#include "common/memory/segment_layout.h"
#include "common/observe/counters.h"
#include "common/observe/ledger.h"
#include "common/observe/worker_state.h"

static_assert(LEDGER_COUNT <= LEDGER_MAX, "the ledger must fit the cursor");
static_assert(COUNTER_COUNT <= COUNTERS_MAX, "the counters must fit the segment");

const struct ledger_line ledger_lines[] = {
#define LEDGER(id_, name_, summary_) [LEDGER_##id_] = { name_, summary_ },
#include "common/observe/ledger.def"
#undef LEDGER
};

const struct counter_line counter_lines[] = {
#define COUNTER(id_, name_, unit_, summary_) [COUNTER_##id_] = { name_, unit_, summary_ },
#include "common/observe/counters.def"
#undef COUNTER
};

const char *worker_state_name(unsigned state)
{
	static const char *const names[] = {
#define WORKER_STATE(id_, name_, summary_) [WORKER_STATE_##id_] = name_,
#include "common/observe/worker_state.def"
#undef WORKER_STATE
	};

	return state < WORKER_STATE_COUNT ? names[state] : "?";
}
