/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as a ROUTER socket gets it:
 *
 *      | who | ... | "" | body ... |      a REQ socket, or a DEALER that does as one; proxies on the way put who they are before it
 *      | who | body ... |                 a DEALER
 *      '- envelope ----'                  goes back as it came, with the answer behind it
 *
 * So the envelope ends with the first empty part that has another behind it, or with the first part. A DEALER whose bodies have empty parts
 * has to put one before them.
 */
#include "worker/zmq/envelope.h"

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

static int keep(struct envelope *envelope, struct head *head)
{
	envelope->size_bytes = 0;
	for (uint32_t i = 0; i < head->n_envelope; i++) {
		size_t n = zmq_msg_size(&head->parts[i]);

		if (n > PART_MAX || envelope->size_bytes + n + 1 > sizeof(envelope->parts))
			return ENVELOPE_E_LONG;
		envelope->parts[envelope->size_bytes++] = (unsigned char)n;
		memcpy(envelope->parts + envelope->size_bytes, zmq_msg_data(&head->parts[i]), n);
		envelope->size_bytes = (uint16_t)(envelope->size_bytes + n);
	}
	return 0;
}

int envelope_take(struct envelope *envelope, const struct messenger *messenger, struct parcel *parcel, zmq_msg_t *part)
{
	struct head head;
	bool more;
	int r = receive_head(&head, messenger), kept;

	if (r != 0) {
		head_deinit(&head);
		return r;
	}
	kept = keep(envelope, &head);
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

/* A peer that can't be sent to refuses the first part. */
static int send_all(const struct envelope *envelope, const struct messenger *messenger,
		    const struct envelope_part *parts, size_t n_parts)
{
	int r = 0;

	for (uint32_t at = 0; at < envelope->size_bytes && r == 0; at += 1u + envelope->parts[at])
		r = messenger_send_copy(messenger, envelope->parts + at + 1, envelope->parts[at], true);
	for (size_t i = 0; i < n_parts && r == 0; i++)
		r = messenger_send_copy(messenger, parts[i].bytes, parts[i].size_bytes, i + 1 < n_parts);
	return r;
}

int envelope_send(const struct envelope *envelope, const struct messenger *messenger, const struct envelope_part *parts,
		  size_t n_parts)
{
	int r = send_all(envelope, messenger, parts, n_parts);

	if (r != MESSENGER_E_FULL)
		return r;
	/* libzmq may have heard of room that it has not looked at */
	(void)messenger_can(messenger, ZMQ_POLLOUT);
	return send_all(envelope, messenger, parts, n_parts);
}
