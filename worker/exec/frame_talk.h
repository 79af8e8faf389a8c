/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a conversation in frame mode: which items wait, which the program has, and whom to blame when it is lost. Decides, and
 * touches nothing: no descriptor, no clock, no context.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct weir_scope;

enum talk_state {
	TALK_FREE = 0,
	TALK_QUEUED, /* waits for its turn */
	TALK_SENT,   /* the program has it */
	TALK_GONE,   /* the program has it, and nobody else: its item has ended. Its answer goes nowhere */
};

struct talk_item {
	uint64_t token; /* the stage's: of weir_defer(), or 0 */
	uint64_t id;    /* in this conversation; of SENT and GONE */
	struct weir_scope *scope;
	uint64_t sent_ns;      /* on the clock of talk_send() */
	uint64_t cancelled_ns; /* the program was told so; 0: it was not */
	uint64_t uses;         /* of this entry, to tell ids apart */
	uint32_t older, younger;
	uint32_t
		n_before; /* that it has cost elsewhere: lives of workers; all of them, of a letter that is given again */
	uint32_t n_attempts; /* that have failed since */
	uint32_t n_overruns; /* of them */
	enum talk_state state;
	bool doubtful; /* it may have been what a program was lost of */
};

struct talk_list {
	uint32_t oldest, youngest; /* index + 1; 0: none */
	uint32_t n;
};

struct talk {
	struct talk_item *items; /* owned */
	uint32_t n_items;        /* twice in_flight: as many may be GONE */
	uint32_t in_flight, at_once;
	uint32_t attempts; /* that an item may cost */
	uint32_t first_free;
	struct talk_list queue, sent;
	uint32_t n_gone, n_doubtful;
	uint32_t limit; /* as many at a time while one is doubtful */
};

/* Returns 0 or -ENOMEM; talk_deinit() either way. */
int talk_init(struct talk *talk, uint32_t in_flight, uint32_t attempts);
void talk_deinit(struct talk *talk);

/* As many as the program wants at a time; not more than in_flight. */
void talk_set_at_once(struct talk *talk, uint64_t at_once);
/* A new item, behind all that wait. There is room for in_flight of them, whatever else is GONE. */
struct talk_item *talk_add(struct talk *talk, uint64_t token);
/* The one to be sent next, or NULL: none waits, or the program has its fill. */
struct talk_item *talk_next(const struct talk *talk);
/* It is sent now, and has an id. */
void talk_send(struct talk *talk, struct talk_item *item, uint64_t now_ns);
/* The item that the program means; NULL: it has none such. */
struct talk_item *talk_find(const struct talk *talk, uint64_t id);
/* It has ended, in whatever state it was. */
void talk_end(struct talk *talk, struct talk_item *item);
/* It has ended, but the program has it and goes on: SENT to GONE. What was only queued is ended. Returns if the program has it. */
bool talk_forsake(struct talk *talk, struct talk_item *item);
/* This attempt has failed: it waits again, before all others if `front`. Returns true if that was the last one it may cost. */
bool talk_retry(struct talk *talk, struct talk_item *item, bool front);
/* As many are GONE as may be: the program does not hear. */
bool talk_is_deaf(const struct talk *talk);

/*
 * The program is no more: what it had waits again, in its order, before all others. `blame`: it died of one of them. If it had but
 * one, that has cost an attempt; if several, an eighth as many are sent at a time until they are through, so that the next such
 * death leaves fewer to be blamed. Returns how many it had.
 */
uint32_t talk_lost(struct talk *talk, bool blame);

/* When the first of the SENT is due, by the clock of talk_send(): its deadline; once cancelled, grace after that. UINT64_MAX: never. */
uint64_t talk_due_ns(const struct talk *talk, uint64_t deadline_ns, uint64_t grace_ns);
/* The oldest, the next younger one; NULL: no more. */
struct talk_item *talk_first(const struct talk *talk, const struct talk_list *list);
struct talk_item *talk_younger(const struct talk *talk, const struct talk_item *item);
