/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of fixed size with open addressing. One writes, many look, nobody waits:
 *
 *      add       place.id := id, then .cause := cause, then board.n_scopes + 1, scopes_epoch + 1     [B6]
 *      look      the epoch, then the places from the id's own on: .id, .cause, .id once more          [B6]
 *      remove    .cause := 0: such a place is passed over, and used again
 *
 * A place that changes hands while somebody looks at it: its cause was 0 in between, so who reads the new cause with the old id finds the
 * new id when it reads that once more. Who looks while an id is being added may miss it; it has not been told of it yet, for the
 * epoch comes last.
 *
 * Places become free for good only at the end of a chain: behind a free one nobody looks.
 */
#include "common/memory/scope_table.h"

#include "common/base/hash.h"
#include "common/base/must.h"

static uint32_t own_place(uint64_t id)
{
	return (uint32_t)(hash_mix(0, id) >> 32) % SCOPES_PLACES;
}

static uint32_t next_place(uint32_t place)
{
	return (place + 1) % SCOPES_PLACES;
}

uint32_t scope_table_find(const struct board *board, uint64_t id)
{
	const struct board_scope *places = board_scopes(board);
	uint32_t at = own_place(id);

	for (uint32_t i = 0; i < SCOPES_PLACES; i++, at = next_place(at)) {
		uint64_t its_id = load_acquire(&places[at].id); /* [B6] mate: scope_table_add */
		uint32_t cause;

		if (!its_id)
			return 0;
		if (its_id != id)
			continue;
		cause = load_acquire(&places[at].cause); /* [B6] mate: scope_table_add */
		if (cause && load_relaxed(&places[at].id) == id)
			return cause;
	}
	return 0;
}

/* The place of the id, or the one that it would get. */
static uint32_t find_place(const struct board_scope *places, uint64_t id)
{
	uint32_t at = own_place(id), usable = SCOPES_PLACES;

	for (uint32_t i = 0; i < SCOPES_PLACES; i++, at = next_place(at)) {
		uint64_t its_id = load_relaxed(&places[at].id);

		if (its_id == id)
			return at;
		if (usable == SCOPES_PLACES && !load_relaxed(&places[at].cause))
			usable = at;
		if (!its_id)
			break;
	}
	return usable;
}

int scope_table_add(struct board *board, uint64_t id, uint32_t cause, uint32_t *ret_place)
{
	struct board_scope *places = (struct board_scope *)(uintptr_t)board_scopes(board);
	uint32_t n = load_relaxed(&board->n_scopes), epoch = load_relaxed(&board->scopes_epoch) + 1;
	uint32_t at = find_place(places, id);

	must(id && cause);
	*ret_place = at;
	if (at < SCOPES_PLACES && load_relaxed(&places[at].id) == id && load_relaxed(&places[at].cause))
		return SCOPE_TABLE_E_ALREADY;
	if (n >= SCOPES_MAX)
		return SCOPE_TABLE_E_FULL;
	must(at < SCOPES_PLACES);
	store_release(&places[at].id, id);       /* [B6] behind .cause := 0 */
	store_release(&places[at].cause, cause); /* [B6] behind the id */
	store_relaxed(&board->n_scopes, n + 1);
	store_release(&board->scopes_epoch, epoch ? epoch : 1); /* [B6] mate: cancelled_news */
	return 0;
}

void scope_table_remove(struct board *board, uint32_t place)
{
	struct board_scope *places = (struct board_scope *)(uintptr_t)board_scopes(board);

	must(place < SCOPES_PLACES && load_relaxed(&places[place].cause));
	store_release(&places[place].cause, 0); /* [B6] before the place gets another id */
	store_relaxed(&board->n_scopes, load_relaxed(&board->n_scopes) - 1);
	while (load_relaxed(&places[next_place(place)].id) == 0 && load_relaxed(&places[place].id) &&
	       !load_relaxed(&places[place].cause)) {
		store_release(&places[place].id, 0); /* [B6] */
		place = (place + SCOPES_PLACES - 1) % SCOPES_PLACES;
	}
}
