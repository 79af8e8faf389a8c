/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The times of the stop ladder. Pure: the clock is handed in. One absolute deadline D, set once, only ever moved earlier;
 * g is the grace between rungs:
 *
 *      order                            D-2g          D-g           D
 *   ----|----------- drain --------------|-- cancel ---|-- SIGTERM --|-- SIGKILL
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum rung { RUNG_NONE, RUNG_DRAIN, RUNG_CANCEL, RUNG_TERM, RUNG_KILL };

struct ladder {
	enum rung rung;       /* the one we stand on */
	uint64_t deadline_ns; /* D; 0 while RUNG_NONE */
	uint64_t grace_ns;    /* g */
};

/* Onto the first rung. g = the smaller of grace_ns and a quarter of the time that is left. */
void ladder_begin(struct ladder *ladder, uint64_t now_ns, uint64_t deadline_ns, uint64_t grace_ns);
/* An earlier deadline counts, a later one does not. Returns true if it was earlier. */
bool ladder_shorten(struct ladder *ladder, uint64_t now_ns, uint64_t deadline_ns);
/* Up to `rung` now: the rungs above it follow a grace apart, or earlier if D says so. Never down. */
void ladder_skip(struct ladder *ladder, uint64_t now_ns, enum rung rung);
/* When `rung` begins by the clock; absolute. Not for RUNG_NONE and RUNG_DRAIN. */
uint64_t ladder_time_of(const struct ladder *ladder, enum rung rung);
/* The rung on which we should stand at now_ns. */
enum rung ladder_due(const struct ladder *ladder, uint64_t now_ns);
/* "drain", "cancel", "SIGTERM", "SIGKILL". */
const char *rung_name(enum rung rung);
