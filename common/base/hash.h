/* SPDX-License-Identifier: Apache-2.0 */
/* A fast 64-bit rolling digest of a byte stream, cut into records: tells a repeated stream from a changed one. Not cryptographic. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 29);
}

static inline uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t word;

	h = hash_mix(h, n);
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = hash_mix(h, word);
	}
	word = 0;
	memcpy(&word, p, n);
	return hash_mix(h, word);
}
