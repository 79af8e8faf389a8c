/* SPDX-License-Identifier: Apache-2.0 */
/* The items of one request: their text, as the body that is sent, and who they are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/identity.h>

#include "common/base/text.h"
#include "common/base/traceparent.h"
#include "common/record/record.h"

/* How a body is made of items; numbered as the choices of `body`. */
enum http_layout {
	HTTP_LAYOUT_ITEM = 0, /* it is the item */
	HTTP_LAYOUT_LINES,    /* a newline behind each */
	HTTP_LAYOUT_ARRAY,    /* a JSON array */
	HTTP_LAYOUT_JOINED,   /* one behind the other */
};

struct http_item {
	uint64_t token; /* weir_defer() */
	struct weir_identity identity;
	struct traceparent trace;  /* that it belongs to, and the span that it is here; parent 0: none */
	uint64_t deadline_ns;      /* WEIR_FOREVER: none */
	struct weir_scope *scope;  /* of the item; NULL: none. The runtime's */
	bool attempt_ends;         /* at deadline_ns: it is the stage's; else the item's run does */
	size_t offset, size_bytes; /* its text in the body; http_batch_add() sets both */
};

struct http_batch {
	struct http_batch *next; /* in the list that it is in */
	enum http_layout layout;
	struct http_item *items; /* owned */
	uint32_t n, capacity;
	struct record_scratch body;
	size_t body_bytes;     /* what is sent of it */
	size_t list_bytes_max; /* http_batch_list() is not longer */
	uint64_t since_ns;     /* its first item came */
	uint32_t n_attempts;
};

/* Empty, keeps the memory. */
void http_batch_clear(struct http_batch *batch, enum http_layout layout);
void http_batch_deinit(struct http_batch *batch);

/* How long the body would be with such an item more. */
size_t http_batch_bytes_with(const struct http_batch *batch, size_t size_bytes);
/* Copies the text. The item's offset and size are set here. Aborts the process when memory is out. */
void http_batch_add(struct http_batch *batch, const struct http_item *item, const void *text, size_t size_bytes);
/* Takes one out. */
void http_batch_remove(struct http_batch *batch, uint32_t index);
/* Moves the second half of at least two items into an empty batch. */
void http_batch_halve(struct http_batch *batch, struct http_batch *second);

/*
 * Who they are: RUN-PRODUCER-INPUT:SEQUENCE, each the same as often as the item is sent. Of several that follow each other: SEQUENCE+N,
 * with N more behind it; of one producer: parted by commas; of several: by semicolons. In the order of the body.
 */
void http_batch_list(const struct http_batch *batch, struct text *list);
/* The trace that all of them belong to, and the first one's span. False: they do not. */
bool http_batch_trace(const struct http_batch *batch, struct traceparent *ret_trace);
/* The same for the same items in their order, and no others: `prefix` and, of one, who it is; of several, the first, how many, a hash. */
void http_batch_key(const struct http_batch *batch, const char *prefix, struct text *key);
