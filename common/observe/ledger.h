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

/* LEDGER_COUNT lines, static. */
extern const struct ledger_line ledger_lines[];
