/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/kind.h"

#include <string.h>

#include "common/stage/loader.h"
#include "common/stage/registry.h"
#include "worker/builtin.h"

static const char *mode_of(const struct heritage *heritage)
{
	for (uint32_t i = 0; i < heritage->n_options; i++)
		if (strcmp(heritage->options[i].name, "mode") == 0 && heritage->options[i].type == HERITAGE_STRING)
			return heritage->options[i].string;
	return NULL;
}

int kind_resolve(const struct heritage *heritage, struct weir_stage *ret_stage, struct text *why)
{
	const struct weir_stage *builtin;

	if (heritage->plugin)
		return loader_open(heritage->plugin, ret_stage, why) ? KIND_E_UNKNOWN : 0;
	builtin = builtin_find((enum weir_role)heritage->role, heritage->kind, mode_of(heritage));
	if (!builtin) {
		text_printf(why, "this weir-worker has no %s '%s'; are weir and weir-worker of the same version?",
			    stage_role_name((enum weir_role)heritage->role), heritage->kind);
		return KIND_E_UNKNOWN;
	}
	*ret_stage = *builtin;
	return 0;
}
