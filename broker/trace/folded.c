/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack is a stage, what its workers did, and where: awake by themselves (`process`), with an item in their hands (`process;item`), or
 * asleep, for which lane. Times of all workers of a stage are added up. Waits within an item count as waits alone. Items that overlap are
 * beside what their worker does, and add nothing to it.
 */
#include "broker/trace/folded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/base/text.h"

enum state { AWAKE, IN_HAND, WAIT_IN, WAIT_OUT, WAIT_EXT, STATES };
static const char *const state_names[] = { "process", "process;item", "wait-in", "wait-out", "wait-ext" };

struct folded {
	const struct trace_names *names;
	uint64_t *of_stages; /* STATES for each; without a lane */
	uint64_t *of_lanes;  /* two for each: its consumer's wait-in, its producer's wait-out */
};

struct folded *folded_new(const struct trace_names *names)
{
	struct folded *folded = calloc(1, sizeof(*folded));

	must(folded);
	folded->names = names;
	folded->of_stages = calloc((size_t)names->n_stages * STATES + 1, sizeof(*folded->of_stages));
	folded->of_lanes = calloc((size_t)names->n_lanes * 2 + 1, sizeof(*folded->of_lanes));
	must(folded->of_stages && folded->of_lanes);
	return folded;
}

static enum state state_of(const struct timeline_slice *slice)
{
	const char *wait;

	if (slice->kind != TIMELINE_WAIT)
		return slice->kind == TIMELINE_ITEM ? IN_HAND : AWAKE;
	wait = timeline_wait_name(slice->waits_for);
	return strcmp(wait, "wait-in") == 0 ? WAIT_IN : strcmp(wait, "wait-out") == 0 ? WAIT_OUT : WAIT_EXT;
}

static void add(void *context, const struct timeline_slice *slice)
{
	struct folded *folded = context;
	enum state state = state_of(slice);
	const struct trace_lane *lane =
		slice->lane < folded->names->n_lanes ? &folded->names->lanes[slice->lane] : NULL;
	uint64_t ns = slice->end_ns - slice->begin_ns;

	if (slice->overlaps)
		return;
	if (state == IN_HAND)
		ns -= slice->waited_ns < ns ? slice->waited_ns : ns;
	if (state == WAIT_IN && lane && lane->consumer == slice->slot)
		folded->of_lanes[2 * slice->lane] += ns;
	else if (state == WAIT_OUT && lane && lane->producer == slice->slot)
		folded->of_lanes[2 * slice->lane + 1] += ns;
	else
		folded->of_stages[folded->names->seats[slice->slot].stage * STATES + state] += ns;
}

struct timeline_writer folded_writer(struct folded *folded)
{
	return (struct timeline_writer){ .context = folded, .slice = add };
}

/* ---- lines ---- */

struct lines {
	char **list;
	size_t n, capacity;
};

static void add_line(struct lines *lines, const char *stage, const char *state, const char *lane, uint64_t ns)
{
	struct text text = TEXT_NULL;

	if (ns < 1000)
		return;
	text_printf(&text, "%s;%s%s%s %" PRIu64 "\n", stage, state, lane ? ";" : "", lane ? lane : "", ns / 1000);
	if (lines->n == lines->capacity) {
		lines->capacity = lines->capacity ? 2 * lines->capacity : 64;
		lines->list = reallocarray(lines->list, lines->capacity, sizeof(*lines->list));
		must(lines->list);
	}
	lines->list[lines->n++] = text_steal(&text);
}

static int in_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *stage_of(const struct trace_names *names, uint32_t seat)
{
	return names->stages[names->seats[seat].stage].name;
}

void folded_write(const struct folded *folded, FILE *file)
{
	const struct trace_names *names = folded->names;
	struct lines lines = { 0 };

	for (uint32_t i = 0; i < names->n_stages; i++)
		for (unsigned state = 0; state < STATES; state++)
			add_line(&lines, names->stages[i].name, state_names[state], NULL,
				 folded->of_stages[i * STATES + state]);
	for (uint32_t i = 0; i < names->n_lanes; i++) {
		add_line(&lines, stage_of(names, names->lanes[i].consumer), state_names[WAIT_IN], names->lanes[i].name,
			 folded->of_lanes[2 * i]);
		add_line(&lines, stage_of(names, names->lanes[i].producer), state_names[WAIT_OUT], names->lanes[i].name,
			 folded->of_lanes[2 * i + 1]);
	}
	if (lines.n)
		qsort(lines.list, lines.n, sizeof(*lines.list), in_order);
	for (size_t i = 0; i < lines.n; i++) {
		fputs(lines.list[i], file);
		free(lines.list[i]);
	}
	free(lines.list);
}

void folded_free(struct folded *folded)
{
	if (!folded)
		return;
	free(folded->of_stages);
	free(folded->of_lanes);
	free(folded);
}
