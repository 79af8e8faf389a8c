/* SPDX-License-Identifier: Apache-2.0 */
/* Which heritages make sense. The document comes from the supervisor; a worker that maps by it must not have to trust it. */
#include "common/memory/board_layout.h"
#include "common/memory/segment.h"
#include "common/wire/heritage_priv.h"

#define LANES_MAX 65536u /* of one slot, in one direction */
#define WORKERS_MAX 64u

static_assert(HERITAGE_IN_FLIGHT_MAX == DONE_BITS_WINDOW, "what may be in flight fits the window of each lane");

struct geometry {
	uint32_t n_readers, n_writers;
	uint64_t off_readers, off_writers, off_record, off_data, control_size, segment_size, off_done_bits;
};

static bool fits(uint64_t offset, uint64_t n, uint64_t each, uint64_t end)
{
	return offset >= SEGMENT_OFF_CURSORS && offset % 8 == 0 && offset <= end && n <= (end - offset) / each;
}

static bool geometry_makes_sense(const struct geometry *g)
{
	const struct segment_geometry counts = { .n_readers = g->n_readers,
						 .n_writers = g->n_writers,
						 .off_done_bits = g->off_done_bits };
	uint64_t n_operations = segment_operations_max(&counts), off_observed;

	if (g->n_readers > LANES_MAX || g->n_writers > LANES_MAX || g->segment_size > INT64_MAX ||
	    (g->control_size != g->off_data && g->control_size + SEGMENT_RECORDER_SIZE != g->off_data) ||
	    g->off_data > g->segment_size || g->off_data % SEGMENT_PAGE_SIZE != 0 ||
	    g->control_size < segment_observed_size(&counts))
		return false;
	off_observed = g->control_size - segment_observed_size(&counts);
	return fits(g->off_readers, g->n_readers, sizeof(struct lane_reader), off_observed) &&
	       fits(g->off_writers, g->n_writers, sizeof(struct lane_writer), off_observed) &&
	       (!g->off_done_bits || fits(g->off_done_bits, g->n_readers, sizeof(struct done_bits), off_observed)) &&
	       fits(g->off_record, n_operations + sizeof(struct commit_record) / sizeof(struct commit_operation),
		    sizeof(struct commit_operation), off_observed);
}

static struct geometry own_geometry(const struct heritage *h)
{
	return (struct geometry){ h->n_readers, h->n_writers,    h->off_readers,  h->off_writers,  h->off_record,
				  h->off_data,  h->control_size, h->segment_size, h->off_done_bits };
}

static struct geometry peer_geometry(const struct heritage_peer *p)
{
	return (struct geometry){ p->n_readers, p->n_writers,    p->off_readers,  p->off_writers,  p->off_record,
				  p->off_data,  p->control_size, p->segment_size, p->off_done_bits };
}

/* A lane's data lies in its producer's segment, behind the control pages, on page boundaries. */
static bool data_makes_sense(uint64_t offset, uint64_t capacity_bytes, uint64_t off_data, uint64_t segment_size)
{
	return capacity_bytes >= SEGMENT_PAGE_SIZE && (capacity_bytes & (capacity_bytes - 1)) == 0 &&
	       offset % SEGMENT_PAGE_SIZE == 0 && offset >= off_data && offset <= segment_size &&
	       capacity_bytes <= segment_size - offset;
}

static bool lane_makes_sense(const struct heritage_lane *lane, const struct geometry *producer,
			     const struct geometry *consumer, uint32_t writer_index, uint32_t reader_index)
{
	return writer_index < producer->n_writers && reader_index < consumer->n_readers &&
	       data_makes_sense(lane->off_data, lane->capacity_bytes, producer->off_data, producer->segment_size);
}

static bool origin_makes_sense(const struct heritage *h, const struct heritage_origin *origin)
{
	if (origin->slot >= h->n_slots || origin->segment_fd < 0 || origin->segment_size > INT64_MAX ||
	    origin->n_lanes > LANES_MAX)
		return false;
	for (uint32_t i = 0; i < origin->n_lanes; i++)
		if (!data_makes_sense(origin->lanes[i].off_data, origin->lanes[i].capacity_bytes, origin->off_data,
				      origin->segment_size))
			return false;
	return true;
}

/* What can't be asked for together: docs/spec.md says why; the broker's rules.c tells people. */
static bool admission_makes_sense(const struct heritage_edge *edge)
{
	bool ordered = edge->order != HERITAGE_ORDER_NONE || edge->merge;

	return edge->balance <= HERITAGE_BALANCE_KEY &&
	       (edge->balance == HERITAGE_BALANCE_KEY) == !!edge->balance_key && edge->full <= HERITAGE_FULL_DROP_OLD &&
	       edge->feedback == (edge->credit > 0) &&
	       (!edge->rendezvous || (edge->full == HERITAGE_FULL_BLOCK && !ordered && !edge->feedback)) &&
	       (edge->full != HERITAGE_FULL_DROP_OLD || (!ordered && !edge->feedback)) &&
	       (edge->order == HERITAGE_ORDER_NONE || !edge->feedback) &&
	       (!edge->movable ||
		(!ordered && edge->n_lanes > 1 && !edge->rendezvous && edge->full != HERITAGE_FULL_DROP_OLD));
}

