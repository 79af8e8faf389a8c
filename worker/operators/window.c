/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: window. What came within a time, by key, becomes one item that says how many, how much and so on (aggregate.h).
 *
 *      event time  ------|----pane----|----pane----|----pane----|---->
 *      tumbling          |<- window ->|<- window ->|                    size: a pane each
 *      sliding           |<------ window ----->|...                     size, slide: a pane is a slide; windows share them
 *      session             x  x    x       gap      x x                 gap: a pane each, which grows, and may meet its neighbour
 *
 *      item --> its pane: add --> watermark = latest time so far - lateness --> produce(): windows that end before it leave, are forgotten
 *
 * A window leaves when the watermark has come to its end; what comes for it after that is late, and goes to the output of that name, if
 * somebody reads it. All that decides this lies in the
 * cursor and in keyed state and moves with the items: so windows are the same however often the worker is killed. Nothing is taken
 * while some of what is due has not left: a window's fate does not depend on how long that takes.
 *
 * For each key stands in the state when its next window is due (window_layout.h); with a window that leaves that moves to the next one
 * that has a pane. A session's may be earlier than its end, which moves with each item: it is looked at then, and put off.
 *
 * Items are HELD until the last window that they are in has left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/baggage.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "worker/builtin.h"
#include "worker/operators/window_priv.h"

#define PRODUCE_MAX 256u /* windows that leave in one commit */
#define IDLE_NS_FALLBACK NS_PER_S
#define SLIDES_MAX 1000u

static uint64_t watermark_of(const struct window *window)
{
	return window->cursor->flags & CURSOR_FINISHING ? NOTHING_DUE - 1 : window->cursor->watermark_ns;
}

/* ---- items ---- */

static int time_of(struct window *window, struct weir_context *context, const struct weir_item *item, uint64_t *ret_ns)
{
	int r;

	if (!window->time) {
		*ret_ns = item->accepted_ns + window->cursor->offset_ns;
		return 0;
	}
	r = weir_key_time(context, window->time, item, window->unit_ns, ret_ns);
	if (r == WEIR_OK && *ret_ns < (uint64_t)INT64_MAX)
		return 0;
	if (r != WEIR_OK && r != -ENOENT && r != -EINVAL)
		return r;
	weir_reject(context, r == -ENOENT ? "it has no time (%s)" : "its %s is no time",
		    weir_option_string(context, "time"));
	return WEIR_REJECTED;
}

static int key_of(struct window *window, struct weir_context *context, const struct weir_item *item,
		  struct arrival *arrival)
{
	const char *why = NULL;
	int r;

	arrival->key_bytes = 0;
	arrival->key = "";
	if (!window->key)
		return 0;
	r = weir_key_bytes(context, window->key, item, &arrival->key, &arrival->key_bytes);
	if (r == -ENOENT)
		why = "it has no key";
	else if (r != WEIR_OK)
		return r;
	else if (arrival->key_bytes > WINDOW_KEY_SIZE_MAX)
		why = "its key is longer than 480 bytes";
	else if (!window->key_is_path && !text_is_utf8(arrival->key, arrival->key_bytes))
		why = "its key is no UTF-8";
	if (!why)
		return 0;
	weir_reject(context, "%s (%s)", why, weir_option_string(context, "key"));
	return WEIR_REJECTED;
}

/* With what it brought along, which windows do not pass on. */
static int hand_on_late(struct weir_context *context, const struct weir_item *item)
{
	char packed[WEIR_BAGGAGE_PACKED_MAX];
	size_t packed_bytes = weir_baggage_pack(context, packed);
	uint32_t n = weir_outputs(context);
	int r = packed_bytes ? weir_baggage_unpack(context, packed, packed_bytes) : 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		if (weir_output_names(context, i) & WEIR_OUTPUT_ERRORS)
			r = weir_forward(context, i, item);
	if (r != WEIR_TOO_LARGE)
		return r;
	weir_reject(context, "it is late, and does not fit a lane: give the stage behind this one a larger lane:");
	return WEIR_REJECTED;
}

static int refuse_late(const struct window *window, struct weir_context *context, const struct weir_item *item)
{
	if (window->late_is_read)
		return hand_on_late(context, item);
	if (window->drops_late)
		return WEIR_OK;
	weir_reject(context, "it is late: its window has ended (lateness: says how long one waits)");
	return WEIR_REJECTED;
}

static int refuse(struct weir_context *context, int r)
{
	if (r == WEIR_FULL)
		weir_reject(context, "no room for its window: more keys and open windows than state: allows");
	return r == WEIR_FULL ? WEIR_REJECTED : r;
}

