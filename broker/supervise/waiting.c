/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the stop is waiting for, and what they do: a stall names its culprit. */
#include "broker/supervise/supervisor_priv.h"
#include "common/base/quantity.h"
#include "common/observe/worker_state.h"

#define WAITING_FOR_MAX 8u /* workers named in one line */

static void add_worker(const struct seat *seat, uint64_t now_ns, struct text *text)
{
	uint64_t since_ns = load_relaxed(&seat->segment.status->since_ns);
	unsigned state = load_relaxed(&seat->segment.status->state);
	char since[QUANTITY_TEXT_SIZE];

	text_printf(text, "%s%s#%u", text->length ? ", " : "", seat->stage->name, seat->worker_index);
	if (!seat_state_alive(seat->life->state)) {
		text_printf(text, " %s", seat_state_name(seat->life->state));
		return;
	}
	text_printf(text, " pid %d %s", seat->pid,
		    seat_state_works(seat->life->state) ? worker_state_name(state) :
							  seat_state_name(seat->life->state));
	if (seat_state_works(seat->life->state) && since_ns && since_ns <= now_ns)
		text_printf(text, " %s", quantity_format_duration(now_ns - since_ns, since));
}

void waiting_for(const struct supervisor *supervisor, uint64_t now_ns, struct text *text)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (!seat_state_over(supervisor->seats[i].life->state) &&
		    supervisor->seats[i].life->state != SEAT_RESTING && n++ < WAITING_FOR_MAX)
			add_worker(&supervisor->seats[i], now_ns, text);
	if (n > WAITING_FOR_MAX)
		text_printf(text, " and %u more", n - WAITING_FOR_MAX);
	if (n == 0)
		text_add(text, "nobody");
}
