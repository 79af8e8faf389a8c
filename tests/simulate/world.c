/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock and the loop: the earliest happening, what it means for the lifecycle, the actions, their answers, and then the invariants.
 * Everything that is seen goes into the hash; two runs of one seed have the same.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "tests/simulate/world.h"

#define BEGIN_NS (1000 * NS_PER_S) /* 0 means "no time" in the lifecycle */
#define HAPPENINGS_BOUND 400000u

/* ---- what is seen ---- */

static void hash_line(struct world *world, const char *line)
{
	for (; *line; line++)
		world->hash = (world->hash ^ (unsigned char)*line) * 0x100000001b3u;
}

void world_note(struct world *world, const char *format, ...)
{
	char line[256], stamped[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	snprintf(stamped, sizeof(stamped), "%10.6f %s\n", (double)(world->now_ns - BEGIN_NS) / (double)NS_PER_S, line);
	hash_line(world, stamped);
	if (world->trace)
		fputs(stamped, stdout);
}

void world_break(struct world *world, const char *format, ...)
{
	va_list arguments;

	if (world->broken[0])
		return;
	va_start(arguments, format);
	vsnprintf(world->broken, sizeof(world->broken), format, arguments);
	va_end(arguments);
	world_note(world, "BROKEN: %s", world->broken);
}

/* ---- the clock ---- */

static bool comes_before(const struct happening *a, const struct happening *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(struct happening *a, struct happening *b)
{
	struct happening between = *a;

	*a = *b;
	*b = between;
}

void world_happen(struct world *world, uint64_t after_ns, enum happening_kind kind, uint32_t seat, uint32_t value)
{
	uint32_t i = world->n_happenings;

	must(i < HAPPENINGS_MAX);
	world->happenings[world->n_happenings++] = (struct happening){ .at_ns = world->now_ns + after_ns,
								       .order = world->n_orders++,
								       .kind = kind,
								       .seat = seat,
								       .worker = world->workers[seat].number,
								       .value = value };
	for (; i > 0 && comes_before(&world->happenings[i], &world->happenings[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&world->happenings[i], &world->happenings[(i - 1) / 2]);
}

static bool next_happening(struct world *world, struct happening *ret_happening)
{
	struct happening *heap = world->happenings;
	uint32_t i = 0, child;

	if (!world->n_happenings)
		return false;
	*ret_happening = heap[0];
	heap[0] = heap[--world->n_happenings];
	while ((child = 2 * i + 1) < world->n_happenings) {
		if (child + 1 < world->n_happenings && comes_before(&heap[child + 1], &heap[child]))
			child++;
		if (!comes_before(&heap[child], &heap[i]))
			break;
		swap(&heap[i], &heap[child]);
		i = child;
	}
	return true;
}

/* ---- events and actions ---- */

static void note_event(struct world *world, const struct event *event, bool refused)
{
	world_note(world, "%s seat %u%s", event_name(event->kind), event->seat, refused ? " refused" : "");
}

static void step(struct world *world, const struct event *event)
{
	struct actions actions;
	bool overrun = event->kind == EVENT_OVERRUN && check_overrun(world, event);

	planted_before_step(world, event);
	actions = lifecycle_step(&world->lifecycle, event, world->now_ns);
	planted_after_step(world);
	note_event(world, event, actions.refused);
	if (event->kind == EVENT_OVERRUN && overrun == actions.refused)
		world_break(world, "seat %u: an overrun that has to be %s was not", event->seat,
			    overrun ? "taken" : "refused");
	world->n_overruns += overrun;
	world->n_stage_cancels += event->kind == EVENT_CANCEL_STAGE && !actions.refused;
	world->n_events++;
	for (uint32_t i = 0; i < actions.n && !world->broken[0]; i++) {
		struct action action = actions.actions[i];

		if (!planted_action(world, &action))
			continue;
		world_note(world, "  %s seat %d value %d at %llu", action_name(action.kind), (int)action.seat,
			   action.value, (unsigned long long)action.at_ns);
		check_action(world, &action);
		if (!world->broken[0])
			world_perform(world, &action);
	}
}

/* Answers before anything else. */
void world_post(struct world *world, const struct event *event)
{
	step(world, event);
	while (world->n_answers && !world->broken[0]) {
		struct event next = world->answers[0];

		memmove(world->answers, world->answers + 1, --world->n_answers * sizeof(world->answers[0]));
		step(world, &next);
	}
	if (!world->broken[0] && !world->lifecycle.finished)
		check_now(world);
}

static void ask(struct world *world, const struct request *request)
{
	struct event event = { .kind = request->kind,
			       .cause = request->cause,
			       .signal_number = 2,
			       .seat = request->seat,
			       .n_workers = request->n };

	reload_ask(world, &event);
	event.deadline_ns = request->after_ns ? world->now_ns + request->after_ns : 0;
	snprintf(event.who, sizeof(event.who), "somebody");
	world_post(world, &event);
}

static void take(struct world *world, const struct happening *happening)
{
	switch (happening->kind) {
	case TIMER:
		if (world->timer_ns && world->timer_ns <= world->now_ns) {
			world->timer_ns = 0;
			world_post(world, &(struct event){ .kind = EVENT_TIME });
		}
		return;
	case REQUEST:
		ask(world, &world->requests[happening->value]);
		return;
	case GATE_REACHED:
	case NEWCOMER_DIES:
		newcomer_take(world, happening);
		return;
	default:
		worker_take(world, happening);
		return;
	}
}

void world_run(struct world *world)
{
	struct happening happening;
	uint64_t n = 0;

	world->chance.state = world->seed * 0x2545f4914f6cdd1du + 1;
	world->hash = 0xcbf29ce484222325u;
	world->now_ns = BEGIN_NS;
	for (uint32_t i = 0; i < SEATS_MAX; i++)
		world->memories[i].hand = NO_ITEM;
	world_spec(world);
	must(lifecycle_init(&world->lifecycle, &world->plan, chance_between(&world->chance, 20, 500) * NS_PER_MS) == 0);
	world_post(world, &(struct event){ .kind = EVENT_START });
	while (!world->lifecycle.finished && !world->broken[0]) {
		if (!next_happening(world, &happening))
			world_break(world, "nobody will ever move again");
		else if (++n > HAPPENINGS_BOUND)
			world_break(world, "it does not end");
		else {
			world->now_ns = happening.at_ns;
			take(world, &happening);
		}
	}
	if (!world->broken[0])
		check_end(world);
	world_note(world, "%s, exit code %d", pipeline_state_name(world->lifecycle.state), world->lifecycle.exit_code);
}

void world_free(struct world *world)
{
	lifecycle_deinit(&world->lifecycle);
	for (uint32_t i = 0; i < world->n_lanes; i++)
		free(world->lanes[i].items);
	free(world->items);
}
