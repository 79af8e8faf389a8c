/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of autoscale.h. Shares are smoothed as x += (seen - x) * dt / (dt + tau): looks that come late count for the time that they
 * stand for. Each threshold to grow has one to shrink far below it, so no load lies on both:
 *
 *                     grows                                shrinks
 *      oldest item    target, two looks on end             under half of it for a cool-down (not by key: or nearly all are idle)
 *      workers busy   75 %                                 60 % of those that would be left, at most
 *      wait for room  under 25 %, and were for a while     count as busy
 */
#include "broker/supervise/autoscale.h"

#include "common/base/clock.h"

#define LOOKS_A_TARGET 4u
#define LOOK_SHORTEST_NS (10 * NS_PER_MS)
#define LOOK_LONGEST_NS (100 * NS_PER_MS)
#define LOOKS_BRIEF 4u /* that a share is smoothed over */
#define LOOKS_LATE 2u  /* on end: one may have seen a moment */
#define COOL_DOWN_PARTS 4u
#define OCCUPIED_NS (2 * NS_PER_S)   /* at most, that the share is smoothed over by which a stage shrinks */
#define HELD_UP_NS (500 * NS_PER_MS) /* at least, after workers have waited for room */
#define BUSY_TO_GROW 0.75
#define BUSY_TO_SHRINK 0.60
#define BLOCKED 0.25
#define NEARLY_IDLE 0.30

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t autoscale_look_ns(const struct autoscale_limits *limits)
{
	return smaller(larger(limits->target_age_ns / LOOKS_A_TARGET, LOOK_SHORTEST_NS), LOOK_LONGEST_NS);
}

static uint64_t occupied_over_ns(const struct autoscale_limits *limits)
{
	return smaller(larger(limits->cool_down_ns / COOL_DOWN_PARTS, autoscale_look_ns(limits)), OCCUPIED_NS);
}

/* ---- what is remembered ---- */

static void smooth(double *share, double seen, uint64_t passed_ns, uint64_t over_ns)
{
	*share += (seen - *share) * (double)passed_ns / (double)(passed_ns + over_ns);
}

static void remember_shares(struct autoscale_track *track, const struct autoscale_limits *limits,
			    const struct autoscale_sight *sight, uint64_t passed_ns)
{
	uint64_t brief_ns = LOOKS_BRIEF * autoscale_look_ns(limits);
	double n = sight->n_dealt;

	if (!sight->n_dealt)
		return; /* they come back: more of them would not help */
	smooth(&track->busy, sight->n_busy / n, passed_ns, brief_ns);
	smooth(&track->blocked, sight->n_blocked / n, passed_ns, brief_ns);
	smooth(&track->occupied, (sight->n_busy + sight->n_blocked) / n, passed_ns, occupied_over_ns(limits));
}

static void remember(struct autoscale_track *track, const struct autoscale_limits *limits,
		     const struct autoscale_sight *sight, uint64_t now_ns)
{
	uint64_t passed_ns = track->last_ns && now_ns > track->last_ns ? now_ns - track->last_ns : 0;

	remember_shares(track, limits, sight, passed_ns);
	track->n_late = sight->age_ns >= limits->target_age_ns && sight->n_dealt ? track->n_late + 1 : 0;
	if (track->blocked >= BLOCKED)
		track->blocked_ns = now_ns;
	if (!track->last_ns || sight->n_wanted != track->n_wanted || !sight->settled) {
		track->changed_ns = now_ns;
		track->quiet_ns = 0;
	}
	track->n_wanted = sight->n_wanted;
	track->last_ns = now_ns;
}

/* ---- more ---- */

static bool is_late(const struct autoscale_track *track)
{
	return track->n_late >= LOOKS_LATE && track->busy + track->blocked >= BUSY_TO_GROW;
}

static bool is_held_up(const struct autoscale_track *track, const struct autoscale_limits *limits, uint64_t now_ns)
{
	return track->blocked_ns && now_ns - track->blocked_ns < larger(HELD_UP_NS, 2 * limits->target_age_ns);
}

/* What the last change has brought shows when what was new then would be late. */
static bool may_grow_again(const struct autoscale_track *track, const struct autoscale_limits *limits, uint64_t now_ns)
{
	return now_ns - track->changed_ns >= limits->target_age_ns + LOOKS_LATE * autoscale_look_ns(limits);
}

/* As many more as it is late by, if each brought as much; not more than twofold. */
static uint32_t more(const struct autoscale_limits *limits, const struct autoscale_sight *sight)
{
	uint64_t n = sight->n_wanted, wanted = n + n * (sight->age_ns - limits->target_age_ns) / limits->target_age_ns;

	return (uint32_t)smaller(smaller(larger(wanted, n + 1), 2 * n), limits->workers_max);
}

