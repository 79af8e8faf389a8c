/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks that nobody reads. A slot may be over at any time after the first question: retired, its stage cancelled or dropped, or at its
 * natural end. It says so only when its last worker is dead and repaired, so that what it has taken is final; until then its marks are
 * not touched.
 *
 *      weir dlq replay                     supervisor                       store
 *      which slots are there?         ---> slot 3, slot 4
 *                                          slot 3 is over
 *      mark letter 7 for slot 3                                             7: slot 3
 *      which are there now?           ---> slot 3 is over, has taken 0
 *      give up slot 3, mark for slot 4                                      7, then 7: slot 4
 *      look!                          ---> slot 4
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/dlq.h"
#include "broker/cli/dlq_replay_priv.h"
#include "broker/cli/json_read.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"

/* The target that has the slot, if that is over; else NULL. */
static const struct target *find_over(const struct replaying *replaying, uint32_t number)
{
	for (size_t i = 0; i < replaying->n_targets; i++) {
		struct fy_node *slots = json_get(replaying->targets[i].root, "slots"), *slot;
		void *at = NULL;

		while (slots && (slot = fy_node_sequence_iterate(slots, &at)))
			if (dlq_number_of(slot, "slot") == number)
				return strcmp(json_string(slot, "over"), "true") == 0 ? &replaying->targets[i] : NULL;
	}
	return NULL;
}

/* Those of ours that stand for a slot which is over; *ret_strays is the caller's. Returns 0 or what the store says. */
static int find_strays(const struct replaying *replaying, struct letter_mark **ret_strays, size_t *ret_n)
{
	size_t n, n_strays = 0;
	int r = letter_store_marks(replaying->request->store, replaying->run, LETTER_MARK_ANY_SLOT, 0, ret_strays, &n);

	for (size_t i = 0; i < n && r == 0; i++)
		if (bsearch(&(*ret_strays)[i], replaying->marks, replaying->n_marks, sizeof(**ret_strays),
			    letter_mark_by_id) &&
		    find_over(replaying, (*ret_strays)[i].slot))
			(*ret_strays)[n_strays++] = (*ret_strays)[i];
	*ret_n = n_strays;
	return r;
}

/* Nobody will take it: nothing more is waited for. */
static void forget(struct replaying *replaying, uint64_t id)
{
	const struct letter_mark key = { .id = id };
	struct letter_mark *mark = bsearch(&key, replaying->marks, replaying->n_marks, sizeof(key), letter_mark_by_id);

	must(mark);
	replaying->n_marks--;
	memmove(mark, mark + 1, (size_t)(replaying->marks + replaying->n_marks - mark) * sizeof(*mark));
}

static uint32_t worker_index_of(const struct replaying *replaying, uint64_t id)
{
	size_t i = 0;

	while (replaying->request->rows[i].id != id)
		i++;
	return replaying->request->rows[i].worker_index;
}

static int look_whether_there(void *data, const struct dead_letter *letter)
{
	(void)data, (void)letter;
	return 0;
}

/* After its slot has been given up. Returns whether another one is to have it; then its slot is changed. */
static bool readdress(struct replaying *replaying, struct letter_mark *stray)
{
	const struct target *target = find_over(replaying, stray->slot);
	struct letter_store *store = replaying->request->store;

	if (letter_store_get(store, stray->id, look_whether_there, NULL) == LETTER_STORE_E_NONE)
		return false; /* it was taken */
	if (dlq_choose_slot(target, worker_index_of(replaying, stray->id), &stray->slot)) {
		stray->taking = false;
		return true;
	}
	dlq_leave_out(replaying, stray->id, "no worker of stage '%s' is left; start the pipeline again", target->stage);
	forget(replaying, stray->id);
	return false;
}

/* Its slot's memory makes no sense. */
static bool in_doubt(struct replaying *replaying, const struct letter_mark *stray)
{
	struct letter_mark *marks = NULL;
	size_t n = 0, i = 0;
	int r = letter_store_marks(replaying->request->store, replaying->run, stray->slot, 0, &marks, &n);

	while (r == 0 && i < n && marks[i].id != stray->id)
		i++;
	free(marks);
	if (r != 0 || i == n)
		return false;
	dlq_leave_out(
		replaying, stray->id,
		"its worker's memory makes no sense, so it may have arrived; look there, then purge it, or give it again "
		"in a later run all the same (--again)");
	forget(replaying, stray->id);
	return true;
}

/* Gives on what nobody reads. Returns 0 or what the store says. */
int dlq_give_on(struct replaying *replaying)
{
	_cleanup_(free) struct letter_mark *strays = NULL;
	size_t n, n_moved = 0;
	int r = find_strays(replaying, &strays, &n);

	if (r != 0 || !n)
		return r;
	r = dlq_put_marks(replaying, NULL, 0);
	for (size_t i = 0; i < n && r == 0; i++)
		if (!in_doubt(replaying, &strays[i]) && readdress(replaying, &strays[i]))
			strays[n_moved++] = strays[i];
	if (r == 0 && n_moved)
		r = dlq_put_marks(replaying, strays, n_moved);
	if (r == 0 && n_moved)
		(void)dlq_tell(replaying, false);
	return r;
}
