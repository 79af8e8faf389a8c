/* SPDX-License-Identifier: Apache-2.0 */
/* How much input an exec stage gathers for one block: the worker keeps to it, and the plan's memory bound counts on it. */
#pragma once

#include <stdint.h>

/*
 * Bytes with separators at which a block of size_bytes is complete, whatever its payload: three for each byte of it, as many as an
 * item of one byte and an empty line take, and never more than the spool holds. One more item may follow before it is seen.
 */
static inline uint64_t exec_block_input_bound(uint64_t size_bytes, uint64_t spool_bytes)
{
	return size_bytes < spool_bytes / 3 ? 3 * size_bytes : spool_bytes;
}
