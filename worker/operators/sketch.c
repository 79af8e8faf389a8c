/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles: bucket i > 0 holds the values in (g^(i-1), g^i], g = 1.01 / 0.99, so what stands for all of them, 2 g^i / (g + 1), is off
 * by 1 % at most. Which bucket is a matter of the value alone: sketches merge by adding counts, in any order, with one result.
 *
 *      index     - (i + BIAS) ...  - 1     0     1 ...  i + BIAS          in the order of the values; every finite double has one
 *      value        negative ones         zero      positive ones
 *
 * Distinct: while there are few their hashes are kept, sorted. The 513th turns the same bytes into registers, each of which remembers the
 * longest run of zeros among the hashes that fall to it.
 */
#include "worker/operators/sketch.h"

#include <math.h>
#include <string.h>

#define GAMMA (1.01 / 0.99)
#define BIAS INT64_C(40000) /* more than any double's index: log(1e308) / log(GAMMA) is 35,459 */
#define REGISTERS_N UINT32_MAX
#define REGISTER_BITS 12

uint32_t table_room(uint32_t n, bool spare, uint32_t room_min, uint32_t room_max)
{
	uint32_t room = room_min;

	while (room < n + spare && room < room_max)
		room *= 2;
	return room;
}

/* ---- quantiles ---- */

static struct sketch_bucket *buckets_of(struct table_head *sketch)
{
	return (struct sketch_bucket *)(sketch + 1);
}

bool sketch_is_tight(const struct table_head *sketch)
{
	return sketch->n == sketch->room && sketch->room < SKETCH_ROOM_MAX;
}

static int64_t index_of(double value)
{
	int64_t index;

	if (value == 0)
		return 0;
	index = (int64_t)ceil(log(fabs(value)) / log(GAMMA)) + BIAS;
	return value < 0 ? -index : index;
}

static double value_of(int64_t index)
{
	double value;

	if (!index)
		return 0;
	value = 2 * exp((double)((index < 0 ? -index : index) - BIAS) * log(GAMMA)) / (GAMMA + 1);
	return index < 0 ? -value : value;
}

/* The first bucket that is not below the index. */
static uint32_t find(const struct sketch_bucket *buckets, uint32_t n, int64_t index)
{
	uint32_t from = 0;

	while (from < n) {
		uint32_t middle = from + (n - from) / 2;

		if (buckets[middle].index < index)
			from = middle + 1;
		else
			n = middle;
	}
	return from;
}

static void add_bucket(struct table_head *sketch, int64_t index, uint64_t n)
{
	struct sketch_bucket *buckets = buckets_of(sketch);
	uint32_t at = find(buckets, sketch->n, index);

	if (at < sketch->n && buckets[at].index == index) {
		buckets[at].n += n;
		return;
	}
	if (sketch->n == sketch->room) { /* full: the lowest two become one, which may be this one */
		if (at == 0) {
			buckets[0].n += n;
			return;
		}
		buckets[1].n += buckets[0].n;
		sketch->n--;
		at--;
		memmove(buckets, buckets + 1, sketch->n * sizeof(*buckets));
		if (at == 0) { /* it comes between the two */
			buckets[0].n += n;
			return;
		}
	}
	memmove(buckets + at + 1, buckets + at, (sketch->n - at) * sizeof(*buckets));
	buckets[at] = (struct sketch_bucket){ index, n };
	sketch->n++;
}

void sketch_add(struct table_head *sketch, double value)
{
	add_bucket(sketch, index_of(value), 1);
}

void sketch_merge(struct table_head *sketch, const struct table_head *other)
{
	const struct sketch_bucket *buckets = (const struct sketch_bucket *)(other + 1);

	for (uint32_t i = other->n; i-- > 0;) /* the highest first: they stay as they are */
		add_bucket(sketch, buckets[i].index, buckets[i].n);
}

