/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/operators/joins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/identity.h>

#include "common/base/error.h"

#define JOIN_KEY_SIZE (1 + MARK_BYTES)
#define ANSWER_KEY_SIZE (JOIN_KEY_SIZE + 1)

/* The value of j MARK; baggage_bytes of baggage follow. */
struct kept {
	uint64_t due_ns, accepted_ns;
	uint32_t closed;        /* 1: it is */
	uint32_t answered;      /* of a closed one; else what answers there are says it */
	uint64_t baggage_bytes; /* of a closed one: 0 */
};

static void join_key(const struct mark *mark, unsigned char key[JOIN_KEY_SIZE])
{
	key[0] = 'j';
	mark_write(mark, key + 1);
}

static void answer_key(const struct mark *mark, uint32_t input, unsigned char key[ANSWER_KEY_SIZE])
{
	key[0] = 'a';
	mark_write(mark, key + 1);
	key[JOIN_KEY_SIZE] = (unsigned char)input;
}

uint32_t joins_n_ahead_max = 65536;

/* ---- those that have ended ---- */

int joins_know(struct joins *joins, const struct mark *mark)
{
	struct joins_way *grown;

	if (mark->worker < joins->n_ways)
		return 0;
	grown = reallocarray(joins->ways, (size_t)mark->worker + 1, sizeof(*grown));
	if (!grown)
		return error_origin(-ENOMEM);
	joins->ways = grown;
	while (joins->n_ways <= mark->worker)
		grown[joins->n_ways++] = (struct joins_way){ .first_ended = PENDING_NONE, .last_ended = PENDING_NONE };
	return 0;
}

static struct joins_way *way_of(const struct joins *joins, uint32_t number)
{
	return &joins->ways[pending_mark(&joins->pending, number)->worker];
}

bool joins_passed_by(const struct joins *joins, const struct mark *mark)
{
	return mark->number < joins->ways[mark->worker].came;
}

/* The next of this way that was passed by, or PENDING_NONE. One behind a later one goes when that does. */
static uint32_t first_passed(const struct joins *joins, uint32_t way)
{
	uint32_t first = joins->ways[way].first_ended;

	return first != PENDING_NONE && joins_passed_by(joins, pending_mark(&joins->pending, first)) ? first :
												       PENDING_NONE;
}

static void link_ended(struct joins *joins, uint32_t number)
{
	struct join *join = &joins->joins[number];
	struct joins_way *way = way_of(joins, number);

	join->ended = true;
	join->before = way->last_ended;
	join->after = PENDING_NONE;
	*(join->before == PENDING_NONE ? &way->first_ended : &joins->joins[join->before].after) = number;
	way->last_ended = number;
	joins->n_ended++;
}

static void unlink_ended(struct joins *joins, uint32_t number)
{
	struct join *join = &joins->joins[number];
	struct joins_way *way = way_of(joins, number);

	if (!join->ended)
		return;
	join->ended = false;
	*(join->before == PENDING_NONE ? &way->first_ended : &joins->joins[join->before].after) = join->after;
	*(join->after == PENDING_NONE ? &way->last_ended : &joins->joins[join->after].before) = join->before;
	joins->n_ended--;
}

void joins_came(struct joins *joins, const struct mark *mark)
{
	if (mark->number > joins->ways[mark->worker].came)
		joins->ways[mark->worker].came = mark->number;
	if (first_passed(joins, mark->worker) != PENDING_NONE)
		joins->passed = mark->worker;
}

bool joins_have_passed(const struct joins *joins)
{
	return joins->passed != PENDING_NONE;
}

int joins_forget_passed(struct joins *joins, struct weir_context *context, uint32_t n)
{
	int r = WEIR_OK;

	if (joins->passed == PENDING_NONE)
		return WEIR_OK;
	for (uint32_t i = 0; i < n && r == WEIR_OK; i++) {
		uint32_t number = first_passed(joins, joins->passed);

		if (number == PENDING_NONE) {
			joins->passed = PENDING_NONE;
			return WEIR_OK;
		}
		r = joins_close(joins, context, number, 0, false, 0);
	}
	return r;
}

/* ---- taking up ---- */

