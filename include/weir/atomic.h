/* SPDX-License-Identifier: Apache-2.0 */
/* How the inline calls of these headers read words that other threads and processes write: C11 and C++17 alike. Not for stages. */
#pragma once

#define weir_load_acquire(p_) __atomic_load_n((p_), __ATOMIC_ACQUIRE)
