/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FNV-1a, 64 bits: for keys of a few bytes, and where the digest is kept or shared, for it is the same on every machine. What is long,
 * and stays in one process, is hash.h's. Not cryptographic. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FNV_BEGIN UINT64_C(0xcbf29ce484222325)

/* The digest of what `hash` stands for, and these bytes behind it. */
static inline uint64_t fnv_add(uint64_t hash, const void *data, size_t size_bytes)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size_bytes; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Mixed once, as MurmurHash3 does at its end: FNV's upper bits change little from key to key. Where these choose, they must. */
static inline uint64_t fnv_end(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}
