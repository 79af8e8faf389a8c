/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_identity.h"

#include "tests/unit/worker/fake_host.h"

const char *fake_pipeline_name(const struct weir_context *context)
{
	(void)context;
	return "bottle";
}

uint64_t fake_run(const struct weir_context *context)
{
	return ((const struct fake_host *)context)->run;
}

const char *fake_run_folder(const struct weir_context *context)
{
	return ((const struct fake_host *)context)->run_folder;
}

int fake_identify(const struct weir_context *context, struct weir_identity *ret_identity)
{
	const struct fake_host *host = (const struct fake_host *)context;

	*ret_identity =
		(struct weir_identity){ .run = host->run, .sequence = host->n_taken - 1, .producer = host->producer };
	return WEIR_OK;
}
