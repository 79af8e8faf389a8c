/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: zmq. Messages of others, over a PULL or a SUB socket.
 *
 *      peers ---> kernel ---> libzmq's thread: at most `queue` messages of each peer ---> parcel ---> item ---> commit
 *                                                                                           |
 *                                                                  the one that has no room in its lane stays here
 *
 * The worker sleeps in the runtime on libzmq's descriptor, and only after libzmq has said that it has nothing: a descriptor that was swallowed
 * by a call is not waited for. While the lane is full nobody receives; libzmq's queue fills up, it stops reading, and the kernel
 * holds up the peer. A PUSH socket then sends to others, or waits; a PUB socket drops, for that is what it does.
 *
 * What libzmq has received lies in this process and nowhere else: it can't be looked at without being taken, nor kept where the next
 * worker would find it. So what is not committed dies with the worker, and nobody can tell the peer, whose socket has no ear for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/builtin.h"
#include "worker/zmq/messenger.h"
#include "worker/zmq/parcel.h"

#define BUDGET 64u

enum too_long { TOO_LONG_REJECT, TOO_LONG_CUT, TOO_LONG_FAIL };

struct zmq_source {
	struct messenger messenger;
	struct parcel parcel;
	zmq_msg_t part;
	bool holds; /* a message that is not emitted yet */
	enum too_long too_long;
	const char *name; /* of the stream, for reasons */
	uint64_t number;  /* of messages that have come */
};

/* ---- opening ---- */

static bool type_is(const struct weir_context *context, const char *type)
{
	return strcmp(weir_option_string(context, "type"), type) == 0;
}

static int subscribe(struct zmq_source *source, const struct weir_context *context)
{
	static const char *const all[] = { "", NULL };
	const char *const *prefixes = weir_option_list(context, "subscribe");

	prefixes = prefixes ? prefixes : all;
	for (size_t i = 0; prefixes[i]; i++)
		if (zmq_setsockopt(source->messenger.socket, ZMQ_SUBSCRIBE, prefixes[i], strlen(prefixes[i])))
			return error_origin(-errno);
	return 0;
}

static int attach(struct zmq_source *source, struct weir_context *context)
{
	bool subscribes = type_is(context, "sub");
	int r = messenger_open(&source->messenger, context, subscribes ? ZMQ_SUB : ZMQ_PULL);

	if (r == 0 && subscribes)
		r = subscribe(source, context);
	return r == 0 ? messenger_attach(&source->messenger, context) : r;
}

static void source_close(struct weir_context *context, void *data)
{
	struct zmq_source *source = data;

	(void)context;
	if (!source)
		return;
	messenger_close(&source->messenger);
	zmq_msg_close(&source->part);
	parcel_deinit(&source->parcel);
	free(source);
}

static const char *first_address(const struct weir_context *context)
{
	const char *const *list = weir_option_list(context, "bind");

	if (!list || !list[0])
		list = weir_option_list(context, "connect");
	return list && list[0] ? list[0] : "zmq";
}

static int source_open(struct weir_context *context, void **ret_source)
{
	struct zmq_source *source = calloc(1, sizeof(*source));
	const char *too_long = weir_option_string(context, "too_long");
	int r;

	if (!source)
		return error_origin(-ENOMEM);
	zmq_msg_init(&source->part);
	source->name = first_address(context);
	source->too_long = !strcmp(too_long, "cut")  ? TOO_LONG_CUT :
			   !strcmp(too_long, "fail") ? TOO_LONG_FAIL :
						       TOO_LONG_REJECT;
	r = parcel_init(&source->parcel, context);
	if (r == 0)
		r = attach(source, context);
	if (r != 0) {
		source_close(context, source);
		return r;
	}
	*ret_source = source;
	return 0;
}

/* ---- messages ---- */

/* A whole message: where its first part is, the others are. Returns 0, MESSENGER_E_EMPTY, -errno. */
static int take(struct zmq_source *source)
{
	int r = messenger_receive(&source->messenger, &source->part);

	if (r != 0)
		return r;
	parcel_begin(&source->parcel);
	for (bool more = true; more && r == 0;) {
		more = zmq_msg_more(&source->part);
		parcel_add(&source->parcel, &source->part);
		if (more)
			r = messenger_receive(&source->messenger, &source->part);
	}
	parcel_end(&source->parcel);
	source->number++;
	source->holds = r == 0;
	return error_fold(r);
}

static int refuse_too_large(struct zmq_source *source, struct weir_context *context, const void *bytes, size_t n)
{
	char size[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE];

	quantity_format_count(source->parcel.total_bytes, size);
	quantity_format_count(source->parcel.size_max_bytes, max);
	if (source->too_long == TOO_LONG_REJECT)
		return weir_accept_rejected(context, bytes, n,
					    "%s: message %" PRIu64 " has %s bytes and an item may have %s; "
					    "give the stage behind this one a larger `lane:`",
					    source->name, source->number, size, max);
	weir_fail(context, "%s: message %" PRIu64 " has %s bytes and an item may have %s", source->name, source->number,
		  size, max);
	return WEIR_FAILED;
}

/* Returns 0: it is an item, or a dead letter; else what produce() returns. */
static int hand_on(struct zmq_source *source, struct weir_context *context)
{
	const char *unfit = parcel_unfit(&source->parcel);
	size_t n;
	const void *bytes = parcel_bytes(&source->parcel, &n);
	int r;

	if (unfit)
		return weir_accept_rejected(context, bytes, n, "%s: message %" PRIu64 " has %u parts: %s", source->name,
					    source->number, source->parcel.n_parts, unfit);
	if (source->parcel.total_bytes > n && source->too_long != TOO_LONG_CUT)
		return refuse_too_large(source, context, bytes, n);
	weir_place(context, source->name, source->number);
	r = weir_emit(context, WEIR_ALL_OUTPUTS, bytes, n);
	return r == WEIR_REJECTED ? 0 : r;
}

static int source_produce(struct weir_context *context, void *data)
{
	struct zmq_source *source = data;

	for (unsigned i = 0; i < BUDGET; i++) {
		int r = source->holds ? 0 : take(source);

		if (r == MESSENGER_E_EMPTY) {
			if (messenger_can(&source->messenger, ZMQ_POLLIN))
				continue;
			weir_watch(context, messenger_fd(&source->messenger), POLLIN, 0);
			return WEIR_WAIT;
		}
		if (r == 0)
			r = hand_on(source, context);
		if (r != 0)
			return r == WEIR_FULL ? WEIR_MORE : r;
		source->holds = false;
	}
	return WEIR_MORE;
}

static int source_check(struct weir_context *context)
{
	int r = messenger_check_addresses(context, "bind"), one = messenger_check_addresses(context, "connect");

	r = r ? r : one;
	if (!weir_option_given(context, "bind") && !weir_option_given(context, "connect")) {
		weir_complain(context, "type", 0, "nobody can send to it: say where to `bind`, or where to `connect`");
		r = WEIR_FAILED;
	}
	if (weir_option_given(context, "subscribe") && !type_is(context, "sub")) {
		weir_complain(context, "subscribe", 0, "this is for type: sub");
		r = WEIR_FAILED;
	}
	if (weir_option_given(context, "separator") && strcmp(weir_option_string(context, "parts"), "join")) {
		weir_complain(context, "separator", 0, "this is for parts: join");
		r = WEIR_FAILED;
	}
	return r;
}

const struct weir_stage zmq_source_callbacks = {
	.open = source_open,
	.produce = source_produce,
	.close = source_close,
	.check = source_check,
};
