/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/scope/cause.h"

const struct cause_line cause_lines[] = {
#define CAUSE(id_, name_, summary_) [CAUSE_##id_] = { name_, summary_ },
#include "common/scope/cause.def"
#undef CAUSE
};

const char *cause_name(unsigned cause)
{
	return cause < CAUSE_COUNT ? cause_lines[cause].name : "?";
}

int cause_find(const char *name)
{
	for (int i = 0; i < CAUSE_COUNT; i++)
		if (strcmp(cause_lines[i].name, name) == 0)
			return i;
	return -1;
}
