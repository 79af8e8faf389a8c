/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a dead worker is mapped for writing when it is repaired. A supervisor that is short of address space just then (RLIMIT_AS,
 * too many mappings) would have to give the seat up, and with it all that lies there. So a place of the size that the largest repair
 * needs is kept from the beginning, with nothing in it, and given back for as long as one lasts:
 *
 *      | nothing, PROT_NONE |  ->  | control pages of the dead |  ->  | nothing, PROT_NONE |
 */
#include <sys/mman.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"

static void take(struct supervisor *supervisor)
{
	void *place = mmap(NULL, supervisor->repair_room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			   -1, 0);

	supervisor->repair_room = place == MAP_FAILED ? NULL : place;
}

int repair_room_open(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (supervisor->plan->slots[i].geometry.control_size_bytes > supervisor->repair_room_bytes)
			supervisor->repair_room_bytes = supervisor->plan->slots[i].geometry.control_size_bytes;
	take(supervisor);
	return supervisor->repair_room ? 0 : error_origin(-ENOMEM);
}

static void give_back(struct supervisor *supervisor)
{
	if (supervisor->repair_room)
		munmap(supervisor->repair_room, supervisor->repair_room_bytes);
	supervisor->repair_room = NULL;
}

void repair_room_close(struct supervisor *supervisor)
{
	give_back(supervisor);
}

int seat_open_for_repair(const struct seat *seat, struct segment *segment)
{
	int r;

	give_back(seat->supervisor);
	r = segment_attach(segment, seat->segment_fd, &seat->segment.geometry, SEGMENT_WRITE);
	if (r)
		take(seat->supervisor);
	return r < 0 ? error_trace(r) : r ? REPAIR_E_CORRUPT : 0;
}

void seat_close_after_repair(const struct seat *seat, struct segment *segment)
{
	segment_detach(segment);
	take(seat->supervisor);
}