/* The hold lies in the own segment, behind the control pages, and is as large as the lane. */
static bool hold_makes_sense(const struct heritage_lane *lane, const struct geometry *own)
{
	return lane->off_hold % SEGMENT_PAGE_SIZE == 0 && lane->off_hold >= own->off_data &&
	       lane->off_hold <= own->segment_size && lane->capacity_bytes <= own->segment_size - lane->off_hold;
}

static bool edge_makes_sense(const struct heritage *h, const struct heritage_edge *edge, bool is_output)
{
	if (edge->order > HERITAGE_ORDER_KEEP || edge->n_lanes == 0 || (edge->merge && edge->ticket_step == 0) ||
	    !admission_makes_sense(edge))
		return false;
	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		const struct heritage_lane *lane = &edge->lanes[i];
		struct geometry own = own_geometry(h), peer;

		if (lane->peer >= h->n_peers)
			return false;
		peer = peer_geometry(&h->peers[lane->peer]);
		if (is_output ? !lane_makes_sense(lane, &own, &peer, lane->own_index, lane->peer_index) :
				!lane_makes_sense(lane, &peer, &own, lane->peer_index, lane->own_index))
			return false;
		if (!is_output && edge->full == HERITAGE_FULL_DROP_OLD && !hold_makes_sense(lane, &own))
			return false;
	}
	return true;
}

/* The geometry at one end of a loop's lane: a neighbour's or, behind it in the loop, anybody's; or the own one. */
static bool loop_end(const struct heritage *h, uint32_t peer, struct geometry *ret)
{
	if (peer != HERITAGE_SELF && peer >= h->n_peers)
		return false;
	*ret = peer == HERITAGE_SELF ? own_geometry(h) : peer_geometry(&h->peers[peer]);
	return true;
}

static bool loop_lane_makes_sense(const struct heritage *h, const struct heritage_loop_lane *lane)
{
	struct geometry producer, consumer;

	return loop_end(h, lane->producer, &producer) && loop_end(h, lane->consumer, &consumer) &&
	       lane->writer_index < producer.n_writers && lane->reader_index < consumer.n_readers &&
	       lane->capacity_bytes >= SEGMENT_PAGE_SIZE;
}

static bool option_makes_sense(const struct heritage_option *option)
{
	switch (option->type) {
	case HERITAGE_NUMBER:
		return true;
	case HERITAGE_STRING:
		return option->string;
	case HERITAGE_LIST:
		return option->list;
	default:
		return false;
	}
}

static bool seat_makes_sense(const struct heritage *h)
{
	struct geometry own = own_geometry(h);

	return h->role >= 1 && h->role <= 3 && h->n_slots <= BOARD_SLOTS_MAX && h->slot < h->n_slots &&
	       h->n_workers <= WORKERS_MAX && h->worker_index < h->n_workers && h->supervisor_pid > 0 &&
	       h->segment_fd >= 0 && h->board_fd >= 0 && h->doorbell_fd >= 0 && h->lifeline_fd >= 0 &&
	       h->cancel_fd >= 0 && h->scopes_fd >= 0 && h->spool_fds[0] >= -1 && h->spool_fds[1] >= -1 &&
	       h->state_fd >= -1 && h->socket_fd >= -1 && (h->state_fd < 0 || (h->state_path && h->state_bytes)) &&
	       h->batch >= 1 && h->attempts >= 1 && h->in_flight >= 1 && h->in_flight <= HERITAGE_IN_FLIGHT_MAX &&
	       (!h->expires || !h->n_inputs) && (h->in_flight > 1) == (h->off_done_bits != 0) &&
	       h->n_inputs <= CURSOR_EDGES_MAX && h->n_outputs <= CURSOR_EDGES_MAX && geometry_makes_sense(&own);
}

bool heritage_question_makes_sense(const struct heritage_question *question)
{
	for (uint32_t i = 0; i < question->n_options; i++)
		if (!option_makes_sense(&question->options[i]))
			return false;
	return question->role >= 1 && question->role <= 3;
}

bool heritage_makes_sense(const struct heritage *heritage)
{
	if (!seat_makes_sense(heritage) || heritage->n_deaths > HERITAGE_DEATHS_MAX)
		return false;
	for (uint32_t i = 0; i < heritage->n_options; i++)
		if (!option_makes_sense(&heritage->options[i]))
			return false;
	for (uint32_t i = 0; i < heritage->n_peers; i++) {
		const struct heritage_peer *peer = &heritage->peers[i];
		struct geometry geometry = peer_geometry(peer);

		if (peer->slot >= heritage->n_slots || peer->segment_fd < 0 || peer->doorbell_fd < 0 ||
		    !geometry_makes_sense(&geometry))
			return false;
	}
	for (uint32_t i = 0; i < heritage->n_origins; i++)
		if (!origin_makes_sense(heritage, &heritage->origins[i]))
			return false;
	for (uint32_t i = 0; i < heritage->n_inputs; i++)
		if (!edge_makes_sense(heritage, &heritage->inputs[i], false))
			return false;
	for (uint32_t i = 0; i < heritage->n_outputs; i++)
		if (!edge_makes_sense(heritage, &heritage->outputs[i], true))
			return false;
	for (uint32_t i = 0; i < heritage->n_loop_lanes; i++)
		if (!loop_lane_makes_sense(heritage, &heritage->loop_lanes[i]))
			return false;
	return true;
}
