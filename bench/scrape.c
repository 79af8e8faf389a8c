/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scrape of a large pipeline costs the console: 64 stages of 64 workers, a quarter of a million lanes, made by hand and without
 * processes. Reads all segments and writes the text. Prints one line of JSON: the first scrape, which faults every page in, and the
 * median of the others. --count is how many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "broker/observe/observer.h"
#include "common/base/clock.h"
#include "console/exposition.h"
#include "tests/unit/broker/observe/exhibition.h"

#define STAGES 64u
#define WORKERS 64u
#define COUNT_MAX 1000u

static uint64_t scrape_ns(const struct observer *observer)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	uint64_t begun_ns = clock_now_ns();

	exposition_of_segments(observer, "", &text);
	return clock_now_ns() - begun_ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static unsigned count_of(int argc, char **argv)
{
	unsigned long n = argc == 3 && strcmp(argv[1], "--count") == 0 ? strtoul(argv[2], NULL, 10) : 0;

	return n < 1 || n > COUNT_MAX ? 20 : (unsigned)n;
}

int main(int argc, char **argv)
{
	struct text why = TEXT_NULL;
	static struct exhibition shown;
	static uint64_t took_ns[COUNT_MAX];
	struct observer *observer;
	struct rlimit limit;
	unsigned n = count_of(argc, argv);
	uint64_t first_ns;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	exhibition_init(&shown, STAGES, WORKERS);
	exhibition_open(&shown);
	if (observer_open(shown.dir.path, EXHIBITION_BOUND_NS, &observer, &why) != 0) {
		fprintf(stderr, "scrape: %s\n", text_get(&why));
		return 1;
	}
	first_ns = scrape_ns(observer);
	for (unsigned i = 0; i < n; i++)
		took_ns[i] = scrape_ns(observer);
	qsort(took_ns, n, sizeof(took_ns[0]), compare);
	printf("{\"first_ms\": %.3f, \"median_ms\": %.3f}\n", (double)first_ns / NS_PER_MS,
	       (double)took_ns[n / 2] / NS_PER_MS);
	observer_close(observer);
	exhibition_deinit(&shown);
	return 0;
}
