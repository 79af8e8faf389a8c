/* SPDX-License-Identifier: Apache-2.0 */
/* Which instructions were killed at, and of which operation they are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One point: the process stopped before the instruction at this address. */
void coverage_count(uint64_t address);
/*
 * Disassembles this program and prints, per operation of operations.def, the points, the distinct instructions executed and how many
 * there are; and each one that never was and is not excused by unwalked.def. strict: functions that are missing count, too (in
 * an optimised build they are inlined). Returns true if nothing is missing; prints to stderr what is.
 */
bool coverage_report(bool strict);
