/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      replays      id of a letter  ->  run (8 bytes), slot (4), number (8), big-endian; one byte more: it is being taken
 *      about        "replayed"      ->  the last number that was given
 *
 * The mark is what makes a replay happen once. A slot takes its marks in the order of their numbers, and the number of the last one that
 * it has taken moves with its commit; so whoever knows that number knows of each mark whether its letter has been taken:
 *
 *      weir dlq replay        worker                              killed here: the next one who looks ...
 *      mark(id, run, slot)
 *                             gives it to the stage               finds the mark above the slot's number: gives it again
 *                             "is being taken", durable           the same
 *                             commit: slot's number = mark's      finds it not above: removes letter and mark
 *                             remove letter and mark
 *      or, when it has failed again:
 *                             letter replaced, mark removed       finds no mark: the letter is back, nothing was counted
 *                             commit
 *
 * A mark of another run says nothing about its number: the memory that knew it is gone with the run. If that run was about to take the
 * letter (worker and supervisor, or the host, died between there and the removal), nobody can say whether it did: it stays, and is given
 * again only to whoever asks for just that.
 */
#include "common/store/letter_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/store/letter_store_priv.h"

#define ANY_RUN UINT64_MAX /* runs are times of day */

enum { MARK_BYTES = 20, MARK_TAKING_BYTES = 21 };
enum { ROOM_STEPS_BYTES = 512 * 1024, ROOM_MARK_BYTES = 64 };

/* ---- bytes ---- */

/* Returns how many bytes there are. */
static size_t mark_to_bytes(const struct letter_mark *mark, unsigned char bytes[MARK_TAKING_BYTES])
{
	letter_store_id_to_bytes(mark->run, bytes);
	for (unsigned i = 0; i < 4; i++)
		bytes[8 + i] = (unsigned char)(mark->slot >> 8 * (3 - i));
	letter_store_id_to_bytes(mark->number, bytes + 12);
	bytes[MARK_BYTES] = 1;
	return mark->taking ? MARK_TAKING_BYTES : MARK_BYTES;
}

static int mark_from(const MDB_val *key, const MDB_val *value, struct letter_mark *ret)
{
	unsigned char *bytes = value->mv_data;
	MDB_val run = { 8, bytes }, number = { 8, bytes + 12 };

	if (value->mv_size != MARK_BYTES && value->mv_size != MARK_TAKING_BYTES)
		return LETTER_STORE_E_DAMAGED;
	ret->taking = value->mv_size == MARK_TAKING_BYTES;
	ret->again = false;
	ret->slot = (uint32_t)bytes[8] << 24 | (uint32_t)bytes[9] << 16 | (uint32_t)bytes[10] << 8 | bytes[11];
	if (letter_store_id_from(key, &ret->id) || letter_store_id_from(&run, &ret->run))
		return LETTER_STORE_E_DAMAGED;
	return letter_store_id_from(&number, &ret->number);
}

/* ---- marking ---- */

static MDB_val name_of_last(void)
{
	return (MDB_val){ 8, (void *)(uintptr_t) "replayed" };
}

static int last_number(struct letter_store *store, MDB_txn *txn, uint64_t *ret_number)
{
	MDB_val name = name_of_last(), value;
	int r = mdb_get(txn, store->about, &name, &value);

	*ret_number = 0;
	if (r == MDB_NOTFOUND)
		return 0;
	return r ? letter_store_outcome(r) : letter_store_id_from(&value, ret_number);
}

static int put_mark(struct letter_store *store, MDB_txn *txn, MDB_val *key, const struct letter_mark *mark)
{
	unsigned char bytes[MARK_TAKING_BYTES];
	MDB_val value = { mark_to_bytes(mark, bytes), bytes };

	return letter_store_outcome(mdb_put(txn, store->replays, key, &value, 0));
}

/* Returns 0: marked; MARK_E_THERE: it was, for the same run; LETTER_STORE_E_NONE: no such letter, or a doubtful one; what went wrong. */
enum { MARK_E_THERE = 100 };
static int mark_one(struct letter_store *store, MDB_txn *txn, const struct letter_mark *mark)
{
	unsigned char id[8];
	MDB_val key = { sizeof(id), id }, value;
	struct letter_mark before;
	int r;

	letter_store_id_to_bytes(mark->id, id);
	r = mdb_get(txn, store->letters, &key, &value);
	if (r)
		return letter_store_outcome(r);
	r = mdb_get(txn, store->replays, &key, &value);
	if (r == 0 && mark_from(&key, &value, &before) == 0) {
		if (before.run == mark->run)
			return MARK_E_THERE;
		if (before.taking && !mark->again)
			return LETTER_STORE_E_NONE;
	}
	if (r && r != MDB_NOTFOUND)
		return letter_store_outcome(r);
	return put_mark(store, txn, &key, mark);
}

