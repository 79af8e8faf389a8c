/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client is answered once: with the first reply to his request, or with the word that there is none in time; then the request is
 * forgotten, and what comes for it later finds nobody. So a sink that is killed says all of its turn again, and nobody hears it twice.
 *
 *      oldest -> ... -> newest      all wait for the same time, so the oldest is the next whose time is over
 *
 * A worker's table goes with it, and so do its clients' connections: they have to ask again. The next one has another session, so that
 * nobody gets an answer that was for somebody else.
 *
 * Behind the end of the stream it goes on until each sink that was heard of has said that it has ended; no longer than the last client
 * waits. Who comes after a kill has heard of none, or of some: so it waits for the first of them to end, which may have something to say
 * for the worker before, and for its own requests, whichever sinks have ended. Where he hears of none for a while, and nobody waits, they
 * had ended before he came: they say it once.
 */
#include "worker/zmq/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/baggage.h>
#include <weir/budget.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/zmq/answers.h"

#define WITHIN_NS_FALLBACK (30 * NS_PER_S)
#define REQUESTS_FALLBACK 1000
#define QUIET_NS (2 * NS_PER_S) /* a sink that has something to say says it again long before */

/* ---- opening ---- */

static int bind_way(struct requests *requests, struct weir_context *context)
{
	char endpoint[WAY_ADDRESS_MAX];

	way_endpoint(context, weir_stage_name(context), weir_worker_index(context), endpoint);
	if (zmq_bind(requests->way.socket, endpoint) == 0)
		return 0;
	weir_fail(context, "cannot hear replies at %s: %s; set WEIR_RUN_DIR to a folder where sockets can be", endpoint,
		  zmq_strerror(errno));
	return WEIR_FAILED;
}

int requests_open(struct requests *requests, struct weir_context *context, const struct messenger *clients)
{
	int r;

	requests->clients = clients;
	requests->within_ns = weir_option_given(context, "within") ? (uint64_t)weir_option_integer(context, "within") :
								     WITHIN_NS_FALLBACK;
	requests->n_max = weir_option_given(context, "requests") ? (uint32_t)weir_option_integer(context, "requests") :
								   REQUESTS_FALLBACK;
	requests->free = requests->oldest = requests->newest = REQUESTS_NONE;
	requests->next_number = 1;
	requests->comes_after = weir_generation(context) != 0;
	if (getrandom(&requests->session, sizeof(requests->session), 0) != (ssize_t)sizeof(requests->session))
		return error_origin(-errno);
	requests->at = calloc(requests->n_max, sizeof(*requests->at));
	if (!requests->at)
		return error_origin(-ENOMEM);
	r = way_open(&requests->way, context, ZMQ_ROUTER);
	if (r == 0)
		r = messenger_set(&requests->way, ZMQ_ROUTER_MANDATORY, 1);
	if (r == 0)
		r = messenger_set(&requests->way, ZMQ_LINGER, (int)(NS_PER_S / NS_PER_MS));
	return r == 0 ? bind_way(requests, context) : r;
}

void requests_close(struct requests *requests)
{
	messenger_close(&requests->way);
	free(requests->at);
	requests->at = NULL;
}

/* ---- the table ---- */

bool requests_are_full(const struct requests *requests)
{
	return requests->free == REQUESTS_NONE && requests->n_used == requests->n_max;
}

static uint32_t next_slot(const struct requests *requests)
{
	return requests->free != REQUESTS_NONE ? requests->free : requests->n_used;
}

int requests_address(struct requests *requests, struct weir_context *context)
{
	const struct way_address address = {
		.session = requests->session,
		.number = requests->next_number,
		.until_ns = weir_now_ns(context) + requests->within_ns,
		.slot = next_slot(requests),
		.worker = weir_worker_index(context),
	};
	int r = weir_expire_at(context, address.until_ns);

	return r == 0 ? weir_baggage_set(context, WAY_KEY, &address, sizeof(address)) : r;
}

