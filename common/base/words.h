/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a few 64-bit words that have just been written. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Word by word on purpose. A wide load that spans several stores still on their way to the cache can't be served from the store
 * buffer: it waits until all earlier stores are done, and those of a producer go to lines that its consumer holds. That
 * cost more than all else in a turn. Both ends 8-byte aligned, size_bytes rounded up to whole words. Wait-free.
 */
#define WORDS_COPY_ONE(to_, from_, at_)                                                                  \
	do {                                                                                             \
		uint64_t word_;                                                                          \
		memcpy(&word_, (const unsigned char *)(from_) + (at_), sizeof(word_));                   \
		__asm__ volatile("" : "+r"(word_)); /* or the compiler would make one wide copy of it */ \
		memcpy((unsigned char *)(to_) + (at_), &word_, sizeof(word_));                           \
	} while (0)

static inline void words_copy(void *to, const void *from, size_t size_bytes)
{
#ifdef WEIR_EXPLORE /* one step of the explored program instead of dozens that mean the same */
	memcpy(to, from, size_bytes);
#else
	if (__builtin_constant_p(size_bytes) && size_bytes <= 8 * sizeof(uint64_t)) {
#pragma GCC unroll 8
		for (size_t at = 0; at < size_bytes; at += sizeof(uint64_t))
			WORDS_COPY_ONE(to, from, at);
		return;
	}
	if (!size_bytes)
		return;
	for (size_t at = 0; at < size_bytes; at += sizeof(uint64_t))
		WORDS_COPY_ONE(to, from, at);
#endif
}
