/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/spec/program.h"

enum found { FOUND_NOTHING, FOUND_NO_PROGRAM, FOUND };

static enum found look(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return FOUND_NOTHING;
	return S_ISREG(status.st_mode) && access(path, X_OK) == 0 ? FOUND : FOUND_NO_PROGRAM;
}

static int check_path(const char *name, struct text *why)
{
	struct stat status;

	switch (look(name)) {
	case FOUND:
		return 0;
	case FOUND_NOTHING:
		text_printf(why, "there is no program '%s'", name);
		return PROGRAM_E_MISSING;
	default:
		if (stat(name, &status) == 0 && S_ISREG(status.st_mode))
			text_printf(why, "'%s' may not be executed: chmod +x it, or name its interpreter first", name);
		else
			text_printf(why, "'%s' is no program", name);
		return PROGRAM_E_MISSING;
	}
}

int program_check(const char *name, struct text *why)
{
	const char *path = getenv("PATH");
	_cleanup_(text_deinit) struct text candidate = TEXT_NULL;

	if (strchr(name, '/'))
		return check_path(name, why);
	if (!path)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (const char *at = path;; at++) {
		size_t n = strcspn(at, ":");

		text_clear(&candidate);
		text_printf(&candidate, "%.*s/%s", n ? (int)n : 1, n ? at : ".", name);
		if (look(text_get(&candidate)) == FOUND)
			return 0;
		at += n;
		if (!*at)
			break;
	}
	text_printf(why, "there is no program '%s' in PATH", name);
	return PROGRAM_E_MISSING;
}
