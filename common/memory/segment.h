/* SPDX-License-Identifier: Apache-2.0 */
/* A slot's segment: planning its geometry, creating it (supervisor), mapping it (owner, peer, repair). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/memory/segment_layout.h"

/* Geometry, kept in private memory; nobody reads it back from the segment. */
struct segment_geometry {
	uint32_t slot;
	uint32_t n_readers, n_writers;
	uint64_t off_readers, off_writers, off_record, off_data;
	uint64_t off_done_bits;      /* 0: the stage ends its items in order, so it needs none */
	uint64_t control_size_bytes; /* up to the recorder, or off_data if there is none */
	uint64_t size_bytes;
	bool drops; /* some output lane drops its oldest: it has an ordinal */
	bool holds; /* its input lanes have holds: `free` may be ahead of `done` */
};

/* Pointers into a mapping of the control pages; which of them may be written depends on who mapped. */
struct segment {
	struct segment_geometry geometry;
	unsigned char *base; /* control pages; NULL: not mapped */
	struct segment_armed *armed;
	struct segment_status *status;
	struct segment_hand *hand;
	struct segment_cursor_switch *cursor_switch;
	struct segment_counters *counters;
	struct cursor *cursors;      /* 2 */
	struct lane_reader *readers; /* n_readers */
	struct lane_writer *writers; /* n_writers */
	struct done_bits *done_bits; /* n_readers; NULL: none */
	struct commit_record *record;
	struct segment_observed *observed;
};

#define SEGMENT_NULL \
	{            \
		0    \
	}

/*
 * Computes offsets. lane_sizes[n_writers]: capacity of each output lane, a power of two multiple of the page size;
 * ret_lane_offsets[n_writers]: where each lane's data starts. Pure; any process.
 */
void segment_plan(struct segment_geometry *ret, uint32_t slot, uint32_t n_readers, uint32_t n_writers,
		  const uint64_t *lane_sizes, uint64_t *ret_lane_offsets);

/* The same for an asynchronous stage: with done-bits for each input lane. */
void segment_plan_asynchronous(struct segment_geometry *ret, uint32_t slot, uint32_t n_readers, uint32_t n_writers,
			       const uint64_t *lane_sizes, uint64_t *ret_lane_offsets);
/* The same with what `extras` says, a set: what the spec asks for. */
enum segment_extra { SEGMENT_ASYNCHRONOUS = 1, SEGMENT_RECORDED = 2 };
void segment_plan_with(struct segment_geometry *ret, unsigned extras, uint32_t slot, uint32_t n_readers,
		       uint32_t n_writers, const uint64_t *lane_sizes, uint64_t *ret_lane_offsets);

static inline bool segment_is_recorded(const struct segment_geometry *geometry)
{
	return geometry->off_data - geometry->control_size_bytes == SEGMENT_RECORDER_SIZE;
}

/* Operations that one commit may have: every word that it can move, once. */
static inline uint64_t segment_operations_max(const struct segment_geometry *geometry)
{
	uint64_t bits = geometry->off_done_bits ? (uint64_t)geometry->n_readers * (DONE_BITS_WORDS + 1) : 0;

	return 2 * ((uint64_t)geometry->n_readers + geometry->n_writers) + 2 + bits;
}

/* Bytes of struct segment_observed with its lanes: the end of the control pages. */
static inline uint64_t segment_observed_size(const struct segment_geometry *geometry)
{
	uint64_t size_bytes = sizeof(struct segment_observed) + geometry->n_writers * sizeof(struct lane_observed);

	return (size_bytes + LINE_PAIR_SIZE - 1) / LINE_PAIR_SIZE * LINE_PAIR_SIZE;
}

/*
 * Creates the memfd (mode 0400, close-on-exec, fallocated, sealed against shrinking and growing), writes the header.
 * Supervisor, before any worker. Returns 0 and the read-write fd, owned by the caller; -ENOMEM/-ENOSPC: no memory
 * for it; other -errno.
 */
int segment_create(const struct segment_geometry *geometry, const char *name, int *ret_fd);
/* The same, but of the lanes no page is allocated: memfd_allocate() does that before they are used. */
int segment_create_hollow(const struct segment_geometry *geometry, const char *name, int *ret_fd);

/* Opens the same memfd again, read-only. The caller owns both. Returns 0 or -errno. */
int memfd_reopen_read_only(int fd, int *ret_fd);

enum segment_access { SEGMENT_READ, SEGMENT_WRITE };
enum { SEGMENT_E_FOREIGN = 1 }; /* not a segment, another layout version, or another geometry */

/*
 * Maps the control pages and checks the header against the expected geometry. SEGMENT_WRITE only for the owner, and
 * for repair after the owner's death; such a mapping is not inherited by children (MADV_DONTFORK). The fd stays
 * the caller's and may be closed afterwards. Returns 0, SEGMENT_E_FOREIGN, -errno.
 */
int segment_attach(struct segment *segment, int fd, const struct segment_geometry *geometry,
		   enum segment_access access);
void segment_detach(struct segment *segment);

/*
 * Maps the recorder alone, of a segment that has one (segment_is_recorded()); SEGMENT_WRITE for the owner only, and not for its children.
 * Returns 0 and the ring, which recorder_unmap() ends, or -errno. Any process; the fd stays the caller's.
 */
int recorder_map(int fd, const struct segment_geometry *geometry, enum segment_access access,
		 struct recorder_ring **ret_ring);
/* Fine with NULL. */
void recorder_unmap(const struct recorder_ring *ring);

/*
 * Maps size_bytes at offset of fd twice back to back, so that any record is contiguous. Owner of the lane: writable;
 * consumer: read-only. populate: fault the pages in now. Returns 0 or -errno; lane_unmap() ends it.
 */
int lane_map(int fd, uint64_t offset, size_t size_bytes, enum segment_access access, bool populate,
	     unsigned char **ret_data);
void lane_unmap(unsigned char *data, size_t size_bytes);

/* A plain memfd for a spool or a document: empty, close-on-exec. Returns 0 and the fd, or -errno. */
int memfd_new(const char *name, int *ret_fd);
