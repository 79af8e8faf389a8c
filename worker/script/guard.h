/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounds of one evaluation of foreign text (a jq expression, a Lua script) in this process: time and memory. Worker process, its one
 * thread; one guard a process, for it owns SIGVTALRM, that timer and RLIMIT_DATA.
 */
#pragma once

#include <stdbool.h>
#include <weir/stage.h>

struct guard;

#define GUARD_SIGNAL SIGVTALRM /* in which `stop` is called */

enum guard_verdict {
	GUARD_NONE = 0,
	GUARD_DEADLINE,  /* the item's time is over */
	GUARD_MEMORY,    /* it took more than it may */
	GUARD_CANCELLED, /* the stage is to stop */
	GUARD_FAULT,     /* it crashed: of an earlier worker */
};

struct guard_settings {
	uint64_t memory_bytes; /* that this process may take in addition to what it has now; 0: no bound from here */
	void (*stop)(
		void *data); /* makes the evaluation end soon; async-signal-safe; NULL: it looks by itself, guard_look() */
	void *data;
};

/* In open(). Needs spool 0 of the stage. Returns 0 and the guard, for guard_close(), or -errno. */
int guard_open(struct weir_context *context, const struct guard_settings *settings, struct guard **ret_guard);
void guard_close(struct guard *guard);

/*
 * Whether an earlier worker died of this very item because it was out of bounds in the middle of a function that can't be stopped. Then
 * the reason is given to weir_reject(); what: "the expression". Returns true: process() returns WEIR_REJECTED.
 */
bool guard_recalls(struct guard *guard, const struct weir_item *item, const char *what);

/* Around an evaluation. Neither allocates or waits; begin reads the clock if the item has a deadline. */
void guard_begin(struct guard *guard, const struct weir_item *item);
enum guard_verdict guard_end(struct guard *guard);
/* What it has said so far. NULL: nothing. */
enum guard_verdict guard_verdict(const struct guard *guard);

/* While one is at work: reads the clock if there is a deadline, and says whether it has to end. */
enum guard_verdict guard_look(struct guard *guard);

/* Gives weir_reject() the reason for DEADLINE or MEMORY, and counts the overrun. Returns what process() returns. */
int guard_answer(struct guard *guard, enum guard_verdict verdict, const char *what);

/* There is no memory left in the middle of something that can't be undone: notes the item and ends the process. Does not return. */
void guard_out_of_memory(void *guard) __attribute__((noreturn));
