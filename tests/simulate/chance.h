/* SPDX-License-Identifier: Apache-2.0 */
/* All randomness of a simulation: one sequence, from its seed (splitmix64). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
	uint64_t z = chance->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. n - 1; n > 0. */
static inline uint32_t chance_below(struct chance *chance, uint32_t n)
{
	return (uint32_t)((chance_next(chance) >> 32) * n >> 32);
}

/* low .. high, both possible. */
static inline uint64_t chance_between(struct chance *chance, uint64_t low, uint64_t high)
{
	return low + chance_next(chance) % (high - low + 1);
}

/* True `permille` times in a thousand. */
static inline bool chance_of(struct chance *chance, uint32_t permille)
{
	return chance_below(chance, 1000) < permille;
}
