/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the operator window share (own folder only). */
#pragma once

#include "worker/operators/aggregate.h"
#include "worker/operators/window_layout.h"
#include "worker/script/results.h"

#define NOTHING_DUE UINT64_MAX

struct window_cursor {
	uint64_t latest_ns, watermark_ns;
	uint64_t arrived_ns; /* CLOCK_MONOTONIC: the last item did */
	uint64_t offset_ns;  /* of the clock of day to CLOCK_MONOTONIC, as it was at first */
	uint64_t flags;
	uint64_t
		n_told; /* outputs that the window that leaves has gone to, in a turn that had no room for the others */
};
#define CURSOR_STRUCTURED 1u /* items are */
#define CURSOR_FINISHING 2u  /* the stream has ended: all that is open leaves */

struct window {
	struct window_cursor *cursor;
	struct panes *panes;
	struct aggregates *aggregates;
	struct results results;
	struct record_scratch scratch;
	struct weir_key *key, *time; /* NULL: none */
	bool key_is_path, skips, drops_late;
	bool late_is_read; /* late items have an output of their own */
	uint64_t size_ns, slide_ns, gap_ns, lateness_ns, idle_ns, unit_ns;
	uint64_t due_ns;  /* the earliest that is due, or NOTHING_DUE */
	uint64_t wake_ns; /* 0: nobody wakes it */
	size_t pane_bytes_max;
	unsigned char *merged; /* a pane with the largest room; owned */
	unsigned char *copy;   /* as large; owned */
};

/* An item on its way in. */
struct arrival {
	const void *key;
	size_t key_bytes;
	uint64_t time_ns;
	struct measure measures[AGGREGATES_MAX];
};

static inline uint64_t minus(uint64_t one, uint64_t other)
{
	return one > other ? one - other : 0;
}

static inline struct pane_head *head_of(void *pane)
{
	return pane;
}

static inline unsigned char *block_of(void *pane)
{
	return (unsigned char *)pane + sizeof(struct pane_head);
}

static inline bool has_sessions(const struct window *window)
{
	return window->gap_ns;
}

/* ---- window_add.c ---- */

/* Puts down when a key, or a session of it, is to be looked at. Returns what weir_state_put() does. */
int window_put_due(struct window *window, struct weir_context *context, uint64_t due_ns, uint64_t start_ns,
		   const void *key, size_t key_bytes);

/* Two panes become one: window->merged, a whole one with the largest room. */
void window_clear_merged(struct window *window);
void window_merge(struct window *window, const void *pane);

#define WINDOW_E_LATE 100
/*
 * The item comes into its pane. Returns WEIR_OK; WINDOW_E_LATE: all its windows have left; WEIR_FULL, WEIR_TOO_LARGE: there is no room
 * for it; in each of these nothing has changed but what the refusal of the item takes back. WEIR_FAILED, a negative errno: fatal.
 */
int window_add(struct window *window, struct weir_context *context, const struct arrival *arrival);

/* ---- window_leave.c ---- */

/*
 * What is due earliest: into window->due_ns, and *ret. Returns WEIR_OK; -ENOENT: nothing is; WEIR_FAILED.
 */
int window_find_due(struct window *window, struct weir_context *context, struct weir_state_entry *ret);

/*
 * What is due has come to its end: it leaves, or is put off. Returns WEIR_OK; WEIR_FULL, WEIR_CANCELLED: nothing has changed;
 * WEIR_FAILED, a negative errno.
 */
int window_leave(struct window *window, struct weir_context *context, const struct weir_state_entry *entry);
