/* SPDX-License-Identifier: Apache-2.0 */
/* Names for addresses of code in this process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_NAME_SIZE 64u
#define SYMBOL_FILE_SIZE 48u

/* Where code was: "spin (libstuck.so+0x1139)". */
struct symbol_frame {
	uintptr_t address; /* given; of an instruction, or of the one behind a call */
	bool behind_call;  /* given: the call is what is meant */

	char function[SYMBOL_NAME_SIZE]; /* "": not known */
	char file[SYMBOL_FILE_SIZE];     /* last part of the object's path; "": not from a file */
	uint64_t offset;                 /* in that object, as `addr2line -e` takes it; without a file: the address */
};

/*
 * Fills in what can be found out: from /proc/self/maps and the objects' own symbol tables, static functions too if they are not
 * stripped. An object that was replaced on the disk since it was loaded has no names. Async-signal-safe: system calls and the stack (about
 * 9 KiB) only.
 */
void symbols_find(struct symbol_frame *frames, size_t n);