struct ended {
	uint64_t stamp_ns;
	uint32_t number;
};

static int compare_ended(const void *left, const void *right)
{
	const struct ended *a = left, *b = right;

	return a->stamp_ns < b->stamp_ns ? -1 : a->stamp_ns > b->stamp_ns;
}

/* In the order in which they were scattered, which is nearly that in which they have ended. */
static int take_up_ended(struct joins *joins)
{
	struct ended *all = calloc(joins->pending.n + 1, sizeof(*all));
	uint32_t n = 0;

	if (!all)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < joins->pending.n; i++) {
		uint32_t number = joins->pending.heap[i];

		if (joins->joins[number].closed && joins->joins[number].due_ns == UINT64_MAX)
			all[n++] = (struct ended){ pending_mark(&joins->pending, number)->stamp_ns, number };
	}
	qsort(all, n, sizeof(*all), compare_ended);
	for (uint32_t i = 0; i < n; i++)
		link_ended(joins, all[i].number);
	free(all);
	return 0;
}

static int take_up_joins(struct joins *joins, struct weir_context *context)
{
	struct weir_state_entry entry;
	int r = weir_state_first(context, "j", 1, &entry);

	for (; r == WEIR_OK; r = weir_state_next(context, "j", 1, &entry)) {
		struct kept kept;
		struct mark mark;

		memcpy(&kept, entry.value, sizeof(kept));
		mark_read(&mark, weir_run(context), entry.key + 1);
		r = joins_know(joins, &mark);
		if (r == 0 && pending_is_full(&joins->pending))
			r = joins_grow(joins);
		if (r != WEIR_OK)
			return r;
		joins_opened(joins, &mark,
			     &(struct join){ .answered = kept.closed ? kept.answered : 0,
					     .closed = kept.closed,
					     .due_ns = kept.due_ns,
					     .accepted_ns = kept.accepted_ns });
	}
	return r == -ENOENT ? WEIR_OK : r;
}

static int take_up_answers(struct joins *joins, struct weir_context *context)
{
	struct weir_state_entry entry;
	int r = weir_state_first(context, "a", 1, &entry);

	for (; r == WEIR_OK; r = weir_state_next(context, "a", 1, &entry)) {
		struct mark mark;
		uint32_t number;

		mark_read(&mark, weir_run(context), entry.key + 1);
		number = pending_find(&joins->pending, &mark);
		if (number != PENDING_NONE)
			joins->joins[number].answered |= UINT32_C(1) << entry.key[JOIN_KEY_SIZE];
	}
	return r == -ENOENT ? WEIR_OK : r;
}

int joins_init(struct joins *joins, struct weir_context *context, uint32_t n_max)
{
	int r = pending_init(&joins->pending, n_max);

	joins->passed = PENDING_NONE;
	joins->joins = calloc(n_max, sizeof(*joins->joins));
	if (r == 0 && !joins->joins)
		r = error_origin(-ENOMEM);
	if (r == 0)
		r = take_up_joins(joins, context);
	if (r == 0)
		r = take_up_ended(joins);
	return r == 0 ? take_up_answers(joins, context) : r;
}

int joins_grow(struct joins *joins)
{
	struct join *grown = reallocarray(joins->joins, pending_grown(&joins->pending), sizeof(*grown));

	if (!grown)
		return error_origin(-ENOMEM);
	joins->joins = grown;
	return pending_grow(&joins->pending);
}

void joins_place(struct joins *joins, uint32_t number)
{
	joins->joins[number].placed = true;
	joins->n_placed++;
}

uint32_t joins_n_ahead(const struct joins *joins)
{
	return joins->pending.n - joins->n_placed - joins->n_ended;
}

void joins_deinit(struct joins *joins)
{
	pending_deinit(&joins->pending);
	free(joins->joins);
	free(joins->ways);
	joins->joins = NULL;
	joins->ways = NULL;
	joins->n_ways = 0;
}

/* ---- changes ---- */

