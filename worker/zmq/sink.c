/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: zmq. Items to others, over a PUSH or a PUB socket; or replies, to those who have asked a source: zmq of the same pipeline
 * (replies.c).
 *
 *      PUSH    item ---> libzmq ---> kernel ---> one of the peers       the turn is committed when libzmq has nothing of it any more
 *      PUB     item ---> libzmq ---> kernel ---> each that subscribes   committed at once: who is not there, or slow, misses it
 *
 * Before the commit a PUSH sink waits until all messages of the turn have left libzmq's queues (departure.c): who is killed before that
 * does the turn again, so what was sent of it comes twice; who is killed afterwards has left nothing behind but what libzmq has put
 * together for the next write, 8 KiB of each connection, if the peer is so slow that the kernel takes no more. A peer says nothing back, so
 * that he has got anything, nobody here can know.
 *
 * Only connections that stand get messages, or those for a peer that does not come would wait for it alone. Without a peer, or with slow
 * ones, the stage waits in the runtime, and its lane fills up.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/zmq/departure.h"
#include "worker/zmq/messenger.h"
#include "worker/zmq/replies.h"

struct zmq_sink {
	struct messenger messenger;
	struct departure departure;
	const char *topic; /* a part before each item's; NULL: none */
	bool publishes;
	struct replies *replies; /* type: reply; it has no socket then. NULL: another type; owned */
};

struct zmq_sink_cursor {
	uint64_t ended; /* no item will come any more */
};

/* ---- opening ---- */

static void sink_close(struct weir_context *context, void *data)
{
	struct zmq_sink *sink = data;

	if (!sink)
		return;
	if (sink->replies)
		replies_close(sink->replies, context, ((struct zmq_sink_cursor *)weir_cursor(context))->ended);
	free(sink->replies);
	messenger_close(&sink->messenger);
	departure_deinit(&sink->departure);
	free(sink);
}

static bool waits_for_slow(const struct weir_context *context)
{
	return weir_option_given(context, "slow") && strcmp(weir_option_string(context, "slow"), "wait") == 0;
}

/* A PUB socket that may not drop says FULL as others do. */
static int set_type(struct zmq_sink *sink, const struct weir_context *context)
{
	if (!sink->publishes)
		return messenger_set(&sink->messenger, ZMQ_IMMEDIATE, 1);
	return messenger_set(&sink->messenger, ZMQ_XPUB_NODROP, waits_for_slow(context));
}

static int open_replies(struct zmq_sink *sink, struct weir_context *context)
{
	sink->replies = calloc(1, sizeof(*sink->replies));
	return sink->replies ? replies_open(sink->replies, context, weir_option_string(context, "to")) :
			       error_origin(-ENOMEM);
}

static int open_socket(struct zmq_sink *sink, struct weir_context *context)
{
	int r = departure_init(&sink->departure);

	if (r == 0)
		r = messenger_open(&sink->messenger, context, sink->publishes ? ZMQ_PUB : ZMQ_PUSH);
	if (r == 0)
		r = set_type(sink, context);
	return r == 0 ? messenger_attach(&sink->messenger, context) : r;
}

static int sink_open(struct weir_context *context, void **ret_sink)
{
	struct zmq_sink *sink = calloc(1, sizeof(*sink));
	int r;

	if (!sink)
		return error_origin(-ENOMEM);
	sink->topic = weir_option_string(context, "topic");
	sink->publishes = !strcmp(weir_option_string(context, "type"), "pub");
	sink->departure.fd = -1;
	r = !strcmp(weir_option_string(context, "type"), "reply") ? open_replies(sink, context) :
								    open_socket(sink, context);
	if (r != 0) {
		sink_close(context, sink);
		return r;
	}
	*ret_sink = sink;
	return 0;
}

/* ---- leaving ---- */

/* What others have done since the last look: connections that came and went, room that there is again. */
static void hear(struct zmq_sink *sink)
{
	(void)messenger_can(&sink->messenger, ZMQ_POLLOUT);
}

/* Until something has happened that has not been heard of. Returns 0, WEIR_CANCELLED, -errno. */
static int wait_for_news(struct zmq_sink *sink, struct weir_context *context)
{
	struct pollfd fds[] = { { .fd = messenger_fd(&sink->messenger), .events = POLLIN },
				{ .fd = sink->departure.fd, .events = POLLIN } };

	return weir_wait(context, fds, 2, 0);
}

static int wait_for_departure(struct zmq_sink *sink, struct weir_context *context)
{
	while (!departure_is_over(&sink->departure)) {
		int r;

		/* Connections that have ended give their messages back only when libzmq is asked. */
		hear(sink);
		r = wait_for_news(sink, context);
		if (r != 0)
			return r;
	}
	return 0;
}

