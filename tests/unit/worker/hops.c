/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/flow/repair.h"
#include "hops.h"
#include "worker/attach.h"
#include "worker/host.h"
#include "worker/input.h"
#include "worker/origins.h"
#include "worker/output.h"
#include "worker/sharing.h"
#include "worker/turn.h"

static uint32_t count_edges(const struct hops *hops, uint32_t slot, bool outputs)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < hops->n_edges; i++)
		n += hops->edges[i][outputs ? 0 : 1] == slot;
	return n;
}

/* Among its producer's writers, or its consumer's readers. */
static uint32_t index_of(const struct hops *hops, uint32_t edge, unsigned end)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < edge; i++)
		n += hops->edges[i][end] == hops->edges[edge][end];
	return n;
}

static int read_only(const struct hops *hops, uint32_t slot)
{
	int fd;

	assert_int_equal(memfd_reopen_read_only(hops->fds[slot], &fd), 0);
	return fd;
}

static void fill_edges(const struct hops *hops, uint32_t slot, bool outputs, struct heritage_edge **ret,
		       uint32_t *ret_n)
{
	*ret = calloc(HOPS_MAX, sizeof(**ret));
	*ret_n = 0;
	for (uint32_t i = 0; i < hops->n_edges; i++) {
		struct heritage_edge *edge = &(*ret)[*ret_n];

		if (hops->edges[i][outputs ? 0 : 1] != slot)
			continue;
		edge->peer_stage = strdup("peer");
		edge->references = true;
		edge->lanes = calloc(1, sizeof(*edge->lanes));
		edge->n_lanes = 1;
		edge->lanes[0] = (struct heritage_lane){
			.peer = hops->edges[i][outputs ? 1 : 0],
			.own_index = (*ret_n)++,
			.peer_index = index_of(hops, i, outputs ? 1 : 0),
			.off_data = hops->offsets[hops->edges[i][0]][index_of(hops, i, 0)],
			.capacity_bytes = HOPS_LANE_SIZE,
		};
	}
}

static struct heritage_peer peer_of(const struct hops *hops, uint32_t slot)
{
	const struct segment_geometry *geometry = &hops->geometries[slot];

	return (struct heritage_peer){
		.slot = slot,
		.segment_fd = read_only(hops, slot),
		.doorbell_fd = hops->doorbells[slot],
		.segment_size = geometry->size_bytes,
		.n_readers = geometry->n_readers,
		.n_writers = geometry->n_writers,
		.off_readers = geometry->off_readers,
		.off_writers = geometry->off_writers,
		.off_record = geometry->off_record,
		.off_data = geometry->off_data,
		.control_size = geometry->control_size_bytes,
	};
}

static struct heritage_origin origin_of(const struct hops *hops, uint32_t slot)
{
	struct heritage_origin origin = {
		.slot = slot,
		.segment_fd = read_only(hops, slot),
		.segment_size = hops->geometries[slot].size_bytes,
		.off_data = hops->geometries[slot].off_data,
		.n_lanes = hops->geometries[slot].n_writers,
	};

	origin.lanes = calloc(HOPS_MAX, sizeof(*origin.lanes));
	for (uint32_t i = 0; i < origin.n_lanes; i++)
		origin.lanes[i] = (struct heritage_origin_lane){ hops->offsets[slot][i], HOPS_LANE_SIZE };
	return origin;
}

int hops_seat(struct hops *hops, uint32_t slot)
{
	const struct segment_geometry *geometry = &hops->geometries[slot];
	struct worker *worker = &hops->workers[slot];
	struct text why = TEXT_NULL;
	struct heritage heritage = {
		.slot = slot,
		.generation = hops->generation++,
		.n_slots = hops->n,
		.segment_fd = dup(hops->fds[slot]),
		.board_fd = dup(hops->board_fd),
		.doorbell_fd = hops->doorbells[slot],
		.segment_size = geometry->size_bytes,
		.n_readers = geometry->n_readers,
		.n_writers = geometry->n_writers,
		.off_readers = geometry->off_readers,
		.off_writers = geometry->off_writers,
		.off_record = geometry->off_record,
		.off_data = geometry->off_data,
		.control_size = geometry->control_size_bytes,
		.forwards = geometry->n_readers && geometry->n_writers,
		.spool_fds = { -1, -1 },
		.batch = 8,
		.attempts = 3,
		.n_peers = hops->n,
		.n_origins = slot,
	};
	int r;

	heritage.peers = calloc(hops->n, sizeof(*heritage.peers));
	for (uint32_t i = 0; i < hops->n; i++)
		heritage.peers[i] = peer_of(hops, i);
	heritage.origins = calloc(HOPS_MAX, sizeof(*heritage.origins));
	for (uint32_t i = 0; i < slot; i++)
		heritage.origins[i] = origin_of(hops, i);
	fill_edges(hops, slot, false, &heritage.inputs, &heritage.n_inputs);
	fill_edges(hops, slot, true, &heritage.outputs, &heritage.n_outputs);
	*worker = (struct worker){
		.context = { .host = &worker_host }, .heritage = heritage, .watch = { .fd = -1 }, .item_number = 1
	};
	r = worker_attach(worker, &why);
	text_deinit(&why);
	return r;
}

