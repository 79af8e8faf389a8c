/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the sink http share: its state, and the ends of items. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/sinks/http_client.h"

struct http_cursor {
	uint64_t delivered; /* 1: the server has taken something from this seat */
};

struct http_queue {
	struct http_batch *first, *last;
};

struct http_sink {
	struct weir_context *context;
	struct http_options options;
	struct http_client client;
	struct http_batch *open;   /* it is added to; NULL: nobody is there */
	struct http_queue waiting; /* for a place */
	struct http_batch *spare;  /* empty ones */
	struct record_scratch json, json_room;
	uint32_t in_flight, n_pending, n_scoped;
	uint64_t run_deadline_ns; /* of the pipeline: then all is cancelled, and nobody need give anything up */
	uint64_t hold_until_ns;   /* the server has said so: nothing is sent before */
	uint64_t due_ns;          /* no item's time is over before; WEIR_FOREVER: none has a limit */
	uint64_t look_ns;         /* when scopes are looked at next */
	uint64_t jitter;          /* state of the lot */
	uint64_t said_ns;         /* 0: nothing was said of trouble since all was well */
};

struct http_batch *http_sink_new_batch(struct http_sink *sink);
void http_sink_free_batch(struct http_sink *sink, struct http_batch *batch);
void http_queue_put(struct http_queue *queue, struct http_batch *batch);
void http_queue_put_first(struct http_queue *queue, struct http_batch *batch);
struct http_batch *http_queue_take(struct http_queue *queue);

/* ---- http_ends.c: in produce() ---- */

/* Goes by how the call has ended: its batch is gone, in two, or rests. Returns 0, WEIR_CANCELLED, WEIR_FAILED. */
int http_sink_conclude(struct http_sink *sink, struct http_call *call);
/* Ends items whose time is over, or whose scope is cancelled. The same returns. */
int http_sink_end_due(struct http_sink *sink);
