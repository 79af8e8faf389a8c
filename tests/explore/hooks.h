/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What common/base/atomic.h becomes under WEIR_EXPLORE, where this is included before everything else: each access and
 * each fence is a call that knows where it stands.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum explore_order { EXPLORE_RELAXED, EXPLORE_ACQUIRE, EXPLORE_RELEASE, EXPLORE_ACQ_REL, EXPLORE_SEQ_CST };
enum explore_kind { EXPLORE_LOAD, EXPLORE_STORE, EXPLORE_FENCE };

/* One place in the source. commit_apply() has two: it is compiled into commit.c and into repair.c. */
struct explore_site {
	const char *unit, *function, *text;
	uint32_t kind, order;    /* enum explore_kind; enum explore_order as written */
	uint32_t order_explored; /* as explored: weaker in a mutant; a fence that is RELAXED is not there */
	uint32_t configuration;  /* for which order_explored was looked up */
};

uint32_t explore_load_32(struct explore_site *site, const void *address);
uint64_t explore_load_64(struct explore_site *site, const void *address);
void explore_store_32(struct explore_site *site, void *address, uint32_t value);
void explore_store_64(struct explore_site *site, void *address, uint64_t value);
void explore_fence(struct explore_site *site);
void explore_relax(void);
void *explore_calloc(size_t n, size_t size_bytes);
void explore_free(void *block);

/* For the sources under test alone; the explorer itself sees plain atomics. */
#ifdef WEIR_EXPLORE
#include <stdlib.h>

/* Memory that ends with its execution: stubs.c. free() with its bracket, for it is a position's name too. */
#define calloc(n_, size_bytes_) explore_calloc(n_, size_bytes_)
#define free(block_) explore_free(block_)

#define EXPLORE_SITE(kind_, order_, text_)                                  \
	({                                                                  \
		static struct explore_site site_ = { .unit = __BASE_FILE__, \
						     .function = __func__,  \
						     .text = (text_),       \
						     .kind = (kind_),       \
						     .order = (order_) };   \
		&site_;                                                     \
	})
#define EXPLORE_LOAD_AT(p_, order_, text_)   \
	_Generic(*(p_), uint32_t             \
		 : explore_load_32, uint64_t \
		 : explore_load_64)(EXPLORE_SITE(EXPLORE_LOAD, order_, text_), (p_))
#define EXPLORE_STORE_AT(p_, v_, order_, text_) \
	_Generic(*(p_), uint32_t                \
		 : explore_store_32, uint64_t   \
		 : explore_store_64)(EXPLORE_SITE(EXPLORE_STORE, order_, text_), (p_), (v_))

#define load_relaxed(p_) EXPLORE_LOAD_AT(p_, EXPLORE_RELAXED, #p_)
#define load_acquire(p_) EXPLORE_LOAD_AT(p_, EXPLORE_ACQUIRE, #p_)
#define store_relaxed(p_, v_) EXPLORE_STORE_AT(p_, v_, EXPLORE_RELAXED, #p_ " := " #v_)
#define store_release(p_, v_) EXPLORE_STORE_AT(p_, v_, EXPLORE_RELEASE, #p_ " := " #v_)
#define fence_release() explore_fence(EXPLORE_SITE(EXPLORE_FENCE, EXPLORE_RELEASE, "fence"))
#define fence_acquire() explore_fence(EXPLORE_SITE(EXPLORE_FENCE, EXPLORE_ACQUIRE, "fence"))
#define fence_seq_cst() explore_fence(EXPLORE_SITE(EXPLORE_FENCE, EXPLORE_SEQ_CST, "fence"))
#endif
