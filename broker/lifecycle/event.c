/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/lifecycle/event.h"

const char *event_name(enum event_kind kind)
{
	static const char *const names[] = {
#define EVENT(id_, name_, summary_) name_,
#include "broker/lifecycle/event.def"
#undef EVENT
	};

	return (unsigned)kind < EVENT_COUNT ? names[kind] : "?";
}

const char *action_name(enum action_kind kind)
{
	static const char *const names[] = {
#define ACTION(id_, name_, summary_) name_,
#include "broker/lifecycle/action.def"
#undef ACTION
	};

	return (unsigned)kind < ACTION_COUNT_OF_KINDS ? names[kind] : "?";
}

const char *reason_name(enum reason reason)
{
	static const char *const names[] = {
#define REASON(id_, name_) name_,
#include "broker/lifecycle/reason.def"
#undef REASON
	};

	return (unsigned)reason < REASON_COUNT ? names[reason] : "?";
}
