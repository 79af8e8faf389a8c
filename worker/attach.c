/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the seat.
 *
 *      own segment (rw)          peers' segments (read-only)
 *   +-----------------+        +-------------------------+
 *   | readers[] <-----|--------|-- writers[], lane data   |  producers: their lanes are this worker's inputs
 *   | writers[], data |------->|-- readers[]              |  consumers: this worker's lanes are their inputs
 *   +-----------------+        +-------------------------+
 *
 * All geometry comes from the heritage, never from a segment. The writable descriptor is closed once it is mapped, and the
 * mapping is not inherited, so that no child can write into the next generation's memory.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "worker/attach.h"
#include "worker/baggage.h"
#include "worker/burial.h"
#include "worker/credit.h"
#include "worker/decode.h"
#include "worker/encode.h"
#include "worker/in_flight.h"
#include "worker/keyed.h"
#include "worker/key.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/origins.h"
#include "worker/pins.h"
#include "worker/recording.h"
#include "worker/replay.h"
#include "worker/stamp.h"

static int attach_segment(struct segment *segment, int fd, const struct segment_geometry *geometry,
			  enum segment_access access, const char *whose, struct text *why)
{
	int r = segment_attach(segment, fd, geometry, access);

	if (r < 0)
		text_printf(why, "cannot map the segment of slot %u: %s", geometry->slot, strerror(-r));
	else if (r > 0)
		text_printf(why, "the segment of slot %u (%s) is not what the heritage says", geometry->slot, whose);
	return r > 0 ? error_origin(-EBADMSG) : error_trace(r);
}

static int attach_peers(struct worker *worker, struct text *why)
{
	const struct heritage *heritage = &worker->heritage;

	worker->peers = calloc(heritage->n_peers ? heritage->n_peers : 1, sizeof(*worker->peers));
	must(worker->peers);
	worker->n_peers = heritage->n_peers;
	for (uint32_t i = 0; i < heritage->n_peers; i++) {
		const struct heritage_peer *from = &heritage->peers[i];
		struct segment_geometry geometry = {
			.slot = from->slot,
			.n_readers = from->n_readers,
			.n_writers = from->n_writers,
			.off_readers = from->off_readers,
			.off_writers = from->off_writers,
			.off_record = from->off_record,
			.off_data = from->off_data,
			.control_size_bytes = from->control_size,
			.size_bytes = from->segment_size,
			.off_done_bits = from->off_done_bits,
		};
		int r = attach_segment(&worker->peers[i].segment, from->segment_fd, &geometry, SEGMENT_READ,
				       "a neighbour", why);

		if (r < 0)
			return r;
		worker->peers[i].doorbell.armed = worker->peers[i].segment.armed;
		worker->peers[i].doorbell.fd = from->doorbell_fd;
	}
	return 0;
}

static int attach_hold(struct worker *worker, struct input_lane *input, const struct heritage_lane *lane,
		       const char *peer_stage, struct text *why)
{
	unsigned char *data;
	int r = lane_map(worker->heritage.segment_fd, lane->off_hold, lane->capacity_bytes, SEGMENT_WRITE, false,
			 &data);

	if (r < 0) {
		text_printf(why, "cannot map the hold of a lane of '%s': %s", peer_stage, strerror(-r));
		return error_trace(r);
	}
	input->hold.record = (struct hold_record *)(void *)data;
	if (hold_attach(&input->hold, &input->lane) == 0)
		return 0;
	text_printf(why, "the item in work from '%s' makes no sense", peer_stage);
	return error_origin(-EBADMSG);
}

