/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scope of items among millions is cancelled: a place in the board's table, the epoch, a ring for everybody (worker/cancelled.c has the
 * other half). Who asked wants to know when it holds, and asks again until nobody is left who has not said so:
 *
 *      a worker that ............................................. has seen it
 *      runs, and has said the epoch, or a later one                yes: it starts no such item any more
 *      runs, and has not                                           no: it is named
 *      has not begun, ends, is dead, is between two generations    yes: the next one finds the table before its first item
 *
 * Places are given for a time, after which the number means nothing again: the last of its items should be through by then, and the
 * table has room for those that follow. When it is full the next one is refused, and told when there will be room.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "common/memory/doorbell.h"
#include "common/memory/scope_table.h"

struct scope_cancels {
	uint64_t until_ns[SCOPES_PLACES]; /* 0: nothing stands there */
	uint32_t epochs[SCOPES_PLACES];
	sd_event_source *timer;
};

static uint64_t next_end_ns(const struct scope_cancels *cancels)
{
	uint64_t next_ns = 0;

	for (uint32_t i = 0; i < SCOPES_PLACES; i++)
		if (cancels->until_ns[i] && (!next_ns || cancels->until_ns[i] < next_ns))
			next_ns = cancels->until_ns[i];
	return next_ns;
}

static int on_end(sd_event_source *source, uint64_t at_us, void *data);

static void set_timer(struct supervisor *supervisor)
{
	uint64_t next_ns = next_end_ns(supervisor->scope_cancels);

	timer_stop(&supervisor->scope_cancels->timer);
	if (next_ns)
		timer_set(supervisor, &supervisor->scope_cancels->timer, next_ns, on_end, supervisor);
}

static int on_end(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;
	struct scope_cancels *cancels = supervisor->scope_cancels;
	uint64_t now_ns = clock_now_ns();

	(void)source;
	(void)at_us;
	for (uint32_t i = 0; i < SCOPES_PLACES; i++)
		if (cancels->until_ns[i] && cancels->until_ns[i] <= now_ns) {
			scope_table_remove(supervisor->board, i);
			cancels->until_ns[i] = 0;
		}
	set_timer(supervisor);
	return 0;
}

void scope_cancels_stop(struct supervisor *supervisor)
{
	if (supervisor->scope_cancels)
		timer_stop(&supervisor->scope_cancels->timer);
}

void scope_cancels_close(struct supervisor *supervisor)
{
	scope_cancels_stop(supervisor);
	free(supervisor->scope_cancels);
	supervisor->scope_cancels = NULL;
}

int scope_cancels_adopt(struct supervisor *supervisor)
{
	const struct board_scope *scopes = board_scopes(supervisor->board);
	uint32_t n = 0;

	for (uint32_t i = 0; i < SCOPES_PLACES; i++) {
		if (!load_relaxed(&scopes[i].cause))
			continue;
		if (!supervisor->scope_cancels)
			supervisor->scope_cancels = calloc(1, sizeof(*supervisor->scope_cancels));
		if (!supervisor->scope_cancels)
			return error_origin(-ENOMEM);
		supervisor->scope_cancels->until_ns[i] = clock_now_ns() + SCOPE_CANCEL_FOR_NS;
		supervisor->scope_cancels->epochs[i] = load_relaxed(&supervisor->board->scopes_epoch);
		n++;
	}
	store_relaxed(&supervisor->board->n_scopes, n);
	if (n)
		set_timer(supervisor);
	return 0;
}

static int refuse_full(const struct supervisor *supervisor, struct text *why)
{
	uint64_t next_ns = next_end_ns(supervisor->scope_cancels), now_ns = clock_now_ns();
	char left[QUANTITY_TEXT_SIZE];

	text_printf(why, "%u scopes are cancelled, and the table has no room for more; the next one leaves it in %s",
		    SCOPES_MAX, quantity_format_duration(next_ns > now_ns ? next_ns - now_ns : 0, left));
	return SUPERVISOR_E_REFUSED;
}

