/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as a ROUTER socket gets it:
 *
 *      | who | ... | "" | body ... |      a REQ socket, or a DEALER that does as one; proxies on the way put who they are before it
 *      | who | body ... |                 a DEALER
 *      '- envelope ----'                  goes back as it came, with one word behind it
 *
 * So the envelope ends with the first empty part that has another behind it, or with the first part. A DEALER whose bodies have empty parts
 * has to put one before them.
 *
 * An answer for a peer who is gone, or takes none, is dropped: he has to ask again in any case, as after a kill.
 */
#include "worker/zmq/answers.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"

#define LOOK_PARTS 8u /* so many may stand before the empty one */
#define PART_MAX 255u

/* The first parts of a message, as far as it takes to see where its envelope ends. */
struct head {
	zmq_msg_t parts[LOOK_PARTS];
	uint32_t n, n_envelope;
	bool more;
};

static int receive_head(struct head *head, const struct messenger *messenger)
{
	head->n = 0;
	head->n_envelope = 1;
	head->more = true;
	while (head->more && head->n < LOOK_PARTS) {
		zmq_msg_t *part = &head->parts[head->n];
		int r;

		zmq_msg_init(part);
		r = messenger_receive(messenger, part);
		if (r != 0)
			return head->n ? error_fold(r) : r;
		head->n++;
		head->more = zmq_msg_more(part);
		if (head->n > 1 && zmq_msg_size(part) == 0 && head->more) {
			head->n_envelope = head->n;
			break;
		}
	}
	return 0;
}

static void head_deinit(struct head *head)
{
	for (uint32_t i = 0; i < head->n; i++)
		zmq_msg_close(&head->parts[i]);
}

static int keep_envelope(struct answer *answer, struct head *head)
{
	answer->envelope_bytes = 0;
	for (uint32_t i = 0; i < head->n_envelope; i++) {
		size_t n = zmq_msg_size(&head->parts[i]);

		if (n > PART_MAX || answer->envelope_bytes + n + 1 > sizeof(answer->envelope))
			return ANSWERS_E_ENVELOPE;
		answer->envelope[answer->envelope_bytes++] = (unsigned char)n;
		memcpy(answer->envelope + answer->envelope_bytes, zmq_msg_data(&head->parts[i]), n);
		answer->envelope_bytes = (uint16_t)(answer->envelope_bytes + n);
	}
	return 0;
}

int answers_take(struct answers *answers, const struct messenger *messenger, struct parcel *parcel, zmq_msg_t *part)
{
	struct answer *answer = &answers->at[answers->n];
	struct head head;
	bool more;
	int r = receive_head(&head, messenger), kept;

	if (r != 0) {
		head_deinit(&head);
		return r;
	}
	kept = keep_envelope(answer, &head);
	parcel_begin(parcel);
	for (uint32_t i = head.n_envelope; i < head.n; i++)
		parcel_add(parcel, &head.parts[i]);
	for (more = head.more; more && r == 0;) {
		r = messenger_receive(messenger, part);
		more = r == 0 && zmq_msg_more(part);
		if (r == 0)
			parcel_add(parcel, part);
	}
	parcel_end(parcel);
	head_deinit(&head);
	return r == 0 ? kept : error_fold(r);
}

void answers_note(struct answers *answers, const char *word)
{
	answers->at[answers->n++].word = word;
}

/* Returns as messenger_send(). A peer that can't be sent to refuses the first part. */
static int send_copy(const struct messenger *messenger, const void *bytes, size_t n, bool more)
{
	zmq_msg_t part;
	int r;

	if (zmq_msg_init_size(&part, n))
		return error_origin(-ENOMEM);
	if (n)
		memcpy(zmq_msg_data(&part), bytes, n);
	r = messenger_send(messenger, &part, more);
	zmq_msg_close(&part);
	return r;
}

static int send_one(const struct answer *answer, const struct messenger *messenger)
{
	int r = 0;

	for (uint32_t at = 0; at < answer->envelope_bytes && r == 0; at += 1u + answer->envelope[at])
		r = send_copy(messenger, answer->envelope + at + 1, answer->envelope[at], true);
	return r == 0 ? send_copy(messenger, answer->word, strlen(answer->word), false) : r;
}

int answers_send(struct answers *answers, const struct messenger *messenger)
{
	for (uint32_t i = 0; i < answers->n; i++) {
		int r = send_one(&answers->at[i], messenger);

		if (r == MESSENGER_E_FULL) { /* libzmq may have heard of room that it has not looked at */
			(void)messenger_can(messenger, ZMQ_POLLOUT);
			r = send_one(&answers->at[i], messenger);
		}
		if (r < 0)
			return r;
		answers->n_lost += r != 0;
	}
	answers->n = 0;
	if (answers->n_lost && !answers->lost_said)
		weir_log(WEIR_LOG_WARNING,
			 "an answer is dropped: its peer has gone, or takes none; he has to ask again. (Said once)");
	answers->lost_said = answers->n_lost > 0;
	return 0;
}
