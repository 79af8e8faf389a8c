/* SPDX-License-Identifier: Apache-2.0 */
/* What the spec would say of the stage in a fake host. */
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "tests/unit/worker/fake_host.h"

const struct heritage_option *fake_host_option(const struct fake_host *host, const char *name)
{
	for (uint32_t i = 0; i < host->n_options; i++)
		if (!strcmp(host->options[i].name, name))
			return &host->options[i];
	return NULL;
}

static struct heritage_option *fake_option_new(struct fake_host *host, const char *name)
{
	struct heritage_option *option = (struct heritage_option *)(uintptr_t)fake_host_option(host, name);

	if (!option) {
		must(host->n_options < FAKE_OPTIONS_MAX);
		option = &host->options[host->n_options++];
		option->name = strdup(name);
		must(option->name);
	}
	free(option->string);
	option->string = NULL;
	return option;
}

void fake_host_option_string(struct fake_host *host, const char *name, const char *value)
{
	struct heritage_option *option = fake_option_new(host, name);

	option->type = HERITAGE_STRING;
	option->string = strdup(value);
	must(option->string);
}

void fake_host_option_number(struct fake_host *host, const char *name, int64_t value)
{
	struct heritage_option *option = fake_option_new(host, name);

	option->type = HERITAGE_NUMBER;
	option->number = value;
}

void fake_host_option_list(struct fake_host *host, const char *name, const char *const *values)
{
	struct heritage_option *option = fake_option_new(host, name);

	option->type = HERITAGE_LIST;
	option->list = (char **)(uintptr_t)values;
	for (option->n_list = 0; values[option->n_list];)
		option->n_list++;
}
