/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of windows share: a window operator in the bottle, items, and what has left it. */
#pragma once

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"

struct window_setting {
	const char *const *aggregates; /* pairs, and a NULL */
	uint64_t size_s, slide_s, gap_s, lateness_s, idle_s;
	const char *key, *late, *without;
	bool no_time;
};

/* { n: count, sum: sum(.v) } */
extern const char *const windows_count_and_sum[5];

/* Opens it; fake_host_deinit() is due. */
void windows_begin(struct fake_host *host, const struct window_setting *setting);
/* What the runtime does when it is asked for produce(), as long as there is more. */
void windows_produce(struct fake_host *host);
/* An item, and what it makes leave. Returns what process() says. */
int windows_give(struct fake_host *host, const char *text);
/* The end of all input: everything leaves. */
void windows_end(struct fake_host *host);
/* This has left, a line each. */
void windows_assert_left(const struct fake_host *host, const char *wanted);
