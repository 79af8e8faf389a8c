/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two buckets of tokens: one for items shown, --rate a second, and one for items looked at, which with a filter are more. While both have
 * tokens each lane is looked at a thousand times a second, less often if nothing passes or there are many; while one has none nothing is
 * looked at, what passes meanwhile is skipped, and the next item shown is one that passes then: so samples are spread evenly over the
 * time, and of a quiet stream nothing is left out. A second's tokens may be used at a stroke.
 *
 * Nobody in the pipeline knows. What it costs is the line with a lane's tail, which its producer has to get back after each look.
 */
#include "broker/cli/tap.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/tap_edges.h"
#include "broker/observe/glimpse.h"
#include "broker/observe/reading.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/flow/commit.h"

#define LOOKED_AT_PER_SECOND UINT64_C(1000) /* with a filter */
#define PAUSE_NS_MIN NS_PER_MS
#define PAUSE_NS_MAX (5 * NS_PER_MS)
#define PAUSE_PER_LANE_NS 4000u /* a look at a lane takes some hundred */

/* Up to a second's worth, or one. */
struct bucket {
	uint64_t capacity, tokens, filled_ns;
	uint64_t step_ns; /* from one token to the next */
};

struct run {
	const struct tap_order *order;
	struct observer *observer;
	struct tap_sum *sum;
	struct text *why;
	struct glimpse *glimpses; /* owned, n of them open */
	uint32_t n, next;         /* lanes; whose turn it is */
	uint64_t *emitted;        /* owned; by slot: number behind that of the item shown last */
	uint64_t *begun;          /* owned; by slot: where that stood at first */
	bool *taps;               /* owned; by slot: some of its lanes are looked at */
	struct glimpse_item item;
	struct tap_payload payload;
	struct bucket show, look;
	bool behind; /* what has passed without tokens is to be skipped */
};

/* ---- tokens ---- */

/* Not a second's worth at the very beginning. */
static struct bucket bucket_of(uint64_t capacity, uint64_t step_ns)
{
	return (struct bucket){ .capacity = capacity, .tokens = 1, .filled_ns = clock_now_ns(), .step_ns = step_ns };
}

static void fill(struct bucket *bucket, uint64_t now_ns)
{
	uint64_t n = (now_ns - bucket->filled_ns) / bucket->step_ns;

	bucket->filled_ns += n * bucket->step_ns;
	bucket->tokens = bucket->tokens + n < bucket->capacity ? bucket->tokens + n : bucket->capacity;
}

static uint64_t due_ns(const struct bucket *bucket)
{
	return bucket->tokens ? 0 : bucket->filled_ns + bucket->step_ns;
}

/* ---- lanes ---- */

/* How many items a slot has emitted so far; what it was at the last look, if its cursor can't be had now. */
static uint64_t emitted_by(const struct run *run, uint32_t slot, uint64_t before)
{
	struct cursor cursor;

	return cursor_snapshot(observer_segment(run->observer, slot), &cursor) == 0 ? cursor.sequence : before;
}

static void close_lanes(struct run *run)
{
	for (uint32_t i = 0; i < run->n; i++)
		glimpse_close(&run->glimpses[i]);
	run->n = 0;
	free(run->glimpses);
	run->glimpses = NULL;
}

static uint32_t count_lanes(const struct run *run, const struct catalog *catalog)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < catalog->head->n_edges; i++)
		if (tap_edge_is_meant(catalog, i, run->order->edge))
			n += catalog_edge_lanes(catalog, i);
	return n;
}

static int open_edge(struct run *run, const struct catalog *catalog, uint32_t edge)
{
	uint32_t first = catalog->edges[edge].first_lane, n = catalog_edge_lanes(catalog, edge);
	int r = 0;

	for (uint32_t i = first; r == 0 && i < first + n; i++) {
		uint32_t slot = catalog->lanes[i].producer;

		r = glimpse_open(&run->glimpses[run->n], run->observer, i);
		run->n += r == 0;
		if (run->taps[slot])
			continue;
		run->taps[slot] = true;
		run->begun[slot] = run->emitted[slot] = emitted_by(run, slot, 0);
	}
	return r;
}

/* At first, and when a reload has brought another catalog. */
static int open_lanes(struct run *run)
{
	const struct catalog *catalog = observer_catalog(run->observer);
	uint32_t n = count_lanes(run, catalog);
	int r = 0;

	close_lanes(run);
	if (!n) {
		tap_edges_explain(catalog, run->order->edge ? run->order->edge : "", run->why);
		return TAP_E_EDGE;
	}
	run->glimpses = calloc(n, sizeof(*run->glimpses));
	if (!run->glimpses)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; r == 0 && i < catalog->head->n_edges; i++)
		if (tap_edge_is_meant(catalog, i, run->order->edge))
			r = open_edge(run, catalog, i);
	run->next = 0;
	if (r < 0)
		text_printf(run->why, "a lane can not be mapped: %s", strerror(-r));
	return r;
}

