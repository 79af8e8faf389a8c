/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed state (worker/keyed.c) lives as long as the run:
 *
 *      <state folder>/<stage>.<worker>/         one store for each slot; its worker makes it, and opens it anew in each generation
 *
 * Workers may be killed at any time, so none of them can be trusted to clean up: the supervisor does, when all have ended. A supervisor
 * that is killed leaves the files to the next run of the pipeline, which begins with new ones.
 */
#include "broker/supervise/state_folders.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/store/state_store.h"

char *state_folder(const struct seat *seat)
{
	struct text path = TEXT_NULL;

	if (!seat->stage->state_bytes || !seat->supervisor->state_folder)
		return NULL;
	text_printf(&path, "%s/%s.%u", seat->supervisor->state_folder, seat->stage->name, seat->worker_index);
	return text_steal(&path);
}

static void forget_seat(const struct seat *seat)
{
	_cleanup_(free) char *path = state_folder(seat);
	int r = path ? state_store_destroy(path) : 0;

	if (r < 0)
		supervisor_log(seat->supervisor, WEIR_LOG_WARNING, "cannot remove %s: %s", path, strerror(-r));
}

/* Above the stores: what nobody else keeps anything in. */
static void forget_parents(const char *folder)
{
	_cleanup_(free) char *path = strdup(folder);
	char *slash;

	if (!path || rmdir(path))
		return;
	slash = strrchr(path, '/');
	if (!slash)
		return;
	*slash = '\0';
	(void)rmdir(path); /* not empty, if there are dead letters */
}

void supervisor_forget_state(struct supervisor *supervisor)
{
	bool any = false;

	if (!supervisor->state_folder)
		return;
	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++) {
		any = any || supervisor->seats[i].stage->state_bytes;
		forget_seat(&supervisor->seats[i]);
	}
	if (any)
		forget_parents(supervisor->state_folder);
	free(supervisor->state_folder);
	supervisor->state_folder = NULL;
}
