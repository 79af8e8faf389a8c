/* SPDX-License-Identifier: Apache-2.0 */
/* What a supervisor and its holder say to each other: packets of a fixed size on a SOCK_SEQPACKET socket, with descriptors beside them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HOLDER_MAGIC 0x444c4f48u /* "HOLD" */
#define HOLDER_VERSION 1u
#define HOLDER_FDS_MAX 128u /* beside one packet */

enum holder_word {
	HOLDER_PUT = 1,    /* keep these descriptors, too                 -> OK, or NO_ROOM: none of them is kept */
	HOLDER_LISTEN = 2, /* with a listening socket: who comes there    -> OK */
	HOLDER_TAKE = 3, /* give me copies of all                       -> FDS ..., OK: number is how many there were */
	HOLDER_DROP = 4, /* forget all                                  -> OK */
	HOLDER_END = 5,  /* forget all and end                          -> OK */
	HOLDER_OK = 16,
	HOLDER_FDS = 17,
	HOLDER_NO_ROOM = 18,
	HOLDER_BUSY = 19, /* it belongs to somebody who lives; number: his pid */
};

struct holder_packet {
	uint32_t magic, version;
	uint32_t word;    /* enum holder_word */
	uint32_t number;  /* enum holder_word says what */
	uint64_t wait_ns; /* PUT: for how long it waits for the next supervisor when this one has died, relative */
};

/* Returns 0 or -errno. Blocks as long as the socket's own time-outs say. */
int holder_send(int socket, const struct holder_packet *packet, const int *fds, size_t n_fds);
/*
 * Takes one packet and its descriptors, close-on-exec, the caller's. Returns 0; HOLDER_E_GONE: the other end is closed; HOLDER_E_GARBAGE:
 * this is none of our packets, or not all descriptors found room (then none is left open); -errno.
 */
enum { HOLDER_E_GONE = 1, HOLDER_E_GARBAGE = 2 };
int holder_receive(int socket, struct holder_packet *ret_packet, int ret_fds[HOLDER_FDS_MAX], size_t *ret_n_fds);
