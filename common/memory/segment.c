/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot's segment. The supervisor plans and creates it; the owner maps the control pages and its lanes writable; every
 * other process maps them read-only from an fd that can't be mapped otherwise.
 *
 *      supervisor: segment_plan -> segment_create -> fd (read-write)
 *                        \-> owner:  segment_attach(WRITE), lane_map(WRITE), close
 *                        \-> repair: segment_attach(WRITE), after the owner's death
 *                  memfd_reopen_read_only -> fd (read-only)
 *                        \-> peers:  segment_attach(READ), lane_map(READ)
 *                        \-> whoever looks on: recorder_map(READ)
 *
 * Every offset used on a mapping comes from the geometry in private memory. The header only proves, once, that
 * the memory is the one that this geometry describes.
 */
#include "common/memory/segment.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/memory/memfd.h"

static uint64_t round_up(uint64_t value, uint64_t multiple)
{
	return (value + multiple - 1) / multiple * multiple;
}

void segment_plan_with(struct segment_geometry *ret, unsigned extras, uint32_t slot, uint32_t n_readers,
		       uint32_t n_writers, const uint64_t *lane_sizes, uint64_t *ret_lane_offsets)
{
	struct segment_geometry plan = { .slot = slot, .n_readers = n_readers, .n_writers = n_writers };

	plan.off_readers = round_up(SEGMENT_OFF_CURSORS + 2 * sizeof(struct cursor), LINE_PAIR_SIZE);
	plan.off_writers = plan.off_readers + n_readers * sizeof(struct lane_reader);
	plan.off_record = plan.off_writers + n_writers * sizeof(struct lane_writer);
	if (extras & SEGMENT_ASYNCHRONOUS) {
		plan.off_done_bits = plan.off_record;
		plan.off_record += n_readers * sizeof(struct done_bits);
	}
	plan.control_size_bytes =
		round_up(round_up(plan.off_record + sizeof(struct commit_record) +
					  segment_operations_max(&plan) * sizeof(struct commit_operation),
				  LINE_PAIR_SIZE) +
				 segment_observed_size(&plan),
			 SEGMENT_PAGE_SIZE);
	plan.off_data = plan.control_size_bytes + (extras & SEGMENT_RECORDED ? SEGMENT_RECORDER_SIZE : 0);
	plan.size_bytes = plan.off_data;
	for (uint32_t i = 0; i < n_writers; i++) {
		must(lane_sizes[i] && !(lane_sizes[i] & (lane_sizes[i] - 1)) && !(lane_sizes[i] % SEGMENT_PAGE_SIZE));
		ret_lane_offsets[i] = plan.size_bytes;
		plan.size_bytes += lane_sizes[i];
	}
	*ret = plan;
}

void segment_plan(struct segment_geometry *ret, uint32_t slot, uint32_t n_readers, uint32_t n_writers,
		  const uint64_t *lane_sizes, uint64_t *ret_lane_offsets)
{
	segment_plan_with(ret, 0, slot, n_readers, n_writers, lane_sizes, ret_lane_offsets);
}

void segment_plan_asynchronous(struct segment_geometry *ret, uint32_t slot, uint32_t n_readers, uint32_t n_writers,
			       const uint64_t *lane_sizes, uint64_t *ret_lane_offsets)
{
	segment_plan_with(ret, SEGMENT_ASYNCHRONOUS, slot, n_readers, n_writers, lane_sizes, ret_lane_offsets);
}

static void write_header(struct segment_header *header, const struct segment_geometry *geometry)
{
	header->magic = SEGMENT_MAGIC;
	header->layout_version = SEGMENT_LAYOUT_VERSION;
	header->slot = geometry->slot;
	header->size_bytes = geometry->size_bytes;
	header->control_size_bytes = geometry->control_size_bytes;
	header->n_readers = geometry->n_readers;
	header->n_writers = geometry->n_writers;
	header->off_cursors = SEGMENT_OFF_CURSORS;
	header->off_readers = geometry->off_readers;
	header->off_writers = geometry->off_writers;
	header->off_record = geometry->off_record;
	header->off_data = geometry->off_data;
	header->off_done_bits = geometry->off_done_bits;
	store_release(&header->ready, 1); /* [H1] mate: header_matches */
}

static bool header_matches(const struct segment_header *header, const struct segment_geometry *geometry)
{
	return load_acquire(&header->ready) == 1 && /* [H1] mate: write_header */
	       header->magic == SEGMENT_MAGIC && header->layout_version == SEGMENT_LAYOUT_VERSION &&
	       header->slot == geometry->slot && header->size_bytes == geometry->size_bytes &&
	       header->control_size_bytes == geometry->control_size_bytes && header->n_readers == geometry->n_readers &&
	       header->n_writers == geometry->n_writers && header->off_cursors == SEGMENT_OFF_CURSORS &&
	       header->off_readers == geometry->off_readers && header->off_writers == geometry->off_writers &&
	       header->off_record == geometry->off_record && header->off_data == geometry->off_data &&
	       header->off_done_bits == geometry->off_done_bits;
}