static enum autoscale_verdict grow(const struct autoscale_track *track, const struct autoscale_limits *limits,
				   const struct autoscale_sight *sight, uint64_t now_ns)
{
	if (is_held_up(track, limits, now_ns))
		return AUTOSCALE_BLOCKED;
	if (sight->n_wanted >= limits->workers_max)
		return AUTOSCALE_AT_MOST;
	if (!sight->settled || !may_grow_again(track, limits, now_ns) || track->busy < BUSY_TO_GROW)
		return AUTOSCALE_STAYS;
	return AUTOSCALE_GROWS;
}

/* ---- fewer ---- */

/* So many would be busy to 60 % with what has occupied those that there are. */
static uint32_t enough(const struct autoscale_limits *limits, uint32_t n, double occupied)
{
	double wanted = n * occupied / BUSY_TO_SHRINK;
	uint32_t whole = (uint32_t)wanted;

	whole += whole < wanted;
	return (uint32_t)larger(whole, limits->workers_min);
}

static bool is_quiet(const struct autoscale_track *track, const struct autoscale_limits *limits,
		     const struct autoscale_sight *sight)
{
	bool on_time = sight->age_ns < limits->target_age_ns / 2 ||
		       (!limits->by_key && track->occupied < NEARLY_IDLE); /* else its items take that long */

	return on_time && enough(limits, sight->n_wanted, track->occupied) < sight->n_wanted;
}

static void remember_quiet(struct autoscale_track *track, bool quiet, uint64_t now_ns)
{
	if (!quiet)
		track->quiet_ns = 0;
	else if (!track->quiet_ns) {
		track->quiet_ns = now_ns;
		track->occupied_most = track->occupied;
	} else if (track->occupied > track->occupied_most) {
		track->occupied_most = track->occupied;
	}
}

static uint64_t fewer_due_ns(const struct autoscale_track *track, const struct autoscale_limits *limits)
{
	return larger(track->quiet_ns, track->changed_ns) + limits->cool_down_ns;
}

static uint32_t fewer(const struct autoscale_track *track, const struct autoscale_limits *limits, uint32_t n)
{
	return (uint32_t)larger(enough(limits, n, track->occupied_most), (n + 1) / 2);
}

/* ---- the decision ---- */

static unsigned percent(double share)
{
	return (unsigned)(share * 100 + 0.5);
}

/* What does not change is said once: when it begins. */
static enum autoscale_verdict news(struct autoscale_track *track, enum autoscale_verdict verdict)
{
	bool kept = verdict == AUTOSCALE_BLOCKED || verdict == AUTOSCALE_AT_MOST;
	bool said = kept && track->kept_for == (uint32_t)verdict;

	if (kept || !track->n_late)
		track->kept_for = kept ? (uint32_t)verdict : AUTOSCALE_STAYS;
	return said ? AUTOSCALE_STAYS : verdict;
}

struct autoscale_decision autoscale_look(struct autoscale_track *track, const struct autoscale_limits *limits,
					 const struct autoscale_sight *sight, uint64_t now_ns)
{
	struct autoscale_decision decision = { .verdict = AUTOSCALE_STAYS, .age_ns = sight->age_ns };

	remember(track, limits, sight, now_ns);
	remember_quiet(track, is_quiet(track, limits, sight), now_ns);
	if (is_late(track))
		decision.verdict = grow(track, limits, sight, now_ns);
	else if (track->quiet_ns && sight->settled && now_ns >= fewer_due_ns(track, limits))
		decision.verdict = AUTOSCALE_SHRINKS;
	decision.verdict = news(track, decision.verdict);
	decision.busy_percent = percent(track->busy);
	decision.blocked_percent = percent(track->blocked);
	decision.n_workers = sight->n_wanted;
	if (decision.verdict == AUTOSCALE_GROWS)
		decision.n_workers = more(limits, sight);
	if (decision.verdict == AUTOSCALE_SHRINKS) {
		decision.n_workers = fewer(track, limits, sight->n_wanted);
		decision.busy_percent = percent(track->occupied_most);
		decision.quiet_for_ns = now_ns - track->quiet_ns;
		track->quiet_ns = 0;
	}
	return decision;
}

uint64_t autoscale_due_ns(const struct autoscale_track *track, const struct autoscale_limits *limits, uint64_t now_ns)
{
	if (track->n_wanted <= limits->workers_min)
		return 0;
	return track->quiet_ns ? larger(fewer_due_ns(track, limits), now_ns) : now_ns + autoscale_look_ns(limits);
}
