/* SPDX-License-Identifier: Apache-2.0 */
/* One readable paragraph about a death: how, when, while doing what, on which item, in which function, its last lines, and what follows.
 * Below it, a line each, what its flight recorder has noted last. */
#include <signal.h>
#include <string.h>

#include "broker/supervise/spawn_child.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/observe/worker_state.h"

#define OBITUARY_LINE_MAX 160u

/* The kernel counts who it has killed in a control group: the worker itself, or a program of its. */
static void add_out_of_memory(const struct seat *seat, struct text *text)
{
	const struct death *death = &seat->death;
	char memory[QUANTITY_TEXT_SIZE];

	if (!death->oom_kills)
		return;
	quantity_format_size(seat->stage->resources.memory_bytes, memory);
	if (!death->exited && death->status == SIGKILL)
		text_printf(text, " by the kernel, for it had used up its memory of %s (resources: memory)", memory);
	else
		text_printf(text, " after the kernel had killed a program of its, for it had used up its memory of %s",
			    memory);
}

void seat_add_manner(const struct seat *seat, struct text *text)
{
	const struct death *death = &seat->death;
	const char *abbreviation = death->exited ? NULL : sigabbrev_np(death->status);

	if (death->exec_errno)
		text_printf(text, "%s (%s)", spawn_step_failed((enum spawn_step)death->exec_step),
			    strerrordesc_np(death->exec_errno));
	else if (seat->overrun.known && death->exited && !death->status)
		text_add(text, "left when it was cancelled (item_deadline)");
	else if (death->exited && !death->status && death->worker_state == WORKER_STATE_CANCELLED)
		text_add(text, "left when it was cancelled");
	else if (death->exited)
		text_printf(text, "exited with status %d%s", death->status,
			    death->status ? "" : " without having ended");
	else if (abbreviation)
		text_printf(text, "was killed by SIG%s", abbreviation);
	else
		text_printf(text, "was killed by signal %d", death->status);
	add_out_of_memory(seat, text);
}

static void add_circumstances(const struct seat *seat, struct text *text)
{
	const struct death *death = &seat->death;
	const struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];

	if (death->worker_state != WORKER_STATE_NONE)
		text_printf(text, " in state %s", worker_state_name(death->worker_state));
	if (death->report.in_hand && death->report.suspect_lane == HAND_LETTER)
		text_printf(text, " with item %llu in hand, a dead letter that was given again (%u of %u attempts)",
			    (unsigned long long)death->report.suspect_sequence, slot->suspect_attempts,
			    seat->stage->attempts);
	else if (death->report.in_hand)
		text_printf(text, " with item %llu in hand (lane %u, position %llu, %u of %u attempts)",
			    (unsigned long long)death->report.suspect_sequence, death->report.suspect_lane,
			    (unsigned long long)death->report.suspect_position, slot->suspect_attempts,
			    seat->stage->attempts);
	if (death->report.in_flight > 1)
		text_printf(text, " with %u items in flight (%u at a time until they are through)",
			    death->report.in_flight, slot->in_flight_limit);
	overrun_describe(seat, text);
	if (death->report.applied)
		text_add(text, "; the turn it had committed was finished for it");
}

void seat_obituary(const struct seat *seat, enum weir_log_level level, const char *next)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL, words = TEXT_NULL;
	char lived[QUANTITY_TEXT_SIZE];

	text_printf(&text, "generation %u ", seat->generation);
	seat_add_manner(seat, &text);
	text_printf(&text, " after %s", quantity_format_duration(seat->death.when_ns - seat->spawned_ns, lived));
	add_circumstances(seat, &text);
	seat_add_backtrace(seat, &text);
	if (seat->goodbye.reason)
		text_printf(&text, "; it said: %s", seat->goodbye.reason);
	if (next)
		text_printf(&text, "; %s", next);
	last_words_format(&seat->words, OBITUARY_LINE_MAX, &words);
	if (words.length)
		text_printf(&text, "; last words: %s", text_get(&words));
	if (seat->death.report.in_hand)
		seat_log_item(seat, level, seat->death.report.suspect_sequence, text_get(&text));
	else
		seat_log(seat, level, "%s", text_get(&text));
	seat_say_last_events(seat, level);
}
