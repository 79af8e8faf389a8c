/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_rates.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/must.h"

/* passed_s 0: nothing to compare with. A number that shrinks is another run's, of which no speed is known. */
static void speed_update(struct top_speed *speed, uint64_t items, double passed_s)
{
	speed->per_second = speed->known && passed_s > 0 && items >= speed->items ?
				    (double)(items - speed->items) / passed_s :
				    TOP_UNKNOWN;
	speed->known = true;
	speed->items = items;
}

static void make_room(struct top_rates *rates, const struct view *view)
{
	uint32_t n = rates->n_slots;

	for (uint32_t i = 0; i < view->n_stages; i++)
		for (uint32_t w = 0; w < view->stages[i].n_workers; w++)
			if (view->stages[i].workers[w].slot >= n)
				n = view->stages[i].workers[w].slot + 1;
	if (n == rates->n_slots)
		return;
	rates->slots = reallocarray(rates->slots, n, sizeof(*rates->slots));
	must(rates->slots);
	memset(rates->slots + rates->n_slots, 0, (n - rates->n_slots) * sizeof(*rates->slots));
	rates->n_slots = n;
}

static uint64_t items_of(const struct view_stage *stage, const struct view_worker *worker)
{
	return worker->ledger[strcmp(stage->role, "source") == 0 ? LEDGER_ACCEPTED : LEDGER_TAKEN];
}

void top_rates_update(struct top_rates *rates, const struct view *view, uint64_t now_ns)
{
	if (rates->last_ns && now_ns <= rates->last_ns)
		return;
	rates->passed_s = rates->last_ns ? (double)(now_ns - rates->last_ns) / (double)NS_PER_S : 0;
	rates->last_ns = now_ns;
	make_room(rates, view);
	for (uint32_t i = 0; i < view->n_stages; i++)
		for (uint32_t w = 0; w < view->stages[i].n_workers; w++) {
			const struct view_worker *worker = &view->stages[i].workers[w];

			speed_update(&rates->slots[worker->slot], items_of(&view->stages[i], worker), rates->passed_s);
		}
	speed_update(&rates->accepted, view->ledger[LEDGER_ACCEPTED], rates->passed_s);
	speed_update(&rates->delivered, view->ledger[LEDGER_DELIVERED], rates->passed_s);
}

void top_rates_deinit(struct top_rates *rates)
{
	free(rates->slots);
	top_latencies_deinit(&rates->latencies);
	*rates = (struct top_rates)TOP_RATES_NULL;
}

double top_rates_worker(const struct top_rates *rates, const struct view_worker *worker)
{
	return worker->slot < rates->n_slots && rates->slots[worker->slot].known ?
		       rates->slots[worker->slot].per_second :
		       TOP_UNKNOWN;
}

double top_rates_stage(const struct top_rates *rates, const struct view_stage *stage)
{
	double sum = TOP_UNKNOWN;

	for (uint32_t i = 0; i < stage->n_workers; i++) {
		double speed = top_rates_worker(rates, &stage->workers[i]);

		if (speed >= 0)
			sum = sum < 0 ? speed : sum + speed;
	}
	return sum;
}
