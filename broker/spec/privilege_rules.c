/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers give up every capability but those that what they are told to do cannot go without. Where weir is not root it has none, and
 * this says nothing.
 */
#include <linux/capability.h>
#include <string.h>

#include "broker/spec/reading.h"
#include "common/base/privileges.h"

static const struct {
	const char *option;
	uint64_t capabilities;
} needs[] = {
	/* to become the user, and to end what runs as him */
	{ "user", PRIVILEGE(CAP_SETUID) | PRIVILEGE(CAP_SETGID) | PRIVILEGE(CAP_KILL) },
	{ "limits", PRIVILEGE(CAP_SYS_RESOURCE) },
	{ "listen", PRIVILEGE(CAP_NET_BIND_SERVICE) }, /* at a port below 1024 */
	{ "bind", PRIVILEGE(CAP_NET_BIND_SERVICE) },
};

void reading_privilege_rules(struct reading *reading, uint32_t index)
{
	struct plan_stage *planned = &reading->plan->stages[index];
	const struct heritage_option *nice = plan_option(planned, "nice");

	if (planned->plugin)
		return;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		const struct heritage_option *option = plan_option(planned, needs[i].option);

		if (option && (option->string || option->n_list))
			planned->capabilities |= needs[i].capabilities;
	}
	if (nice && nice->number < 0)
		planned->capabilities |= PRIVILEGE(CAP_SYS_NICE);
}