bool sketch_quantile(const struct table_head *sketch, double share, double *ret_value)
{
	const struct sketch_bucket *buckets = (const struct sketch_bucket *)(sketch + 1);
	uint64_t all = 0, below = 0;
	double rank;

	for (uint32_t i = 0; i < sketch->n; i++)
		all += buckets[i].n;
	if (!all)
		return false;
	rank = share * (double)(all - 1);
	for (uint32_t i = 0; i < sketch->n; i++) {
		below += buckets[i].n;
		*ret_value = value_of(buckets[i].index);
		if ((double)below > rank)
			break;
	}
	return true;
}

/* ---- distinct values ---- */

static bool has_registers(const struct table_head *distinct)
{
	return distinct->n == REGISTERS_N;
}

uint32_t distinct_entries(const struct table_head *distinct)
{
	return has_registers(distinct) ? DISTINCT_ROOM_MAX : distinct->n;
}

bool distinct_is_tight(const struct table_head *distinct)
{
	return distinct->n == distinct->room && distinct->room < DISTINCT_ROOM_MAX;
}

static void register_hash(uint8_t *registers, uint64_t hash)
{
	uint32_t which = (uint32_t)(hash >> (64 - REGISTER_BITS));
	uint64_t rest = hash << REGISTER_BITS;
	uint8_t run = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - REGISTER_BITS + 1);

	if (run > registers[which])
		registers[which] = run;
}

static void turn_into_registers(struct table_head *distinct)
{
	uint8_t registers[DISTINCT_REGISTERS] = { 0 };
	const uint64_t *hashes = (const uint64_t *)(distinct + 1);

	for (uint32_t i = 0; i < distinct->n; i++)
		register_hash(registers, hashes[i]);
	memcpy(distinct + 1, registers, sizeof(registers));
	distinct->n = REGISTERS_N;
}

void distinct_add(struct table_head *distinct, uint64_t hash)
{
	uint64_t *hashes = (uint64_t *)(distinct + 1);
	uint32_t at = 0, end = distinct->n;

	if (has_registers(distinct)) {
		register_hash((uint8_t *)(distinct + 1), hash);
		return;
	}
	while (at < end) {
		uint32_t middle = at + (end - at) / 2;

		if (hashes[middle] < hash)
			at = middle + 1;
		else
			end = middle;
	}
	if (at < distinct->n && hashes[at] == hash)
		return;
	if (distinct->n == distinct->room) {
		turn_into_registers(distinct);
		register_hash((uint8_t *)(distinct + 1), hash);
		return;
	}
	memmove(hashes + at + 1, hashes + at, (distinct->n - at) * sizeof(*hashes));
	hashes[at] = hash;
	distinct->n++;
}

void distinct_merge(struct table_head *distinct, const struct table_head *other)
{
	const uint64_t *hashes = (const uint64_t *)(other + 1);
	const uint8_t *theirs = (const uint8_t *)(other + 1);
	uint8_t *registers = (uint8_t *)(distinct + 1);

	if (!has_registers(other)) {
		for (uint32_t i = 0; i < other->n; i++)
			distinct_add(distinct, hashes[i]);
		return;
	}
	if (!has_registers(distinct))
		turn_into_registers(distinct);
	for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
		if (theirs[i] > registers[i])
			registers[i] = theirs[i];
}

/* Flajolet et al. 2007; few values: by how many registers nobody has touched. 64 bits of hash need no correction for many. */
static uint64_t estimate(const uint8_t *registers)
{
	const double m = DISTINCT_REGISTERS;
	double sum = 0, raw;
	uint32_t n_empty = 0;

	for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++) {
		sum += ldexp(1, -registers[i]);
		n_empty += !registers[i];
	}
	raw = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (raw <= 2.5 * m && n_empty)
		raw = m * log(m / n_empty);
	return (uint64_t)(raw + 0.5);
}

uint64_t distinct_count(const struct table_head *distinct)
{
	return has_registers(distinct) ? estimate((const uint8_t *)(distinct + 1)) : distinct->n;
}