static int attach_input(struct worker *worker, struct input_edge *edge, const struct heritage_edge *from,
			struct text *why)
{
	edge->heritage = from;
	edge->lanes = calloc(from->n_lanes, sizeof(*edge->lanes));
	must(edge->lanes);
	edge->n_lanes = from->n_lanes;
	edge->plain = !from->merge && from->full != HERITAGE_FULL_DROP_OLD && !worker->heritage.expires_ns;
	for (uint32_t i = 0; i < from->n_lanes; i++) {
		const struct heritage_lane *lane = &from->lanes[i];
		struct input_lane *input = &edge->lanes[i];
		unsigned char *data;
		int r;

		input->peer = &worker->peers[lane->peer];
		r = lane_map(worker->heritage.peers[lane->peer].segment_fd, lane->off_data, lane->capacity_bytes,
			     SEGMENT_READ, false, &data);
		if (r < 0) {
			text_printf(why, "cannot map a lane of '%s': %s", from->peer_stage, strerror(-r));
			return error_trace(r);
		}
		input->lane.data = data;
		input->lane.reader = &worker->segment.readers[lane->own_index];
		input->lane.peer = &input->peer->segment.writers[lane->peer_index];
		input->lane.capacity_bytes = lane->capacity_bytes;
		input->lane.index = lane->own_index;
		/* until pins_attach() knows what may go */
		input->lane.held = pins_wanted(&worker->heritage) && from->full != HERITAGE_FULL_DROP_OLD;
		input->lane.held_from = load_relaxed(&input->lane.reader->free);
		if (from->full == HERITAGE_FULL_DROP_OLD) {
			r = attach_hold(worker, input, lane, from->peer_stage, why);
			if (r < 0)
				return r;
		} else {
			lane_in_rewind(&input->lane);
		}
	}
	return 0;
}

static int attach_output(struct worker *worker, struct output_edge *edge, const struct heritage_edge *from,
			 struct text *why)
{
	edge->heritage = from;
	edge->turn_lane = NO_LANE;
	if (from->balance == HERITAGE_BALANCE_KEY && from->n_lanes > 1 && from->order == HERITAGE_ORDER_NONE &&
	    key_new(from->balance_key, &edge->key, why) != 0)
		return error_origin(-EINVAL);
	worker->rendezvous = worker->rendezvous || from->rendezvous;
	worker->deals_runs = worker->deals_runs || from->order == HERITAGE_ORDER_DEAL;
	edge->lanes = calloc(from->n_lanes, sizeof(*edge->lanes));
	must(edge->lanes);
	edge->n_lanes = from->n_lanes;
	edge->first_index = from->n_lanes ? from->lanes[0].own_index : 0;
	edge->plain = !edge->key && from->full == HERITAGE_FULL_BLOCK && !from->rendezvous;
	for (uint32_t i = 0; i < from->n_lanes; i++) {
		const struct heritage_lane *lane = &from->lanes[i];
		struct output_lane *output = &edge->lanes[i];
		int r;

		output->peer = &worker->peers[lane->peer];
		r = lane_map(worker->heritage.segment_fd, lane->off_data, lane->capacity_bytes, SEGMENT_WRITE, false,
			     &output->lane.data);
		if (r < 0) {
			text_printf(why, "cannot map a lane to '%s': %s", from->peer_stage, strerror(-r));
			return error_trace(r);
		}
		output->lane.writer = &worker->segment.writers[lane->own_index];
		output->lane.peer = &output->peer->segment.readers[lane->peer_index];
		output->lane.capacity_bytes = lane->capacity_bytes;
		output->lane.index = lane->own_index;
		output->lane.reserve_bytes = from->order == HERITAGE_ORDER_NONE ? 0 : (uint32_t)item_record_size(0);
		if (from->full == HERITAGE_FULL_DROP_OLD)
			lane_out_rewind_dropping(&output->lane);
		else
			lane_out_rewind(&output->lane);
		output->ordinal = load_relaxed(&output->lane.writer->tail_ordinal);
	}
	credit_attach(edge);
	return 0;
}

