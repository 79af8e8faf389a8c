/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as aggregates have them: whole ones stay exact, sums too. Worker process; pure. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/key.h>

#define NUMBER_EXACT_MAX 9007199254740992.0 /* 2^53: below it a double that is whole is that number */

struct number {
	bool is_whole;
	int64_t whole;
	double real; /* the same number, or the nearest double */
};

static inline struct number number_whole(int64_t whole)
{
	return (struct number){ .is_whole = true, .whole = whole, .real = (double)whole };
}

static inline struct number number_real(double real)
{
	bool is_whole = fabs(real) < NUMBER_EXACT_MAX && real == floor(real);

	return (struct number){ .is_whole = is_whole, .whole = is_whole ? (int64_t)real : 0, .real = real };
}

static inline bool number_less(struct number one, struct number other)
{
	return one.is_whole && other.is_whole ? one.whole < other.whole : one.real < other.real;
}

/* Plain data, which may lie in keyed state. All zero: nothing has been added. */
struct sum {
	uint64_t low; /* of the whole numbers: 128 bits, which no number of items can overflow */
	int64_t high;
	double rest, lost; /* of the others, and what was lost to rounding (Neumaier) */
	uint64_t n, n_real;
};

static inline void sum_add_whole(struct sum *sum, __int128 whole)
{
	__int128 total = (__int128)((unsigned __int128)(uint64_t)sum->high << 64 | sum->low) + whole;

	sum->low = (uint64_t)total;
	sum->high = (int64_t)(total >> 64);
}

static inline void sum_add_real(struct sum *sum, double real)
{
	double total = sum->rest + real;

	sum->lost += fabs(sum->rest) >= fabs(real) ? sum->rest - total + real : real - total + sum->rest;
	sum->rest = total;
}

static inline void sum_add(struct sum *sum, struct number number)
{
	if (number.is_whole)
		sum_add_whole(sum, number.whole);
	else
		sum_add_real(sum, number.real);
	sum->n_real += !number.is_whole;
	sum->n++;
}

static inline __int128 sum_whole(const struct sum *sum)
{
	return (__int128)((unsigned __int128)(uint64_t)sum->high << 64 | sum->low);
}

static inline void sum_merge(struct sum *sum, const struct sum *other)
{
	sum_add_whole(sum, sum_whole(other));
	sum_add_real(sum, other->rest);
	sum->lost += other->lost;
	sum->n += other->n;
	sum->n_real += other->n_real;
}

static inline double sum_double(const struct sum *sum)
{
	return (double)sum_whole(sum) + (sum->rest + sum->lost);
}
