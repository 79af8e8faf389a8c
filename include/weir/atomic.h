/* SPDX-License-Identifier: Apache-2.0 */
/* How the inline calls of these headers read words that other threads and processes write: C11 and C++17 alike. Not for stages. */
#pragma once

#include <stdint.h>

static inline uint32_t weir_load_acquire(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
