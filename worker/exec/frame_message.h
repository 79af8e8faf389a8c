/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of frame mode, as bytes: docs/frame.md. Writing appends to a buffer, reading takes apart what lies there, in place, and
 * believes nothing. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/cause.h>
#include <weir/stage.h>

#include "common/record/record.h"
#include "worker/exec/buffer.h"

#define FRAME_VERSION 1u
#define FRAME_HEAD_BYTES 4u /* the length of what follows, big-endian */

/* ---- to the program; all return 0 or -ENOMEM, and then the buffer is as it was ---- */

enum frame_role { FRAME_OPERATOR, FRAME_SINK, FRAME_SOURCE };
/* "operator"; static. */
const char *frame_role_name(enum frame_role role);

struct frame_hello {
	const char *stage;
	enum frame_role role;
	uint32_t worker, at_once; /* items that it may be given at a time */
	bool values;              /* data and outputs are msgpack values; else bytes */
	uint64_t size_max_bytes;  /* longest frame that is taken from it, head not counted */
	uint64_t output_max_bytes;
	const void *position;  /* of a source: one msgpack value */
	size_t position_bytes; /* 0: it has none */
};
int frame_write_hello(struct buffer *to, const struct frame_hello *hello);

struct frame_item {
	uint64_t id;
	const void *data;
	size_t size_bytes;
	uint64_t left_ns; /* until its deadline; UINT64_MAX: it has none */
	uint64_t scope;   /* 0: none */
	uint32_t attempt;
	const char *identity;    /* NULL: it has none */
	const char *const *keys; /* of its baggage, which is asked of the context; NULL-terminated, NULL: none */
};
/* `values`: data is one msgpack value and goes as such; else it goes as bytes. */
int frame_write_item(struct buffer *to, const struct weir_context *context, const struct frame_item *item, bool values);
int frame_write_cancel(struct buffer *to, uint64_t id, enum weir_cause cause);
int frame_write_end(struct buffer *to);
/* To a source: items are these n, whose ids follow each other at `ids`; one item, with a reason; and the two that say nothing more. */
int frame_write_accepted(struct buffer *to, const uint64_t *ids, uint32_t n);
int frame_write_refused(struct buffer *to, uint64_t id, const char *reason);
int frame_write_drain(struct buffer *to, bool drains);
/* The whole run is cancelled. */
int frame_write_cancel_all(struct buffer *to, enum weir_cause cause);

/* ---- from the program ---- */

enum frame_kind {
#define FRAME_IN(id_, who_, name_, fields_, summary_) FRAME_##id_,
#include "worker/exec/frame_messages.def"
	FRAME_KINDS
};
/* "answer"; static. */
const char *frame_kind_name(enum frame_kind kind);

struct frame_message {
	enum frame_kind kind;
	uint64_t id;      /* ANSWER, DONE, REFUSE, ERROR, CANCELLED, GIVEN */
	uint64_t version; /* READY */
	uint64_t at_once; /* READY; 0: it did not say */
	const char *text; /* REFUSE, ERROR: UTF-8, in place, not terminated */
	size_t text_bytes;
	const unsigned char *outputs, *end; /* ANSWER: the first of n_outputs, and what lies behind the last */
	uint32_t n_outputs;
	const void *data; /* GIVEN */
	size_t data_bytes;
	const void *position;  /* GIVEN: one msgpack value */
	size_t position_bytes; /* 0: it has none */
	const unsigned char *pairs,
		*pairs_end; /* GIVEN: the first of n_pairs of baggage, and what lies behind the last */
	uint32_t n_pairs;
	uint64_t left_ns; /* GIVEN: until its run is over; UINT64_MAX: it does not say */
};

enum {
	FRAME_E_MORE = 1, /* the frame is not there as a whole yet */
	FRAME_E_BAD = 2,  /* it is none: `fault` says why */
};

/*
 * The frame at `data`, of which n bytes are there. Returns 0 and how many bytes it takes, its head included; FRAME_E_MORE; FRAME_E_BAD: its
 * length is 0 or beyond size_max_bytes.
 */
int frame_find(const void *data, size_t n, uint64_t size_max_bytes, size_t *ret_frame_bytes,
	       struct record_fault *fault);
/*
 * Takes a frame's body apart; what is returned points into it. `role`: of who has sent it. `values`: each output, and an item's data, is
 * one whole msgpack value; else bytes or a string. Returns 0; FRAME_E_BAD and nothing is returned.
 */
int frame_read(const void *body, size_t size_bytes, enum frame_role role, bool values, struct frame_message *ret,
	       struct record_fault *fault);
/* The next output of an answer; not more often than n_outputs. */
void frame_next_output(struct frame_message *message, bool values, const void **ret_data, size_t *ret_size_bytes);
/* The next pair of an item's baggage; not more often than n_pairs. `key`: WEIR_BAGGAGE_KEY_MAX + 1 bytes. */
void frame_next_pair(struct frame_message *message, char *key, const void **ret_value, size_t *ret_size_bytes);
