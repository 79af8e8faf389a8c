/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin is refused with a sentence, never with a crash: the file is looked at before it is mapped, the descriptor before it is used.
 * ABI and size come first in struct weir_stage and stay there in every version, so they can be read from any.
 */
#include "common/stage/loader.h"

#include <dlfcn.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/stage/trust.h"

typedef const struct weir_stage *(*entry_function)(void);

/* What was added at the end since counts as not given. */
#define STAGE_SIZE_MIN offsetof(struct weir_stage, run)

#define BY_DESCRIPTOR "/proc/self/fd/"

/*
 * Through the folder that was looked at, so that it is the file in there that is loaded whatever becomes of the path, and $ORIGIN leads to
 * its neighbours. The folder stays open as long as the code is there: some look for their neighbours later.
 */
static void *load(struct trusted_file *file, struct text *why)
{
	_cleanup_(text_deinit) struct text by_folder = TEXT_NULL;
	const char *said;
	void *object;

	text_printf(&by_folder, BY_DESCRIPTOR "%d/%s", file->folder_fd, file->name);
	object = dlopen(text_get(&by_folder), RTLD_NOW | RTLD_LOCAL);
	if (object) {
		(void)steal_fd(&file->folder_fd);
		return object;
	}
	said = dlerror();
	if (strncmp(said, BY_DESCRIPTOR, strlen(BY_DESCRIPTOR)) == 0)
		said += strlen(BY_DESCRIPTOR) + strspn(said + strlen(BY_DESCRIPTOR), "0123456789") + 1;
	text_add(why, said);
	return NULL;
}

/* Returns what dlopen() gave; NULL and the sentence. */
static void *open_object(const char *path, struct text *why)
{
	_cleanup_(trusted_file_deinit) struct trusted_file file = TRUSTED_FILE_NULL;
	_cleanup_(text_deinit) struct text said = TEXT_NULL;
	void *object;

	if (path[0] != '/') {
		text_printf(why, "plugin %s: the path must be absolute", path);
		return NULL;
	}
	if (trusted_file_open("plugin", path, &file, why) != 0)
		return NULL;
	object = load(&file, &said);
	if (!object)
		text_printf(why, "plugin %s can't be loaded: %s", path, text_get(&said));
	return object;
}

static int check_abi(const char *path, const struct weir_stage *stage, struct text *why)
{
	if (!stage)
		text_printf(why, "plugin %s: " WEIR_STAGE_SYMBOL "() returned nothing; it must return the stage", path);
	else if (stage->abi != WEIR_STAGE_ABI)
		text_printf(why,
			    "plugin %s has stage ABI %u, but this weir has %u; build it against this weir's headers",
			    path, stage->abi, WEIR_STAGE_ABI);
	else if (stage->size_bytes < STAGE_SIZE_MIN || stage->size_bytes > sizeof(*stage))
		text_printf(
			why,
			"plugin %s says its struct weir_stage has %u bytes, but this weir's has %zu; set .size_bytes = sizeof(struct "
			"weir_stage) and build it against this weir's headers",
			path, stage->size_bytes, sizeof(*stage));
	else
		return 0;
	return LOADER_E_REFUSED;
}

/* The first thing that a stage must have and this one lacks; NULL: all there. */
static const char *find_missing(const struct weir_stage *stage)
{
	if (!stage->name || !*stage->name)
		return "a name";
	if (stage->role != WEIR_SOURCE && stage->role != WEIR_OPERATOR && stage->role != WEIR_SINK)
		return "a role (WEIR_SOURCE, WEIR_OPERATOR or WEIR_SINK)";
	if (!stage->open)
		return "an open() callback";
	if (stage->role == WEIR_SOURCE && !stage->produce && !stage->run)
		return "a produce() callback, which a source needs, or run() instead";
	if (stage->role != WEIR_SOURCE && !stage->process && !stage->run)
		return "a process() callback, which operators and sinks need, or run() instead";
	if (stage->n_options && !stage->options)
		return "the options that n_options counts";
	return NULL;
}

/* A callback that nobody would ever call beside run(); NULL: none. */
static const char *find_senseless(const struct weir_stage *stage)
{
	if (!stage->run)
		return NULL;
	return stage->process ? "process" :
	       stage->produce ? "produce" :
	       stage->end_run ? "end_run" :
	       stage->finish  ? "finish" :
				NULL;
}

static int check_stage(const char *path, const struct weir_stage *stage, struct text *why)
{
	const char *missing = find_missing(stage), *senseless = find_senseless(stage);

	if (missing)
		text_printf(why, "plugin %s lacks %s; see weir/stage.h", path, missing);
	else if (senseless)
		text_printf(
			why,
			"plugin %s: its stage '%s' has run() and %s(), which would never be called; leave one of the two out",
			path, stage->name, senseless);
	else if (stage->cursor_size_bytes > WEIR_CURSOR_SIZE_MAX)
		text_printf(why, "plugin %s wants a cursor of %u bytes, and %u are the most; keep more in a spool",
			    path, stage->cursor_size_bytes, WEIR_CURSOR_SIZE_MAX);
	else if (stage->n_spools > WEIR_SPOOLS_MAX)
		text_printf(why, "plugin %s wants %u spools, and %u are the most", path, stage->n_spools,
			    WEIR_SPOOLS_MAX);
	else if (stage->flags & ~WEIR_STAGE_FLAGS)
		text_printf(why,
			    "plugin %s has flags %#x, and this weir knows %#x; build it against this weir's headers",
			    path, stage->flags, WEIR_STAGE_FLAGS);
	else if (stage->flags & WEIR_STAGE_CHECKS && !stage->check)
		text_printf(why, "plugin %s says WEIR_STAGE_CHECKS, and has no check(); see weir/stage.h", path);
	else
		return 0;
	return LOADER_E_REFUSED;
}

int loader_open(const char *path, struct weir_stage *ret_stage, struct text *why)
{
	struct weir_stage stage = { 0 };
	const struct weir_stage *exported;
	entry_function entry;
	void *object = open_object(path, why);
	int r;

	if (!object)
		return LOADER_E_REFUSED;
	*(void **)&entry =
		dlsym(object, WEIR_STAGE_SYMBOL); /* POSIX's way from an object pointer to a function pointer */
	if (!entry) {
		text_printf(why,
			    "plugin %s does not export %s(); write WEIR_STAGE_EXPORT(your_stage) in one of its sources",
			    path, WEIR_STAGE_SYMBOL);
		dlclose(object);
		return LOADER_E_REFUSED;
	}
	exported = entry();
	r = check_abi(path, exported, why);
	if (r == 0) {
		memcpy(&stage, exported, exported->size_bytes);
		r = check_stage(path, &stage, why);
	}
	if (r != 0) {
		dlclose(object);
		return r;
	}
	*ret_stage = stage;
	return 0;
}
