/* SPDX-License-Identifier: Apache-2.0 */
/* Workers whose turns and sleeps are the real ones, and bodies of programs that need no more than that. */
#pragma once

#include "tests/explore/world.h"
#include "worker/worker.h"

/* One slot's private memory. */
struct real_place {
	struct worker worker;
	struct peer peers[LANES];
	struct heritage_peer heritage_peers[LANES];
	struct heritage_edge input_heritage, output_heritage;
	struct heritage_lane heritage_lanes[LANES];
	struct input_lane input_lanes[LANES];
	struct output_lane output_lanes[LANES];
	struct input_edge input;
	struct output_edge output;
	uint64_t generation;
};

void real_reset(void);

/* A generation of the slot without edges; neighbours are the slots given, in this order. Doorbell of a slot: its number. */
struct real_place *real_attach(unsigned slot, unsigned first_peer, unsigned second_peer);
/* The lanes 0 -> 1 -> 2, as far as they are wanted. */
void real_add_input(struct real_place *place);
void real_add_output(struct real_place *place);
/* All of the stage's cursor says how far it is. */
void real_stage_cursor(struct worker *worker);

/* A source in slot 0 and a sink in slot 1. */
void real_produce(unsigned slot);
void real_consume(unsigned slot);
/* The same through the emit window and the short way of taking. */
void real_produce_plain(unsigned slot);
void real_consume_plain(unsigned slot);
/* Repairs, rings the neighbour, starts the next generation. */
void real_supervise(unsigned thread);
