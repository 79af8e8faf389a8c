/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: gather. What the branches behind a scatter have made of one item becomes one item again, when all have answered, or when the
 * time is over.
 *
 *      scatter --+--------------> gather      input 0: the item itself, if gather reads from scatter, too
 *                +--> risk  ----> gather      input 1
 *                '--> stock ----> gather      input 2       {"answers": {"split": .., "risk": ..}, "missing": ["stock"]}
 *
 *      mark --> join:  open, answers in the state --all are there--> result --> a bit until it is due (wholes.c): what comes is late
 *                      open                       --due-----------> result, or a dead letter
 *
 * Each item has one result. While its join is open, or whole and not yet due, that is in the state. Later an answer is late by its mark's
 * time. Only the copy that comes straight from scatter may open a join when the time is over: nobody else can be sure that there was
 * none. So one that has ended without that copy stays closed until it comes, or a later one of the same worker of scatter does: they come
 * in the order of their numbers, so it was dropped, refused or has expired. It comes once, so it is not looked for among those that are
 * whole. A mark of another run (a dead letter given again) is joined with nothing: its copy is a result by itself, at once.
 *
 * A place is what the copy from scatter takes (any first answer, where there is no such copy). Whoever waits for one waits for the branches
 * alone, whose answers need none, in whatever order they come. How many of these can run ahead, the lane says in which the copies wait, but
 * where copies are dropped on the way (full: drop-new): beyond joins_limits answers wait, too, for copies or for `within`.
 *
 * Answers are held (WEIR_HELD), but for the one that is in hand when the last has come. What is emitted is as old, and brings along, as the
 * first of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/identity.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/record/pack.h"
#include "worker/builtin.h"
#include "worker/operators/joins.h"
#include "worker/operators/wholes.h"
#include "worker/script/results.h"

#define END_EACH 64u                     /* joins that are ended in one produce() */
#define LOOK_AGAIN_NS NS_PER_MS          /* for room */
#define SAY_NS (UINT64_C(10) * NS_PER_S) /* that some are missing */
#define IS_ONE_MORE "is one more than the first, and the first counts"

struct gather_cursor {
	uint64_t n_whole, n_partial, n_late;
};

struct gather {
	struct joins joins;
	struct results results;
	char key[MARK_KEY_SIZE];
	const char *names[JOINS_INPUTS_MAX];      /* of the inputs; borrowed */
	uint32_t n_inputs, all, direct, required; /* sets of inputs; direct: from scatter itself */
	uint32_t takes_place;                     /* a set of inputs */
	uint32_t n_open;
	uint64_t run, within_ns;
	uint64_t said_ns, said_full_ns;
	bool since_source, rejects_partial, rejects_late;
	bool ended; /* no answer can come any more */
};

/* ---- begin and end ---- */

static void note_inputs(struct gather *gather, const struct weir_context *context)
{
	const char *scatter = weir_option_string(context, "scatter");
	const char *const *require = weir_option_list(context, "require");
	const char *name;

	for (uint32_t i = 0; i < JOINS_INPUTS_MAX && (name = weir_input_name(context, i)); i++) {
		gather->names[gather->n_inputs++] = name;
		gather->all |= UINT32_C(1) << i;
		gather->direct |= strcmp(name, scatter) == 0 ? UINT32_C(1) << i : 0;
		for (const char *const *word = require; word && *word; word++)
			gather->required |= strcmp(name, *word) == 0 ? UINT32_C(1) << i : 0;
	}
	gather->takes_place = gather->direct ? gather->direct : gather->all;
}

static void take_places(struct gather *gather)
{
	struct joins *joins = &gather->joins;

	for (uint32_t i = 0; i < joins->pending.n; i++)
		if (joins->joins[joins->pending.heap[i]].answered & gather->takes_place)
			joins_place(joins, joins->pending.heap[i]);
}

