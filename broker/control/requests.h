/* SPDX-License-Identifier: Apache-2.0 */
/* What a client can ask for: the verbs, what each does to the supervisor, and the JSON that it is answered with. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/wire/message.h"

struct supervisor;

/* A reply's status. */
enum request_status {
	REQUEST_DONE = 0,
	REQUEST_FAILED = 1,     /* understood, but could not be done: the body says why */
	REQUEST_BAD = 2,        /* no such verb, or a senseless argument: the body says what there is */
	REQUEST_NO_STAGE = 3,   /* the argument names no stage of this pipeline: the body says which there are */
	REQUEST_TOO_EARLY = 75, /* the pipeline is not up yet: ask again */
};

/* The server's own numbers, for "status". */
struct request_counters {
	uint64_t refused; /* messages that made no sense or came from a stranger */
	uint64_t dropped; /* replies whose client was gone or did not read */
};

/*
 * Does what is asked and appends the answer, one JSON object, to ret_body. supervisor NULL: too early for all but "ping". Supervisor
 * thread; never blocks.
 */
enum request_status request_answer(struct supervisor *supervisor, const struct request_counters *counters,
				   const struct message_request *request, uint64_t now_ns, struct text *ret_body);

/* One line of docs/control-protocol.md; the test compares them. */
struct request_line {
	const char *verb, *argument, *summary;
};
extern const size_t n_request_lines;
const struct request_line *request_line_at(size_t index);
