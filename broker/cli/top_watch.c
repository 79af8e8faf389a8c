/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_watch.h"

#include <string.h>

#include "broker/cli/top_page.h"
#include "broker/cli/top_screen.h"
#include "common/base/clock.h"

#define BYTES_MAX 64u
#define ESCAPE_NS (50 * NS_PER_MS) /* so long the rest of a key's sequence may take, over a slow line */

struct watch {
	struct top_look *look;
	struct top_state *state;
	struct top_screen screen;
	uint64_t interval_ns;
	char bytes[BYTES_MAX]; /* that have come and are no whole key yet */
	size_t n_bytes;
	uint64_t part_ns; /* when what is there of a key counts as Esc; 0: nothing is */
	bool over;
};

static int draw(struct watch *watch)
{
	const struct terminal *terminal = &watch->screen.terminal;
	const struct live_style style = {
		.columns = terminal->columns, .rows = terminal->rows, .utf8 = terminal->utf8, .color = terminal->color
	};
	struct top_picture picture = top_look_picture(watch->look, watch->interval_ns);
	_cleanup_(text_deinit) struct text page = TEXT_NULL;

	top_page(watch->state, &picture, &style, &page);
	return top_screen_draw(&watch->screen, &page);
}

/* The keys among the bytes that have come; what is left over waits for its rest. */
static void press(struct watch *watch, bool all)
{
	struct top_picture picture = top_look_picture(watch->look, watch->interval_ns);
	size_t at = 0, used;

	for (; at < watch->n_bytes; at += used) {
		enum top_key key = top_key_read(watch->bytes + at, watch->n_bytes - at, all, &used);

		if (key == TOP_KEY_PART)
			break;
		top_state_key(watch->state, key, &picture);
	}
	memmove(watch->bytes, watch->bytes + at, watch->n_bytes - at);
	watch->n_bytes -= at;
	/* Longer than any key: nobody types that. */
	if (watch->n_bytes == BYTES_MAX)
		watch->n_bytes = 0;
	watch->part_ns = watch->n_bytes ? clock_now_ns() + ESCAPE_NS : 0;
}

/* Returns whether there is something else to be shown. */
static bool hear(struct watch *watch, uint64_t until_ns)
{
	size_t n;
	enum top_news news;

	if (watch->part_ns && watch->part_ns < until_ns)
		until_ns = watch->part_ns;
	news = top_screen_wait(&watch->screen, until_ns, watch->bytes + watch->n_bytes, BYTES_MAX - watch->n_bytes, &n);
	watch->n_bytes += n;
	watch->over = watch->over || news == TOP_END;
	if (news == TOP_KEYS || (watch->part_ns && clock_now_ns() >= watch->part_ns))
		press(watch, news != TOP_KEYS);
	else if (news != TOP_REDRAW)
		return false;
	watch->over = watch->over || watch->state->quit;
	return true;
}

/* While there is no answer somebody may want to quit, and sees what the keys do. */
static bool wait_on(void *data, uint64_t waited_ns)
{
	struct watch *watch = data;

	(void)waited_ns;
	if (hear(watch, 0) && !watch->over && draw(watch) < 0)
		watch->over = true;
	return !watch->over;
}

static void look(struct watch *watch)
{
	struct top_state *state = watch->state;
	const struct view *view = &watch->look->copy.view;
	const char *dumped = watch->look->known && state->level == TOP_WORKER ? view->stages[state->stage].name : NULL;

	state->refresh = false;
	if (top_look_now(watch->look, dumped, wait_on, watch) == 0)
		top_state_clamp(state, view);
	watch->over = watch->over || watch->look->ended;
}

int top_watch(struct top_look *top_look, struct top_state *state, uint64_t interval_ns)
{
	struct watch watch = { .look = top_look, .state = state, .interval_ns = interval_ns };
	uint64_t due_ns = clock_now_ns() + interval_ns;
	int r = top_screen_open(&watch.screen);

	if (r < 0)
		return r;
	if (draw(&watch) < 0)
		watch.over = true;
	while (!watch.over) {
		uint64_t now_ns = clock_now_ns();
		bool looked = state->refresh || (!state->paused && now_ns >= due_ns);

		if (looked) {
			look(&watch);
			due_ns = now_ns + interval_ns;
		}
		if (!watch.over && (looked || hear(&watch, state->paused ? now_ns + interval_ns : due_ns)) &&
		    !watch.over && draw(&watch) < 0)
			watch.over = true;
	}
	top_screen_close(&watch.screen);
	return 0;
}
