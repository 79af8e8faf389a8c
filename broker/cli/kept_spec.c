/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between two supervisors of a run somebody may have edited its spec: for a reload that was under way or was never asked
 * for, with errors or
 * without; or the spec that was reloaded lies elsewhere than what the command names.
 *
 *      what is given has errors       stands_in: any text of a run that was begun by it, so that there is a pipeline to ask for
 *      what is kept is found          follow:    the text of the very plan that it wants (its digest)
 *      neither helps                  as without: an invalid spec, or one that is refused
 *
 * A text that was begun by another path is never taken: who names another spec means it. What is kept was checked when it
 * was put into force,
 * and gives the plan that the memory was made for, or is not used; with --locked the files that it names are held against
 * the lock once more.
 */
#include "broker/cli/kept_spec.h"

#include <stdlib.h>
#include <string.h>

#include "broker/control/state_dir.h"
#include "broker/keep/last_good.h"
#include "broker/keep/plan_digest.h"
#include "broker/spec/lock.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"

static void last_good_deinit_cleanup(struct last_good *good)
{
	last_good_deinit(good);
}

void kept_spec_init(struct kept_spec *kept, struct spec_wanted wanted)
{
	kept->wanted = wanted;
	kept->begun = last_good_name(wanted.path);
}

void kept_spec_deinit(struct kept_spec *kept)
{
	free(kept->begun);
	free(kept->folder);
	free(kept->read);
	*kept = (struct kept_spec){ 0 };
}

static void note_folder(struct kept_spec *kept, const char *pipeline)
{
	free(kept->folder);
	kept->folder = state_dir_last_good(pipeline);
}

/* ---- whoever goes on ---- */

static bool load(const struct kept_spec *kept, const struct last_good *good, const char *shown, struct plan **ret_plan,
		 struct diagnostics *ret_diagnostics)
{
	int r = spec_load_text(kept->wanted.path, shown, good->text, good->size, kept->wanted.overrides,
			       kept->wanted.n_overrides, ret_plan, ret_diagnostics);

	if (r == 0 && kept->wanted.locked) {
		r = lock_check(*ret_plan, ret_diagnostics);
		if (r != 0)
			plan_free(*ret_plan);
	}
	return r == 0;
}

static bool use(struct kept_spec *kept, struct last_good *good, struct plan **plan, struct diagnostics *diagnostics)
{
	_cleanup_(text_deinit) struct text shown = TEXT_NULL;
	struct diagnostics found = DIAGNOSTICS_NULL;
	struct plan *other = NULL;

	text_printf(&shown, "%s (as it is kept)", good->read);
	if (!load(kept, good, text_get(&shown), &other, &found)) {
		diagnostics_deinit(&found);
		return false;
	}
	plan_free(*plan);
	diagnostics_deinit(diagnostics);
	*plan = other;
	*diagnostics = found;
	free(kept->read);
	kept->read = steal_pointer(&good->read);
	note_folder(kept, other->pipeline);
	return true;
}

bool kept_spec_stands_in(struct kept_spec *kept, struct plan **plan, struct diagnostics *diagnostics)
{
	_cleanup_(free) char *base = state_dir_base();
	_cleanup_(last_good_deinit) struct last_good good = { 0 };

	if (!kept->begun || last_good_find(base, kept->begun, &good) != 0)
		return false;
	kept->only_goes_on = use(kept, &good, plan, diagnostics);
	return kept->only_goes_on;
}

void kept_spec_follow(struct kept_spec *kept, uint64_t digest, struct plan **plan, struct diagnostics *diagnostics)
{
	_cleanup_(last_good_deinit) struct last_good good = { 0 };
	uint64_t given;

	if (!kept->begun || plan_digest(*plan, &given) < 0 || given == digest)
		return;
	note_folder(kept, (*plan)->pipeline);
	if (last_good_get(kept->folder, digest, &good) == 0 && strcmp(good.begun, kept->begun) == 0)
		(void)use(kept, &good, plan, diagnostics);
}

/* ---- whoever runs ---- */

int kept_spec_put(struct kept_spec *kept, const struct plan *plan, const struct diagnostics *diagnostics,
		  const char *read)
{
	_cleanup_(free) char *name = last_good_name(read);
	struct last_good good = {
		.begun = kept->begun, .read = name, .text = diagnostics->source, .size = diagnostics->source_size
	};
	uint64_t digest;
	int r;

	if (!kept->begun || !name || !good.text)
		return 0;
	note_folder(kept, plan->pipeline);
	r = plan_digest(plan, &digest);
	return r < 0 ? error_trace(r) : last_good_put(kept->folder, digest, &good);
}

void kept_spec_settle(const struct kept_spec *kept, const struct supervisor *supervisor)
{
	uint64_t digest;

	if (kept->folder && supervisor_kept_plan(supervisor, &digest))
		last_good_settle(kept->folder, digest);
}

void kept_spec_forget(const struct kept_spec *kept)
{
	if (kept->folder)
		last_good_forget(kept->folder);
}
