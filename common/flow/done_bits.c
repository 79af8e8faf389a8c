/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Done-bits: what lets the items of a lane end in any order, and still each of them once.
 *
 *                   ordinal                                  taken
 *      records    ... | r    | r+1  | r+2  | r+3  | r+4  | r+5 |
 *      bits           | 0    | 1    | 1    | 0    | 1    | 0   |     a window of 4096, record r has bit r modulo 4096
 *                     ^ done                                   ^ next
 *
 * With the commit in which the record at `done` ends, `done` goes over all taken ones that have ended behind it, and their bits go back
 * to 0, for the records that come a window later. So a bit that is set always lies in the window, and the window never needs
 * shifting. Bits, ordinal and done are operations of one commit record (commit.c): a kill leaves all of a turn or nothing of it.
 *
 * The next generation walks from `done` again and steps over the records with a bit: it gives exactly those that have not ended, in the
 * order of the lane. What is taken and not ended needs no trace: it is what lies behind `done` without a bit.
 *
 * Why numbers and not positions: a lane of 4 MiB has 131,072 places where a record may begin. What limits the window is then the
 * count of records alone; nothing can be taken once the oldest that has not ended is 4096 records behind.
 */
#include "common/flow/done_bits.h"

#include <string.h>

#include "common/base/must.h"

static uint64_t count_bits(const struct done_window *window)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < DONE_BITS_WORDS; i++)
		n += (uint64_t)__builtin_popcountll(window->words[i]);
	return n;
}

/* Every bit must belong to a record that lies in the lane: one too many, and a record to come would be passed over in silence. */
static int check_bits(struct done_window *window)
{
	uint64_t n_bits = count_bits(window), n_found = 0;
	struct item_header header;
	const void *payload;
	int r = 0;

	for (uint64_t number = window->ordinal; n_found < n_bits && number - window->ordinal < DONE_BITS_WINDOW;
	     number++) {
		r = lane_in_peek(window->lane, &header, &payload);
		if (r)
			break;
		n_found += done_window_ended(window, number);
		lane_in_advance(window->lane, &header);
	}
	window->lane->next = window->lane->done;
	window->lane->tail_cached = window->lane->done;
	return n_found == n_bits ? 0 : LANE_E_BROKEN;
}

int done_window_rewind(struct done_window *window, struct lane_in *lane, struct done_bits *shared)
{
	window->lane = lane;
	window->shared = shared;
	window->ordinal = window->head = window->taken = load_relaxed(&shared->ordinal);
	window->dirty = 0;
	for (uint32_t i = 0; i < DONE_BITS_WORDS; i++)
		window->words[i] = load_relaxed(&shared->words[i]);
	return check_bits(window);
}

uint64_t done_window_take(struct done_window *window, const struct item_header *header)
{
	uint64_t number = window->taken;

	must(!done_window_is_full(window));
	window->starts[number % DONE_BITS_WINDOW] = window->lane->next;
	lane_in_advance(window->lane, header);
	window->taken++;
	return number;
}

static void flip(struct done_window *window, uint64_t number)
{
	uint32_t word = (uint32_t)(number % DONE_BITS_WINDOW / 64);

	window->words[word] ^= UINT64_C(1) << (number % 64);
	window->dirty |= UINT64_C(1) << word;
}

void done_window_end(struct done_window *window, uint64_t number)
{
	must(number - window->head < window->taken - window->head && !done_window_ended(window, number));
	flip(window, number);
}

void done_window_collect_bits(struct done_window *window, struct commit *commit)
{
	/* Not beyond `taken`: what an earlier generation has ended there is stepped over when it is taken. */
	while (window->head != window->taken && done_window_ended(window, window->head))
		flip(window, window->head++);
	for (uint64_t dirty = window->dirty; dirty; dirty &= dirty - 1) {
		uint32_t word = (uint32_t)__builtin_ctzll(dirty);

		commit_add_bits(commit, window->lane->index, word, window->words[word]);
	}
	if (window->head != window->ordinal)
		commit_add_bits(commit, window->lane->index, DONE_BITS_ORDINAL, window->head);
}

static uint64_t head_position(const struct done_window *window)
{
	return window->head == window->taken ? window->lane->next : window->starts[window->head % DONE_BITS_WINDOW];
}

void done_window_collect_done(const struct done_window *window, struct commit *commit)
{
	if (window->head != window->ordinal)
		commit_add_done_at(commit, window->lane, head_position(window));
}

bool done_window_settle(struct done_window *window)
{
	window->dirty = 0;
	if (window->head == window->ordinal)
		return false;
	window->lane->done = head_position(window);
	window->ordinal = window->head;
	return true;
}
