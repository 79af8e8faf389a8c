/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a slot's statistics. */
#pragma once

#include <stdint.h>

enum counter {
#define COUNTER(id_, name_, unit_, summary_) COUNTER_##id_,
#include "common/observe/counters.def"
#undef COUNTER
	COUNTER_COUNT
};

struct counter_line {
	const char *name, *unit, *summary;
};

/* COUNTER_COUNT lines, static. */
extern const struct counter_line counter_lines[];