static int put_join(struct weir_context *context, const struct mark *mark, const struct join *join, size_t packed_bytes,
		    const void *packed)
{
	unsigned char key[JOIN_KEY_SIZE], value[sizeof(struct kept) + WEIR_BAGGAGE_PACKED_MAX];
	const struct kept kept = { .due_ns = join->due_ns,
				   .accepted_ns = join->accepted_ns,
				   .closed = join->closed,
				   .answered = join->closed ? join->answered : 0,
				   .baggage_bytes = packed_bytes };

	join_key(mark, key);
	memcpy(value, &kept, sizeof(kept));
	if (packed_bytes)
		memcpy(value + sizeof(kept), packed, packed_bytes);
	return weir_state_put(context, key, sizeof(key), value, sizeof(kept) + packed_bytes);
}

int joins_open(struct weir_context *context, const struct mark *mark, const struct join *join)
{
	unsigned char packed[WEIR_BAGGAGE_PACKED_MAX];

	return put_join(context, mark, join, weir_baggage_pack(context, packed), packed);
}

uint32_t joins_opened(struct joins *joins, const struct mark *mark, const struct join *join)
{
	uint32_t number = pending_add(&joins->pending, mark, join->due_ns);

	joins->joins[number] = *join;
	return number;
}

int joins_put_answer(struct weir_context *context, const struct mark *mark, uint32_t input, const void *data,
		     size_t size_bytes)
{
	unsigned char key[ANSWER_KEY_SIZE];

	answer_key(mark, input, key);
	return weir_state_put(context, key, sizeof(key), data, size_bytes);
}

int joins_get_answer(struct weir_context *context, const struct mark *mark, uint32_t input, const void **ret_data,
		     size_t *ret_size_bytes)
{
	unsigned char key[ANSWER_KEY_SIZE];

	answer_key(mark, input, key);
	return weir_state_get(context, key, sizeof(key), ret_data, ret_size_bytes);
}

int joins_bring_along(struct weir_context *context, const struct mark *mark, const char *key)
{
	unsigned char join[JOIN_KEY_SIZE], packed[WEIR_BAGGAGE_PACKED_MAX];
	const void *value;
	size_t size_bytes, packed_bytes = 0;
	struct kept kept;
	int r;

	join_key(mark, join);
	r = weir_state_get(context, join, sizeof(join), &value, &size_bytes);
	if (r == WEIR_OK) {
		memcpy(&kept, value, sizeof(kept));
		packed_bytes = (size_t)kept.baggage_bytes;
		memcpy(packed, (const unsigned char *)value + sizeof(kept), packed_bytes);
	}
	if (r == WEIR_OK || r == -ENOENT)
		r = packed_bytes ? weir_baggage_unpack(context, packed, packed_bytes) : weir_baggage_clear(context);
	return r == WEIR_OK ? weir_baggage_set(context, key, NULL, 0) : r;
}

static int forget_answers(struct weir_context *context, const struct mark *mark, uint32_t answers)
{
	unsigned char key[ANSWER_KEY_SIZE];
	int r = WEIR_OK;

	for (uint32_t i = 0; i < JOINS_INPUTS_MAX && r == WEIR_OK; i++) {
		if (!(answers >> i & 1))
			continue;
		answer_key(mark, i, key);
		r = weir_state_delete(context, key, sizeof(key));
	}
	return r;
}

int joins_close(struct joins *joins, struct weir_context *context, uint32_t number, uint32_t answers, bool keep,
		uint64_t due_ns)
{
	const struct mark mark = *pending_mark(&joins->pending, number);
	struct join *join = &joins->joins[number], closed = *join;
	unsigned char key[JOIN_KEY_SIZE];
	int r = forget_answers(context, &mark, answers);

	closed.closed = true;
	closed.due_ns = due_ns;
	join_key(&mark, key);
	if (r == WEIR_OK)
		r = keep ? put_join(context, &mark, &closed, 0, NULL) : weir_state_delete(context, key, sizeof(key));
	if (r != WEIR_OK)
		return r;
	if (!keep) {
		joins->n_placed -= join->placed;
		unlink_ended(joins, number);
		pending_remove(&joins->pending, number);
		return WEIR_OK;
	}
	*join = closed;
	if (due_ns == UINT64_MAX)
		link_ended(joins, number);
	pending_move(&joins->pending, number, due_ns);
	return WEIR_OK;
}