/* With what has come the clock goes on: of events, or while there are none, the one on the wall. */
static void wake_when_idle(struct window *window, struct weir_context *context)
{
	const struct window_cursor *cursor = window->cursor;
	uint64_t base_ns = minus(cursor->latest_ns, window->lateness_ns), wake_ns;

	if (!window->idle_ns || window->due_ns == NOTHING_DUE)
		return;
	wake_ns = cursor->arrived_ns + window->idle_ns + minus(window->due_ns, base_ns);
	if (window->wake_ns && window->wake_ns <= wake_ns)
		return;
	window->wake_ns = wake_ns;
	weir_watch(context, -1, 0, wake_ns);
}

static void move_on(struct window *window, struct weir_context *context, const struct weir_item *item, uint64_t time_ns)
{
	struct window_cursor *cursor = window->cursor;
	uint64_t watermark_ns;

	if (results_item_is_structured(&window->results, item))
		cursor->flags |= CURSOR_STRUCTURED;
	if (time_ns > cursor->latest_ns)
		cursor->latest_ns = time_ns;
	watermark_ns = minus(cursor->latest_ns, window->lateness_ns);
	if (watermark_ns > cursor->watermark_ns)
		cursor->watermark_ns = watermark_ns;
	cursor->arrived_ns = window->idle_ns ? weir_now_ns(context) : 0;
	if (cursor->watermark_ns >= window->due_ns)
		weir_produce_next(context);
	else
		wake_when_idle(window, context);
}

static int window_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct window *window = state;
	struct arrival arrival;
	int r = time_of(window, context, item, &arrival.time_ns);

	if (r == 0)
		r = key_of(window, context, item, &arrival);
	if (r == 0)
		r = aggregates_measure(window->aggregates, context, item, window->skips, arrival.measures);
	if (r != 0)
		return r;
	r = window_add(window, context, &arrival);
	if (r == WINDOW_E_LATE)
		return refuse_late(window, context, item);
	if (r != WEIR_OK)
		return refuse(context, r);
	move_on(window, context, item, arrival.time_ns);
	return WEIR_HELD;
}

/* Nothing has come for a while: events go on with the clock. */
static void let_time_pass(struct window *window, struct weir_context *context)
{
	struct window_cursor *cursor = window->cursor;
	uint64_t now_ns = weir_now_ns(context), woken_ns = window->wake_ns, watermark_ns;

	window->wake_ns = 0;
	if (!woken_ns || now_ns < woken_ns)
		return;
	/* Woken far too late it was the stage that stood still: what has come meanwhile lies there. */
	if (now_ns - woken_ns > window->idle_ns) {
		cursor->arrived_ns = now_ns;
		return;
	}
	watermark_ns = minus(cursor->latest_ns, window->lateness_ns) + (now_ns - cursor->arrived_ns - window->idle_ns);
	if (watermark_ns > cursor->watermark_ns)
		cursor->watermark_ns = watermark_ns;
}

static int window_produce(struct weir_context *context, void *state)
{
	struct window *window = state;
	struct weir_state_entry entry;
	int r = WEIR_OK;

	if (window->idle_ns)
		let_time_pass(window, context);
	for (uint32_t n = 0; n < PRODUCE_MAX && r == WEIR_OK; n++) {
		r = window_find_due(window, context, &entry);
		if (r == -ENOENT)
			return 0;
		if (r == WEIR_OK && window->due_ns > watermark_of(window)) {
			wake_when_idle(window, context);
			return 0;
		}
		if (r == WEIR_OK)
			r = window_leave(window, context, &entry);
	}
	return r == WEIR_OK || r == WEIR_FULL ? WEIR_MORE : r;
}

static int window_flush(struct weir_context *context, void *state)
{
	struct window *window = state;

	return panes_flush(window->panes, context);
}

static int window_finish(struct weir_context *context, void *state)
{
	struct window *window = state;

	(void)context;
	if (window->due_ns == NOTHING_DUE)
		return 0;
	window->cursor->flags |= CURSOR_FINISHING;
	return WEIR_MORE;
}

/* ---- the stage ---- */

static void window_close(struct weir_context *context, void *state)
{
	struct window *window = state;

	if (window->key)
		weir_key_free(context, window->key);
	if (window->time)
		weir_key_free(context, window->time);
	aggregates_free(window->aggregates, context);
	panes_free(window->panes);
	results_deinit(&window->results);
	record_scratch_deinit(&window->scratch);
	free(window->merged);
	free(window->copy);
	free(window);
}

static uint64_t duration(const struct weir_context *context, const char *name, uint64_t fallback_ns)
{
	return weir_option_given(context, name) ? (uint64_t)weir_option_integer(context, name) : fallback_ns;
}