/* ---- an item ---- */

/* Returns an enum sieve_verdict; -errno: the filter can no more be asked, and `why` says so. */
static int pass(struct run *run)
{
	struct tap_payload *payload = &run->payload;
	bool structured = payload->value;
	_cleanup_(text_deinit) struct text reason = TEXT_NULL;
	int r;

	if (!run->order->sieve)
		return SIEVE_PASSES;
	r = run->item.gone ? SIEVE_STAYS :
			     tap_sieve_ask(run->order->sieve, structured, structured ? payload->value : payload->bytes,
					   structured ? payload->value_bytes : payload->size_bytes, &reason);
	run->sum->filtered += r == SIEVE_STAYS;
	/* The reason may quote the item: not where something of it is not to be seen. */
	if (r == SIEVE_FAILED && !run->sum->failed++) {
		_cleanup_(text_deinit) struct text visible = TEXT_NULL;

		text_add_visible(&visible, text_get(&reason), reason.length);
		fprintf(stderr, "weir: --filter fails on item %llu%s%s; such items are not shown\n",
			(unsigned long long)run->item.header.sequence, run->order->redact.n_paths ? "" : ": ",
			run->order->redact.n_paths ? "" : text_get(&visible));
	}
	if (r < 0)
		text_printf(run->why, "--filter %s",
			    r == -ETIMEDOUT ? "takes more than 5 s for an item" :
					      "has ended its process: too much memory, or an error in libjq");
	return r;
}

static uint64_t age_of(const struct glimpse_item *item)
{
	uint64_t now_ns = clock_now_ns();

	return now_ns > item->header.accepted_ns ? now_ns - item->header.accepted_ns : 0;
}

/* Returns 0, or errno: standard output can not be written. */
static int print(struct run *run, const struct glimpse *glimpse)
{
	const struct catalog *catalog = observer_catalog(run->observer);
	const struct glimpse_item *item = &run->item;
	uint32_t slot = glimpse->lane.producer;
	_cleanup_(text_deinit) struct text line = TEXT_NULL;
	struct tap_shown shown = { .from = catalog_stage_name(catalog, slot),
				   .outputs = catalog_string(catalog, catalog->edges[glimpse->lane.edge].outputs),
				   .to = catalog_stage_name(catalog, glimpse->lane.consumer),
				   .from_worker = catalog->slots[slot].worker_index,
				   .to_worker = catalog->slots[glimpse->lane.consumer].worker_index,
				   .generation = item->generation,
				   .position = item->position,
				   .sequence = item->header.sequence,
				   .size_bytes = item->size_bytes,
				   .age_ns = age_of(item),
				   .payload = &run->payload };

	if (item->header.sequence > run->emitted[slot])
		shown.between = item->header.sequence - run->emitted[slot];
	run->emitted[slot] = item->header.sequence + 1;
	clock_gettime(CLOCK_REALTIME, &shown.time);
	tap_payload_show(&run->payload, &run->order->redact);
	if (item->gone) {
		run->payload.form = TAP_FORM_GONE;
		run->payload.shown_bytes = 0;
	}
	tap_format(&shown, &run->order->style, &line);
	return fwrite(text_get(&line), 1, line.length, stdout) == line.length ? 0 : errno;
}

/* Of one lane, at most one item. Returns 0: it had none; LOOKED: it had; TAP_E_SIEVE; -errno. */
enum { LOOKED = 16 };
static int look_at(struct run *run, struct glimpse *glimpse)
{
	int r = glimpse_take(glimpse, &run->item);

	if (r < 0)
		return r;
	if (r == GLIMPSE_E_NOTHING)
		return 0;
	if (r == GLIMPSE_E_MISSED) {
		run->sum->missed++;
		return 0;
	}
	run->look.tokens--;
	tap_payload_read(&run->payload, text_get(&run->item.bytes), run->item.bytes.length);
	r = pass(run);
	if (r < 0)
		return TAP_E_SIEVE;
	if (r != SIEVE_PASSES)
		return LOOKED;
	run->show.tokens--;
	run->sum->shown++;
	run->sum->unread = print(run, glimpse);
	return LOOKED;
}

static bool may_show(const struct run *run)
{
	return run->show.tokens && run->look.tokens && !run->sum->unread &&
	       (!run->order->count || run->sum->shown < run->order->count);
}