void hops_init(struct hops *hops, const uint32_t (*edges)[2], uint32_t n_edges)
{
	static const uint64_t sizes[HOPS_MAX] = { HOPS_LANE_SIZE, HOPS_LANE_SIZE, HOPS_LANE_SIZE, HOPS_LANE_SIZE,
						  HOPS_LANE_SIZE };

	*hops = (struct hops){ .edges = edges, .n_edges = n_edges };
	for (uint32_t i = 0; i < n_edges; i++)
		hops->n = edges[i][1] >= hops->n ? edges[i][1] + 1 : hops->n;
	for (uint32_t i = 0; i < hops->n; i++) {
		segment_plan(&hops->geometries[i], i, count_edges(hops, i, false), count_edges(hops, i, true), sizes,
			     hops->offsets[i]);
		assert_int_equal(segment_create(&hops->geometries[i], "hops", &hops->fds[i]), 0);
		assert_int_equal(doorbell_open(&hops->doorbells[i]), 0);
	}
	assert_int_equal(board_create(hops->n, &hops->board, &hops->board_fd), 0);
	store_relaxed(&hops->board->order, BOARD_RUN);
	for (uint32_t i = 0; i < hops->n; i++)
		assert_int_equal(hops_seat(hops, i), 0);
}

void hops_deinit(struct hops *hops)
{
	for (uint32_t i = 0; i < hops->n; i++) {
		worker_detach(&hops->workers[i]);
		close(hops->fds[i]);
		close(hops->doorbells[i]);
	}
	board_detach(hops->board);
	close(hops->board_fd);
}

int hops_replace(struct hops *hops, uint32_t slot)
{
	struct segment segment = SEGMENT_NULL;
	struct repair_report report;

	worker_detach(&hops->workers[slot]);
	assert_int_equal(segment_attach(&segment, hops->fds[slot], &hops->geometries[slot], SEGMENT_WRITE), 0);
	assert_int_equal(repair_run(&segment, &report), 0);
	segment_detach(&segment);
	return hops_seat(hops, slot);
}

int hops_put(struct hops *hops, uint32_t slot, unsigned number, size_t size_bytes)
{
	static unsigned char bytes[HOPS_LANE_SIZE];
	struct worker *worker = &hops->workers[slot];
	int r;

	memset(bytes, (int)number, size_bytes);
	r = output_push(worker, WEIR_ALL_OUTPUTS, bytes, size_bytes);
	if (r == 0)
		output_item_end(worker);
	worker->changed = true;
	return r;
}

/* The item as its stage would see it. Returns 0, -1 nothing, -3 broken. */
static int look(struct worker *worker, struct input *input, struct weir_item *item)
{
	int r = input_next(worker, input);

	if (r != 0)
		return r == INPUT_E_BROKEN ? -3 : -1;
	*item = (struct weir_item){ .data = input->payload, .size_bytes = input->header.size_bytes };
	if (input->header.kind == ITEM_REFERENCE &&
	    origins_resolve(worker, input->payload, &item->data, &item->size_bytes) != 0)
		return -3;
	/* all its bytes are the same: each is compared with the next */
	assert_int_equal(memcmp(item->data, (const unsigned char *)item->data + 1, item->size_bytes - 1), 0);
	return 0;
}

void hops_note(struct hops *hops, uint32_t slot, const struct input *input)
{
	struct worker *worker = &hops->workers[slot];
	const struct lane_in *lane = &worker->inputs[input->edge].lanes[input->lane].lane;
	struct segment_hand *hand = worker->segment.hand;

	store_relaxed(&hand->lane, lane->index);
	store_relaxed(&hand->position, lane->next);
	store_release(&hand->busy, 1);
}

int hops_pass(struct hops *hops, uint32_t slot)
{
	struct worker *worker = &hops->workers[slot];
	struct weir_item item;
	struct input input;
	int r = look(worker, &input, &item);

	if (r != 0)
		return r;
	hops_note(hops, slot, &input);
	worker->phase = PHASE_PROCESS;
	r = sharing_forward(worker, WEIR_ALL_OUTPUTS, &item);
	worker->phase = PHASE_NONE;
	if (r != 0)
		return -2;
	output_item_end(worker);
	input_take(worker, &input);
	return *(const unsigned char *)item.data;
}

int hops_take(struct hops *hops, uint32_t slot)
{
	struct worker *worker = &hops->workers[slot];
	struct weir_item item;
	struct input input;
	int r = look(worker, &input, &item);

	if (r != 0)
		return r;
	input_take(worker, &input);
	return *(const unsigned char *)item.data;
}

void hops_commit(struct hops *hops, uint32_t slot)
{
	hops->workers[slot].changed = true;
	assert_int_equal(turn_commit(&hops->workers[slot]), 0);
}

bool hops_pushed_reference(struct hops *hops, uint32_t slot, uint32_t edge)
{
	const struct lane_out *lane = &hops->workers[slot].outputs[edge].lanes[0].lane;
	struct item_header header;

	memcpy(&header,
	       lane->data + ((lane->built - item_record_size(sizeof(struct item_reference))) & (HOPS_LANE_SIZE - 1)),
	       sizeof(header));
	return header.kind == ITEM_REFERENCE && header.size_bytes == sizeof(struct item_reference);
}

uint64_t hops_room(struct hops *hops, uint32_t slot, uint32_t edge)
{
	return lane_out_room(&hops->workers[slot].outputs[edge].lanes[0].lane, true);
}

void hops_must_put(struct hops *hops, unsigned number, size_t size_bytes)
{
	assert_int_equal(hops_put(hops, 0, number, size_bytes), 0);
	hops_commit(hops, 0);
}

void hops_must_pass(struct hops *hops, uint32_t slot, int number)
{
	assert_int_equal(hops_pass(hops, slot), number);
	hops_commit(hops, slot);
}

void hops_must_take(struct hops *hops, uint32_t slot, int number)
{
	assert_int_equal(hops_take(hops, slot), number);
	hops_commit(hops, slot);
}

uint64_t hops_free(const struct hops *hops, uint32_t slot)
{
	return load_relaxed(&hops->workers[slot].segment.readers[0].free);
}