static int mark_all(struct letter_store *store, MDB_txn *txn, const struct letter_mark *marks, size_t n,
		    size_t *ret_marked)
{
	unsigned char bytes[8];
	MDB_val name = name_of_last(), value = { sizeof(bytes), bytes };
	uint64_t number;
	int r = last_number(store, txn, &number);

	*ret_marked = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct letter_mark mark = marks[i];

		mark.number = number + 1;
		mark.taking = false;
		r = mark_one(store, txn, &mark);
		number += r == 0;
		*ret_marked += r == 0 || r == MARK_E_THERE;
		r = r == MARK_E_THERE || r == LETTER_STORE_E_NONE ? 0 : r;
	}
	if (r)
		return r;
	letter_store_id_to_bytes(number, bytes);
	return letter_store_outcome(mdb_put(txn, store->about, &name, &value, 0));
}

/* What the marks take, what changes with each step, and the largest letter with a longer story beside what it is now. */
static uint64_t room_bytes(struct letter_store *store, MDB_txn *txn, const struct letter_mark *marks, size_t n)
{
	uint64_t largest_bytes = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char id[8];
		MDB_val key = { sizeof(id), id }, value;

		letter_store_id_to_bytes(marks[i].id, id);
		if (mdb_get(txn, store->letters, &key, &value) == 0 && value.mv_size > largest_bytes)
			largest_bytes = value.mv_size;
	}
	return ROOM_STEPS_BYTES + (uint64_t)n * ROOM_MARK_BYTES + 2 * largest_bytes;
}

/*
 * Taken on the disk before anything is marked: without room it is who asks that hears of it, and not, in the middle of a letter, a worker
 * that can't go on then. Behind what the store is made of nobody reads. It does not make the file larger than the store may be.
 */
static int take_room(struct letter_store *store, MDB_txn *txn, const struct letter_mark *marks, size_t n)
{
	uint64_t end, bytes = room_bytes(store, txn, marks, n);
	MDB_envinfo info;
	MDB_stat pages;
	int fd;

	if (mdb_env_get_fd(store->env, &fd) || mdb_env_info(store->env, &info) || mdb_env_stat(store->env, &pages))
		return LETTER_STORE_E_DAMAGED;
	end = (info.me_last_pgno + 1) * pages.ms_psize;
	if (end >= store->size_bytes)
		return 0;
	bytes = bytes < store->size_bytes - end ? bytes : store->size_bytes - end;
	return fallocate(fd, 0, (off_t)end, (off_t)bytes) == 0 || errno == EOPNOTSUPP ? 0 : error_origin(-errno);
}

int letter_store_mark(struct letter_store *store, const struct letter_mark *marks, size_t n, size_t *ret_marked)
{
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	*ret_marked = 0;
	if (r)
		return r;
	r = take_room(store, txn, marks, n);
	return letter_store_end_write(store, txn, r ? r : mark_all(store, txn, marks, n, ret_marked));
}

int letter_store_unmark_one(struct letter_store *store, MDB_txn *txn, uint64_t id)
{
	unsigned char bytes[8];
	MDB_val key = { sizeof(bytes), bytes };
	int r;

	if (!store->has_replays)
		return 0;
	letter_store_id_to_bytes(id, bytes);
	r = mdb_del(txn, store->replays, &key, NULL);
	return r == MDB_NOTFOUND ? 0 : letter_store_outcome(r);
}

int letter_store_unmark(struct letter_store *store, uint64_t id)
{
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	return r ? r : letter_store_end_write(store, txn, letter_store_unmark_one(store, txn, id));
}

/* ---- looking ---- */

struct marks {
	struct letter_mark *marks; /* owned */
	size_t n, n_room;
};

static int marks_add(struct marks *marks, const struct letter_mark *mark)
{
	if (marks->n == marks->n_room) {
		size_t n_room = marks->n_room ? 2 * marks->n_room : 64;
		struct letter_mark *more = reallocarray(marks->marks, n_room, sizeof(*more));

		if (!more)
			return error_origin(-ENOMEM);
		marks->marks = more;
		marks->n_room = n_room;
	}
	marks->marks[marks->n++] = *mark;
	return 0;
}

