/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/operators/gathers.h"

#include <string.h>

#include "common/base/clock.h"
#include "worker/builtin.h"
#include "worker/operators/mark.h"

void gather_begin(struct fake_host *host, const char *partial, const char *late, int64_t n_open)
{
	fake_host_init(host, &gather_operator_callbacks);
	fake_host_option_string(host, "scatter", "split");
	fake_host_option_number(host, "within", WITHIN_NS);
	fake_host_option_string(host, "since", "scatter");
	fake_host_option_string(host, "partial", partial);
	fake_host_option_string(host, "late", late);
	fake_host_option_number(host, "open", n_open);
	fake_host_option_string(host, "emits", "text");
	host->input_names[0] = "split";
	host->input_names[1] = "a";
	host->input_names[2] = "b";
	host->pair_key = "weir.split";
	host->pair_bytes = sizeof(struct mark);
	host->now_ns = START_NS;
}

void gather_set_mark(struct fake_host *host, uint64_t number, uint64_t stamp_ns)
{
	const struct mark mark = { .run = 1, .number = number, .stamp_ns = stamp_ns };

	memcpy(host->pair, &mark, sizeof(mark));
}

int gather_answer(struct fake_host *host, uint64_t number, uint32_t input, const char *text)
{
	gather_set_mark(host, number, START_NS);
	host->input = input;
	return fake_host_process_item(host, text, strlen(text));
}

void gather_pass_time(struct fake_host *host, uint64_t ms)
{
	host->now_ns += ms * NS_PER_MS;
	if (!host->watch_wake_ns || host->watch_wake_ns > host->now_ns)
		return;
	host->watch_wake_ns = 0;
	while (fake_host_produce(host) == WEIR_MORE)
		fake_host_turn_end(host);
	fake_host_turn_end(host);
}
