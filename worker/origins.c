/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane is mapped when the first item that lies in it comes: a worker behind 64 times 64 others would otherwise map 4,096 lanes
 * twice each, of which it may see none. The descriptors stay open for that; they can't be mapped for writing.
 */
#include "worker/origins.h"

#include <stdlib.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/flow/reference.h"

struct origin {
	const struct heritage_origin *heritage;
	struct reference_lane *lanes; /* heritage->n_lanes */
};

struct origins {
	struct origin *origins;  /* heritage.n_origins */
	struct origin **of_slot; /* heritage.n_slots; NULL: none */
};

void origins_attach(struct worker *worker)
{
	const struct heritage *heritage = &worker->heritage;
	struct origins *origins;

	if (!heritage->n_origins)
		return;
	origins = calloc(1, sizeof(*origins));
	must(origins);
	origins->origins = calloc(heritage->n_origins, sizeof(*origins->origins));
	origins->of_slot = calloc(heritage->n_slots, sizeof(struct origin *));
	must(origins->origins && origins->of_slot);
	worker->origins = origins;
	for (uint32_t i = 0; i < heritage->n_origins; i++) {
		const struct heritage_origin *from = &heritage->origins[i];
		struct origin *origin = &origins->origins[i];

		origin->heritage = from;
		origin->lanes = calloc(from->n_lanes ? from->n_lanes : 1, sizeof(*origin->lanes));
		must(origin->lanes && from->slot < heritage->n_slots);
		for (uint32_t j = 0; j < from->n_lanes; j++)
			origin->lanes[j] = (struct reference_lane){ .off_data = from->lanes[j].off_data,
								    .capacity_bytes = from->lanes[j].capacity_bytes };
		origins->of_slot[from->slot] = origin;
	}
}

static void origin_deinit(struct origin *origin)
{
	for (uint32_t i = 0; i < origin->heritage->n_lanes; i++)
		lane_unmap((unsigned char *)(uintptr_t)origin->lanes[i].data, origin->lanes[i].capacity_bytes);
	free(origin->lanes);
}

void origins_detach(struct worker *worker)
{
	struct heritage *heritage = &worker->heritage;

	for (uint32_t i = 0; i < heritage->n_origins; i++) {
		if (worker->origins)
			origin_deinit(&worker->origins->origins[i]);
		heritage->origins[i].segment_fd = fd_close(heritage->origins[i].segment_fd);
	}
	if (!worker->origins)
		return;
	free(worker->origins->origins);
	free(worker->origins->of_slot);
	free(worker->origins);
	worker->origins = NULL;
}

/* NULL: the heritage names no such lane. */
static struct reference_lane *find_lane(const struct worker *worker, const struct item_reference *reference,
					int *ret_fd)
{
	const struct origin *origin;

	if (!worker->origins || reference->slot >= worker->heritage.n_slots)
		return NULL;
	origin = worker->origins->of_slot[reference->slot];
	if (!origin || reference->writer >= origin->heritage->n_lanes)
		return NULL;
	*ret_fd = origin->heritage->segment_fd;
	return &origin->lanes[reference->writer];
}

static int map_lane(struct reference_lane *lane, int fd)
{
	unsigned char *data;
	int r = lane_map(fd, lane->off_data, lane->capacity_bytes, SEGMENT_READ, false, &data);

	if (r < 0)
		return error_trace(r);
	lane->data = data;
	return 0;
}

int origins_resolve(struct worker *worker, const void *record_payload, const void **ret_data, size_t *ret_size_bytes)
{
	const struct item_reference reference = reference_read(record_payload);
	int fd, r;
	struct reference_lane *lane = find_lane(worker, &reference, &fd);

	if (!lane)
		return LANE_E_BROKEN;
	if (!lane->data) {
		r = map_lane(lane, fd);
		if (r < 0)
			return r;
	}
	*ret_size_bytes = reference.size_bytes;
	return reference_resolve(&reference, lane, ret_data);
}
