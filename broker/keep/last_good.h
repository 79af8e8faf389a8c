/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of the spec that a kept run goes by, beside its other state: whoever goes on with the run needs that one,
 * whatever the spec's own
 * file says by then. The loop's thread; all of these may wait for a disk.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LAST_GOOD_FOLDER "spec" /* of a pipeline, in its state folder */

struct last_good {
	char *begun; /* the path that `weir run` was given, absolute ... */
	char *read;  /* ... and whence this text came: another one after a reload by another file */
	char *text;
	size_t size;
};

void last_good_deinit(struct last_good *good);

/* What a spec's file is called here: absolute, links as they are. NULL: standard input, or what no line can hold. The caller frees. */
char *last_good_name(const char *spec);

/*
 * Keeps the text of the plan with that digest (plan_digest.h); folder: state_dir_last_good(). Before whoever might need it: a spec may be
 * kept for each of two plans at the same time. Returns 0 or -errno.
 */
int last_good_put(const char *folder, uint64_t digest, const struct last_good *good);
/* Only that one can be needed from now on. */
void last_good_settle(const char *folder, uint64_t digest);
/* The run is over: none can. What is above the folder goes, too, where nobody else keeps anything in it. */
void last_good_forget(const char *folder);

/*
 * The one of that plan. Returns 0; LAST_GOOD_E_NONE: there is none; -errno, and -EPERM for a folder into which others may
 * write, -EBADMSG for a
 * file that makes no sense.
 */
enum { LAST_GOOD_E_NONE = 1 };
int last_good_get(const char *folder, uint64_t digest, struct last_good *ret_good);
/* Any one of a run that was begun by that path (last_good_name()), in the state folder of all pipelines. Returns the same. */
int last_good_find(const char *state_folder, const char *begun, struct last_good *ret_good);