static uint64_t unit_of(const char *word)
{
	return strcmp(word, "s") == 0  ? NS_PER_S :
	       strcmp(word, "ms") == 0 ? NS_PER_MS :
	       strcmp(word, "us") == 0 ? 1000 :
					 1;
}

static void read_options(struct window *window, const struct weir_context *context)
{
	const char *key = weir_option_string(context, "key");
	bool has_time = weir_option_string(context, "time");

	window->gap_ns = duration(context, "gap", 0);
	window->size_ns = duration(context, "size", 0);
	window->slide_ns = duration(context, "slide", window->size_ns);
	window->lateness_ns = duration(context, "lateness", has_time ? 0 : IDLE_NS_FALLBACK);
	window->idle_ns = duration(context, "idle", has_time ? 0 : IDLE_NS_FALLBACK);
	window->unit_ns = unit_of(weir_option_string(context, "unit"));
	window->skips = strcmp(weir_option_string(context, "without"), "skip") == 0;
	window->drops_late = strcmp(weir_option_string(context, "late"), "drop") == 0;
	window->key_is_path = key && key[0] == '.';
	for (uint32_t i = 0; i < weir_outputs(context); i++)
		window->late_is_read = window->late_is_read || weir_output_names(context, i) & WEIR_OUTPUT_ERRORS;
}

static int check_aggregate(struct weir_context *context, const char *const *pair)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const char *alone[] = { pair[0], pair[1], NULL }, *wrong;
	struct aggregates *aggregates;
	char option[128];

	if (aggregates_parse(alone, &aggregates, &wrong, &why) == 0) {
		aggregates_free(aggregates, NULL);
		return 0;
	}
	snprintf(option, sizeof(option), "aggregates.%s", wrong);
	weir_complain(context, option, 0, "%s", text_get(&why));
	return WEIR_FAILED;
}

/* What each option means by itself is checked; here is what they mean together. */
static int window_check(struct weir_context *context)
{
	uint64_t size_ns = duration(context, "size", 0), slide_ns = duration(context, "slide", size_ns);
	const char *const *pairs = weir_option_list(context, "aggregates");
	int r = 0;

	if (slide_ns && (size_ns % slide_ns || size_ns / slide_ns > SLIDES_MAX)) {
		weir_complain(context, "slide", 0, "must go into size without a rest, at most %u times", SLIDES_MAX);
		r = WEIR_FAILED;
	}
	for (uint32_t n = 0; pairs && pairs[0]; pairs += 2, n++) {
		if (n == AGGREGATES_MAX)
			weir_complain(context, "aggregates", 0, "are more than %u", AGGREGATES_MAX);
		if (n == AGGREGATES_MAX || check_aggregate(context, pairs) != 0)
			r = WEIR_FAILED;
	}
	return r;
}

static int prepare(struct window *window, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const char *wrong = "", *key = weir_option_string(context, "key"), *time = weir_option_string(context, "time");
	struct weir_state_entry entry;
	int r = 0;

	if (aggregates_parse(weir_option_list(context, "aggregates"), &window->aggregates, &wrong, &why) != 0) {
		weir_fail(context, "aggregates.%s: %s", wrong, text_get(&why));
		return WEIR_FAILED;
	}
	r = aggregates_prepare(window->aggregates, context);
	if (r == 0 && key)
		r = weir_key_new(context, key, &window->key);
	if (r == 0 && time)
		r = weir_key_new(context, time, &window->time);
	if (r != 0)
		return r;
	window->pane_bytes_max = sizeof(struct pane_head) + aggregates_size_max(window->aggregates);
	window->merged = malloc(window->pane_bytes_max);
	window->copy = malloc(window->pane_bytes_max);
	window->panes = panes_new();
	if (!window->merged || !window->copy || !window->panes)
		return error_origin(-ENOMEM);
	r = window_find_due(window, context, &entry);
	return r == -ENOENT ? 0 : r;
}

static int window_open(struct weir_context *context, void **ret_state)
{
	struct window *window = calloc(1, sizeof(*window));
	int r;

	if (!window)
		return error_origin(-ENOMEM);
	window->cursor = weir_cursor(context);
	results_init(&window->results, context);
	read_options(window, context);
	r = prepare(window, context);
	if (r != 0) {
		window_close(context, window);
		return r;
	}
	if (!window->cursor->offset_ns)
		window->cursor->offset_ns = clock_realtime_ns() - weir_now_ns(context);
	window->cursor->arrived_ns = window->idle_ns ? weir_now_ns(context) : 0;
	wake_when_idle(window, context);
	*ret_state = window;
	return 0;
}

const struct weir_stage window_operator_callbacks = {
	.open = window_open,
	.process = window_process,
	.produce = window_produce,
	.flush = window_flush,
	.finish = window_finish,
	.close = window_close,
	.check = window_check,
};