static void tell_everybody(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		doorbell_ring(supervisor->seats[i].scopes_fd);
		doorbell_ring(supervisor->seats[i].doorbell_fd);
	}
}

int supervisor_cancel_scope(struct supervisor *supervisor, uint64_t scope, enum cause cause, uint64_t for_ns,
			    const char *who, uint32_t *ret_epoch, struct text *why)
{
	struct scope_cancels *cancels = supervisor->scope_cancels;
	uint32_t place;
	int r;

	if (!cancels)
		cancels = supervisor->scope_cancels = calloc(1, sizeof(*cancels));
	if (!cancels) {
		text_add(why, "the supervisor has no memory for it");
		return SUPERVISOR_E_REFUSED;
	}
	r = scope_table_add(supervisor->board, scope, (uint32_t)cause, &place);
	if (r == SCOPE_TABLE_E_FULL)
		return refuse_full(supervisor, why);
	if (r == 0) {
		cancels->epochs[place] = load_relaxed(&supervisor->board->scopes_epoch);
		cancels->until_ns[place] = clock_now_ns() + (for_ns ? for_ns : SCOPE_CANCEL_FOR_NS);
		metrics_cancelled(supervisor, cause);
		supervisor_record(supervisor, RECORDER_SCOPE, RECORDER_NOWHERE, (uint32_t)cause, scope, 0);
		history_note(supervisor, HISTORY_CANCEL, cause_name(cause), "scope %" PRIu64 ", %s", scope, who);
		set_timer(supervisor);
		tell_everybody(supervisor);
		supervisor_log(supervisor, WEIR_LOG_DEBUG, "scope %" PRIu64 " is cancelled (%s, cause %s)", scope, who,
			       cause_name(cause));
	}
	*ret_epoch = cancels->epochs[place];
	return r == 0 ? 0 : SUPERVISOR_E_ALREADY;
}

static bool has_seen(const struct seat *seat, uint32_t epoch)
{
	return !seat_state_works(seat->life->state) || (int32_t)(seat->scopes_seen - epoch) >= 0;
}

uint32_t supervisor_scope_unseen(const struct supervisor *supervisor, uint32_t epoch, struct text *text)
{
	uint32_t n = 0;

	text_add_char(text, '[');
	for (uint32_t i = 0; supervisor->lifecycle.started_ns && i < supervisor->plan->n_slots; i++)
		if (!has_seen(&supervisor->seats[i], epoch))
			seat_format_json(&supervisor->seats[i], n++, text);
	text_add_char(text, ']');
	return n;
}

void seat_scopes_seen(struct seat *seat, uint64_t epoch)
{
	seat->scopes_seen = (uint32_t)epoch;
}

/* A stage asks. Nobody waits for the answer; what went wrong is in the log. */
void seat_wants_scope_cancelled(struct seat *seat, uint64_t scope, uint64_t cause)
{
	struct text why = TEXT_NULL;
	uint32_t epoch;

	if (!scope || cause == CAUSE_NONE || cause >= CAUSE_COUNT)
		return; /* it says what its stage could not have said */
	if (supervisor_cancel_scope(seat->supervisor, scope, (enum cause)cause, 0, seat->stage->name, &epoch, &why) ==
	    SUPERVISOR_E_REFUSED)
		seat_log(seat, WEIR_LOG_WARNING, "wants scope %" PRIu64 " cancelled, and it is not: %s", scope,
			 text_get(&why));
	text_deinit(&why);
}

void seat_format_json(const struct seat *seat, uint32_t n_before, struct text *text)
{
	text_add(text, n_before ? ",{\"stage\":" : "{\"stage\":");
	text_add_json(text, seat->stage->name, strlen(seat->stage->name));
	text_printf(text, ",\"index\":%" PRIu32 ",\"pid\":%d}", seat->worker_index, (int)seat->last_pid);
}
