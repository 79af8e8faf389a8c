/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/record_option.h"

#include <string.h>

enum record_format record_option_format(const char *word)
{
	static const char *const words[] = { "raw", "json", "csv", "msgpack", "text" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum record_format)i;
	return RECORD_RAW;
}

char record_option_separator(const struct weir_context *context, const char *name)
{
	const char *separator = weir_option_string(context, name);

	return separator && *separator ? *separator : ',';
}

bool record_option_columns(const struct weir_context *context, const char *name, struct csv_names *names)
{
	const char *const *columns = weir_option_list(context, name);

	for (; columns && *columns; columns++)
		(void)csv_names_add(names, *columns, strlen(*columns));
	return names->n;
}