static int attach_edges(struct worker *worker, struct text *why)
{
	const struct heritage *heritage = &worker->heritage;
	int r;

	worker->inputs = calloc(heritage->n_inputs + 1, sizeof(*worker->inputs));
	worker->outputs = calloc(heritage->n_outputs + 1, sizeof(*worker->outputs));
	must(worker->inputs && worker->outputs);
	for (; worker->n_inputs < heritage->n_inputs; worker->n_inputs++) {
		r = attach_input(worker, &worker->inputs[worker->n_inputs], &heritage->inputs[worker->n_inputs], why);
		if (r < 0)
			return r;
	}
	for (; worker->n_outputs < heritage->n_outputs; worker->n_outputs++) {
		r = attach_output(worker, &worker->outputs[worker->n_outputs], &heritage->outputs[worker->n_outputs],
				  why);
		if (r < 0)
			return r;
	}
	return stamp_attach(worker, why);
}

/* The first generation finds a cursor of zeroes; a merged edge starts at its own first ticket. */
static void attach_cursor(struct worker *worker)
{
	memcpy(&worker->cursor, cursor_current(&worker->segment), sizeof(worker->cursor));
	if (!baggage_check(&worker->cursor))
		weir_log(WEIR_LOG_WARNING,
			 "what its last item had brought along makes no sense; the rest of its outputs go without it");
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		if (worker->inputs[i].heritage->merge &&
		    worker->cursor.expected[i] < worker->inputs[i].heritage->first_ticket)
			worker->cursor.expected[i] = worker->inputs[i].heritage->first_ticket;
	/* Until dealing_follow() all lanes stand in their order. */
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		worker->outputs[i].run_lane = worker->cursor.outputs[i].target;
}

/* As inherited: a stage that pins itself later does not change how many there are for the others. */
static uint32_t count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

static int attach_board(struct worker *worker, struct text *why)
{
	int r = board_attach(worker->heritage.board_fd, worker->heritage.n_slots, &worker->board);

	if (r == 0)
		return 0;
	text_printf(why, "cannot map the board: %s", r < 0 ? strerror(-r) : "it is not what the heritage says");
	return r > 0 ? error_origin(-EBADMSG) : error_trace(r);
}

/* A merged edge says itself which lane its run lies in; another one must have one lane only. */
static bool attach_brings_runs(const struct worker *worker)
{
	const struct input_edge *edge = &worker->inputs[0];

	return worker->n_inputs == 1 && !worker->loop && !worker->in_flight && !worker->heritage.expires_ns &&
	       !worker->cursor.inputs_left && edge->heritage->full != HERITAGE_FULL_DROP_OLD &&
	       (edge->heritage->merge || (worker->ordered && edge->n_lanes == 1));
}

/* Mapped is enough; and what is not open, no child of a stage inherits. */
static void attach_close_memory(struct heritage *heritage)
{
	heritage->segment_fd = fd_close(heritage->segment_fd);
	heritage->board_fd = fd_close(heritage->board_fd);
	for (uint32_t i = 0; i < heritage->n_peers; i++)
		heritage->peers[i].segment_fd = fd_close(heritage->peers[i].segment_fd);
}

/* Mapped by itself: peers, who map the rest, have no use for it. */
static int attach_recorder(struct worker *worker, struct text *why)
{
	struct recorder_ring *ring = NULL;
	int r = 0;

	if (segment_is_recorded(&worker->segment.geometry))
		r = recorder_map(worker->heritage.segment_fd, &worker->segment.geometry, SEGMENT_WRITE, &ring);
	if (r < 0)
		text_printf(why, "cannot map its recorder: %s", strerror(-r));
	else
		recording_begin(worker, ring);
	return error_trace(r);
}

/* Which of its inputs and outputs may go the short way. */
static void attach_ways(struct worker *worker)
{
	worker->plain_input = worker->n_inputs && !worker->ordered && !worker->cursor.inputs_left;
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		worker->plain_input = worker->plain_input && worker->inputs[i].plain;
	worker->runs_input = attach_brings_runs(worker);
	worker->plain_output =
		worker->n_outputs == 1 && worker->outputs[0].plain && !worker->in_flight && !worker->stamp;
}

