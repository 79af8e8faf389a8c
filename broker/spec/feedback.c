/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges that lead back.
 *
 *      in --> a --> b --> out            b is behind a: `from: [in, {stage: b, credit: 64}]` in a
 *             ^     |
 *             +-----+  at most 64 items lie here
 *
 * A feedback edge must close a cycle of edges that are none themselves, or it is no feedback. On a loop nothing may
 * wait for the one it feeds without bound: a rendezvous would, and a block of all. Its head, to which it leads back, is
 * the one stage that lets items in, and one process (worker/loop.c says why).
 */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"

/* Every stage that leads to one, over edges that lead forward; against the stream, for that is how inputs are kept. */
struct reach {
	bool *seen;
	uint32_t *todo;
	uint32_t n_todo;
};

static void reach_from(const struct reading *reading, struct reach *reach, uint32_t start)
{
	memset(reach->seen, 0, reading->n_stages * sizeof(*reach->seen));
	reach->seen[start] = true;
	reach->todo[0] = start;
	reach->n_todo = 1;
	while (reach->n_todo) {
		const struct stage_reading *stage = &reading->stages[reach->todo[--reach->n_todo]];

		for (uint32_t i = 0; i < stage->n_inputs; i++) {
			uint32_t from = stage->inputs[i].from;

			if (stage->inputs[i].credit || reach->seen[from])
				continue;
			reach->seen[from] = true;
			reach->todo[reach->n_todo++] = from;
		}
	}
}

static const char *name_of(const struct reading *reading, uint32_t index)
{
	return reading->plan->stages[index].name ? reading->plan->stages[index].name : "?";
}

/* Marks the stages on the loop from `to` back to `to`: they lead to what feeds it (before), and are behind it. */
static void mark_loop(const struct reading *reading, const struct reach *before, struct reach *scratch, uint32_t to,
		      bool *loop)
{
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		loop[i] = false;
		if (!before->seen[i])
			continue;
		reach_from(reading, scratch, i);
		loop[i] = scratch->seen[to];
	}
}

/* The head is the loop's one gate, and finds its end: whoever else let items in would do it unseen. */
static void check_gate(struct reading *reading, const bool *loop, uint32_t head, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];

	for (uint32_t i = 0; index != head && i < stage->n_inputs; i++) {
		if (stage->inputs[i].credit)
			reading_error(reading, stage->inputs[i].position, NULL,
				      "two loops share stage '%s': feed both back to '%s'", name_of(reading, index),
				      name_of(reading, head));
		else if (!loop[stage->inputs[i].from])
			reading_error(reading, stage->inputs[i].position, NULL,
				      "only the head of a loop lets items in: let '%s' read from '%s'",
				      name_of(reading, head), name_of(reading, stage->inputs[i].from));
	}
}

static void check_member(struct reading *reading, uint32_t head, uint32_t index)
{
	const struct plan_stage *planned = &reading->plan->stages[index];
	const struct spec_value *values = reading->stages[index].values;
	const struct heritage_option *block = plan_option(planned, "block");
	struct spec_position position = planned->position;

	if (planned->rendezvous)
		reading_error(reading, value_position(&values[STAGE_KEY_CAPACITY], planned->position), NULL,
			      "capacity: 0 on a loop waits for itself: '%s' is fed back to '%s'",
			      name_of(reading, index), name_of(reading, head));
	if (block && block->line)
		position = (struct spec_position){ block->line, block->column };
	if (block && block->string && strcmp(block->string, "all") == 0)
		reading_error(
			reading, position, NULL,
			"block: all on a loop waits for its end, and the loop for the block: '%s' is fed back to '%s'",
			name_of(reading, index), name_of(reading, head));
}

static void check_loop(struct reading *reading, const struct reach *before, struct reach *scratch, uint32_t to)
{
	const struct plan_stage *head = &reading->plan->stages[to];
	bool *loop = spec_alloc(reading->n_stages, sizeof(*loop)), is_fed = false;

	for (uint32_t i = 0; i < reading->stages[to].n_inputs; i++)
		is_fed = is_fed || !reading->stages[to].inputs[i].credit; /* else check_inflow() has the word */
	if (head->workers > 1)
		reading_error(reading, value_position(&reading->stages[to].values[STAGE_KEY_WORKERS], head->position),
			      "put a stage with one worker before it, and feed back to that",
			      "the head of a loop has one worker, not %u: it alone knows what is on the loop",
			      head->workers);
	mark_loop(reading, before, scratch, to, loop);
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		if (!loop[i])
			continue;
		if (is_fed)
			check_gate(reading, loop, to, i);
		check_member(reading, to, i);
	}
	free(loop);
}

/* False: it is no feedback, which was reported. */
static bool check_feedback(struct reading *reading, struct reach *before, struct reach *scratch, uint32_t to,
			   const struct reading_input *input)
{
	uint32_t producers = reading->plan->stages[input->from].workers;

	reach_from(reading, before, input->from);
	if (!before->seen[to]) {
		reading_error(reading, input->position, "name it without a credit",
			      "'%s' is not behind '%s': this edge closes no cycle", name_of(reading, input->from),
			      name_of(reading, to));
		return false;
	}
	if (input->credit < producers)
		reading_error(reading, input->position, NULL,
			      "credit %u is less than the %u workers of '%s' that share it", input->credit, producers,
			      name_of(reading, input->from));
	if (reading->plan->stages[to].full == HERITAGE_FULL_DROP_OLD)
		reading_error(reading, value_position(&reading->stages[to].values[STAGE_KEY_FULL], input->position),
			      NULL,
			      "full: drop-old does not go with a feedback edge: use drop-new, or a stage before '%s'",
			      name_of(reading, to));
	check_loop(reading, before, scratch, to);
	return true;
}

static void check_inflow(struct reading *reading, uint32_t to)
{
	const struct stage_reading *stage = &reading->stages[to];
	uint32_t n_feedback = 0;

	for (uint32_t i = 0; i < stage->n_inputs; i++)
		n_feedback += stage->inputs[i].credit > 0;
	if (n_feedback && n_feedback == stage->n_inputs && !stage->inputs_wrong)
		reading_error(reading, stage->inputs[0].position, NULL,
			      "stage '%s' reads only what it has sent itself: name the stage that feeds it too",
			      name_of(reading, to));
}

void reading_feedback(struct reading *reading)
{
	struct reach before = { spec_alloc(reading->n_stages, sizeof(bool)),
				spec_alloc(reading->n_stages, sizeof(uint32_t)), 0 },
		     scratch = { spec_alloc(reading->n_stages, sizeof(bool)),
				 spec_alloc(reading->n_stages, sizeof(uint32_t)), 0 };
	uint32_t n_feedback = 0;

	for (uint32_t to = 0; to < reading->n_stages; to++) {
		bool wrong = false;

		for (uint32_t i = 0; i < reading->stages[to].n_inputs; i++) {
			const struct reading_input *input = &reading->stages[to].inputs[i];

			if (!input->credit)
				continue;
			if (++n_feedback == FEEDBACK_MAX + 1)
				reading_error(reading, input->position, NULL,
					      "more than %u feedback edges in one pipeline", FEEDBACK_MAX);
			wrong = wrong || n_feedback > FEEDBACK_MAX ||
				!check_feedback(reading, &before, &scratch, to, input);
		}
		if (!wrong)
			check_inflow(reading, to);
	}
	free(before.seen);
	free(before.todo);
	free(scratch.seen);
	free(scratch.todo);
}
