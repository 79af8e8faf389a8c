/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/operators/windows.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "worker/builtin.h"

const char *const windows_count_and_sum[5] = { "n", "count", "sum", "sum(.v)", NULL };

void windows_begin(struct fake_host *host, const struct window_setting *setting)
{
	const struct {
		const char *name;
		uint64_t s;
	} times[] = { { "size", setting->size_s },
		      { "slide", setting->slide_s },
		      { "gap", setting->gap_s },
		      { "lateness", setting->lateness_s },
		      { "idle", setting->idle_s } };

	fake_host_init(host, &window_operator_callbacks);
	fake_host_option_list(host, "aggregates", setting->aggregates);
	for (unsigned i = 0; i < 5; i++)
		if (times[i].s)
			fake_host_option_number(host, times[i].name, (int64_t)(times[i].s * NS_PER_S));
	if (!setting->no_time)
		fake_host_option_string(host, "time", ".t");
	if (setting->key)
		fake_host_option_string(host, "key", setting->key);
	fake_host_option_string(host, "unit", "s");
	fake_host_option_string(host, "late", setting->late ? setting->late : "reject");
	fake_host_option_string(host, "without", setting->without ? setting->without : "reject");
	fake_host_option_string(host, "emits", "same");
	host->now_ns = 1000 * NS_PER_S;
	assert_int_equal(fake_host_open(host), 0);
}

void windows_produce(struct fake_host *host)
{
	int r;

	host->produce_wanted = false;
	do {
		r = fake_host_produce(host);
		assert_true(r == 0 || r == WEIR_MORE);
		assert_int_equal(fake_host_turn_end(host), 0);
	} while (r == WEIR_MORE);
}

int windows_give(struct fake_host *host, const char *text)
{
	int r = fake_host_process_item(host, text, strlen(text));

	if (host->produce_wanted)
		windows_produce(host);
	return r;
}

void windows_end(struct fake_host *host)
{
	int r = fake_host_finish(host);

	assert_int_equal(fake_host_turn_end(host), 0);
	if (r == WEIR_MORE)
		windows_produce(host);
	else
		assert_int_equal(r, 0);
	assert_int_equal(fake_host_finish(host), 0);
}

void windows_assert_left(const struct fake_host *host, const char *wanted)
{
	size_t size;
	char *text = fake_host_text(host, &size);

	assert_string_equal(text, wanted);
	free(text);
}
