/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/overrun.h"

static void follow(struct overrun_track *track, const struct overrun_sight *sight, uint64_t now_ns)
{
	bool same = track->has && sight->in_hand && track->lane == sight->lane && track->position == sight->position;

	if (same) {
		track->again = true;
		return;
	}
	track->has = sight->in_hand;
	track->again = false;
	track->lane = sight->lane;
	track->position = sight->position;
	track->first_ns = now_ns;
	track->waited_ns = sight->waited_ns;
}

static void forgive_pending(struct overrun_track *track, const struct overrun_sight *sight, uint64_t now_ns)
{
	if (!track->to_forgive_ns)
		return;
	track->forgiven_ns = track->to_forgive_ns;
	track->forgiven_before_ns = now_ns - sight->waited_ns;
	track->to_forgive_ns = 0;
}

/* A stage that sits on another item can't end this one: whose fault that is the other one's time will tell. */
static bool pending_may_be_blamed(const struct overrun_track *track, const struct overrun_sight *sight)
{
	return !track->again || (track->lane == sight->pending_lane && track->position == sight->pending_position);
}

static bool pending_is_over(const struct overrun_track *track, const struct overrun_sight *sight,
			    const struct overrun_limits *limits, uint64_t now_ns, struct overrun_item *ret_item)
{
	uint64_t own_ns = now_ns - sight->waited_ns, due_ns = sight->pending_due_ns;

	if (!due_ns)
		return false;
	if ((int64_t)(due_ns - limits->deadline_ns - track->forgiven_before_ns) < 0)
		due_ns += track->forgiven_ns;
	if ((int64_t)(own_ns - due_ns - limits->slack_ns) < 0 || !pending_may_be_blamed(track, sight))
		return false;
	*ret_item = (struct overrun_item){ .lane = sight->pending_lane,
					   .position = sight->pending_position,
					   .sequence = sight->pending_sequence,
					   .over_ns = own_ns - due_ns,
					   .pending = true };
	return true;
}

uint64_t overrun_due_ns(const struct overrun_track *track, const struct overrun_sight *sight, uint64_t deadline_ns)
{
	return track->has ? track->first_ns + deadline_ns + (sight->waited_ns - track->waited_ns) : 0;
}

bool overrun_look(struct overrun_track *track, const struct overrun_sight *sight, const struct overrun_limits *limits,
		  uint64_t now_ns, struct overrun_item *ret_item)
{
	uint64_t due_ns;

	follow(track, sight, now_ns);
	forgive_pending(track, sight, now_ns);
	due_ns = overrun_due_ns(track, sight, limits->deadline_ns);
	if (due_ns && now_ns >= due_ns + limits->slack_ns) {
		*ret_item = (struct overrun_item){ .lane = sight->lane,
						   .position = sight->position,
						   .sequence = sight->sequence,
						   .over_ns = now_ns - due_ns };
		return true;
	}
	return pending_is_over(track, sight, limits, now_ns, ret_item);
}

void overrun_forgive(struct overrun_track *track, uint64_t ns)
{
	track->first_ns += ns;
	track->to_forgive_ns += ns;
}
