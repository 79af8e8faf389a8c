/* SPDX-License-Identifier: Apache-2.0 */
/* ZeroMQ in both directions, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))
#define STAGE_HEAD .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(struct weir_stage), .flags = WEIR_STAGE_CHECKS

#define OPTION_BIND                                                                                                  \
	{                                                                                                            \
		.name = "bind", .type = WEIR_TYPE_LIST,                                                              \
		.summary = "addresses that peers connect to: tcp://HOST:PORT (host *: all of this one), ipc://PATH", \
		.example = "'tcp://127.0.0.1:5555'"                                                                  \
	}
#define OPTION_CONNECT                                                                                    \
	{                                                                                                 \
		.name = "connect", .type = WEIR_TYPE_LIST,                                                \
		.summary = "addresses of peers to connect to, now, and again whenever a connection ends", \
		.example = "['tcp://a:5555', 'tcp://b:5555']"                                             \
	}
#define OPTION_QUEUE(whom_)                                                                                       \
	{                                                                                                         \
		.name = "queue", .type = WEIR_TYPE_INTEGER, .fallback = "1000", .minimum = 1, .maximum = 1000000, \
		.summary = "messages that libzmq keeps " whom_, .example = "100"                                  \
	}

static const struct weir_option source_options[] = {
	{ .name = "type",
	  .type = WEIR_TYPE_CHOICE,
	  .required = true,
	  .choices = "pull|sub|router",
	  .summary =
		  "pull: what PUSH sockets send, each message to one of several; sub: what PUB sockets send, each to all; router: what REQ and DEALER sockets ask, each answered with ok once it is committed, or refused if it became a dead letter",
	  .example = "pull" },
	{ .name = "answer",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "committed|reply",
	  .summary =
		  "router: when a request is answered: committed: with ok, once it is committed; reply: with what the pipeline makes of it and hands to a sink: zmq, type: reply; without it, committed",
	  .example = "reply" },
	{ .name = "within",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = INT64_C(1000000),
	  .maximum = INT64_C(86400000000000),
	  .summary =
		  "answer: reply: who has no reply by then is told so, and what is not begun of his request never is; without it, 30s",
	  .example = "5s" },
	{ .name = "requests",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = 1000000,
	  .summary =
		  "answer: reply: requests that may wait for theirs at a time; more wait in `queue`; without it, 1000",
	  .example = "100" },
	OPTION_BIND,
	OPTION_CONNECT,
	{ .name = "subscribe",
	  .type = WEIR_TYPE_LIST,
	  .summary = "sub: take messages whose first part begins so; without it, all",
	  .example = "[trades., quotes.]" },
	{ .name = "parts",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "one",
	  .choices = "one|first|last|join|array",
	  .summary =
		  "what is made of a message of several parts: one: a dead letter; first, last: that part; join: all, one behind the other; array: a JSON array of strings, of one part too",
	  .example = "last" },
	{ .name = "separator",
	  .type = WEIR_TYPE_STRING,
	  .summary = "parts: join: what stands between two of them; without it, nothing",
	  .example = "' '" },
	OPTION_QUEUE("of each peer that have no room yet; beyond it the peer is held up"),
	{ .name = "size_max",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "16MiB",
	  .minimum = 1,
	  .maximum = INT64_C(1073741824),
	  .summary = "a peer that sends a larger part loses its connection, and libzmq says it to nobody",
	  .example = "1MiB" },
	OPTION_TOO_LONG,
};

const struct weir_stage descriptor_source_zmq = {
	STAGE_HEAD | WEIR_STAGE_ANSWERS | WEIR_STAGE_STAYS,
	.role = WEIR_SOURCE,
	.name = "zmq",
	.summary = "messages that others send over ZeroMQ",
	.description =
		"Each message is one item. A full lane holds up the peers: PUSH sockets send elsewhere or wait, PUB sockets drop. What "
		"libzmq has received and the pipeline has not committed when the worker is killed, or the pipeline ends, is lost, and "
		"no peer is told: PUSH and PUB sockets have no ear for it. type: router tells each when his request is committed, or with "
		"answer: reply what the pipeline has made of it. The "
		"stream has no end but a drain.",
	.options = source_options,
	.n_options = COUNT(source_options),
};

static const struct weir_option sink_options[] = {
	{ .name = "type",
	  .type = WEIR_TYPE_CHOICE,
	  .required = true,
	  .choices = "push|pub|reply",
	  .summary =
		  "push: each item to one of the peers that are there; pub: each to all that subscribe, and to nobody if none does; reply: each to the client whose request it was made of",
	  .example = "push" },
	{ .name = "to",
	  .type = WEIR_TYPE_STRING,
	  .summary = "reply: the source: zmq with answer: reply that was asked",
	  .example = "ask" },
	OPTION_BIND,
	OPTION_CONNECT,
	{ .name = "topic",
	  .type = WEIR_TYPE_STRING,
	  .summary =
		  "a part before each item's, which subscribers choose by; without it they choose by the item's beginning",
	  .example = "orders" },
	OPTION_QUEUE("for each peer that is slow; then push waits, and pub does as `slow` says"),
	{ .name = "slow",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "drop|wait",
	  .summary =
		  "pub: what a subscriber whose queue is full misses is dropped; or all wait for him; without it, drop",
	  .example = "wait" },
	{ .name = "linger",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "1s",
	  .minimum = 0,
	  .maximum = INT64_C(60000000000),
	  .summary = "how long the stage may take to end while peers have not taken what was sent to them",
	  .example = "5s" },
};

const struct weir_stage descriptor_sink_zmq = {
	STAGE_HEAD,
	.role = WEIR_SINK,
	.cursor_size_bytes = sizeof(uint64_t),
	.name = "zmq",
	.summary = "messages to others over ZeroMQ",
	.description =
		"Each item is one message. push: an item counts as delivered when its message has left libzmq's queue for a peer's "
		"connection, so without a peer the stage waits; what was sent before a kill and not committed comes twice. pub: it counts as "
		"delivered when it was published. reply: it counts when the worker that has the client has answered him, or found that "
		"nobody waits for it. What a connection held when it broke is lost: no peer says what it has got.",
	.options = sink_options,
	.n_options = COUNT(sink_options),
};
