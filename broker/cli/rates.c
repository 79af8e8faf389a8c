/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "broker/cli/rates.h"
#include "common/base/clock.h"
#include "common/base/must.h"

#define SMOOTHING_S 2.0 /* after so long a new speed counts half */
#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define LEFT_MAX_S (100.0 * 3600) /* beyond it a forecast is no use */

uint64_t view_stage_items(const struct view_stage *stage)
{
	return strcmp(stage->role, "source") == 0 ? stage->ledger[LEDGER_ACCEPTED] : stage->ledger[LEDGER_TAKEN];
}

double view_fraction(const struct view *view)
{
	double sum = 0;
	unsigned n = 0;

	for (uint32_t i = 0; i < view->n_stages; i++) {
		const struct view_stage *stage = &view->stages[i];

		if (strcmp(stage->role, "source") != 0)
			continue;
		if (!stage->progress_total)
			return -1;
		/* A file may have grown since its size was asked. */
		sum += stage->progress_position < stage->progress_total ?
			       (double)stage->progress_position / (double)stage->progress_total :
			       1.0;
		n++;
	}
	return n ? sum / n : -1;
}

void rate_update(struct rate *rate, double value, double passed_s)
{
	double now = (value - rate->last) / passed_s;
	double memory_s = rate->age_s < SMOOTHING_S ? rate->age_s : SMOOTHING_S;

	/* A number that shrinks (another generation's progress) is no speed. */
	if (now < 0)
		now = 0;
	rate->per_second += passed_s / (memory_s + passed_s) * (now - rate->per_second);
	rate->age_s += passed_s;
	rate->last = value;
}

void rates_update(struct rates *rates, const struct view *view)
{
	double fraction = view_fraction(view), passed_s;

	if (!rates->stages) {
		rates->n_stages = view->n_stages;
		rates->stages = calloc(view->n_stages ? view->n_stages : 1, sizeof(*rates->stages));
		must(rates->stages);
	}
	must(rates->n_stages == view->n_stages);
	/* Counting begins when everybody is ready, and at zero. */
	if (!rates->last_ns)
		rates->last_ns = view->started_ns && view->started_ns < view->now_ns ? view->started_ns : view->now_ns;
	if (view->now_ns < rates->last_ns + INTERVAL_MIN_NS)
		return;
	passed_s = (double)(view->now_ns - rates->last_ns) / (double)NS_PER_S;
	for (uint32_t i = 0; i < view->n_stages; i++)
		rate_update(&rates->stages[i], (double)view_stage_items(&view->stages[i]), passed_s);
	rate_update(&rates->accepted, (double)view->ledger[LEDGER_ACCEPTED], passed_s);
	rate_update(&rates->delivered, (double)view->ledger[LEDGER_DELIVERED], passed_s);
	if (fraction >= 0)
		rate_update(&rates->fraction, fraction, passed_s);
	rates->last_ns = view->now_ns;
}

void rates_deinit(struct rates *rates)
{
	free(rates->stages);
	*rates = (struct rates)RATES_NULL;
}

uint64_t rates_left_ns(const struct rates *rates, const struct view *view)
{
	double fraction = view_fraction(view), left_s;

	if (fraction < 0 || rates->fraction.age_s <= 0 || rates->fraction.per_second <= 0)
		return UINT64_MAX;
	left_s = (1.0 - fraction) / rates->fraction.per_second;
	return left_s < LEFT_MAX_S ? (uint64_t)(left_s * (double)NS_PER_S) : UINT64_MAX;
}
