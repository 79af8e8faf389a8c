/* SPDX-License-Identifier: Apache-2.0 */
/* Which instructions were killed at, and of which operation they are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Before the first: what processes forked from here count is added up. */
void coverage_begin(void);
/* One point: the process stopped before the instruction at this address. */
void coverage_count(uint64_t address);
/*
 * Disassembles this program and prints, per operation of operations.def, the points, the distinct instructions executed and how many there
 * are; and each one that never was and is not excused by unwalked.def. strict: such an instruction is a failure, and so is a function
 * that is not there. Not in an optimised build: functions are inlined, and an excused branch shares code with others. Returns true if
 * nothing is missing.
 */
bool coverage_report(bool strict);
