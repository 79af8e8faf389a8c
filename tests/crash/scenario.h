/* SPDX-License-Identifier: Apache-2.0 */
/* One way through a small pipeline: who is there, what was done before the walk begins, and who is killed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/channel.h>
#include <weir/stage.h>

#include "broker/spec/plan.h"

#define WORLD_SLOTS_MAX 8u
#define WORLD_LANES_MAX 16u
#define WORLD_STAGES_MAX 8u
#define STEPS_MAX 12u
#define SOURCE_ITEMS_MAX 512u /* per source: what a sink's bitmap holds */

struct world;

/*
 * Before the walk: the worker in `slot` runs until it sleeps or has ended, and is stopped in the middle of its stage's `calls`-th item
 * from here on, if it comes so far.
 */
#define UNTIL_ASLEEP UINT32_MAX
struct scenario_step {
	uint32_t slot, calls;
};

struct scenario {
	const char *name;
	const char *spec; /* YAML; kinds only decide roles: the stages below are run */
	/* By number in the spec. NULL: crash_source, crash_operator or crash_sink, by its role. */
	const struct weir_stage *stages[WORLD_STAGES_MAX];
	uint32_t victim;     /* slot: numbered in the order of the spec */
	uint32_t sleeps;     /* the victim's walk ends at this sleep, or at its end; 0: 2 */
	uint32_t interludes; /* at so many sleeps before these its neighbours act; real kills strike before the first */
	uint64_t items;      /* each source emits */
	uint32_t item_bytes; /* about; 0: 16 to 48 */
	bool endless;        /* then the sources wait: what they gave has to arrive without anything coming after it */
	bool timers;         /* time passes, for sleeps that are shorter than a second, when nothing else happens */
	uint64_t lane_bytes; /* 0: 4 KiB */
	uint32_t retired;    /* this slot is retired before the walk; 0: none */
	uint32_t closed;     /* nothing more is to be dealt to this slot from the beginning of the walk on; 0: to all */
	uint32_t lost; /* 1 + this slot's lanes are closed as lost before the walk, and its stage has failed; 0: none */
	uint64_t cancelled_scope; /* before the walk; 0: none */
	bool given_up;            /* the victim is retired after its death: no next generation */
	uint64_t position;        /* at which every lane stands first */
	bool ordered;             /* sinks get the items of each source in order */
	struct scenario_step steps[STEPS_MAX];
	void (*adapt)(
		struct plan *plan); /* changes what the spec can't say; before memory is laid out; NULL: nothing */
	/* Beside the ledger, the lanes and the cursors: after the repair, and at the end. Static text: what is wrong; NULL: all is well. */
	const char *(*check_repaired)(const struct world *world);
	const char *(*check_end)(const struct world *world); /* NULL: every item came once to every sink stage */
};

/* check_end() of a source (slot 0) and a sink (slot 1) between which old items are dropped: each came once or is counted. */
const char *crash_check_dropped(const struct world *world);

/* Registers a scenario: one file of scenarios/ each. */
#define SCENARIO(id_)                                                                                              \
	static const struct scenario id_;                                                                          \
	static const struct scenario *const id_##_entry __attribute__((used, retain, section("weir_scenarios"))) = \
		&id_;                                                                                              \
	static const struct scenario id_

/* What an item carries: which source it comes from. Its size varies, so that records start everywhere. */
struct payload {
	uint64_t source; /* its worker index */
	uint64_t number;
	uint64_t filler[640];
};

uint32_t payload_size(uint64_t number);
/* The item of that number; valid until the next call. */
const struct payload *payload_of(uint64_t source, uint64_t number);

extern const struct scenario *scenario_now;
#define LANE_SIZE (scenario_now->lane_bytes ? scenario_now->lane_bytes : UINT64_C(4096))

/* The stages that most scenarios use, and building blocks for others. */
extern const struct weir_stage crash_source, crash_operator, crash_sink;
extern const struct weir_stage crash_forwarder, crash_run_operator, crash_loop_head, crash_loop_body;
extern const struct weir_stage crash_builder;       /* a source that builds in place */
extern const struct weir_stage crash_source_second; /* its items say that they come from source 1 */
int crash_source_produce(struct weir_context *context, void *state);
int crash_operator_process(struct weir_context *context, void *state, const struct weir_item *item);
int crash_head_process(struct weir_context *context, void *state, const struct weir_item *item);
int crash_loop_process(struct weir_context *context, void *state, const struct weir_item *item);
int crash_sink_process(struct weir_context *context, void *state, const struct weir_item *item);
/* weir_reject(); returns WEIR_REJECTED. */
int crash_refuse(struct weir_context *context, const char *why);
int crash_open(struct weir_context *context, void **ret_state);

/* weir_emit() and weir_reserve() with weir_push(), as functions that the walk can count. */
int crash_emit(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes);
int crash_build(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes);

/* A stage calls it for each item: here the harness may stop it. In the victim: the item is in hand from here on. */
void crash_item(struct weir_context *context, const struct weir_item *item);
/* The same of an asynchronous stage, which has been stopped before: alone: no other item is in flight. */
void crash_item_in_flight(struct weir_context *context, const struct weir_item *item, bool alone);
/* ... and until here. */
void crash_item_over(struct weir_context *context);
/* A stage has seen something that may never be. Static text. */
void crash_wrong(const char *what);

/* A source, two ordered workers (slots 1 and 2), a sink (slot 3); as .adapt: runs of two items. */
#define CRASH_ORDERED_SPEC                                            \
	"pipeline: walk\n"                                            \
	"stages:\n"                                                   \
	"  - {name: from, source: generate, batch: 3}\n"              \
	"  - {name: through, exec: [cat], workers: 2, order: fifo}\n" \
	"  - {name: to, sink: discard, batch: 3}\n"
void crash_runs_of_two(struct plan *plan);

/* A source, the head (slot 1) and the body of a loop, a sink. */
#define CRASH_LOOP_SPEC                                                           \
	"pipeline: walk\n"                                                        \
	"stages:\n"                                                               \
	"  - {name: from, source: generate}\n"                                    \
	"  - {name: head, from: [from, {stage: body, credit: 2}], exec: [cat]}\n" \
	"  - {name: body, from: head, exec: [cat]}\n"                             \
	"  - {name: to, from: body, sink: discard}\n"

/* For stages of one's own. */
#define CRASH_STAGE(role_, ...)                                                                             \
	{                                                                                                   \
		.abi = WEIR_STAGE_ABI, .size_bytes = sizeof(struct weir_stage), .role = (role_),            \
		.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX, .name = "crash", .open = crash_open, __VA_ARGS__ \
	}

/* What a sink has in its cursor. */
struct crash_seen {
	uint64_t next[2];
	uint64_t bits[2][SOURCE_ITEMS_MAX / 64];
};
extern const struct scenario *scenario_now;
