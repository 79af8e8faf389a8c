/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn is committed when each of its replies has been heard by the worker that has its client: handed to him, or found to be nobody's.
 * Who is killed before that says them again, and that worker knows which it has heard (requests.c).
 *
 * What is not confirmed is said again after a while, more and more rarely: the worker may have been killed with it, and the next one
 * listens at the same place. A reply has an end: when its client has been told that there is none, nobody needs to hear it.
 */
#include "worker/zmq/replies.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <weir/baggage.h>

#include "common/base/clock.h"
#include "common/base/error.h"

#define AGAIN_NS_MIN (100 * NS_PER_MS)
#define AGAIN_NS_MAX NS_PER_S
#define GRACE_NS (500 * NS_PER_MS) /* the clients' worker looks at its clock, too */
#define ROOM_BYTES ((size_t)64 * 1024)
#define REPLIES_MIN 64u

/* ---- ways ---- */

static int way_to(struct replies *replies, struct weir_context *context, uint32_t worker)
{
	const struct way_note hello = { .kind = WAY_HELLO };
	char endpoint[WAY_ADDRESS_MAX];
	struct messenger *way;
	int r;

	if (replies->ways[worker])
		return 0;
	way = calloc(1, sizeof(*way));
	if (!way)
		return error_origin(-ENOMEM);
	r = way_open(way, context, ZMQ_DEALER);
	way_endpoint(context, replies->to, worker, endpoint);
	if (r == 0 && zmq_connect(way->socket, endpoint))
		r = error_origin(-errno);
	if (r == 0)
		r = way_say(way, context, hello, NULL, 0);
	if (r < 0) {
		messenger_close(way);
		free(way);
		return r;
	}
	replies->ways[worker] = way;
	return 0;
}

int replies_open(struct replies *replies, struct weir_context *context, const char *to)
{
	replies->to = to;
	return way_to(replies, context, 0);
}

void replies_close(struct replies *replies, const struct weir_context *context, bool has_ended)
{
	const struct way_note bye = { .kind = WAY_BYE };

	for (uint32_t i = 0; i < WAY_WORKERS_MAX; i++) {
		if (!replies->ways[i])
			continue;
		if (has_ended)
			(void)way_say(replies->ways[i], context, bye, NULL, 0);
		messenger_close(replies->ways[i]);
		free(replies->ways[i]);
		replies->ways[i] = NULL;
	}
	free(replies->at);
	free(replies->room);
	replies->at = NULL;
	replies->room = NULL;
}

/* ---- a turn's ---- */

static int make_room(struct replies *replies, size_t size_bytes)
{
	size_t capacity_bytes = replies->capacity_bytes ? replies->capacity_bytes : ROOM_BYTES;
	uint32_t capacity = replies->capacity ? 2 * replies->capacity : REPLIES_MIN;
	struct reply *at;
	char *room;

	while (capacity_bytes - replies->used_bytes < size_bytes)
		capacity_bytes *= 2;
	if (capacity_bytes != replies->capacity_bytes) {
		room = realloc(replies->room, capacity_bytes);
		if (!room)
			return error_origin(-ENOMEM);
		replies->room = room;
		replies->capacity_bytes = capacity_bytes;
	}
	if (replies->n < replies->capacity)
		return 0;
	at = reallocarray(replies->at, capacity, sizeof(*at));
	if (!at)
		return error_origin(-ENOMEM);
	replies->at = at;
	replies->capacity = capacity;
	return 0;
}

/* Returns 0, also if it has to go later, when there is room; -errno. */
static int say(struct replies *replies, const struct weir_context *context, struct reply *reply)
{
	const struct way_note note = { .kind = WAY_REPLY,
				       .session = reply->address.session,
				       .number = reply->address.number,
				       .slot = reply->address.slot,
				       .index = (uint32_t)(reply - replies->at) };
	int r = way_say(replies->ways[reply->address.worker], context, note, replies->room + reply->at_bytes,
			reply->size_bytes);

	reply->sent = r == 0;
	return r < 0 ? r : 0;
}

static int refuse(struct weir_context *context, const char *reason)
{
	weir_reject(context, "%s", reason);
	return WEIR_REJECTED;
}

int replies_add(struct replies *replies, struct weir_context *context, const struct weir_item *item)
{
	struct reply reply = { .at_bytes = replies->used_bytes, .size_bytes = item->size_bytes };
	const void *address;
	size_t size_bytes;
	int r = weir_baggage_get(context, WAY_KEY, &address, &size_bytes);

	if (r != 0)
		return refuse(context,
			      "it replies to no request: it does not come from a source: zmq with answer: reply, or a "
			      "stage on its way makes one item of several");
	if (size_bytes != sizeof(reply.address))
		return refuse(context, "its " WAY_KEY " is none of a source: zmq");
	memcpy(&reply.address, address, size_bytes);
	if (reply.address.worker >= WAY_WORKERS_MAX)
		return refuse(context, "its " WAY_KEY " is none of a source: zmq");
	r = way_to(replies, context, reply.address.worker);
	if (r == 0)
		r = make_room(replies, item->size_bytes);
	if (r != 0)
		return r;
	if (item->size_bytes)
		memcpy(replies->room + replies->used_bytes, item->data, item->size_bytes);
	replies->used_bytes += item->size_bytes;
	replies->at[replies->n] = reply;
	return say(replies, context, &replies->at[replies->n++]);
}

