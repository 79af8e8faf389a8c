/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look into a running pipeline from another process: all segments and the board, mapped read-only, and the catalog that says what
 * lies where. It costs the pipeline nothing: nobody there knows when memory is read. What segments say is the word of workers, who
 * may be killed, broken or malicious: reading.h reads it through bounds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/observe/catalog.h"
#include "common/base/text.h"
#include "common/memory/board.h"
#include "common/memory/segment.h"

struct observer;

/*
 * Comes to the door of the pipeline whose run directory that is, waits at most wait_ns for all that it gives. Raises the soft limit of
 * descriptors if a large pipeline needs more. `why` gets a sentence unless it returns 0. Returns 0; OBSERVER_E_NOT_RUNNING;
 * OBSERVER_E_OTHER: it is of another version, or somebody else's; OBSERVER_E_FULL: it has as many observers as it may have;
 * OBSERVER_E_NO_ANSWER; -errno. Blocks.
 */
enum {
	OBSERVER_E_NOT_RUNNING = 1,
	OBSERVER_E_NO_ANSWER = 2,
	OBSERVER_E_OTHER = 3,
	OBSERVER_E_FULL = 4,
};
int observer_open(const char *run_dir, uint64_t wait_ns, struct observer **ret_observer, struct text *why);
/* Unmaps everything. Fine on NULL. */
struct observer *observer_close(struct observer *observer);

/* Gets readable when observer_look() has news. */
int observer_fd(const struct observer *observer);
/* What has become of it since the last look. Does not wait. Once it is over it stays so; the memory can be read all the same. */
enum observer_news {
	OBSERVER_SAME, /* nothing */
	OBSERVER_REPLANNED, /* what the catalog says of stages has changed (reload): pointers into the old catalog are invalid now */
	OBSERVER_ENDED, /* the run is over */
	OBSERVER_LOST,  /* the supervisor is gone and has not said so, or has dropped this observer: open it again */
};
enum observer_news observer_look(struct observer *observer);

/* Valid until the next OBSERVER_REPLANNED. */
const struct catalog *observer_catalog(const struct observer *observer);
/* Its number: 1, and one more with each reload. */
uint32_t observer_generation(const struct observer *observer);
/* Valid until observer_close(). */
const struct board *observer_board(const struct observer *observer);
/* Control pages of a slot, read-only. slot is below the catalog's n_slots. */
const struct segment *observer_segment(const struct observer *observer, uint32_t slot);
/* The descriptor of its whole segment, which can be mapped read-only: for lane_map(), as the catalog's lanes say. The observer's. */
int observer_segment_fd(const struct observer *observer, uint32_t slot);
/* The same for one lane of the catalog: its data twice back to back. Returns 0, or -errno; lane_unmap() ends it. */
int observer_lane_map(const struct observer *observer, uint32_t lane, unsigned char **ret_data);