static int head(int fd, const struct segment_geometry *geometry)
{
	void *page = mmap(NULL, SEGMENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return error_origin(-errno);
	write_header(page, geometry);
	munmap(page, SEGMENT_PAGE_SIZE);
	return 0;
}

int segment_create(const struct segment_geometry *geometry, const char *name, int *ret_fd)
{
	_cleanup_(close) int fd = -1;
	int r = memfd_new_fixed(name, geometry->size_bytes, &fd);

	if (r == 0)
		r = head(fd, geometry);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return error_trace(r);
}

int segment_create_hollow(const struct segment_geometry *geometry, const char *name, int *ret_fd)
{
	_cleanup_(close) int fd = -1;
	int r = memfd_new_hollow(name, geometry->size_bytes, &fd);

	if (r == 0)
		r = memfd_allocate(fd, 0, geometry->control_size_bytes);
	if (r == 0)
		r = head(fd, geometry);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return error_trace(r);
}

static void place_pointers(struct segment *segment, unsigned char *base)
{
	const struct segment_geometry *geometry = &segment->geometry;

	segment->base = base;
	segment->armed = (struct segment_armed *)(base + SEGMENT_OFF_ARMED);
	segment->status = (struct segment_status *)(base + SEGMENT_OFF_STATUS);
	segment->hand = (struct segment_hand *)(base + SEGMENT_OFF_HAND);
	segment->cursor_switch = (struct segment_cursor_switch *)(base + SEGMENT_OFF_SWITCH);
	segment->counters = (struct segment_counters *)(base + SEGMENT_OFF_COUNTERS);
	segment->cursors = (struct cursor *)(base + SEGMENT_OFF_CURSORS);
	segment->readers = (struct lane_reader *)(base + geometry->off_readers);
	segment->writers = (struct lane_writer *)(base + geometry->off_writers);
	segment->done_bits = geometry->off_done_bits ? (struct done_bits *)(base + geometry->off_done_bits) : NULL;
	segment->record = (struct commit_record *)(base + geometry->off_record);
	segment->observed =
		(struct segment_observed *)(base + geometry->control_size_bytes - segment_observed_size(geometry));
}

/* What only the owner may have: no copy in children, and the supervisor's header out of reach. */
static int protect_writable(unsigned char *base, size_t size_bytes)
{
	if (madvise(base, size_bytes, MADV_DONTFORK) || mprotect(base, SEGMENT_PAGE_SIZE, PROT_READ))
		return error_origin(-errno);
	return 0;
}

int segment_attach(struct segment *segment, int fd, const struct segment_geometry *geometry, enum segment_access access)
{
	int protection = access == SEGMENT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ, r = 0;
	size_t size_bytes = geometry->control_size_bytes;
	unsigned char *base;

	if (!memfd_is_fixed(fd, geometry->size_bytes))
		return SEGMENT_E_FOREIGN;
	base = mmap(NULL, size_bytes, protection, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return error_origin(-errno);
	if (!header_matches((const struct segment_header *)base, geometry))
		r = SEGMENT_E_FOREIGN;
	else if (access == SEGMENT_WRITE)
		r = protect_writable(base, size_bytes);
	if (r) {
		munmap(base, size_bytes);
		return r;
	}
	segment->geometry = *geometry;
	place_pointers(segment, base);
	return 0;
}

void segment_detach(struct segment *segment)
{
	if (segment->base)
		munmap(segment->base, segment->geometry.control_size_bytes);
	*segment = (struct segment)SEGMENT_NULL;
}

int recorder_map(int fd, const struct segment_geometry *geometry, enum segment_access access,
		 struct recorder_ring **ret_ring)
{
	int protection = access == SEGMENT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ, r;
	void *ring;

	must(segment_is_recorded(geometry));
	if (geometry->off_data > geometry->size_bytes || !memfd_is_fixed(fd, geometry->size_bytes))
		return error_origin(-EBADMSG);
	ring = mmap(NULL, SEGMENT_RECORDER_SIZE, protection, MAP_SHARED, fd, (off_t)geometry->control_size_bytes);
	if (ring == MAP_FAILED)
		return error_origin(-errno);
	if (access == SEGMENT_WRITE && madvise(ring, SEGMENT_RECORDER_SIZE, MADV_DONTFORK)) {
		r = error_origin(-errno);
		munmap(ring, SEGMENT_RECORDER_SIZE);
		return r;
	}
	*ret_ring = ring;
	return 0;
}

void recorder_unmap(const struct recorder_ring *ring)
{
	if (ring)
		munmap((void *)(uintptr_t)ring, SEGMENT_RECORDER_SIZE);
}
