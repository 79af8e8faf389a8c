/* SPDX-License-Identifier: Apache-2.0 */
/* Stages that somebody outside has named. One that there is not is refused here, with those that there are, whatever was wanted of it. */
#include <string.h>

#include "broker/supervise/supervisor_priv.h"

/* {"error": "there is no stage 'prise'; there are read, price", "stages": ["read", "price"]} */
static void list_stages(const struct plan *plan, const char *name, struct text *body)
{
	_cleanup_(text_deinit) struct text error = TEXT_NULL;

	text_printf(&error, "there is no stage '%s'; there are ", name);
	for (uint32_t i = 0; i < plan->n_stages; i++)
		text_printf(&error, "%s%s", i ? ", " : "", plan->stages[i].name);
	text_add(body, "{\"error\":");
	text_add_json(body, text_get(&error), error.length);
	text_add(body, ",\"stages\":[");
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		text_add(body, i ? "," : "");
		text_add_json(body, plan->stages[i].name, strlen(plan->stages[i].name));
	}
	text_add(body, "]}");
}

bool supervisor_has_stage(const struct supervisor *supervisor, const char *name, struct text *body)
{
	uint32_t number;
	bool known = plan_find_stage(supervisor->plan, name, &number) != NULL;

	if (!known)
		list_stages(supervisor->plan, name, body);
	return known;
}
