/* SPDX-License-Identifier: Apache-2.0 */
/* This program's own instructions, in a copy for a child that stops at each of them by a breakpoint. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a breakpoint at an address stands before. */
enum code_kind {
	CODE_NONE,  /* no instruction of this program begins there */
	CODE_PLAIN, /* after it comes another one of this program */
	CODE_OTHER, /* it may lead out of the program, or is done in several rounds: the processor has to count its steps */
};

/* Finds the instructions; before the first fork. Where it can't (no objdump, another processor) there are no copies. */
void code_begin(void);
/* A copy, as it is; shared with children. NULL: there are none. */
unsigned char *code_new(void);
void code_free(unsigned char *code);
/* In the child: from here on it executes the copy. Ends the child if it can't. */
void code_enter(unsigned char *code);
enum code_kind code_kind(uint64_t address);
/* A breakpoint at every instruction of the copy, or at none. */
void code_stop_everywhere(unsigned char *code, bool stop);
/* A breakpoint there, or none. */
void code_stop_at(unsigned char *code, uint64_t address, bool stop);