/* ---- its end ---- */

static void say_once(bool *said, const char *what)
{
	if (!*said)
		weir_log(WEIR_LOG_WARNING, "a reply is dropped: %s. (Said once)", what);
	*said = true;
}

static void end_reply(struct replies *replies, struct reply *reply, uint32_t outcome)
{
	reply->heard = true;
	replies->n_heard++;
	if (outcome == WAY_UNKNOWN)
		say_once(&replies->unknown_said,
			 "its request has been answered already, or its time is over, or its worker was killed");
	else if (outcome == WAY_GONE)
		say_once(&replies->gone_said, "its client has gone, or takes none");
}

/* It may be late, and of an earlier turn: then another one has its index, or it has been heard before. */
static void confirmed(struct replies *replies, uint32_t worker, const struct way_note *note)
{
	struct reply *reply = note->index < replies->n ? &replies->at[note->index] : NULL;

	if (reply && !reply->heard && reply->address.worker == worker && reply->address.number == note->number &&
	    reply->address.session == note->session)
		end_reply(replies, reply, note->outcome);
}

/* All that has come from this worker. Returns 0 or -errno. */
static int hear(struct replies *replies, uint32_t worker)
{
	const struct messenger *way = replies->ways[worker];
	zmq_msg_t part;
	int r = 0;

	zmq_msg_init(&part);
	while (r == 0) {
		struct way_note note;

		r = messenger_receive(way, &part);
		if (r == 0 && way_read(&part, &note) && note.kind == WAY_HEARD)
			confirmed(replies, worker, &note);
		if (r == MESSENGER_E_EMPTY && messenger_can(way, ZMQ_POLLIN))
			r = 0;
	}
	zmq_msg_close(&part);
	return r < 0 ? r : 0;
}

static int hear_all(struct replies *replies)
{
	int r = 0;

	for (uint32_t i = 0; i < WAY_WORKERS_MAX && r == 0; i++)
		if (replies->ways[i])
			r = hear(replies, i);
	return r;
}

/* Gives up what nobody waits for any more, and says what was not said, or all of it again. */
static int go_over(struct replies *replies, const struct weir_context *context, bool again, uint64_t now_ns,
		   uint64_t *ret_until_ns)
{
	int r = 0;

	*ret_until_ns = 0;
	for (uint32_t i = 0; i < replies->n && r == 0; i++) {
		struct reply *reply = &replies->at[i];

		if (reply->heard)
			continue;
		if (now_ns >= reply->address.until_ns + GRACE_NS) {
			end_reply(replies, reply, WAY_UNKNOWN);
			continue;
		}
		*ret_until_ns = deadline_earlier(*ret_until_ns, reply->address.until_ns + GRACE_NS);
		if (again || !reply->sent)
			r = say(replies, context, reply);
	}
	return r;
}

static int wait_for_news(struct replies *replies, struct weir_context *context, uint64_t until_ns)
{
	struct pollfd fds[WAY_WORKERS_MAX];
	uint32_t n = 0;
	int r;

	for (uint32_t i = 0; i < WAY_WORKERS_MAX; i++)
		if (replies->ways[i])
			fds[n++] = (struct pollfd){ .fd = messenger_fd(replies->ways[i]), .events = POLLIN };
	r = weir_wait(context, fds, n, until_ns);
	return r == WEIR_EXPIRED ? 0 : r;
}

int replies_flush(struct replies *replies, struct weir_context *context)
{
	uint64_t pause_ns = AGAIN_NS_MIN, again_ns = clock_now_ns() + pause_ns, until_ns;
	int r = hear_all(replies);

	while (r == 0 && replies->n_heard < replies->n) {
		uint64_t now_ns = clock_now_ns();
		bool again = now_ns >= again_ns;

		if (again) {
			pause_ns = 2 * pause_ns < AGAIN_NS_MAX ? 2 * pause_ns : AGAIN_NS_MAX;
			again_ns = now_ns + pause_ns;
		}
		r = go_over(replies, context, again, now_ns, &until_ns);
		if (r == 0) /* said may have swallowed what the descriptor would tell */
			r = hear_all(replies);
		if (r == 0 && replies->n_heard < replies->n)
			r = wait_for_news(replies, context, deadline_earlier(again_ns, until_ns));
		if (r == 0)
			r = hear_all(replies);
	}
	if (r != 0)
		return r;
	replies->n = replies->n_heard = 0;
	replies->used_bytes = 0;
	return 0;
}