/* A part whose departure nobody waits for. */
static int copy_message(const void *bytes, size_t n, zmq_msg_t *ret_message)
{
	if (zmq_msg_init_size(ret_message, n))
		return error_origin(-ENOMEM);
	if (n)
		memcpy(zmq_msg_data(ret_message), bytes, n);
	return 0;
}

static int make_message(struct zmq_sink *sink, struct weir_context *context, const struct weir_item *item,
			zmq_msg_t *ret_message)
{
	int r;

	if (sink->publishes)
		return copy_message(item->data, item->size_bytes, ret_message);
	r = departure_message(&sink->departure, item->data, item->size_bytes, ret_message);
	if (r != DEPARTURE_E_FULL)
		return r;
	r = wait_for_departure(sink, context);
	if (r == 0)
		r = departure_message(&sink->departure, item->data, item->size_bytes, ret_message);
	return r;
}

/*
 * Takes the message, whatever it returns: 0, WEIR_CANCELLED, -errno. A PUB socket always says that it can be sent to, so the only question
 * is the message itself: it is asked again after each look, and before each sleep.
 */
static int send_part(struct zmq_sink *sink, struct weir_context *context, zmq_msg_t *message, bool more)
{
	int r = messenger_send(&sink->messenger, message, more);

	while (r == MESSENGER_E_FULL) {
		hear(sink);
		r = messenger_send(&sink->messenger, message, more);
		if (r == MESSENGER_E_FULL) {
			int waited = wait_for_news(sink, context);

			r = waited == 0 ? r : waited;
		}
	}
	zmq_msg_close(message);
	return r;
}

/* The item's message is made first: between the parts of a message nothing can leave, so nothing may be waited for. */
static int sink_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct zmq_sink *sink = data;
	zmq_msg_t message, topic;
	int r;

	if (sink->replies)
		return replies_add(sink->replies, context, item);
	r = make_message(sink, context, item, &message);
	if (r != 0)
		return r;
	if (sink->topic) {
		r = copy_message(sink->topic, strlen(sink->topic), &topic);
		if (r == 0)
			r = send_part(sink, context, &topic, true);
		if (r != 0) {
			zmq_msg_close(&message);
			return r;
		}
	}
	return send_part(sink, context, &message, false);
}

static int sink_flush(struct weir_context *context, void *data)
{
	struct zmq_sink *sink = data;

	if (sink->replies)
		return replies_flush(sink->replies, context);
	return sink->publishes ? 0 : wait_for_departure(sink, context);
}

static int sink_finish(struct weir_context *context, void *data)
{
	(void)data;
	((struct zmq_sink_cursor *)weir_cursor(context))->ended = 1;
	return 0;
}

static int complain_unless(struct weir_context *context, const char *option, const char *type)
{
	if (!weir_option_given(context, option) || !strcmp(weir_option_string(context, "type"), type))
		return 0;
	weir_complain(context, option, 0, "this is for type: %s", type);
	return WEIR_FAILED;
}

/* The clients are at the source's door. */
static int check_reply(struct weir_context *context)
{
	static const char *const others[] = { "bind", "connect", "topic" };
	int r = 0;

	if (!weir_option_given(context, "to")) {
		weir_complain(context, "type", 0, "say to which source the replies go: to: NAME");
		r = WEIR_FAILED;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (weir_option_given(context, others[i])) {
			weir_complain(context, others[i], 0,
				      "this is for type: push and pub; replies go by the source that was asked");
			r = WEIR_FAILED;
		}
	return r;
}

static int sink_check(struct weir_context *context)
{
	int r = messenger_check_addresses(context, "bind"), one = messenger_check_addresses(context, "connect");

	r = r ? r : one;
	one = complain_unless(context, "slow", "pub");
	r = r ? r : one;
	one = complain_unless(context, "to", "reply");
	r = r ? r : one;
	if (!strcmp(weir_option_string(context, "type"), "reply")) {
		one = check_reply(context);
		return r ? r : one;
	}
	if (!weir_option_given(context, "bind") && !weir_option_given(context, "connect")) {
		weir_complain(context, "type", 0, "it can send to nobody: say where to `bind`, or where to `connect`");
		r = WEIR_FAILED;
	}
	return r;
}

const struct weir_stage zmq_sink_callbacks = {
	.open = sink_open,
	.process = sink_process,
	.flush = sink_flush,
	.finish = sink_finish,
	.close = sink_close,
	.check = sink_check,
};
