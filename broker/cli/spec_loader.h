/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a spec while the pipeline runs: in a thread, for plugins and stages are asked about it, and that may take its time. */
#pragma once

#include <systemd/sd-event.h>

#include "broker/spec/spec.h"

/* What to read; the strings are borrowed until the answer. */
struct spec_wanted {
	const char *path;
	const struct spec_override *overrides;
	size_t n_overrides;
	bool locked; /* hold it against its lock */
};

/* What has come of it: as of spec_load(), or SPEC_E_INVALID for the lock's sake; plan is NULL then. The receiver owns both. */
struct spec_loaded {
	int r;
	struct plan *plan;
	struct diagnostics diagnostics;
};

struct spec_loader;
typedef void spec_loaded_fn(void *data, struct spec_loaded *loaded);

/* Begins. `done` is called in the loop's thread, once, and frees the loader after that. Returns 0 or -errno: no room for a thread. */
int spec_loader_start(sd_event *event, const struct spec_wanted *wanted, spec_loaded_fn *done, void *data,
		      struct spec_loader **ret_loader);
/* Nobody wants the answer any more: waits for the thread, which asks nobody else. Fine on NULL. */
struct spec_loader *spec_loader_free(struct spec_loader *loader);
