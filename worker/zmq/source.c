/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: zmq. Messages of others, over a PULL, a SUB or a ROUTER socket.
 *
 *      peers ---> kernel ---> libzmq's thread: at most `queue` messages of each peer ---> parcel ---> item ---> commit
 *                                                                                           |
 *                                                                  the one that has no room in its lane stays here
 *
 * The worker sleeps in the runtime on libzmq's descriptor, and only after libzmq has said that it has nothing: a descriptor that was
 * swallowed by a call is not waited for. While the lane is full nobody receives; libzmq's queue fills up, it stops reading, and the kernel
 * holds up the peer. A PUSH socket then sends to others, or waits; a PUB socket drops, for that is what it does.
 *
 * What libzmq has received lies in this process and nowhere else: it can't be looked at without being taken, nor kept where the next
 * worker would find it. So what is not committed dies with the worker, and PUSH and PUB sockets have no ear for it. Who asks a ROUTER
 * socket is told when his request is committed (answers.c), or what the pipeline has made of it (requests.c); as long as he is not, he asks
 * again.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weir/record.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/builtin.h"
#include "worker/zmq/answers.h"
#include "worker/zmq/messenger.h"
#include "worker/zmq/parcel.h"
#include "worker/zmq/requests.h"

#define BUDGET 64u
#define LINGER_MS 1000 /* for the last answers */
#define TAKEN "ok"

enum too_long { TOO_LONG_REJECT, TOO_LONG_CUT, TOO_LONG_FAIL };

struct zmq_source {
	struct messenger messenger;
	struct parcel parcel;
	zmq_msg_t part;
	bool holds; /* a message that is not emitted yet */
	enum too_long too_long;
	const char *name; /* of the stream, for reasons */
	uint64_t number;  /* of messages that have come */

	struct answers *answers; /* NULL: nobody waits for one; owned */
	const char *word;        /* for the message that is held */
	bool committed;          /* flush() has come behind the last produce() */

	struct requests *requests; /* NULL: the answer is a word; owned */
	int epoll_fd;              /* with them: both sockets */
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

/* A peer who comes again under his name before the end of his last connection was heard of takes it over. */
static int make_answers(struct zmq_source *source)
{
	int r = messenger_set(&source->messenger, ZMQ_ROUTER_MANDATORY, 1);

	source->answers = calloc(1, sizeof(*source->answers));
	if (!source->answers)
		return error_origin(-ENOMEM);
	if (r == 0)
		r = messenger_set(&source->messenger, ZMQ_ROUTER_HANDOVER, 1);
	return r == 0 ? messenger_set(&source->messenger, ZMQ_LINGER, LINGER_MS) : r;
}

static int watch_socket(int epoll_fd, const struct messenger *messenger)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, messenger_fd(messenger), &event) ? error_origin(-errno) : 0;
}

static int make_requests(struct zmq_source *source, struct weir_context *context)
{
	int r;

	source->requests = calloc(1, sizeof(*source->requests));
	if (!source->requests)
		return error_origin(-ENOMEM);
	r = requests_open(source->requests, context, &source->messenger);
	if (r != 0)
		return r;
	source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (source->epoll_fd < 0)
		return error_origin(-errno);
	r = watch_socket(source->epoll_fd, &source->messenger);
	return r == 0 ? watch_socket(source->epoll_fd, &source->requests->way) : r;
}

static bool wants_replies(const struct weir_context *context)
{
	return weir_option_given(context, "answer") && !strcmp(weir_option_string(context, "answer"), "reply");
}

static int attach(struct zmq_source *source, struct weir_context *context)
{
	bool subscribes = type_is(context, "sub"), answers = type_is(context, "router");
	int r = messenger_open(&source->messenger, context, subscribes ? ZMQ_SUB : answers ? ZMQ_ROUTER : ZMQ_PULL);

	if (r == 0 && subscribes)
		r = subscribe(source, context);
	if (r == 0 && answers)
		r = make_answers(source);
	if (r == 0 && answers && wants_replies(context))
		r = make_requests(source, context);
	return r == 0 ? messenger_attach(&source->messenger, context) : r;
}

