/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_group.h"

#include <string.h>

#include "common/base/must.h"
#include "tests/unit/worker/fake_host.h"

static struct fake_host *host_of(const struct weir_context *context)
{
	return (struct fake_host *)(uintptr_t)context;
}

int fake_group_begin(struct weir_context *context)
{
	struct fake_host *host = host_of(context);

	must(host->producing && !host->in_group);
	host->in_group = true;
	host->fault[0] = '\0';
	host->group_tail = host->tail;
	host->group_items = host->n_items;
	host->group_room = host->room;
	return 0;
}

int fake_group_end(struct weir_context *context)
{
	must(host_of(context)->in_group);
	host_of(context)->in_group = false;
	return 0;
}

void fake_group_drop(struct weir_context *context)
{
	struct fake_host *host = host_of(context);

	if (!host->in_group)
		return;
	host->in_group = false;
	host->tail = host->group_tail;
	host->n_items = host->group_items;
	host->room = host->group_room;
}

const char *fake_group_fault(const struct weir_context *context)
{
	const struct fake_host *host = host_of(context);

	return host->in_group && host->fault[0] ? host->fault : NULL;
}