int worker_attach(struct worker *worker, struct text *why)
{
	struct heritage *heritage = &worker->heritage;
	struct segment_geometry geometry = {
		.slot = heritage->slot,
		.n_readers = heritage->n_readers,
		.n_writers = heritage->n_writers,
		.off_readers = heritage->off_readers,
		.off_writers = heritage->off_writers,
		.off_record = heritage->off_record,
		.off_data = heritage->off_data,
		.control_size_bytes = heritage->control_size,
		.size_bytes = heritage->segment_size,
		.off_done_bits = heritage->off_done_bits,
	};
	const struct board_slot *seat;
	int r;

	r = attach_segment(&worker->segment, heritage->segment_fd, &geometry, SEGMENT_WRITE, "its own", why);
	if (r < 0)
		return r;
	r = attach_board(worker, why);
	if (r == 0)
		r = attach_peers(worker, why);
	if (r == 0)
		r = attach_edges(worker, why);
	if (r == 0)
		r = pins_attach(worker, why);
	if (r == 0)
		r = in_flight_attach(worker, why);
	if (r == 0)
		r = attach_recorder(worker, why);
	if (r < 0)
		return r;
	loop_attach(worker);

	attach_close_memory(heritage);
	origins_attach(worker);
	commit_init(&worker->commit, &worker->segment);
	attach_cursor(worker);
	meter_attach(worker);
	seat = &worker->board->slots[heritage->slot];
	worker->suspect_attempts = seat->suspect_attempts;
	worker->suspect_lane = seat->suspect_lane;
	worker->suspect_position = seat->suspect_position;
	worker->ordered = heritage->ordered;
	worker->n_processors = count_processors();
	patience_init(&worker->patience);
	attach_ways(worker);
	/* Wakers remember the last word they rang for: no generation may arm with one of an earlier generation's. */
	worker->armed_epoch = (uint64_t)heritage->generation << 32;
	leave_announce(worker);
	store_relaxed(&worker->segment.status->heartbeat, 0);
	store_relaxed(&worker->segment.status->seen_ns, 0);
	store_relaxed(&worker->segment.status->seen_dealings, 0);
	store_release(&worker->segment.status->generation, heritage->generation); /* [S1] mate: take_state */
	recording_note(worker, RECORDER_SEAT, heritage->generation, (uint64_t)getpid(), 0);
	return 0;
}

void worker_detach(struct worker *worker)
{
	sleeper_close(&worker->sleeper);
	replay_detach(worker);
	burial_detach(worker);
	stamp_detach(worker);
	decode_detach(worker);
	encode_detach(worker);
	keyed_detach(worker);
	in_flight_detach(worker);
	pins_detach(worker);
	origins_detach(worker);
	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			lane_unmap((unsigned char *)(uintptr_t)worker->inputs[i].lanes[j].lane.data,
				   worker->inputs[i].lanes[j].lane.capacity_bytes);
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			if (worker->inputs[i].lanes[j].hold.record)
				lane_unmap((unsigned char *)worker->inputs[i].lanes[j].hold.record,
					   worker->inputs[i].lanes[j].lane.capacity_bytes);
		free(worker->inputs[i].lanes);
	}
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		for (uint32_t j = 0; j < worker->outputs[i].heritage->n_lanes; j++) /* retired ones too */
			lane_unmap(worker->outputs[i].lanes[j].lane.data,
				   worker->outputs[i].lanes[j].lane.capacity_bytes);
		credit_detach(&worker->outputs[i]);
		free(worker->outputs[i].lanes);
		key_free(worker->outputs[i].key);
	}
	for (uint32_t i = 0; i < worker->n_peers; i++)
		segment_detach(&worker->peers[i].segment);
	free(worker->reserved.scratch);
	loop_detach(worker);
	free(worker->inputs);
	free(worker->outputs);
	free(worker->peers);
	if (worker->board)
		board_detach(worker->board);
	recorder_unmap(worker->recording.recorder.ring);
	segment_detach(&worker->segment);
	heritage_deinit(&worker->heritage);
}
