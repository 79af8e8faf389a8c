/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spec that a kept run goes by, when its file says something else by now: written while it runs, read by whoever goes on with it. The
 * loop's thread; may wait for the disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/cli/spec_loader.h"

struct supervisor;

struct kept_spec {
	struct spec_wanted wanted; /* what weir run was given; borrowed */
	char *begun;               /* its name in last_good.h; NULL: nobody keeps it, or it has none */
	char *folder;              /* of the pipeline; NULL: not yet, or nobody keeps it */
	char *read;                /* where the spec in force was read; NULL: what was given */
	bool only_goes_on;         /* what was given has errors: no run can begin with it */
};

/* Somebody will keep the run of this spec. */
void kept_spec_init(struct kept_spec *kept, struct spec_wanted wanted);
void kept_spec_deinit(struct kept_spec *kept);

/*
 * What was given has errors: is there a run that was begun by it, and whose spec is kept? Then *plan and *diagnostics are of that one (both
 * are replaced), and only_goes_on. The supervisor of that run may be found or not: that is the estate's to say.
 */
bool kept_spec_stands_in(struct kept_spec *kept, struct plan **plan, struct diagnostics *diagnostics);
/* The run that is kept wants that plan. If it is another one than *plan, and its spec is kept, both are replaced. */
void kept_spec_follow(struct kept_spec *kept, uint64_t digest, struct plan **plan, struct diagnostics *diagnostics);

/*
 * The plan, of the spec in these diagnostics that was read there, is in force, or is about to be: keeps it beside the one before. Returns 0
 * or -errno.
 */
int kept_spec_put(struct kept_spec *kept, const struct plan *plan, const struct diagnostics *diagnostics,
		  const char *read);
/* Only the one that the estate names can be needed now. */
void kept_spec_settle(const struct kept_spec *kept, const struct supervisor *supervisor);
/* The run is over, or never began. */
void kept_spec_forget(const struct kept_spec *kept);