void requests_add(struct requests *requests, const struct weir_context *context, const struct envelope *envelope)
{
	uint32_t slot = next_slot(requests);
	struct request *request = &requests->at[slot];

	if (slot == requests->n_used)
		requests->n_used++;
	else
		requests->free = request->newer;
	request->envelope.size_bytes = envelope->size_bytes;
	memcpy(request->envelope.parts, envelope->parts, envelope->size_bytes);
	request->number = requests->next_number++;
	request->until_ns = weir_now_ns(context) + requests->within_ns;
	request->older = requests->newest;
	request->newer = REQUESTS_NONE;
	if (requests->newest != REQUESTS_NONE)
		requests->at[requests->newest].newer = slot;
	else
		requests->oldest = slot;
	requests->newest = slot;
}

static void forget(struct requests *requests, struct request *request)
{
	if (request->older != REQUESTS_NONE)
		requests->at[request->older].newer = request->newer;
	else
		requests->oldest = request->newer;
	if (request->newer != REQUESTS_NONE)
		requests->at[request->newer].older = request->older;
	else
		requests->newest = request->older;
	request->number = 0;
	request->newer = requests->free;
	requests->free = (uint32_t)(request - requests->at);
}

/* ---- answers ---- */

static void count_lost(struct requests *requests)
{
	if (requests->n_lost++ == 0)
		weir_log(WEIR_LOG_WARNING,
			 "a client that asked has gone, or takes no answer: it is dropped. (Said once)");
}

static struct request *find(const struct requests *requests, const struct way_note *note)
{
	if (note->session != requests->session || note->slot >= requests->n_used || !note->number ||
	    requests->at[note->slot].number != note->number)
		return NULL;
	return &requests->at[note->slot];
}

/* Returns an enum way_outcome or -errno. */
static int reply(struct requests *requests, const struct way_note *note, zmq_msg_t *body)
{
	const struct envelope_part part = { zmq_msg_data(body), zmq_msg_size(body) };
	struct request *request = find(requests, note);
	int r;

	if (!request)
		return WAY_UNKNOWN;
	r = envelope_send(&request->envelope, requests->clients, &part, 1);
	if (r < 0)
		return r;
	forget(requests, request);
	if (r != 0)
		count_lost(requests);
	return r == 0 ? WAY_ANSWERED : WAY_GONE;
}

static int tell_fault(struct requests *requests, struct request *request, const char *word)
{
	int r = answer_fault(&request->envelope, requests->clients, word);

	forget(requests, request);
	if (r > 0)
		count_lost(requests);
	return r < 0 ? r : 0;
}

/* ---- the way ---- */

static void know(struct requests *requests, const struct way_note *note)
{
	uint32_t i = 0;

	while (i < requests->n_sinks &&
	       (requests->sinks[i].stage != note->stage || requests->sinks[i].worker != note->worker))
		i++;
	if (i == REQUESTS_SINKS_MAX)
		return;
	if (i == requests->n_sinks)
		requests->sinks[requests->n_sinks++] =
			(struct requests_sink){ .stage = note->stage, .worker = note->worker };
	requests->sinks[i].has_ended = note->kind == WAY_BYE;
}

/* It is asked again if it does not come. */
static int confirm(const struct requests *requests, const struct weir_context *context, zmq_msg_t *who,
		   const struct way_note *note, int outcome)
{
	const struct way_note heard = { .kind = WAY_HEARD,
					.outcome = (uint32_t)outcome,
					.session = note->session,
					.number = note->number,
					.slot = note->slot,
					.index = note->index };
	int r = messenger_send(&requests->way, who, true);

	if (r == 0)
		r = way_say(&requests->way, context, heard, NULL, 0);
	return r < 0 ? r : 0;
}