static void wake_for_first(struct gather *gather, struct weir_context *context)
{
	uint32_t first = pending_first(&gather->joins.pending);
	uint64_t due_ns = first == PENDING_NONE ? 0 : pending_due_ns(&gather->joins.pending, first);

	weir_watch(context, -1, 0, joins_have_passed(&gather->joins) ? 1 : due_ns == UINT64_MAX ? 0 : due_ns);
}

static void gather_close(struct weir_context *context, void *data)
{
	struct gather *gather = data;

	(void)context;
	joins_deinit(&gather->joins);
	results_deinit(&gather->results);
	free(gather);
}

static int gather_open(struct weir_context *context, void **ret_state)
{
	struct gather *gather = calloc(1, sizeof(*gather));
	int r;

	if (!gather)
		return error_origin(-ENOMEM);
	results_init(&gather->results, context);
	mark_key(weir_option_string(context, "scatter"), gather->key);
	note_inputs(gather, context);
	gather->run = weir_run(context);
	gather->within_ns = (uint64_t)weir_option_integer(context, "within");
	gather->since_source = strcmp(weir_option_string(context, "since"), "source") == 0;
	gather->rejects_partial = strcmp(weir_option_string(context, "partial"), "reject") == 0;
	gather->rejects_late = strcmp(weir_option_string(context, "late"), "reject") == 0;
	if (gather->n_inputs < 2) {
		weir_fail(context, "gather joins what several stages answer, and reads from one: from: [a, b]");
		r = WEIR_FAILED;
	} else {
		gather->n_open = (uint32_t)weir_option_integer(context, "open");
		r = joins_init(&gather->joins, context, gather->n_open);
	}
	if (r != 0) {
		gather_close(context, gather);
		return r;
	}
	take_places(gather);
	wake_for_first(gather, context);
	*ret_state = gather;
	return 0;
}

/* ---- the result ---- */

static void pack_name(msgpack_packer *packer, const char *name)
{
	msgpack_pack_str_with_body(packer, name, strlen(name));
}

/* As a value: what is structured as it is, text as a string. Returns whether it is structured. */
static bool pack_answer(struct gather *gather, msgpack_packer *packer, const void *data, size_t size_bytes)
{
	const struct weir_item item = { .data = data, .size_bytes = size_bytes };

	if (results_item_is_structured(&gather->results, &item)) {
		msgpack_sbuffer_write(&gather->results.values, data, size_bytes);
		return true;
	}
	msgpack_pack_str_with_body(packer, data, size_bytes);
	return false;
}

static void pack_missing(struct gather *gather, msgpack_packer *packer, uint32_t answered)
{
	uint32_t missing = gather->all & ~answered;

	pack_name(packer, "missing");
	msgpack_pack_array(packer, (size_t)__builtin_popcount(missing));
	for (uint32_t i = 0; i < gather->n_inputs; i++)
		if (missing >> i & 1)
			pack_name(packer, gather->names[i]);
}

/* Into gather->results. item: the answer in hand, or NULL. Returns WEIR_OK, *ret_structured; WEIR_FAILED. */
static int build(struct gather *gather, struct weir_context *context, const struct mark *mark, uint32_t answered,
		 const struct weir_item *item, bool *ret_structured)
{
	msgpack_packer packer;
	const void *data;
	size_t size_bytes;
	int r = WEIR_OK;

	results_clear(&gather->results);
	msgpack_packer_init(&packer, &gather->results.values, msgpack_sbuffer_write);
	*ret_structured = false;
	msgpack_pack_map(&packer, 2);
	pack_name(&packer, "answers");
	msgpack_pack_map(&packer, (size_t)__builtin_popcount(answered));
	for (uint32_t i = 0; i < gather->n_inputs && r == WEIR_OK; i++) {
		if (!(answered >> i & 1))
			continue;
		if (item && item->input == i) {
			data = item->data;
			size_bytes = item->size_bytes;
		} else {
			r = joins_get_answer(context, mark, i, &data, &size_bytes);
		}
		if (r != WEIR_OK)
			return r;
		pack_name(&packer, gather->names[i]);
		*ret_structured = pack_answer(gather, &packer, data, size_bytes) || *ret_structured;
	}
	pack_missing(gather, &packer, answered);
	return WEIR_OK;
}

