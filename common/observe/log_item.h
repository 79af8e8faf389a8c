/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which item a log line is about, on its way from a worker's stderr to people:
 *
 *      <4> RS trace-id US scope US sequence US time RS the message
 *
 * sequence: empty if no item is in hand; time: of CLOCK_MONOTONIC, in ns, so lines of all processes, and their flight recorders, have one
 * order.
 * Whatever else writes to that pipe could write the same: it is a label for who reads, nothing is decided by it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOG_ITEM_MARK '\x1e'      /* RS */
#define LOG_ITEM_SEPARATOR '\x1f' /* US */
#define LOG_ITEM_KEY "trace-id"   /* of the baggage */
#define LOG_ITEM_TRACE_SIZE 129u  /* with its NUL; what is longer is cut */

struct log_item {
	char trace_id[LOG_ITEM_TRACE_SIZE]; /* printable; "": the item has none */
	uint64_t scope;                     /* 0: none */
	uint64_t sequence;                  /* number that its producer gave it */
	uint64_t monotonic_ns;              /* when it was said; 0: unknown */
	uint32_t generation;                /* of its worker */
	bool has_sequence, has_generation;
};
