/* SPDX-License-Identifier: Apache-2.0 */
/* Where ${cred:NAME} may stand: worker/credentials.h puts the secret in, and only into what nobody else can see. */
#include <string.h>

#include "broker/spec/reading.h"

#define OPENING "${cred:"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

/* Whether each one that is opened has a name and is closed. */
static bool is_sound(const char *string)
{
	while ((string = strstr(string, OPENING))) {
		size_t n;

		string += strlen(OPENING);
		n = strspn(string, NAME_CHARACTERS);
		if (!n || string[0] == '.' || string[n] != '}')
			return false;
	}
	return true;
}

static bool has_one(const struct heritage_option *option)
{
	for (uint32_t i = 0; option->type == HERITAGE_LIST && i < option->n_list; i++)
		if (strstr(option->list[i], OPENING))
			return true;
	return false;
}

void reading_credential_rules(struct reading *reading, uint32_t index)
{
	const struct plan_stage *planned = &reading->plan->stages[index];

	for (uint32_t i = 0; i < planned->n_options; i++) {
		const struct heritage_option *option = &planned->options[i];
		struct spec_position position = { option->line, option->column };

		if (has_one(option))
			reading_error(
				reading, position, "env: [CREDENTIALS_DIRECTORY] lets the program read the file itself",
				"%s: a credential can't stand here: everybody on the host may see how a program is called",
				option->name);
		else if (option->type == HERITAGE_STRING && option->string && !is_sound(option->string))
			reading_error(
				reading, position, NULL,
				"%s: a credential is ${cred:NAME}, with letters, digits, '_', '-' and '.' in the name",
				option->name);
	}
}
