/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/processors.h"

#include <errno.h>
#include <stdlib.h>

/* One number that such a set can have; NULL: it is none. Returns what follows. */
static const char *read_number(const char *word, unsigned long *ret_number)
{
	char *end;

	if (*word < '0' || *word > '9')
		return NULL;
	errno = 0;
	*ret_number = strtoul(word, &end, 10);
	return errno || *ret_number >= CPU_SETSIZE ? NULL : end;
}

int processors_parse(const char *words, cpu_set_t *set)
{
	unsigned long first, last;

	for (const char *at = words;; at++) {
		at = read_number(at, &first);
		last = first;
		if (at && *at == '-')
			at = read_number(at + 1, &last);
		if (!at || last < first || (*at && *at != ','))
			return PROCESSORS_E_BAD;
		for (unsigned long i = first; i <= last; i++)
			CPU_SET(i, set);
		if (!*at)
			return 0;
	}
}

void processors_format(const cpu_set_t *set, struct text *text)
{
	for (unsigned i = 0, last; i < CPU_SETSIZE; i = last + 1) {
		last = i;
		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		text_printf(text, text->length ? ",%u" : "%u", i);
		if (last > i)
			text_printf(text, "-%u", last);
	}
}