/* Each lane in its turn, until none has anything, or there are no tokens. Returns 0, LOOKED: there was something; TAP_E_SIEVE, -errno. */
static int look_at_all(struct run *run)
{
	uint32_t quiet = 0;
	int said = 0;

	for (uint32_t i = 0; run->behind && may_show(run) && i < run->n; i++)
		glimpse_skip(&run->glimpses[i]);
	run->behind = run->behind && !may_show(run);
	while (quiet < run->n && may_show(run)) {
		int r = look_at(run, &run->glimpses[run->next]);

		run->next = (run->next + 1) % run->n;
		quiet = r == LOOKED ? 0 : quiet + 1;
		if (r == LOOKED)
			said = r;
		else if (r != 0)
			return r;
	}
	if (!run->show.tokens || !run->look.tokens)
		run->behind = true;
	if (said && fflush(stdout) != 0)
		run->sum->unread = errno;
	return said;
}

/* ---- until something ends it ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void rest(const struct run *run, uint64_t pause_ns, uint64_t end_ns)
{
	uint64_t now_ns = clock_now_ns(), until_ns = now_ns + pause_ns + run->n * (uint64_t)PAUSE_PER_LANE_NS;
	struct pollfd wait = { .fd = observer_fd(run->observer), .events = POLLIN };
	struct timespec time;

	until_ns = later(until_ns, later(due_ns(&run->show), due_ns(&run->look)));
	until_ns = until_ns < end_ns ? until_ns : end_ns;
	if (until_ns <= now_ns)
		return;
	time = (struct timespec){ .tv_sec = (time_t)((until_ns - now_ns) / NS_PER_S),
				  .tv_nsec = (long)((until_ns - now_ns) % NS_PER_S) };
	ppoll(&wait, 1, &time, NULL); /* a signal ends it, and so do news */
}

/* Returns 0: go on. */
static int hear(struct run *run, bool *ret_over)
{
	enum observer_news news = observer_look(run->observer);

	*ret_over = news == OBSERVER_ENDED || news == OBSERVER_LOST;
	run->sum->ended = news == OBSERVER_ENDED;
	return news == OBSERVER_REPLANNED ? open_lanes(run) : news == OBSERVER_LOST ? TAP_E_LOST : 0;
}

static bool is_enough(const struct run *run)
{
	return run->sum->unread || (run->order->count && run->sum->shown >= run->order->count);
}

static int watch(struct run *run, const volatile int *told_to_end)
{
	uint64_t pause_ns = PAUSE_NS_MIN;
	bool over = false, told;
	int r = 0, heard;

	while (!over && r == 0 && !is_enough(run)) {
		uint64_t now_ns = clock_now_ns();

		heard = hear(run, &over); /* what has passed by then is looked at once more */
		if (heard != 0 && heard != TAP_E_LOST)
			return heard;
		told = *told_to_end || now_ns >= run->order->end_ns;
		over = over || told;
		fill(&run->show, now_ns);
		fill(&run->look, now_ns);
		r = look_at_all(run);
		pause_ns = r == LOOKED ? PAUSE_NS_MIN : pause_ns * 2 < PAUSE_NS_MAX ? pause_ns * 2 : PAUSE_NS_MAX;
		r = r == LOOKED ? 0 : r;
		if (r == 0 && !told && !is_enough(run))
			r = heard;
		if (r == 0 && !over && !is_enough(run))
			rest(run, pause_ns, run->order->end_ns);
	}
	return r;
}

static void sum_up(struct run *run, uint32_t n_slots)
{
	for (uint32_t i = 0; i < n_slots; i++)
		if (run->taps[i])
			run->sum->emitted += emitted_by(run, i, run->emitted[i]) - run->begun[i];
}

static int make_room(struct run *run, uint32_t n_slots)
{
	run->emitted = calloc(n_slots, sizeof(*run->emitted));
	run->begun = calloc(n_slots, sizeof(*run->begun));
	run->taps = calloc(n_slots, sizeof(*run->taps));
	return run->emitted && run->begun && run->taps ? 0 : error_origin(-ENOMEM);
}

int tap_run(const struct tap_order *order, struct observer *observer, const volatile int *told_to_end,
	    struct tap_sum *sum, struct text *why)
{
	uint32_t n_slots = observer_catalog(observer)->head->n_slots;
	uint64_t per_second = (order->items + order->seconds - 1) / order->seconds, looks = per_second;
	struct run run = { .order = order, .observer = observer, .sum = sum, .why = why };
	int r;

	if (order->sieve && looks < LOOKED_AT_PER_SECOND)
		looks = LOOKED_AT_PER_SECOND;
	run.show = bucket_of(per_second, order->seconds * NS_PER_S / order->items);
	run.look = bucket_of(looks, NS_PER_S / looks);
	r = make_room(&run, n_slots);
	if (r == 0)
		r = open_lanes(&run);
	if (r == 0)
		r = watch(&run, told_to_end);
	if (run.taps)
		sum_up(&run, n_slots);
	if (r < 0 && !why->length)
		text_printf(why, "what passes can not be looked at: %s", strerror(-r));
	close_lanes(&run);
	text_deinit(&run.item.bytes);
	tap_payload_deinit(&run.payload);
	free(run.emitted);
	free(run.begun);
	free(run.taps);
	return r;
}
