/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles within 1 %, distinct values exactly or within the error that is stated, and that what is merged is as if it had been one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/operators/sketch.h"

static struct table_head *make(size_t bytes, uint32_t room)
{
	struct table_head *head = calloc(1, bytes);

	assert_non_null(head);
	head->room = room;
	return head;
}

static struct table_head *make_sketch(void)
{
	return make(sketch_bytes(SKETCH_ROOM_MAX), SKETCH_ROOM_MAX);
}

static struct table_head *make_distinct(void)
{
	return make(distinct_bytes(DISTINCT_ROOM_MAX), DISTINCT_ROOM_MAX);
}

static int by_size(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

#define N 20000

static void fill(double *values, unsigned kind)
{
	srand(kind);
	for (unsigned i = 0; i < N; i++) {
		double at = rand() / (double)RAND_MAX;

		values[i] = kind == 0 ? at * 1000 - 500 :
			    kind == 1 ? exp(at * 18 - 9) : /* eight decades */
			    kind == 2 ? floor(at * 20) :
					-exp(at * 10);
	}
}

static void test_quantiles(void **state)
{
	static const double shares[] = { 0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };
	static double values[N];

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		struct table_head *sketch = make_sketch(), *half = make_sketch(), *other = make_sketch();

		fill(values, kind);
		for (unsigned i = 0; i < N; i++) {
			sketch_add(sketch, values[i]);
			sketch_add(i % 3 ? half : other, values[i]);
		}
		sketch_merge(half, other);
		assert_memory_equal(half, sketch, sketch_bytes(sketch->n));
		qsort(values, N, sizeof(*values), by_size);
		for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
			double exact = values[(unsigned)floor(shares[i] * (N - 1))], value;

			assert_true(sketch_quantile(sketch, shares[i], &value));
			assert_true(fabs(value - exact) <= fabs(exact) * 0.010001);
		}
		free(sketch);
		free(half);
		free(other);
	}
}

static void test_any_double_has_a_bucket(void **state)
{
	static const double values[] = { -1.7976931348623157e308, -1, -5e-324, 0, 5e-324, 1e-300, 1,
					 1.7976931348623157e308 };
	struct table_head *sketch = make_sketch();
	double value;

	(void)state;
	assert_false(sketch_quantile(sketch, 0.5, &value));
	for (unsigned i = 0; i < 8; i++)
		sketch_add(sketch, values[i]);
	assert_int_equal(sketch->n, 8);
	for (unsigned i = 1; i < 7; i++) { /* what is left of the largest of all may be infinite */
		assert_true(sketch_quantile(sketch, i / 7.0, &value));
		if (fabs(values[i]) > 1e-320)
			assert_true(fabs(value - values[i]) <= fabs(values[i]) * 0.010001);
	}
	free(sketch);
}

/* More buckets than there is room for: the lowest lose their precision, the highest keep theirs, and none is lost. */
static void test_a_full_sketch(void **state)
{
	struct table_head *sketch = make_sketch();
	uint64_t all = 0;
	double value;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		sketch_add(sketch, exp((double)((i * 7919) % 5000) / 50 - 50));
	assert_int_equal(sketch->n, SKETCH_ROOM_MAX);
	assert_false(sketch_is_tight(sketch));
	for (uint32_t i = 0; i < sketch->n; i++) {
		const struct sketch_bucket *buckets = (const struct sketch_bucket *)(sketch + 1);

		all += buckets[i].n;
		assert_true(!i || buckets[i].index > buckets[i - 1].index);
	}
	assert_int_equal(all, 5000);
	assert_true(sketch_quantile(sketch, 0.9, &value));
	assert_true(fabs(value - exp(40)) <= exp(40) * 0.03);
	free(sketch);
}

static uint64_t hash_of(uint64_t n) /* SplitMix64 */
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
	return n ^ (n >> 31);
}

static void test_distinct(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 1000000; n *= 10) {
		struct table_head *distinct = make_distinct(), *half = make_distinct(), *other = make_distinct();
		double count;

		for (uint64_t i = 0; i < 2 * n; i++) {
			distinct_add(distinct, hash_of(i % n));
			distinct_add(i % 7 ? half : other, hash_of(i % n));
		}
		distinct_merge(half, other);
		assert_int_equal(distinct_count(half), distinct_count(distinct));
		count = (double)distinct_count(distinct);
		assert_true(n <= 512 ? count == (double)n :
				       fabs(count - (double)n) < (double)n * 0.065); /* four sigma */
		free(distinct);
		free(half);
		free(other);
	}
}

static void test_up_to_the_bound_it_is_exact(void **state)
{
	struct table_head *distinct = make_distinct();

	(void)state;
	for (uint64_t i = 0; i < 512; i++)
		distinct_add(distinct, hash_of(i));
	assert_int_equal(distinct_count(distinct), 512);
	distinct_add(distinct, hash_of(5));
	assert_int_equal(distinct_count(distinct), 512);
	distinct_add(distinct, hash_of(600));
	assert_true(distinct_count(distinct) > 480 && distinct_count(distinct) < 546);
	assert_int_equal(distinct_entries(distinct), DISTINCT_ROOM_MAX);
	free(distinct);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_any_double_has_a_bucket),
		cmocka_unit_test(test_a_full_sketch),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_up_to_the_bound_it_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
