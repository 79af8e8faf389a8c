/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever keeps a run's descriptors while no supervisor lives: systemd's fd store, or a holder. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

#define KEEP_STORE_NAME "weir-estate" /* of whatever lies in the fd store: by it it is told from other descriptors */
#define KEEP_WAIT_NS (600 * UINT64_C(1000000000)) /* how long a holder waits, unless it is said */

struct keep;

/*
 * First of all in weir run, before it has a thread: forks the holder. folder: of --keep, NULL: none was given; then the fd store, if there
 * is a service manager. *ret_keep NULL: nobody keeps anything. Returns 0 or -errno.
 */
int keep_new(const char *folder, uint64_t wait_ns, struct keep **ret_keep);
/* What was kept stays kept, unless keep_end() was called. NULL is fine. Returns NULL. */
struct keep *keep_free(struct keep *keep);

/*
 * The name of the pipeline is ours: asks for what has been kept of it. The list, and what is in it, are the caller's. Returns 0;
 * KEEP_E_LOST: something was kept, and is gone: `why` says how; KEEP_E_REFUSED: nothing may be started now: `why` says why; -errno. Waits
 * for a holder, some seconds at most.
 */
enum { KEEP_E_LOST = 1, KEEP_E_REFUSED = 2 };
int keep_take(struct keep *keep, const char *pipeline, int **ret_fds, size_t *ret_n, struct text *why);
/* Forgets all of it: another run begins. */
void keep_drop(struct keep *keep);
/* Has these kept, which stay the caller's; the last one last. Returns 0, or KEEP_E_REFUSED with `why`. Waits, some seconds at most. */
int keep_put(struct keep *keep, const int *fds, size_t n, struct text *why);
/* The run is over: nothing is kept any more, and nobody waits. */
void keep_end(struct keep *keep);

/* Becomes readable when the holder is gone; -1: there is none. */
int keep_fd(const struct keep *keep);
/* Who keeps it, for people. */
void keep_describe(const struct keep *keep, struct text *text);
