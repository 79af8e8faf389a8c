/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reloads of the pipeline that this process runs: who wants which spec, what has become of it. The loop's thread alone.
 *
 * What is asked (struct reload_callbacks): "run PROBATION_NS[,OPENING_NS] [PATH]": that spec, or the one that runs, is to be put into force; "diff": only told
 * what would follow. The answer is {"ticket": n}. The newest wish counts: one that has not been carried out is given up for it.
 */
#pragma once

#include <systemd/sd-event.h>
#include <weir/log.h>

#include "broker/cli/spec_loader.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"

#define RELOAD_PROBATION_NS (3 * NS_PER_S)
#define RELOAD_OPENING_NS (4 * NS_PER_S) /* so that the spec before is back within five seconds */
#define RELOAD_TERM_MAX_NS (3600 * NS_PER_S)

struct kept_spec;
struct notice;
struct reloading;

struct reloading_settings {
	sd_event *event;
	struct supervisor *supervisor;
	struct plan *plan;               /* the one that runs: its stages are exchanged */
	struct diagnostics *diagnostics; /* of its spec; those of a new one take their place */
	struct notice *notice;           /* NULL: nobody wants to know */
	struct kept_spec *kept;          /* where the next weir finds the spec that is in force */
	struct spec_wanted wanted;       /* how it was read; the path is copied */
	void (*log)(void *data, enum weir_log_level level, const char *line);
	void *data;
};

/* From now on the supervisor passes on what is wanted. Returns 0 or -ENOMEM. */
int reloading_new(const struct reloading_settings *settings, struct reloading **ret_reloading);
/* Before the supervisor is freed. Fine on NULL. */
struct reloading *reloading_free(struct reloading *reloading);
/* Somebody wants the file of the spec that runs to be read again, and does not wait for what becomes of it: that is in the log. */
void reloading_want(struct reloading *reloading);