static int hear(struct requests *requests, const struct weir_context *context, zmq_msg_t *who, zmq_msg_t parts[2],
		uint32_t n_parts)
{
	struct way_note note;
	int outcome;

	if (n_parts == 0 || !way_read(&parts[0], &note) || n_parts != (note.kind == WAY_REPLY ? 2 : 1))
		return 0;
	know(requests, &note);
	if (note.kind != WAY_REPLY)
		return 0;
	outcome = reply(requests, &note, &parts[1]);
	return outcome < 0 ? outcome : confirm(requests, context, who, &note, outcome);
}

/* One message. Returns 0, MESSENGER_E_EMPTY, -errno. */
static int hear_one(struct requests *requests, const struct weir_context *context)
{
	zmq_msg_t who, parts[3];
	uint32_t n = 0;
	bool more;
	int r;

	zmq_msg_init(&who);
	for (uint32_t i = 0; i < 3; i++)
		zmq_msg_init(&parts[i]);
	r = messenger_receive(&requests->way, &who);
	more = r == 0 && zmq_msg_more(&who);
	while (r == 0 && more) {
		r = messenger_receive(&requests->way, &parts[n < 2 ? n : 2]);
		more = r == 0 && zmq_msg_more(&parts[n < 2 ? n : 2]);
		n++;
	}
	if (r == 0)
		r = hear(requests, context, &who, parts, n);
	zmq_msg_close(&who);
	for (uint32_t i = 0; i < 3; i++)
		zmq_msg_close(&parts[i]);
	return r;
}

int requests_serve(struct requests *requests, struct weir_context *context)
{
	uint64_t now_ns = weir_now_ns(context);
	int r = 0;

	while (r == 0) {
		r = hear_one(requests, context);
		if (r == MESSENGER_E_EMPTY && messenger_can(&requests->way, ZMQ_POLLIN))
			r = 0;
	}
	if (r < 0)
		return r;
	r = 0;
	while (r == 0 && requests->oldest != REQUESTS_NONE && requests->at[requests->oldest].until_ns <= now_ns)
		r = tell_fault(requests, &requests->at[requests->oldest], "late");
	return r;
}

uint64_t requests_wake_ns(const struct requests *requests)
{
	uint64_t wake_ns = requests->oldest == REQUESTS_NONE ? 0 : requests->at[requests->oldest].until_ns;

	return deadline_earlier(deadline_earlier(wake_ns, requests->over_ns), requests->quiet_ns);
}

/* ---- the end ---- */

static bool sinks_have_ended(const struct requests *requests)
{
	bool none_waits = requests->oldest == REQUESTS_NONE,
	     ended = requests->comes_after ? requests->n_sinks && none_waits : requests->n_sinks || none_waits;

	for (uint32_t i = 0; i < requests->n_sinks; i++)
		ended = ended && requests->sinks[i].has_ended;
	return ended;
}

/* It begins with the end, for only then nothing new comes that a sink could be heard of for. */
static bool sinks_are_silent(struct requests *requests, uint64_t now_ns)
{
	if (!requests->comes_after || requests->n_sinks || requests->oldest != REQUESTS_NONE) {
		requests->quiet_ns = 0;
		return false;
	}
	if (!requests->quiet_ns)
		requests->quiet_ns = now_ns + QUIET_NS;
	return now_ns >= requests->quiet_ns;
}

bool requests_are_over(struct requests *requests, const struct weir_context *context)
{
	uint64_t now_ns = weir_now_ns(context);

	if (!requests->over_ns)
		requests->over_ns = now_ns + requests->within_ns;
	return sinks_have_ended(requests) || sinks_are_silent(requests, now_ns) || now_ns >= requests->over_ns;
}

void requests_go_on(struct requests *requests)
{
	requests->over_ns = requests->quiet_ns = 0;
}

void requests_end(struct requests *requests)
{
	while (requests->at && requests->oldest != REQUESTS_NONE)
		if (tell_fault(requests, &requests->at[requests->oldest], "ended") < 0)
			return;
}
