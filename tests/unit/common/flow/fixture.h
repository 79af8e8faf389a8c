/* SPDX-License-Identifier: Apache-2.0 */
/* One producer slot, one consumer slot and the lane between them, on real segments. Include after cmocka.h. */
#pragma once

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "common/flow/commit.h"
#include "common/flow/lane.h"
#include "common/memory/segment.h"

#define LANE_SIZE UINT64_C(4096)

struct fixture {
	struct segment producer, consumer;
	unsigned char *data;
	struct lane_out out;
	struct lane_in in;
	int producer_fd, consumer_fd;
};

static inline void fixture_init(struct fixture *fixture)
{
	struct segment_geometry geometry;
	const uint64_t size = LANE_SIZE;
	uint64_t offset;

	*fixture = (struct fixture){ 0 };
	segment_plan(&geometry, 0, 0, 1, &size, &offset);
	assert_int_equal(segment_create(&geometry, "weir-producer", &fixture->producer_fd), 0);
	assert_int_equal(segment_attach(&fixture->producer, fixture->producer_fd, &geometry, SEGMENT_WRITE), 0);
	assert_int_equal(lane_map(fixture->producer_fd, offset, LANE_SIZE, SEGMENT_WRITE, false, &fixture->data), 0);
	segment_plan(&geometry, 1, 1, 0, NULL, NULL);
	assert_int_equal(segment_create(&geometry, "weir-consumer", &fixture->consumer_fd), 0);
	assert_int_equal(segment_attach(&fixture->consumer, fixture->consumer_fd, &geometry, SEGMENT_WRITE), 0);
	fixture->out = (struct lane_out){
		.writer = &fixture->producer.writers[0],
		.peer = &fixture->consumer.readers[0],
		.data = fixture->data,
		.capacity_bytes = LANE_SIZE,
	};
	fixture->in = (struct lane_in){
		.reader = &fixture->consumer.readers[0],
		.peer = &fixture->producer.writers[0],
		.data = fixture->data,
		.capacity_bytes = LANE_SIZE,
	};
	lane_out_rewind(&fixture->out);
	lane_in_rewind(&fixture->in);
}

static inline void fixture_deinit(struct fixture *fixture)
{
	lane_unmap(fixture->data, LANE_SIZE);
	segment_detach(&fixture->producer);
	segment_detach(&fixture->consumer);
	close(fixture->producer_fd);
	close(fixture->consumer_fd);
}

/* Sets all three shared positions and attaches both ends again, as if the lane had run for that long. */
static inline void fixture_start_at(struct fixture *fixture, uint64_t position)
{
	store_release(&fixture->producer.writers[0].tail, position);
	store_release(&fixture->consumer.readers[0].done, position);
	store_release(&fixture->consumer.readers[0].free, position);
	lane_out_rewind(&fixture->out);
	lane_in_rewind(&fixture->in);
}

static inline void fixture_commit_out(struct fixture *fixture)
{
	struct commit commit;

	commit_init(&commit, &fixture->producer);
	commit_add_tail(&commit, &fixture->out);
	commit_publish(&commit);
	fixture->out.tail = fixture->out.built;
}

static inline void fixture_commit_in(struct fixture *fixture)
{
	struct commit commit;

	commit_init(&commit, &fixture->consumer);
	commit_add_done(&commit, &fixture->in);
	commit_publish(&commit);
	fixture->in.done = fixture->in.next;
	lane_in_release(&fixture->in);
}

/* Builds one item whose bytes tell its sequence. */
static inline int fixture_put(struct fixture *fixture, uint64_t sequence, uint32_t size_bytes)
{
	struct item_header header = { .size_bytes = size_bytes, .kind = ITEM_DATA, .sequence = sequence };
	void *payload;
	int r = lane_out_reserve(&fixture->out, size_bytes, &payload);

	if (r)
		return r;
	memset(payload, (int)(sequence & 0xff), size_bytes);
	lane_out_push(&fixture->out, &header);
	return 0;
}

/* Takes one item and checks its bytes. */
static inline int fixture_take(struct fixture *fixture, uint64_t *ret_sequence, uint32_t *ret_size)
{
	struct item_header header;
	const void *payload;
	int r = lane_in_peek(&fixture->in, &header, &payload);

	if (r)
		return r;
	for (uint32_t i = 0; i < header.size_bytes; i++)
		assert_int_equal(((const unsigned char *)payload)[i], header.sequence & 0xff);
	lane_in_advance(&fixture->in, &header);
	*ret_sequence = header.sequence;
	*ret_size = header.size_bytes;
	return 0;
}