static int emit(struct gather *gather, struct weir_context *context, const struct mark *mark, uint32_t answered,
		const struct weir_item *item)
{
	bool structured = false;
	int r = joins_bring_along(context, mark, gather->key);

	if (r == WEIR_OK)
		r = build(gather, context, mark, answered, item, &structured);
	return r == WEIR_OK ? results_emit(&gather->results, context, structured) : r;
}

/* ---- an answer ---- */

static int pass_late(struct gather *gather, struct weir_context *context, const struct weir_item *item, const char *why)
{
	struct gather_cursor *cursor = weir_cursor(context);

	if (gather->rejects_late) {
		weir_reject(context, "the answer of '%s' %s", gather->names[item->input], why);
		return WEIR_REJECTED;
	}
	cursor->n_late++;
	return WEIR_OK;
}

/* One that had ended without the copy from scatter, which has now come: what comes later is told by its time. */
static int forget_closed(struct gather *gather, struct weir_context *context, uint32_t number)
{
	const struct join *join = &gather->joins.joins[number];

	return join->ended ? joins_close(&gather->joins, context, number, 0, false, 0) : WEIR_OK;
}

/* Late, or a second answer. */
static int pass_known(struct gather *gather, struct weir_context *context, const struct weir_item *item,
		      uint32_t number)
{
	const struct join *join = &gather->joins.joins[number];
	bool again = join->answered >> item->input & 1;
	int r = pass_late(gather, context, item, again ? IS_ONE_MORE : "came when the time was over");

	/* What is rejected changes nothing in the state. */
	if (r == WEIR_OK && join->closed && !again && gather->direct >> item->input & 1)
		r = forget_closed(gather, context, number);
	return r;
}

static int refuse(struct weir_context *context, int r)
{
	if (r != WEIR_FULL && r != WEIR_TOO_LARGE)
		return r;
	weir_reject(context, "%s",
		    r == WEIR_FULL ? "no room to keep it until the others have answered: more than state: allows" :
				     "it is larger than 1 MiB, and can't be kept until the others have answered");
	return WEIR_REJECTED;
}

static int keep(struct gather *gather, struct weir_context *context, const struct weir_item *item,
		const struct mark *mark, uint32_t number, const struct join *fresh)
{
	int r = number == PENDING_NONE ? joins_open(context, mark, fresh) : WEIR_OK;

	if (r == WEIR_OK)
		r = joins_put_answer(context, mark, item->input, item->data, item->size_bytes);
	if (r != WEIR_OK)
		return refuse(context, r);
	if (number == PENDING_NONE) {
		number = joins_opened(&gather->joins, mark, fresh);
		wake_for_first(gather, context);
	}
	gather->joins.joins[number].answered |= UINT32_C(1) << item->input;
	if (gather->takes_place >> item->input & 1 && !gather->joins.joins[number].placed)
		joins_place(&gather->joins, number);
	return WEIR_HELD;
}

/* Its place is free: that it is whole is remembered elsewhere, or, where it can't be, in its place until it is due. */
static int close_whole(struct gather *gather, struct weir_context *context, uint32_t number, uint32_t answers)
{
	const struct mark mark = *pending_mark(&gather->joins.pending, number);
	uint64_t due_ns = gather->joins.joins[number].due_ns;
	bool keep = false;
	int r = WEIR_OK;

	if (weir_now_ns(context) < due_ns) {
		r = wholes_add(context, &mark, due_ns);
		keep = r == WEIR_FULL;
	}
	if (r != WEIR_OK && !keep)
		return r;
	r = joins_close(&gather->joins, context, number, answers, keep, due_ns);
	if (r == WEIR_OK && keep && !gather->joins.joins[number].placed)
		joins_place(&gather->joins, number);
	return r;
}

