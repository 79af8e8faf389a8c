/* SPDX-License-Identifier: Apache-2.0 */
/* weir run, and what outlives it: finding a run that a dead supervisor has left, handing over one's own. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "broker/cli/kept_spec.h"
#include "broker/keep/keep.h"
#include "broker/spec/plan.h"

struct display;
struct estate;
struct supervisor;

struct kept {
	const char *folder; /* --keep; NULL: none was given */
	int64_t for_ns;     /* --keep-for; 0: not said */
	struct keep *keep;  /* NULL: nobody keeps anything */
	struct kept_spec spec;
	const struct plan *plan;
	struct display *display; /* both borrowed, from kept_take() on */
};

/*
 * The pipeline's name is ours: is there something to go on with? *ret_estate: that, the caller's; NULL: a run begins. *plan
 * and *diagnostics
 * are replaced if what goes on goes by another spec that is kept. Returns 0, or the exit code after a sentence for people:
 * then nothing may
 * be started.
 */
int kept_take(struct kept *kept, struct plan **plan, struct diagnostics *diagnostics, struct display *display,
	      struct estate **ret_estate);
/*
 * All that the next supervisor would need is kept from here on; of a run that goes on it is already, but for its spec. Returns the same.
 */
int kept_hand_over(struct kept *kept, const struct supervisor *supervisor, const struct diagnostics *diagnostics,
		   sd_event *event);
/* It can't be gone on with: says so, and what can be done. Returns the exit code. */
int kept_refuse(const struct kept *kept, int exit_code, const char *why);
