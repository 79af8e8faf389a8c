/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      stages  --Enter-->  workers of one  --Enter-->  one worker
 *              <--Esc----                  <--Esc----
 *
 * A line is marked by the number that it has in the pipeline, not by its place: when the order changes the mark goes with the line.
 */
#include "broker/cli/top_state.h"

#include <stdlib.h>

#define PAGE_LINES 10

void top_state_clamp(struct top_state *state, const struct view *view)
{
	const struct view_stage *stage;

	if (state->stage >= view->n_stages) {
		state->stage = view->n_stages ? view->n_stages - 1 : 0;
		state->level = TOP_STAGES;
	}
	stage = view->n_stages ? &view->stages[state->stage] : NULL;
	if (stage && stage->n_workers && state->worker >= stage->n_workers)
		state->worker = stage->n_workers - 1;
	if (!stage || !stage->n_workers)
		state->level = TOP_STAGES;
}

size_t top_state_rows(const struct top_state *state, const struct top_picture *picture, struct top_row **ret_rows)
{
	if (state->level == TOP_STAGES)
		return top_rows_stages(picture->view, picture->rates, picture->why, state->sort, state->reverse,
				       ret_rows);
	return top_rows_workers(picture->view, &picture->view->stages[state->stage], picture->rates, picture->why,
				state->sort, state->reverse, ret_rows);
}

size_t top_state_marked(const struct top_state *state, const struct top_row *rows, size_t n)
{
	uint32_t number = state->level == TOP_STAGES ? state->stage : state->worker;

	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number)
			return i;
	return 0;
}

/* `by` lines further down; at both ends it stays. */
static void move(struct top_state *state, const struct top_picture *picture, long by)
{
	struct top_row *rows;
	size_t n = top_state_rows(state, picture, &rows);
	long place = (long)top_state_marked(state, rows, n) + by;

	if (n) {
		place = place < 0 ? 0 : place >= (long)n ? (long)n - 1 : place;
		*(state->level == TOP_STAGES ? &state->stage : &state->worker) = rows[place].number;
	}
	free(rows);
}

static void into(struct top_state *state, const struct view *view)
{
	if (state->level == TOP_STAGES && view->n_stages && view->stages[state->stage].n_workers) {
		state->level = TOP_WORKERS;
		state->worker = 0;
	} else if (state->level == TOP_WORKERS) {
		state->level = TOP_WORKER;
	}
	state->refresh = true;
}

/* These need something to be seen. */
static void walk(struct top_state *state, enum top_key key, const struct top_picture *picture)
{
	switch (key) {
	case TOP_KEY_UP:
		move(state, picture, -1);
		return;
	case TOP_KEY_DOWN:
		move(state, picture, 1);
		return;
	case TOP_KEY_PAGE_UP:
		move(state, picture, -PAGE_LINES);
		return;
	case TOP_KEY_PAGE_DOWN:
		move(state, picture, PAGE_LINES);
		return;
	case TOP_KEY_FIRST:
		move(state, picture, -(long)UINT32_MAX);
		return;
	case TOP_KEY_LAST:
		move(state, picture, UINT32_MAX);
		return;
	case TOP_KEY_INTO:
		into(state, picture->view);
		return;
	default:
		return;
	}
}

void top_state_key(struct top_state *state, enum top_key key, const struct top_picture *picture)
{
	bool was_help = state->help;

	if (key == TOP_KEY_NONE || key == TOP_KEY_PART)
		return;
	state->help = false;
	switch (key) {
	case TOP_KEY_QUIT:
		state->quit = true;
		return;
	case TOP_KEY_HELP:
		state->help = !was_help;
		return;
	case TOP_KEY_BACK:
		if (!was_help && state->level != TOP_STAGES)
			state->level--;
		return;
	case TOP_KEY_SORT:
		state->sort = (state->sort + 1) % TOP_SORT_COUNT;
		return;
	case TOP_KEY_REVERSE:
		state->reverse = !state->reverse;
		return;
	case TOP_KEY_PAUSE:
		state->paused = !state->paused;
		return;
	case TOP_KEY_REFRESH:
		state->refresh = true;
		return;
	default:
		if (picture->view && !was_help)
			walk(state, key, picture);
		return;
	}
}
