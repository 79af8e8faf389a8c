/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gather.c has of each item that was scattered: the answers so far, in keyed state, and in memory what finds them again.
 *
 *      state:   j MARK         ->  times, whether it is closed, baggage    of an item that answers are awaited for, or may still come for
 *               a MARK INPUT   ->  the answer of that input
 *
 * The state changes first, then the memory: what the state refuses has not happened, and an item that is refused leaves both as they were.
 */
#pragma once

#include <weir/baggage.h>
#include <weir/state.h>

#include "worker/operators/pending.h"

#define JOINS_INPUTS_MAX 32u
#define JOINS_WAYS_MAX 4096u /* workers that a stage may have, and more */

struct join {
	uint32_t answered; /* bit i: by input i; of a closed one: those that it will not hear of again */
	bool closed;       /* its result is out, and what still comes is late */
	bool placed;       /* it has a place of those that there may be */
	bool ended; /* closed without the copy from scatter, for which it waits: in a list of its scatter's worker ... */
	uint32_t before, after; /* ... between these */
	uint64_t due_ns, accepted_ns;
};

/* What is known of one worker of scatter. */
struct joins_way {
	uint64_t came;                    /* the highest number of its copies that this process has seen; 0: none */
	uint32_t first_ended, last_ended; /* as they ended; PENDING_NONE: none has */
};

struct joins {
	struct pending pending;
	struct join *joins; /* by number; owned */
	uint32_t n_placed, n_ended;
	struct joins_way *ways; /* by worker of scatter; owned */
	uint32_t n_ways;
	uint32_t passed; /* the way where one that has ended may have been passed by; PENDING_NONE: none */
};

/* More answers than this do not run ahead of their copies; tests lower it. */
extern uint32_t joins_n_ahead_max;

/*
 * Memory for n_max of them, and for what the state holds, which it takes up. Returns WEIR_OK, WEIR_FAILED, -ENOMEM; joins_deinit() is fine
 * after each.
 */
int joins_init(struct joins *joins, struct weir_context *context, uint32_t n_max);
/* Memory for more. Returns as pending_grow(). */
int joins_grow(struct joins *joins);
/* How many have been answered before their copy has come, and are open. */
uint32_t joins_n_ahead(const struct joins *joins);
/* It has a place now; until it is closed and not kept. */
void joins_place(struct joins *joins, uint32_t number);
void joins_deinit(struct joins *joins);

/*
 * The first answer for this mark has come: with the baggage of the item in hand. Only in the state: joins_opened() follows once nothing can
 * go wrong any more. Returns WEIR_OK, WEIR_FULL, WEIR_FAILED.
 */
int joins_open(struct weir_context *context, const struct mark *mark, const struct join *join);
/* There is room: the caller has looked. Returns its number. */
uint32_t joins_opened(struct joins *joins, const struct mark *mark, const struct join *join);

/* An answer, and where it lies until the next change. Return as weir_state_put() and weir_state_get() do. */
int joins_put_answer(struct weir_context *context, const struct mark *mark, uint32_t input, const void *data,
		     size_t size_bytes);
int joins_get_answer(struct weir_context *context, const struct mark *mark, uint32_t input, const void **ret_data,
		     size_t *ret_size_bytes);

/* What is emitted from here on brings along what the first answer has brought, without the mark. Returns WEIR_OK, WEIR_FAILED, -errno. */
int joins_bring_along(struct weir_context *context, const struct mark *mark, const char *key);

/*
 * The result is out: answers (a set) are forgotten. With keep what comes later is told to be late, until due_ns (UINT64_MAX: until its copy
 * has come, it has ended); else nothing is known of the mark any more. Returns WEIR_OK, WEIR_FAILED.
 */
int joins_close(struct joins *joins, struct weir_context *context, uint32_t number, uint32_t answers, bool keep,
		uint64_t due_ns);

/* Before anything else of a mark, whose worker must be below JOINS_WAYS_MAX: there is a way for it. Returns 0 or -ENOMEM. */
int joins_know(struct joins *joins, const struct mark *mark);
/*
 * A copy has come from scatter, whatever becomes of it. Copies of one worker come in the order of their numbers, so one with a lower number
 * that has not come was dropped, refused or has expired on the way, and will not come any more.
 */
void joins_came(struct joins *joins, const struct mark *mark);
/* Its copy can't come any more. */
bool joins_passed_by(const struct joins *joins, const struct mark *mark);
/* Is there one that waits for a copy that can't come any more. */
bool joins_have_passed(const struct joins *joins);
/* At most n of these are forgotten. No item may be in hand that could be refused. Returns WEIR_OK, WEIR_FAILED. */
int joins_forget_passed(struct joins *joins, struct weir_context *context, uint32_t n);
