/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      client <---> ROUTER  worker of the source  ROUTER <---- way ----> DEALER  worker of the sink
 *
 *                   request ---> item, with its address in the baggage -------> reply
 *                      ^                                                          |
 *                      '---- answered, and forgotten  <------ WAY_REPLY ----------'
 *                                     '-------------- WAY_HEARD --------------> its turn may be committed
 *
 * The socket of the way lies in the folder of the run, where nobody else gets. Its name is made of the stage's, and is the same for each
 * generation of a worker: who has a reply finds the next one by himself.
 */
#include "worker/zmq/way.h"

#include <stdio.h>
#include <string.h>
#include <weir/identity.h>

#include "common/base/error.h"
#include "common/base/hash.h"

#define QUEUE 1000 /* a sink waits for what it has sent in a turn */

uint64_t way_hash(const char *stage)
{
	return hash_bytes(0, stage, strlen(stage));
}

/* Seven bytes, which the folder's path has room for: six for the stage, in capitals and digits, and one for the worker. */
void way_endpoint(const struct weir_context *context, const char *stage, uint32_t worker, char ret[WAY_ADDRESS_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345abcdefghijklmnopqrstuvwxyz6789_-";
	uint64_t hash = way_hash(stage);
	char name[8] = "";

	hash ^= hash >> 32;
	for (unsigned i = 0; i < 6; i++, hash >>= 5)
		name[i] = digits[hash & 31];
	name[6] = digits[worker % WAY_WORKERS_MAX];
	snprintf(ret, WAY_ADDRESS_MAX, "ipc://%s/%s", weir_run_folder(context), name);
}

int way_open(struct messenger *messenger, struct weir_context *context, int type)
{
	const int64_t any = -1;
	int r = messenger_open(messenger, context, type);

	if (r == 0)
		r = messenger_set(messenger, ZMQ_SNDHWM, QUEUE);
	if (r == 0)
		r = messenger_set(messenger, ZMQ_RCVHWM, QUEUE);
	if (r == 0 && zmq_setsockopt(messenger->socket, ZMQ_MAXMSGSIZE, &any, sizeof(any)))
		r = error_origin(-errno);
	if (r != 0)
		messenger_close(messenger);
	return r;
}

int way_say(const struct messenger *messenger, const struct weir_context *context, struct way_note note,
	    const void *body, size_t size_bytes)
{
	bool replies = note.kind == WAY_REPLY;
	int r;

	note.stage = way_hash(weir_stage_name(context));
	note.worker = weir_worker_index(context);
	r = messenger_send_copy(messenger, &note, sizeof(note), replies);
	return r == 0 && replies ? messenger_send_copy(messenger, body, size_bytes, false) : r;
}

bool way_read(zmq_msg_t *part, struct way_note *ret_note)
{
	if (zmq_msg_size(part) != sizeof(*ret_note))
		return false;
	memcpy(ret_note, zmq_msg_data(part), sizeof(*ret_note));
	return true;
}
