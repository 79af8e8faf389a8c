/* SPDX-License-Identifier: Apache-2.0 */
/* What a supervisor leaves to the next one of the same run: making it, keeping it right, finding it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/keep/estate_layout.h"
#include "broker/spec/plan.h"
#include "common/base/text.h"

struct estate {
	int fd;      /* read-write; kept by whoever keeps the others */
	int lock_fd; /* own open file: its lock says that a supervisor lives; -1: not taken */
	struct estate_head *head;
	/* As they were when it was checked, or made: nothing below is read back from the memory. */
	uint32_t n_slots, n_stages, n_things;
	size_t size_bytes;
	uint64_t run;
	struct estate_thing *things; /* n_things */
	int *fds;                    /* n_things; owned until estate_take_fd() */
};

/*
 * Supervisor, of a run that begins: makes one for this plan and these things, and takes its lock. Returns 0 or -errno.
 */
int estate_create(const struct plan *plan, uint64_t run, const struct estate_thing *things, uint32_t n_things,
		  struct estate **ret_estate);

/*
 * Supervisor, of a run that may go on: looks for an estate among descriptors that somebody has kept, which are its own afterwards: those
 * that it names are in `fds`, all others are closed. `why` gets a sentence unless it is 0 or ESTATE_E_NONE. Believes nothing.
 */
enum {
	ESTATE_E_NONE = 1,      /* there is none among them */
	ESTATE_E_NOT_BEGUN = 2, /* of a run that had not begun, or was over: nothing in it is missed */
	ESTATE_E_LOST = 3,      /* things that it names are not there: it can't be gone on with by anybody */
	ESTATE_E_OTHER = 4,     /* of another plan or another layout: whoever made it could go on with it */
	ESTATE_E_SENSELESS = 5, /* damaged */
};
int estate_find(const struct plan *plan, int *fds, size_t n_fds, struct estate **ret_estate, struct text *why);

/*
 * Before that: which plan it wants, as a digest; nothing is believed yet, nothing is taken. false: there is none that this weir could read.
 */
bool estate_wants(const int *fds, size_t n_fds, uint64_t *ret_digest);

/* Takes the lock that a supervisor holds as long as it lives. Returns 0; ESTATE_E_TAKEN: another one lives; -errno. Never waits. */
enum { ESTATE_E_TAKEN = 6 };
int estate_lock(struct estate *estate);

/* The descriptor of that thing, the caller's from now on; -1: there is none. */
int estate_take_fd(struct estate *estate, enum estate_kind kind, uint32_t slot, uint32_t number);

/* Closes what was not taken. The memory itself lives as long as somebody keeps it. NULL is fine. Returns NULL. */
struct estate *estate_free(struct estate *estate);

/* The copy that counts, and the one that is to count next; the latter is written whole, then published at once. */
const struct estate_note *estate_current(const struct estate *estate);
struct estate_note *estate_next(struct estate *estate);
struct estate_seat *estate_seats(const struct estate *estate, const struct estate_note *note);   /* n_slots */
struct estate_stage *estate_stages(const struct estate *estate, const struct estate_note *note); /* n_stages */
/* Nothing happens if both are the same. */
void estate_publish(struct estate *estate);

/* Which plan the next supervisor has to come with, as a digest. */
uint64_t estate_plan(const struct estate *estate);
/* A reload is over: the next supervisor has to come with this plan. Returns 0, or -errno: it is still the one before. */
int estate_set_plan(struct estate *estate, const struct plan *plan);

/* Fills in what a descriptor is known by. Returns 0 or -errno. */
int estate_thing_of(int fd, enum estate_kind kind, uint32_t slot, uint32_t number, struct estate_thing *ret_thing);
