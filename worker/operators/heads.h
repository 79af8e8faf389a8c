/* SPDX-License-Identifier: Apache-2.0 */
/* The heads of the inputs of a merge: at most one item of each, in memory and in the keyed state (own folder only). */
#pragma once

#include <stdbool.h>
#include <weir/baggage.h>
#include <weir/stage.h>

#include "common/record/record.h"

#define HEADS_MAX 16u /* inputs */

/* A key to compare: a number, or bytes. */
struct head_key {
	double number;
	struct record_scratch text; /* owned */
	size_t text_bytes;
};

struct head {
	bool is_there;
	struct head_key key;
	uint64_t accepted_ns;
	size_t bag_bytes, size_bytes;
	char bag[WEIR_BAGGAGE_PACKED_MAX];
	struct record_scratch data; /* owned */
};

struct heads {
	struct weir_key *key;
	bool by_text;
	struct head all[HEADS_MAX];
	bool has_last;
	struct head_key last; /* of what was emitted last */
	struct record_scratch room;
};

/* Takes up what the last worker left. Returns 0; WEIR_FAILED, or negative errno. Either way heads_deinit() frees. */
int heads_init(struct heads *heads, struct weir_context *context, const char *key, bool by_text);
void heads_deinit(struct heads *heads, struct weir_context *context);

/* Reads a key as text says it: of the option `until`. Returns false: it is no number. */
bool heads_read_key(const struct heads *heads, const char *text, struct head_key *ret);
/* The key of an item. Returns 0; -ENOENT; -EINVAL: it is no number. */
int heads_key_of(struct heads *heads, struct weir_context *context, const struct weir_item *item, struct head_key *ret);
int heads_compare(const struct heads *heads, const struct head_key *a, const struct head_key *b);
void head_key_deinit(struct head_key *key);

/*
 * The item in hand, whose key is in all[input].key, waits: in memory, and in the state. Returns 0; WEIR_FULL, WEIR_TOO_LARGE: the state has
 * no room; what weir_state_put() says otherwise.
 */
int heads_put(struct heads *heads, struct weir_context *context, uint32_t input, const struct weir_item *item);
/* Emits the head and forgets it. Returns as weir_send(). */
int heads_send(struct heads *heads, struct weir_context *context, uint32_t input);
/* This key is the last one that was emitted. Returns as weir_state_put(). */
int heads_note_last(struct heads *heads, struct weir_context *context, const struct head_key *key);
/* The input whose head is the least, the first of equal ones; HEADS_MAX: there is none. */
uint32_t heads_least(const struct heads *heads);
