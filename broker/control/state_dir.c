/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   <base>/                 see state_dir.h
 *     <pipeline>/           0700
 *       dead-letters/       common/store/letter_store.h
 *       spec/               broker/keep/last_good.h
 *
 * Nothing is created here, so that a pipeline without dead letters leaves nothing behind, and `weir check` touches nothing.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/control/state_dir.h"
#include "common/base/cleanup.h"
#include "common/base/text.h"

/* As everywhere: a variable that is empty is not set. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* Of a list with colons, the first. Relative paths begin here: workers may change their folder. */
static void add_absolute(struct text *path, const char *first)
{
	_cleanup_(free) char *here = *first == '/' ? NULL : getcwd(NULL, 0);

	if (here)
		text_printf(path, "%s/", here);
	text_add(path, first);
}

static const char *home(void)
{
	const char *value = variable("HOME");
	const struct passwd *entry = value && *value == '/' ? NULL : getpwuid(geteuid());

	if (entry)
		value = entry->pw_dir;
	return value && *value == '/' && value[1] ? value : NULL;
}

char *state_dir_base(void)
{
	const char *wanted = variable("WEIR_STATE_DIR"), *given = variable("STATE_DIRECTORY"),
		   *xdg = variable("XDG_STATE_HOME");
	struct text path = TEXT_NULL;

	if (wanted) {
		add_absolute(&path, wanted);
	} else if (given) {
		_cleanup_(free) char *first = strndup(given, strcspn(given, ":"));

		add_absolute(&path, first ? first : given);
	} else if (geteuid() == 0) {
		text_add(&path, "/var/lib/weir");
	} else if (xdg && *xdg == '/') {
		text_printf(&path, "%s/weir", xdg);
	} else if (home()) {
		text_printf(&path, "%s/.local/state/weir", home());
	} else {
		text_printf(&path, "/var/tmp/weir-%u", (unsigned)geteuid());
	}
	while (path.length > 1 && path.data[path.length - 1] == '/')
		path.data[--path.length] = '\0';
	return text_steal(&path);
}

/* What is called `name` in the folder of that pipeline. */
static char *of_pipeline(const char *pipeline, const char *name)
{
	_cleanup_(free) char *base = state_dir_base();
	struct text path = TEXT_NULL;

	text_printf(&path, "%s/%s/%s", base, pipeline, name);
	return text_steal(&path);
}

char *state_dir_dead_letters(const char *pipeline)
{
	return of_pipeline(pipeline, "dead-letters");
}

char *state_dir_keyed_state(const char *pipeline)
{
	return of_pipeline(pipeline, "state");
}

char *state_dir_positions(const char *pipeline)
{
	return of_pipeline(pipeline, "positions");
}

char *state_dir_last_good(const char *pipeline)
{
	return of_pipeline(pipeline, "spec");
}

char *state_dir_history(const char *pipeline)
{
	return of_pipeline(pipeline, "history");
}
