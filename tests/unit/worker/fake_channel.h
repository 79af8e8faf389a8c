/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of weir/channel.h in the bottle, for stages that run(): inputs with items that lie there, or come at their time. Each receive
 * commits the step before it, so a test may kill between any two of them and run() the stage again.
 */
#pragma once

#include "tests/unit/worker/fake_host.h"

#define FAKE_CHANNEL_ITEMS 2048u

struct fake_channel_input {
	const char *items[FAKE_CHANNEL_ITEMS]; /* borrowed; all of them, in order */
	uint64_t from_ns;                      /* none of them is there before */
	uint32_t n, next, committed;
	bool left;
};

struct fake_channel {
	uint32_t n_inputs;
	struct fake_channel_input inputs[FAKE_INPUTS_MAX];
	uint32_t first; /* that is looked at */
	uint64_t n_steps,
		kill_at; /* the worker is killed in the step of this number, before its commit; 0: it is not */
	uint64_t n_held, n_rejected;
	uint64_t held_committed, rejected_committed;
	char rejections[8][160]; /* why: of the first */
};

/* The host's run() finds these inputs. It must be zero, and live on. */
void fake_channel_init(struct fake_channel *channel, struct fake_host *host, uint32_t n_inputs);
void fake_channel_add(struct fake_channel *channel, uint32_t input, const char *item);
/* Opens the stage and runs it, again after each kill, up to the end. Returns what run() said last. */
int fake_channel_run(struct fake_channel *channel, struct fake_host *host);

uint32_t fake_channel_inputs(const struct weir_context *context);
int fake_channel_recv(struct weir_context *context, uint32_t input, uint64_t deadline_ns, struct weir_item *ret_item);
int fake_channel_select(struct weir_context *context, struct weir_case *cases, size_t n_cases, uint64_t deadline_ns,
			size_t *ret_case);
int fake_channel_send(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		      uint64_t deadline_ns);
void fake_channel_hold(struct weir_context *context);
void fake_channel_leave(struct fake_channel *channel, uint32_t input);
