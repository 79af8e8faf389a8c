/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker is told to end, and the others go on: its stage is cancelled, a sibling has died, an item has overrun its deadline. The same
 * word, descriptor and message as when everybody is told (orders.c), so all that hears of that hears of this; only that the word is the
 * slot's own. Before the next generation it is taken back. A stand-in finds there why it discards.
 */
#include <string.h>
#include <sys/eventfd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/memory/doorbell.h"

void seat_order_cancel(const struct seat *seat, enum cause cause, const char *who, uint64_t term_ns)
{
	const struct supervisor *supervisor = seat->supervisor;
	struct board_slot *slot = &supervisor->board->slots[seat->slot];
	struct message message = { .type = MESSAGE_CANCEL };

	if (load_relaxed(&slot->order) < BOARD_CANCEL) {
		store_relaxed(&slot->cause, (uint32_t)cause);
		store_relaxed(&slot->term_deadline_ns, term_ns ? term_ns : 1);
		store_release(&slot->order, BOARD_CANCEL); /* [B1] mate: board_order_of */
	}
	doorbell_ring(seat->cancel_fd);
	message.cancel.cause = cause;
	message.cancel.who = (struct message_bytes){ who, strlen(who) };
	(void)supervisor->callbacks.send(supervisor->callbacks.data, seat->slot, &message);
	doorbell_ring(seat->doorbell_fd);
}

void seat_order_take_back(const struct seat *seat)
{
	const struct lifecycle *lifecycle = &seat->supervisor->lifecycle;
	struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];
	eventfd_t rung;

	if (lifecycle->ladder.rung >= RUNG_CANCEL)
		return; /* now it is everybody's order */
	/* Nobody reads these but who is spawned after this. */
	store_relaxed(&slot->order, BOARD_HOLD);
	store_relaxed(&slot->term_deadline_ns, 0);
	store_relaxed(&slot->cause,
		      (uint32_t)(seat->life->stands_in ? lifecycle->stages[seat->stage_number].cause : CAUSE_NONE));
	(void)eventfd_read(seat->cancel_fd, &rung);
}