static void source_close(struct weir_context *context, void *data)
{
	struct zmq_source *source = data;

	(void)context;
	if (!source)
		return;
	/* What the last turn has committed is told before the connections go: nobody calls produce() any more. */
	if (source->answers && source->committed)
		(void)answers_send(source->answers, &source->messenger);
	if (source->requests)
		requests_end(source->requests);
	messenger_close(&source->messenger);
	if (source->requests)
		requests_close(source->requests);
	free(source->requests);
	source->epoll_fd = fd_close(source->epoll_fd);
	free(source->answers);
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
	source->epoll_fd = -1;
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

static int take_request(struct zmq_source *source)
{
	struct answer *answer = &source->answers->at[source->answers->n];
	int r = envelope_take(&answer->envelope, &source->messenger, &source->parcel, &source->part);

	if (r == MESSENGER_E_EMPTY || r < 0)
		return r;
	source->word = r == 0 ? TAKEN : NULL;
	source->number++;
	source->holds = true;
	return 0;
}

/* A whole message: where its first part is, the others are. Returns 0, MESSENGER_E_EMPTY, -errno. */
static int take(struct zmq_source *source)
{
	int r = source->answers ? take_request(source) : messenger_receive(&source->messenger, &source->part);

	if (r != 0 || source->answers)
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

static int refuse(struct zmq_source *source, int r)
{
	if (source->word)
		source->word = "refused";
	return r;
}

static int refuse_too_large(struct zmq_source *source, struct weir_context *context, const void *bytes, size_t n)
{
	char size[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE];

	quantity_format_count(source->parcel.total_bytes, size);
	quantity_format_count(source->parcel.size_max_bytes, max);
	if (source->too_long == TOO_LONG_REJECT)
		return refuse(source,
			      weir_accept_rejected(context, bytes, n,
						   "%s: message %" PRIu64 " has %s bytes and an item may have %s; "
						   "give the stage behind this one a larger `lane:`",
						   source->name, source->number, size, max));
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
		return refuse(source,
			      weir_accept_rejected(context, bytes, n, "%s: message %" PRIu64 " has %u parts: %s",
						   source->name, source->number, source->parcel.n_parts, unfit));
	if (source->answers && !source->word)
		return weir_accept_rejected(context, bytes, n,
					    "%s: message %" PRIu64 " has an envelope of more than %d bytes, "
					    "or a part of it has more than 255: nobody can be answered",
					    source->name, source->number, ENVELOPE_MAX);
	if (source->parcel.total_bytes > n && source->too_long != TOO_LONG_CUT)
		return refuse_too_large(source, context, bytes, n);
	weir_place(context, source->name, source->number);
	r = source->requests ? requests_address(source->requests, context) : 0;
	if (r != 0)
		return r;
	r = weir_emit(context, WEIR_ALL_OUTPUTS, bytes, n);
	return r == WEIR_REJECTED ? refuse(source, 0) : r;
}

/* It is an item, or a dead letter. */
static void settle(struct zmq_source *source, const struct weir_context *context)
{
	source->holds = false;
	if (!source->answers || !source->word)
		return;
	if (source->requests && !strcmp(source->word, TAKEN))
		requests_add(source->requests, context, &source->answers->at[source->answers->n].envelope);
	else
		answers_note(source->answers, source->word, source->requests);
}

static int wait_for_more(struct zmq_source *source, struct weir_context *context)
{
	/* Answers wait for the commit alone, which is next. */
	uint64_t wake_ns = source->answers && source->answers->n ? 1 : 0;

	if (source->requests)
		wake_ns = deadline_earlier(wake_ns, requests_wake_ns(source->requests));
	weir_watch(context, source->requests ? source->epoll_fd : messenger_fd(&source->messenger), POLLIN, wake_ns);
	return WEIR_WAIT;
}

/* Nothing is taken in any more. Who asks for a reply is told so; others lie where they are, and nobody has told them that they are safe. */
static int turn_away(struct zmq_source *source, struct weir_context *context)
{
	int r = 0;

	if (!source->requests)
		return WEIR_CLOSED;
	for (unsigned i = 0; i < BUDGET && r == 0; i++) {
		r = source->holds ? 0 : take(source);
		if (r == MESSENGER_E_EMPTY && messenger_can(&source->messenger, ZMQ_POLLIN)) {
			r = 0;
		} else if (r == 0) {
			source->holds = false;
			r = source->word ? answer_fault(&source->answers->at[source->answers->n].envelope,
							&source->messenger, "draining") :
					   0;
			r = r > 0 ? 0 : r;
		}
	}
	if (r < 0)
		return r;
	if (requests_are_over(source->requests, context))
		return WEIR_CLOSED;
	(void)wait_for_more(source, context);
	return r == 0 ? WEIR_MORE : WEIR_WAIT;
}

/* Returns what produce() does. */
static int take_some(struct zmq_source *source, struct weir_context *context)
{
	unsigned budget = source->answers ? ANSWERS_MAX : BUDGET;
	int r = 0;

	for (unsigned i = source->answers ? source->answers->n : 0; i < budget && r == 0; i++) {
		if (source->requests && requests_are_full(source->requests))
			return wait_for_more(source, context);
		r = source->holds ? 0 : take(source);
		if (r == MESSENGER_E_EMPTY) {
			r = 0;
			if (!messenger_can(&source->messenger, ZMQ_POLLIN))
				return wait_for_more(source, context);
			continue;
		}
		if (r == 0)
			r = hand_on(source, context);
		if (r == 0)
			settle(source, context);
	}
	if (r != WEIR_FULL || !source->requests)
		return r == 0 || r == WEIR_FULL ? WEIR_MORE : r;
	return wait_for_more(source, context); /* replies come meanwhile */
}

static int source_produce(struct weir_context *context, void *data)
{
	struct zmq_source *source = data;
	int r = 0;

	if (source->answers && source->committed)
		r = answers_send(source->answers, &source->messenger);
	source->committed = false;
	if (r == 0 && source->requests)
		r = requests_serve(source->requests, context);
	if (r != 0)
		return r;
	if (weir_draining(context))
		return turn_away(source, context);
	if (source->requests)
		requests_go_on(source->requests);
	return take_some(source, context);
}

static int source_flush(struct weir_context *context, void *data)
{
	struct zmq_source *source = data;

	(void)context;
	source->committed = true;
	return 0;
}

static int check_replies(struct weir_context *context)
{
	static const char *const others[] = { "within", "requests" };
	int r = 0;

	if (weir_option_given(context, "answer") && !type_is(context, "router")) {
		weir_complain(context, "answer", 0, "this is for type: router");
		r = WEIR_FAILED;
	}
	for (size_t i = 0; i < 2; i++)
		if (weir_option_given(context, others[i]) && !wants_replies(context)) {
			weir_complain(context, others[i], 0, "this is for answer: reply");
			r = WEIR_FAILED;
		}
	return r;
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
	if (check_replies(context) != 0)
		r = WEIR_FAILED;
	if (weir_option_given(context, "separator") && strcmp(weir_option_string(context, "parts"), "join")) {
		weir_complain(context, "separator", 0, "this is for parts: join");
		r = WEIR_FAILED;
	}
	return r;
}

const struct weir_stage zmq_source_callbacks = {
	.open = source_open,
	.produce = source_produce,
	.flush = source_flush,
	.close = source_close,
	.check = source_check,
};
