/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the ledger's lines. */
#pragma once

#include <stdint.h>

enum ledger {
#define LEDGER(id_, name_, summary_) LEDGER_##id_,
#include "common/observe/ledger.def"
#undef LEDGER
	LEDGER_COUNT
};

struct ledger_line {
	const char *name, *summary;
};

/* Emitted, and neither taken nor in a lane: the lane was full. */
static inline uint64_t ledger_skipped(const uint64_t ledger[LEDGER_COUNT])
{
	return ledger[LEDGER_DROPPED_NEW] + ledger[LEDGER_DROPPED_OLD] + ledger[LEDGER_REFUSED];
}

/* LEDGER_COUNT lines, static. */
extern const struct ledger_line ledger_lines[];