static int complete(struct gather *gather, struct weir_context *context, const struct weir_item *item, uint32_t number)
{
	const struct mark mark = *pending_mark(&gather->joins.pending, number);
	struct gather_cursor *cursor = weir_cursor(context);
	struct join *join = &gather->joins.joins[number];
	uint32_t answers = join->answered;
	int r = emit(gather, context, &mark, gather->all, item);

	if (r != WEIR_OK)
		return r;
	join->answered = gather->all;
	r = close_whole(gather, context, number, answers);
	if (r != WEIR_OK)
		return r;
	weir_settle(context, (uint64_t)__builtin_popcount(answers));
	cursor->n_whole++;
	return WEIR_OK;
}

/* Once in a while. */
static bool may_say(struct weir_context *context, uint64_t *said_ns)
{
	uint64_t now_ns = weir_now_ns(context);

	if (*said_ns && now_ns - *said_ns < SAY_NS)
		return false;
	*said_ns = now_ns;
	return true;
}

static bool takes_place(const struct gather *gather, const struct weir_item *item)
{
	return gather->takes_place >> item->input & 1;
}

static bool lacks_place(const struct gather *gather, const struct weir_item *item)
{
	return takes_place(gather, item) ? gather->joins.n_placed >= gather->n_open :
					   joins_n_ahead(&gather->joins) >= joins_n_ahead_max;
}

/* People who give a long time seldom think of it, nor do those who let items be dropped. */
static void say_full(const struct gather *gather, const struct weir_context *context, const struct weir_item *item)
{
	if (takes_place(gather, item))
		weir_log(
			WEIR_LOG_WARNING,
			"all %u places of 'open' are taken, and what comes waits: an item has its place until all have answered, or "
			"'within' is over",
			gather->n_open);
	else
		weir_log(
			WEIR_LOG_WARNING,
			"%u items were answered and their copies have not come from '%s', and more answers wait: are copies dropped on the "
			"way, by 'full' of this stage?",
			joins_n_ahead(&gather->joins), weir_option_string(context, "scatter"));
}

static int wait_for_place(struct gather *gather, struct weir_context *context, const struct weir_item *item)
{
	if (may_say(context, &gather->said_full_ns))
		say_full(gather, context, item);
	return weir_postpone(context, weir_now_ns(context) + LOOK_AGAIN_NS);
}

/*
 * A dead letter's source may have taken it in before this boot: its time is over. One of this boot is often ahead of the turn, which looks
 * at the clock once and may last, but never of the clock itself. To take such a one for the other ends its join early, and what comes in
 * time begins another.
 */
static uint64_t due_of(const struct gather *gather, const struct weir_item *item, const struct mark *mark,
		       uint64_t now_ns)
{
	uint64_t since_ns = gather->since_source ? item->accepted_ns : mark->stamp_ns;

	return since_ns > now_ns && since_ns > clock_now_ns() ? now_ns : since_ns + gather->within_ns;
}

static int begin(struct gather *gather, struct weir_context *context, const struct weir_item *item,
		 const struct mark *mark)
{
	uint64_t now_ns = weir_now_ns(context);
	struct join fresh = { .accepted_ns = item->accepted_ns };
	bool direct = gather->direct >> item->input & 1, whole = false;
	int r = WEIR_OK;

	fresh.due_ns = due_of(gather, item, mark, now_ns);
	if (fresh.due_ns <= now_ns && !direct)
		return pass_late(gather, context, item, "came when the time was over");
	if (!direct)
		r = wholes_have(context, mark, &whole);
	if (whole)
		return pass_late(gather, context, item, IS_ONE_MORE);
	if (r == WEIR_OK && lacks_place(gather, item))
		return wait_for_place(gather, context, item);
	if (r == WEIR_OK && pending_is_full(&gather->joins.pending))
		r = joins_grow(&gather->joins);
	return r == WEIR_OK ? keep(gather, context, item, mark, PENDING_NONE, &fresh) : r;
}

