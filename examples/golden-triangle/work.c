/* SPDX-License-Identifier: Apache-2.0 */
/* A stage: a job "ID MILLISECONDS" comes in, its result goes out; one that takes longer than `limit` is rejected. */
#include <stdio.h>
#include <weir/budget.h>
#include <weir/stage.h>

#define NS_PER_MS 1000000u

static int work_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int work_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct weir_budget run = weir_budget_of(context),
				 budget = weir_budget_within(&run, (uint64_t)weir_option_integer(context, "limit"));
	char job[128], result[64];
	int id, ms, r;

	(void)state;
	snprintf(job, sizeof(job), "%.*s", (int)item->size_bytes, (const char *)item->data);
	if (sscanf(job, "%d %d", &id, &ms) != 2) {
		weir_reject(context, "no job: %s", job);
		return WEIR_REJECTED;
	}
	r = weir_wait(context, NULL, 0, weir_budget_within(&budget, (uint64_t)ms * NS_PER_MS).deadline_ns);
	if (r != WEIR_EXPIRED)
		return r;
	if (weir_budget_expired(&budget)) {
		weir_reject(context, "took too long");
		return WEIR_REJECTED;
	}
	r = snprintf(result, sizeof(result), "%d done in %d ms", id, ms);
	return weir_emit(context, WEIR_ALL_OUTPUTS, result, (size_t)r);
}

static const struct weir_option options[] = {
	{ .name = "limit", .type = WEIR_TYPE_DURATION, .fallback = "200ms", .summary = "for one job" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "work",
	.summary = "does jobs, each within a limit",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = work_open,
	.process = work_process,
};
WEIR_STAGE_EXPORT(stage)