/* Marks that make no sense are left out; purging their letters removes them. */
static int collect(struct letter_store *store, MDB_txn *txn, uint64_t run, uint32_t slot, struct marks *marks)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int r = 0, found = mdb_cursor_open(txn, store->replays, &cursor);

	if (found)
		return letter_store_outcome(found);
	while (r == 0 && (found = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		struct letter_mark mark;

		if (mark_from(&key, &value, &mark) == 0 && (run == ANY_RUN || mark.run == run) &&
		    (slot == LETTER_MARK_ANY_SLOT || mark.slot == slot))
			r = marks_add(marks, &mark);
	}
	mdb_cursor_close(cursor);
	return r == 0 && found != MDB_NOTFOUND ? letter_store_outcome(found) : r;
}

static int by_number(const void *a, const void *b)
{
	const struct letter_mark *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

int letter_store_marks(struct letter_store *store, uint64_t run, uint32_t slot, uint64_t above,
		       struct letter_mark **ret_marks, size_t *ret_n)
{
	struct marks marks = { 0 };
	MDB_txn *txn;
	size_t n = 0;
	int r = store->has_replays ? letter_store_begin_read(store, &txn) : 0;

	*ret_marks = NULL;
	*ret_n = 0;
	if (r || !store->has_replays)
		return r;
	r = collect(store, txn, run, slot, &marks);
	mdb_txn_abort(txn);
	if (r) {
		free(marks.marks);
		return r;
	}
	for (size_t i = 0; i < marks.n; i++)
		if (marks.marks[i].number > above)
			marks.marks[n++] = marks.marks[i];
	if (n > 1)
		qsort(marks.marks, n, sizeof(*marks.marks), by_number);
	*ret_marks = marks.marks;
	*ret_n = n;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

int letter_store_doubtful(struct letter_store *store, uint64_t run, uint64_t **ret_ids, size_t *ret_n)
{
	struct marks marks = { 0 };
	MDB_txn *txn;
	int r = store->has_replays ? letter_store_begin_read(store, &txn) : 0;

	*ret_ids = NULL;
	*ret_n = 0;
	if (r || !store->has_replays)
		return r;
	r = collect(store, txn, ANY_RUN, LETTER_MARK_ANY_SLOT, &marks);
	mdb_txn_abort(txn);
	if (r == 0)
		*ret_ids = calloc(marks.n + 1, sizeof(**ret_ids));
	if (r == 0 && !*ret_ids)
		r = error_origin(-ENOMEM);
	for (size_t i = 0; i < marks.n && r == 0; i++)
		if (marks.marks[i].taking && marks.marks[i].run != run)
			(*ret_ids)[(*ret_n)++] = marks.marks[i].id;
	free(marks.marks);
	if (r == 0 && *ret_n > 1)
		qsort(*ret_ids, *ret_n, sizeof(**ret_ids), by_value);
	return r;
}

/* ---- about to be taken ---- */

static int say_taking(struct letter_store *store, MDB_txn *txn, uint64_t run, uint32_t slot, uint64_t id)
{
	unsigned char bytes[8];
	MDB_val key = { sizeof(bytes), bytes }, value;
	struct letter_mark mark;
	int r;

	letter_store_id_to_bytes(id, bytes);
	r = mdb_get(txn, store->replays, &key, &value);
	if (r)
		return r == MDB_NOTFOUND ? 0 : letter_store_outcome(r);
	if (mark_from(&key, &value, &mark))
		return LETTER_STORE_E_DAMAGED;
	if (mark.run != run || mark.slot != slot)
		return LETTER_REPLAY_E_ELSEWHERE;
	mark.taking = true;
	return put_mark(store, txn, &key, &mark);
}

static int say_all_taking(struct letter_store *store, uint64_t run, uint32_t slot, const uint64_t *ids, size_t n)
{
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	if (r)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = say_taking(store, txn, run, slot, ids[i]);
	return letter_store_end_write(store, txn, r);
}

static bool map_more(const struct letter_store *store, uint64_t besides_bytes)
{
	uint64_t headroom_bytes = 2 * (uint64_t)LETTER_HEADROOM_BYTES + besides_bytes;

	return mdb_env_set_mapsize(store->env, store->size_bytes + headroom_bytes) == 0;
}

int letter_store_taking(struct letter_store *store, uint64_t run, uint32_t slot, const uint64_t *ids, size_t n)
{
	int r = n ? say_all_taking(store, run, slot, ids, n) : 0;

	return r == LETTER_STORE_E_FULL && map_more(store, 0) ? say_all_taking(store, run, slot, ids, n) : r;
}

/* ---- taken ---- */

/* What a slot has taken, and whether it takes anything more. */
struct settlement {
	uint64_t run, taken;
	uint32_t slot;
	bool over;
};

static int settle_one(struct letter_store *store, MDB_txn *txn, const struct settlement *settlement,
		      const struct letter_mark *mark)
{
	bool known = settlement->taken != LETTER_TAKEN_UNKNOWN;
	int r = 0;

	if (known && mark->number <= settlement->taken)
		r = letter_store_remove_one(store, txn, mark->id);
	else if (settlement->over && (known || !mark->taking))
		r = letter_store_unmark_one(store, txn, mark->id);
	return r == LETTER_STORE_E_NONE ? 0 : r;
}

/* Which marks there are is looked at in the turn itself: until it came, somebody else may have given a letter to another slot. */
static int settle(struct letter_store *store, const struct settlement *settlement)
{
	struct marks marks = { 0 };
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	if (r)
		return r;
	r = collect(store, txn, settlement->run, settlement->slot, &marks);
	for (size_t i = 0; i < marks.n && r == 0; i++)
		r = settle_one(store, txn, settlement, &marks.marks[i]);
	free(marks.marks);
	return letter_store_end_write(store, txn, r);
}

/* A full store: removing needs pages, which are given back with it. */
static int settle_with_room(struct letter_store *store, const struct settlement *settlement)
{
	int r = settle(store, settlement);

	return r == LETTER_STORE_E_FULL && map_more(store, 0) ? settle(store, settlement) : r;
}

int letter_store_taken(struct letter_store *store, uint64_t run, uint32_t slot, uint64_t number)
{
	_cleanup_(free) struct letter_mark *marks = NULL;
	size_t n;
	int r = letter_store_marks(store, run, slot, 0, &marks, &n);

	if (r || !n || marks[0].number > number)
		return r;
	return settle_with_room(store, &(struct settlement){ .run = run, .slot = slot, .taken = number });
}

int letter_store_give_up(struct letter_store *store, uint64_t run, uint32_t slot, uint64_t number)
{
	_cleanup_(free) struct letter_mark *marks = NULL;
	size_t n;
	int r = letter_store_marks(store, run, slot, 0, &marks, &n);

	if (r || !n)
		return r;
	return settle_with_room(store, &(struct settlement){ .run = run, .slot = slot, .taken = number, .over = true });
}

/* ---- back again ---- */

static int replace(struct letter_store *store, MDB_txn *txn, const struct dead_letter *letter, const char *encoded,
		   size_t size_bytes)
{
	unsigned char id[8], bytes[LETTER_IDENTITY_MAX];
	MDB_val key = { sizeof(id), id }, identity = { dead_letter_identity(letter, bytes), bytes }, value;
	int r;

	letter_store_id_to_bytes(letter->id, id);
	r = mdb_get(txn, store->letters, &key, &value);
	if (r)
		return letter_store_outcome(r);
	r = letter_store_forget_identity(store, txn, &value);
	if (r)
		return r;
	value = (MDB_val){ sizeof(id), id };
	r = mdb_put(txn, store->identities, &identity, &value, 0);
	if (r)
		return letter_store_outcome(r);
	r = letter_store_put_value(store, txn, letter->id, &identity, encoded, size_bytes);
	return r ? r : letter_store_unmark_one(store, txn, letter->id);
}

static int replace_in_one(struct letter_store *store, const struct dead_letter *letter, const char *encoded,
			  size_t size_bytes)
{
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	return r ? r : letter_store_end_write(store, txn, replace(store, txn, letter, encoded, size_bytes));
}

/* A full store: the letter gives its pages back, but has both for a moment. */
int letter_store_return(struct letter_store *store, const struct dead_letter *letter)
{
	_cleanup_(free) char *encoded = NULL;
	size_t size_bytes = 0;
	int r = letter_encode(letter, &encoded, &size_bytes);

	if (r)
		return r;
	r = replace_in_one(store, letter, encoded, size_bytes);
	if (r == LETTER_STORE_E_FULL && map_more(store, size_bytes))
		r = replace_in_one(store, letter, encoded, size_bytes);
	return r == LETTER_STORE_E_NONE ? letter_store_put(store, letter, NULL) : r;
}
