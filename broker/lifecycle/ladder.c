/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/lifecycle/ladder.h"
#include "common/base/must.h"

/* Four quarters: half of the time is for draining, and a quarter each for the two graces. */
static uint64_t ladder_grace(uint64_t now_ns, uint64_t deadline_ns, uint64_t grace_ns)
{
	uint64_t quarter_ns = deadline_ns > now_ns ? (deadline_ns - now_ns) / 4 : 0;

	return grace_ns < quarter_ns ? grace_ns : quarter_ns;
}

void ladder_begin(struct ladder *ladder, uint64_t now_ns, uint64_t deadline_ns, uint64_t grace_ns)
{
	must(ladder->rung == RUNG_NONE);
	ladder->rung = RUNG_DRAIN;
	ladder->deadline_ns = deadline_ns;
	ladder->grace_ns = ladder_grace(now_ns, deadline_ns, grace_ns);
}

bool ladder_shorten(struct ladder *ladder, uint64_t now_ns, uint64_t deadline_ns)
{
	if (deadline_ns >= ladder->deadline_ns)
		return false;
	ladder->deadline_ns = deadline_ns;
	ladder->grace_ns = ladder_grace(now_ns, deadline_ns, ladder->grace_ns);
	return true;
}

void ladder_skip(struct ladder *ladder, uint64_t now_ns, enum rung rung)
{
	uint64_t deadline_ns = now_ns + (uint64_t)(RUNG_KILL - rung) * ladder->grace_ns;

	must(ladder->rung != RUNG_NONE);
	if (rung <= ladder->rung)
		return;
	ladder->rung = rung;
	if (deadline_ns < ladder->deadline_ns)
		ladder->deadline_ns = deadline_ns;
}

uint64_t ladder_time_of(const struct ladder *ladder, enum rung rung)
{
	uint64_t before_ns = (uint64_t)(RUNG_KILL - rung) * ladder->grace_ns;

	must(rung > RUNG_DRAIN);
	return ladder->deadline_ns > before_ns ? ladder->deadline_ns - before_ns : 0;
}

enum rung ladder_due(const struct ladder *ladder, uint64_t now_ns)
{
	enum rung due = ladder->rung;

	if (due == RUNG_NONE)
		return due;
	while (due < RUNG_KILL && ladder_time_of(ladder, due + 1) <= now_ns)
		due++;
	return due;
}

const char *rung_name(enum rung rung)
{
	static const char *const names[] = { "none", "drain", "cancel", "SIGTERM", "SIGKILL" };

	return names[rung];
}
