/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char unescape(const char **at)
{
	char hex[3] = { 0 };

	switch (*(*at)++) {
	case 'x':
		hex[0] = (*at)[0];
		hex[1] = (*at)[1];
		*at += 2;
		return (char)strtol(hex, NULL, 16);
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return (*at)[-1]; /* a backslash, or the bar of a table */
	}
}

/* Behind the bar that opens the cell. Returns what follows its closing bar; NULL: there is no such cell. */
static const char *read_cell(const char *at, struct document_cell *ret)
{
	char *to = ret->data;

	while (*at == ' ')
		at++;
	if (*at != '`')
		return NULL;
	for (at++; *at && *at != '`';) {
		assert_true(to < ret->data + sizeof(ret->data) - 1);
		if (*at == '\\') {
			at++;
			*to++ = unescape(&at);
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
	ret->size_bytes = (size_t)(to - ret->data);
	at = strchr(at, '|');
	return at ? at + 1 : NULL;
}

unsigned document_rows_of(const char *document, const char *heading, void (*row)(const struct document_cell *cells))
{
	FILE *file = fopen(document, "r");
	char line[2048], wanted[128];
	bool in_section = false, found = false;
	unsigned n = 0;

	assert_non_null(file);
	snprintf(wanted, sizeof(wanted), "### %s\n", heading);
	while (fgets(line, sizeof(line), file)) {
		struct document_cell cells[DOCUMENT_CELLS_MAX] = { 0 };
		const char *at = line + 1;

		if (line[0] == '#')
			in_section = strcmp(line, wanted) == 0;
		found = found || in_section;
		if (!in_section || line[0] != '|')
			continue;
		for (unsigned i = 0; at && i < DOCUMENT_CELLS_MAX; i++)
			at = read_cell(at, &cells[i]);
		if (line[1] == ' ' && line[2] == '`') {
			row(cells);
			n++;
		}
	}
	fclose(file);
	if (!found)
		fail_msg("%s has no '### %s'", document, heading);
	return n;
}
