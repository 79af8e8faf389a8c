/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many workers a stage with `workers: {min, max}` is to have, from one look to the next. Pure: the clock is handed in.
 *
 *      age of the oldest item   ___target ...........,-------.__
 *                                            __,--'          `-.__ target / 2 ................
 *      workers                  1            | 2 | 4                | 2           | 1
 *                                            late twice             |-- cool_down -|-- cool_down --
 *
 * It grows when items are late and its workers are at work, by half of what it is late by at most, twofold at most, and then waits to see
 * what came of it. It shrinks when nothing was late, and fewer would not have been busy, for a whole cool-down since the last change, to
 * half at most. What lies between those two changes nothing. Whose workers wait for who is behind them is late for that: more of them would
 * only wait, too, so nothing changes while that is so, nor for a while after.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct autoscale_limits {
	uint32_t workers_min, workers_max;
	uint64_t target_age_ns; /* no item is to wait longer */
	uint64_t cool_down_ns;  /* between a change and the next to fewer */
	bool by_key;            /* who is idle can't take the items of who is not */
};

/* What one look at a stage has found. */
struct autoscale_sight {
	uint32_t n_wanted;  /* workers that it is to have, by the last order, whoever gave it */
	bool settled;       /* that many it has, and another order would be taken */
	uint32_t n_dealt;   /* workers that are ready and dealt to, ... */
	uint32_t n_busy;    /* ... of those: at work, or waiting for what they have begun */
	uint32_t n_blocked; /* ... of those: waiting for who is behind them, for room */
	uint64_t age_ns;    /* the oldest item in its lanes has waited so long */
};

/* What is remembered of the looks before. All zero: there was none. */
struct autoscale_track {
	uint64_t last_ns;
	uint32_t n_wanted;    /* then */
	double busy, blocked; /* shares of its workers, smoothed over a few looks ... */
	double occupied;      /* ... and both together, over a part of the cool-down */
	uint32_t n_late;      /* looks on end that have found an item too old */
	uint64_t changed_ns;  /* when the number of its workers was changed, or the change came to its end */
	uint64_t blocked_ns;  /* when so many were last seen to wait for who is behind them that it says so; 0: never */
	uint64_t quiet_ns;    /* since when fewer would do; 0: they would not */
	double occupied_most; /* since then */
	uint32_t kept_for;    /* enum autoscale_verdict: what was said last of why it does not grow */
};

enum autoscale_verdict {
	AUTOSCALE_STAYS,   /* nothing to say */
	AUTOSCALE_GROWS,   /* to n_workers */
	AUTOSCALE_SHRINKS, /* to n_workers */
	AUTOSCALE_BLOCKED, /* it would grow, but for who is behind it; said once, until it does or need not */
	AUTOSCALE_AT_MOST, /* it would grow, and has as many as it may have; said once, likewise */
};
struct autoscale_decision {
	enum autoscale_verdict verdict;
	uint32_t n_workers;
	uint64_t age_ns;                        /* what it goes by: ... */
	unsigned busy_percent, blocked_percent; /* ... of the last looks; SHRINKS: the most since it was quiet */
	uint64_t quiet_for_ns;                  /* SHRINKS */
};

/* Takes a look into account, and decides. Whoever asks carries it out; the next look says whether he has. */
struct autoscale_decision autoscale_look(struct autoscale_track *track, const struct autoscale_limits *limits,
					 const struct autoscale_sight *sight, uint64_t now_ns);

/* The time between two looks while items move. */
uint64_t autoscale_look_ns(const struct autoscale_limits *limits);
/*
 * All are idle, and nothing moves: when the next look is due all the same, because there may be fewer then; absolute. 0: not before
 * somebody wakes up.
 */
uint64_t autoscale_due_ns(const struct autoscale_track *track, const struct autoscale_limits *limits, uint64_t now_ns);
