/* SPDX-License-Identifier: Apache-2.0 */
/* Why something was cancelled. */
#pragma once

enum cause {
#define CAUSE(id_, name_, summary_) CAUSE_##id_,
#include "common/scope/cause.def"
#undef CAUSE
	CAUSE_COUNT
};

struct cause_line {
	const char *name, *summary;
};

/* CAUSE_COUNT lines, static. */
extern const struct cause_line cause_lines[];
/* Name of a cause; "?" for a number that is none. */
const char *cause_name(unsigned cause);
/* The cause of that name, -1 if there is none. */
int cause_find(const char *name);