/* The answers of that run will never come: what there is has its result, as if their time were over. */
static int pass_foreign(struct gather *gather, struct weir_context *context, const struct weir_item *item)
{
	struct gather_cursor *cursor = weir_cursor(context);
	uint32_t answered = UINT32_C(1) << item->input, missing = gather->all & ~answered;
	bool structured = false;
	int r;

	if (!(answered & gather->direct))
		return pass_late(gather, context, item, "is of an earlier run");
	if (gather->rejects_partial || missing & gather->required) {
		weir_reject(context, "'%s' has not answered in time: the item is of an earlier run",
			    gather->names[__builtin_ctz(missing & gather->required ? missing & gather->required :
										     missing)]);
		return WEIR_REJECTED;
	}
	r = build(gather, context, NULL, answered, item, &structured);
	if (r == WEIR_OK)
		r = weir_baggage_set(context, gather->key, NULL, 0);
	if (r == WEIR_OK)
		r = results_emit(&gather->results, context, structured);
	cursor->n_partial += r == WEIR_OK;
	return r;
}

/* What was refused or dropped on the way is not waited for any more: behind this item, which may be refused, too. */
static int note_way(struct gather *gather, struct weir_context *context, const struct weir_item *item,
		    const struct mark *mark)
{
	int r = joins_know(&gather->joins, mark);

	if (r != 0 || !(gather->direct >> item->input & 1))
		return r;
	joins_came(&gather->joins, mark);
	if (joins_have_passed(&gather->joins))
		wake_for_first(gather, context);
	return 0;
}

static int gather_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct gather *gather = data;
	struct mark mark;
	uint32_t number;
	int r;

	if (!mark_get(context, gather->key, &mark) || mark.worker >= JOINS_WAYS_MAX) {
		weir_reject(
			context,
			"what comes from '%s' has no mark of scatter '%s': it was not made of one item of its alone",
			gather->names[item->input], weir_option_string(context, "scatter"));
		return WEIR_REJECTED;
	}
	if (mark.run != gather->run)
		return pass_foreign(gather, context, item);
	r = note_way(gather, context, item, &mark);
	if (r != 0)
		return r;
	number = pending_find(&gather->joins.pending, &mark);
	if (number == PENDING_NONE)
		return begin(gather, context, item, &mark);
	if (gather->joins.joins[number].closed || gather->joins.joins[number].answered >> item->input & 1)
		return pass_known(gather, context, item, number);
	if ((gather->joins.joins[number].answered | UINT32_C(1) << item->input) == gather->all)
		return complete(gather, context, item, number);
	if (!gather->joins.joins[number].placed && takes_place(gather, item) && lacks_place(gather, item))
		return wait_for_place(gather, context, item);
	return keep(gather, context, item, &mark, number, NULL);
}

/* ---- when the time is over ---- */

static void say(struct gather *gather, struct weir_context *context, uint32_t missing)
{
	const struct gather_cursor *cursor = weir_cursor(context);
	const char *name = gather->names[__builtin_ctz(missing)];

	if (gather->ended || !may_say(context, &gather->said_ns))
		return;
	weir_log(
		WEIR_LOG_WARNING,
		"'%s' has not answered in time; so far %llu items were joined, %llu without all answers, and %llu answers "
		"came too late",
		name, (unsigned long long)(cursor->n_whole + cursor->n_partial), (unsigned long long)cursor->n_partial,
		(unsigned long long)cursor->n_late);
}

