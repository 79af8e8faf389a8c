/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which item a log line is about, on its way from a worker's stderr to people:
 *
 *      <4> RS trace-id US scope RS the message
 *
 * Whatever else writes to that pipe could write the same: it is a label for who reads, nothing is decided by it.
 */
#pragma once

#include <stdint.h>

#define LOG_ITEM_MARK '\x1e'      /* RS */
#define LOG_ITEM_SEPARATOR '\x1f' /* US */
#define LOG_ITEM_KEY "trace-id"   /* of the baggage */
#define LOG_ITEM_TRACE_SIZE 129u  /* with its NUL; what is longer is cut */

struct log_item {
	char trace_id[LOG_ITEM_TRACE_SIZE]; /* printable; "": the item has none */
	uint64_t scope;                     /* 0: none */
};
