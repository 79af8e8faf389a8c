/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as observers get it: made by the supervisor, opened by an observer, which checks all of it before it uses any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "broker/observe/catalog_layout.h"

struct plan;

/*
 * Writes the catalog of a plan into a memfd that nobody can change any more. Supervisor; as long as copying it takes. Returns 0 and the
 * descriptor, which can be read only, owned by the caller; -errno.
 */
int catalog_create(const struct plan *plan, uint32_t generation, int *ret_fd);

/* An opened catalog; all of it in place, read-only. */
struct catalog {
	const struct catalog_head *head; /* NULL: not open */
	const struct catalog_stage *stages;
	const struct catalog_edge *edges;
	const struct catalog_lane *lanes;
	const struct catalog_slot *slots;
	const char *strings;
	uint32_t *lanes_of; /* owned: numbers of lanes, by slot and index: inputs, then outputs */
	uint32_t *first_of; /* owned: where those of a slot begin: 2 n_slots + 1 */
};
#define CATALOG_NULL \
	{            \
		0    \
	}

/* Maps and checks it: every number in it names something that is there. Returns 0; CATALOG_E_FOREIGN; -errno. The fd stays the caller's. */
enum { CATALOG_E_FOREIGN = 1 };
int catalog_open(struct catalog *catalog, int fd);
/* Fine on one that is not open. */
void catalog_close(struct catalog *catalog);

/* One of its strings. */
static inline const char *catalog_string(const struct catalog *catalog, uint32_t string)
{
	return catalog->strings + string;
}
/* The name of the stage that slot belongs to. */
const char *catalog_stage_name(const struct catalog *catalog, uint32_t slot);
/* The number of the stage of that name; UINT32_MAX: there is none. */
uint32_t catalog_find_stage(const struct catalog *catalog, const char *name);
/* The lane that is this input (output) of a slot; UINT32_MAX: it has none of that index. */
uint32_t catalog_input_lane(const struct catalog *catalog, uint32_t slot, uint32_t reader_index);
uint32_t catalog_output_lane(const struct catalog *catalog, uint32_t slot, uint32_t writer_index);
/* How many lanes an edge has; they are side by side, from its first_lane on. */
uint32_t catalog_edge_lanes(const struct catalog *catalog, uint32_t edge);