static void say_sum(struct weir_context *context)
{
	const struct gather_cursor *cursor = weir_cursor(context);

	if (cursor->n_partial || cursor->n_late)
		weir_log(WEIR_LOG_INFO, "%llu items were joined, %llu without all answers; %llu answers came too late",
			 (unsigned long long)(cursor->n_whole + cursor->n_partial),
			 (unsigned long long)cursor->n_partial, (unsigned long long)cursor->n_late);
}

/* It has no result: what there is becomes a dead letter. who: the one that is missing; NULL: the answers are refused, as they are. */
static int bury(struct gather *gather, struct weir_context *context, uint64_t n_held, const char *who)
{
	const msgpack_sbuffer *values = &gather->results.values;

	if (who)
		return weir_give_up(context, n_held, values->data, values->size, "'%s' has not answered in time", who);
	return weir_give_up(
		context, n_held, values->data, values->size,
		gather->results.unfit ?
			"what has been answered does not fit a lane: give the stage behind this one a larger lane:" :
			"what has been answered can't be written as text");
}

/* Returns WEIR_OK once it has a result, or is a dead letter. */
static int end_partial(struct gather *gather, struct weir_context *context, const struct mark *mark,
		       const struct join *join, uint64_t n_held)
{
	uint32_t missing = gather->all & ~join->answered;
	bool structured;
	int r;

	weir_accepted_at(context, join->accepted_ns);
	if (!gather->rejects_partial && !(missing & gather->required)) {
		r = emit(gather, context, mark, join->answered, NULL);
		if (r == WEIR_OK)
			weir_settle(context, n_held);
		return r == WEIR_REJECTED ? bury(gather, context, n_held, NULL) : r;
	}
	r = build(gather, context, mark, join->answered, NULL, &structured);
	r = r == WEIR_OK ? joins_bring_along(context, mark, gather->key) : r;
	return r == WEIR_OK ? bury(gather, context, n_held, gather->names[__builtin_ctz(missing)]) : r;
}

static int end_join(struct gather *gather, struct weir_context *context, uint32_t number)
{
	const struct mark mark = *pending_mark(&gather->joins.pending, number);
	struct gather_cursor *cursor = weir_cursor(context);
	const struct join join = gather->joins.joins[number];
	bool awaits_direct =
		gather->direct & ~join.answered && !gather->ended && !joins_passed_by(&gather->joins, &mark);
	int r;

	if (join.closed)
		return joins_close(&gather->joins, context, number, 0, false, 0);
	r = end_partial(gather, context, &mark, &join, (uint64_t)__builtin_popcount(join.answered));
	if (r == WEIR_OK)
		r = joins_close(&gather->joins, context, number, join.answered, awaits_direct, UINT64_MAX);
	if (r != WEIR_OK)
		return r;
	cursor->n_partial++;
	say(gather, context, gather->all & ~join.answered);
	return WEIR_OK;
}

static int gather_produce(struct weir_context *context, void *data)
{
	struct gather *gather = data;
	struct pending *pending = &gather->joins.pending;
	uint32_t first;
	int r = joins_forget_passed(&gather->joins, context, END_EACH);

	if (r != WEIR_OK)
		return r;
	for (uint32_t n = 0; (first = pending_first(pending)) != PENDING_NONE &&
			     (gather->ended || pending_due_ns(pending, first) <= weir_now_ns(context));
	     n++) {
		r = n < END_EACH ? end_join(gather, context, first) : WEIR_FULL;

		if (r != WEIR_OK)
			return r == WEIR_FULL ? WEIR_MORE : r;
	}
	wake_for_first(gather, context);
	if (gather->ended)
		say_sum(context);
	return 0;
}

static int gather_finish(struct weir_context *context, void *data)
{
	struct gather *gather = data;

	(void)context;
	gather->ended = true;
	return WEIR_MORE;
}

const struct weir_stage gather_operator_callbacks = {
	.open = gather_open,
	.process = gather_process,
	.produce = gather_produce,
	.finish = gather_finish,
	.close = gather_close,
};
