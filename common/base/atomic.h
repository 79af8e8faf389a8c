/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only door to shared memory: C11 atomics with the order spelled out at each use. Loads and stores of shared
 * words go through these names, so that a test build can put a scheduler behind them and so that every edge
 * can be found by name. The edges ([L1] ...) are listed in docs/memory-model.md, which script/check-orders holds to it.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint32_t atomic_u32;
typedef _Atomic uint64_t atomic_u64;

static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "atomics in shared memory must be lock-free");
static_assert(sizeof(atomic_u32) == 4 && sizeof(atomic_u64) == 8, "atomics in shared memory must have no hidden lock");

#ifndef WEIR_EXPLORE /* else tests/explore has put its own in front, which a scheduler answers */
#define load_relaxed(p_) atomic_load_explicit((p_), memory_order_relaxed)
#define load_acquire(p_) atomic_load_explicit((p_), memory_order_acquire)
#define store_relaxed(p_, v_) atomic_store_explicit((p_), (v_), memory_order_relaxed)
#define store_release(p_, v_) atomic_store_explicit((p_), (v_), memory_order_release)
#define fence_release() atomic_thread_fence(memory_order_release)
#define fence_acquire() atomic_thread_fence(memory_order_acquire)
#define fence_seq_cst() atomic_thread_fence(memory_order_seq_cst)
#endif

#define CACHE_LINE_SIZE 64u
/*
 * What a processor fetches at once: many bring in the other line of an aligned pair too. So beside a word that another process polls
 * there is nothing that its writer needs: it would have to get that line back each time.
 */
#define LINE_PAIR_SIZE (2 * CACHE_LINE_SIZE)

/* Tells the core that this is a short spin. */
static inline void cpu_relax(void)
{
#if defined(WEIR_EXPLORE)
	explore_relax();
#elif defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
