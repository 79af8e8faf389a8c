/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weir run does about the death of a supervisor: the words, and the order.
 *
 *      nothing is kept, or a run that had not begun, or was over      a run begins
 *      what was kept is gone, or not all there                        a run begins, and says so: an error in the log
 *      it is another plan's, or another layout's, or damaged          refused, and it stays where it is: whoever wrote it can drain it
 *      it is ours                                                     the supervisor goes on with it (broker/supervise/adopt.c)
 */
#include "broker/cli/kept.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "broker/cli/display.h"
#include "broker/keep/estate.h"
#include "broker/lifecycle/outcome.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"

/* What can be done about it: whoever wrote it can drain it. */
int kept_refuse(const struct kept *kept, int exit_code, const char *why)
{
	display_say(
		kept->display, WEIR_LOG_ERROR,
		"what the last run of '%s' had accepted is kept, and can't be gone on with: %s. Nothing was started, nothing is lost yet. "
		"Run it once more with the weir and the spec that it was begun with, and drain it (weir drain %s); then start this "
		"one. To give it up: %s",
		kept->plan->pipeline, why, kept->plan->pipeline,
		kept->folder ? "end the process weir-holder" : "systemctl stop the unit");
	return exit_code;
}

static void say_lost(const struct kept *kept, const char *why)
{
	display_say(kept->display, WEIR_LOG_ERROR, "what the last run of '%s' had between its stages is lost: %s. %s",
		    kept->plan->pipeline, why,
		    kept->spec.only_goes_on ? "Nothing was started: what the spec says now has errors" :
					      "This is a new run; its sources begin where runs begin");
}

static void say_other_spec(const struct kept *kept)
{
	if (kept->spec.read)
		display_say(
			kept->display, WEIR_LOG_WARNING,
			"what %s says now %s: the run goes on by its last good spec, which was read from %s and is kept in %s. "
			"To put what it says into force: weir reload %s %s",
			kept->spec.begun, kept->spec.only_goes_on ? "has errors" : "is another spec", kept->spec.read,
			kept->spec.folder, kept->plan->pipeline, kept->spec.begun);
}

static int look_into(const struct kept *kept, int *fds, size_t n_fds, struct estate **ret_estate)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r = estate_find(kept->plan, fds, n_fds, ret_estate, &why);

	if (r == 0)
		return 0;
	if (r < 0 || r == ESTATE_E_OTHER || r == ESTATE_E_SENSELESS)
		return kept_refuse(kept, r == ESTATE_E_SENSELESS ? EXIT_STATE_CORRUPT : EXIT_TRY_AGAIN,
				   r < 0 ? strerror(-r) : text_get(&why));
	if (r == ESTATE_E_LOST)
		say_lost(kept, text_get(&why));
	else if (r == ESTATE_E_NONE && n_fds)
		say_lost(kept, "some of its descriptors were kept, and not the one that says what they are");
	keep_drop(kept->keep);
	return 0;
}

static int find_what_is_kept(struct kept *kept, struct plan **plan, struct diagnostics *diagnostics,
			     struct estate **ret_estate)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(free) int *fds = NULL;
	uint64_t digest;
	size_t n_fds;
	int r = keep_take(kept->keep, kept->plan->pipeline, &fds, &n_fds, &why);

	if (r == KEEP_E_LOST) {
		say_lost(kept, text_get(&why));
		return 0;
	}
	if (r != 0) {
		display_say(kept->display, WEIR_LOG_ERROR, "nothing was started: %s",
			    r < 0 ? strerror(-r) : text_get(&why));
		return EXIT_TRY_AGAIN;
	}
	if (estate_wants(fds, n_fds, &digest))
		kept_spec_follow(&kept->spec, digest, plan, diagnostics);
	kept->plan = *plan;
	return look_into(kept, fds, n_fds, ret_estate);
}

int kept_take(struct kept *kept, struct plan **plan, struct diagnostics *diagnostics, struct display *display,
	      struct estate **ret_estate)
{
	int r;

	kept->plan = *plan;
	kept->display = display;
	r = find_what_is_kept(kept, plan, diagnostics, ret_estate);
	if (r == 0 && *ret_estate)
		say_other_spec(kept);
	return r == 0 && !*ret_estate && kept->spec.only_goes_on ? EXIT_SPEC_INVALID : r;
}

static int on_holder_gone(sd_event_source *source, int fd, uint32_t events, void *data)
{
	const struct kept *kept = data;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	display_log(kept->display, WEIR_LOG_ERROR, NULL, -1, 0, NULL,
		    "the holder is gone: the pipeline runs on, but if weir dies now, what is in flight is lost");
	return 0;
}

static void keep_spec(struct kept *kept, const struct supervisor *supervisor, const struct diagnostics *diagnostics)
{
	int r = kept_spec_put(&kept->spec, kept->plan, diagnostics,
			      kept->spec.read ? kept->spec.read : kept->spec.wanted.path);

	if (r < 0)
		display_say(kept->display, WEIR_LOG_WARNING,
			    "the spec can't be kept in %s: %s; if weir dies, the next one needs it as it is now",
			    kept->spec.folder, strerror(-r));
	kept_spec_settle(&kept->spec, supervisor);
}

int kept_hand_over(struct kept *kept, const struct supervisor *supervisor, const struct diagnostics *diagnostics,
		   sd_event *event)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(free) int *fds = NULL;
	size_t n_fds;
	int r = supervisor_kept_fds(supervisor, &fds, &n_fds);

	keep_spec(kept, supervisor, diagnostics);
	if (r == 0)
		r = keep_put(kept->keep, fds, n_fds, &why);
	if (r == 0 && keep_fd(kept->keep) >= 0)
		r = sd_event_add_io(event, NULL, keep_fd(kept->keep), EPOLLIN, on_holder_gone, kept);
	if (r >= 0 && r != KEEP_E_REFUSED) {
		text_printf(&why, "%zu descriptors are kept by ", n_fds);
		keep_describe(kept->keep, &why);
		display_log(kept->display, WEIR_LOG_DEBUG, NULL, -1, 0, NULL, text_get(&why));
		return 0;
	}
	if (!supervisor_succession(supervisor))
		kept_spec_forget(&kept->spec);
	display_say(kept->display, WEIR_LOG_ERROR, "could not start, nothing was accepted: %s",
		    r < 0 ? strerror(-r) : text_get(&why));
	return EXIT_TRY_AGAIN;
}
