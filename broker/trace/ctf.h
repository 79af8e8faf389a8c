/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of flight recorders on the disk, in the Common Trace Format 1.8: a folder with a file `metadata` (TSDL, text) that says what every
 * byte of the other files is, one for each recorder. babeltrace2 and Trace Compass read it as it stands.
 */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "broker/observe/catalog.h"
#include "common/observe/recorder.h"

#define CTF_SUPERVISOR UINT32_MAX /* a slot's number stands for its recorder; this one for the supervisor's */

/*
 * Writes `metadata`: all events of recorder_event.def, names of seats and lanes as the catalog has them. offset_ns: CLOCK_REALTIME less
 * CLOCK_MONOTONIC. What can't be written is left to ferror().
 */
void ctf_metadata_write(FILE *file, const struct catalog *catalog, uint64_t offset_ns);
/*
 * Writes only those parts of it that are the same for each pipeline, each with NUL behind it: who reads a trace looks for them.
 */
void ctf_metadata_write_layout(FILE *file);

/* What a packet begins with, without padding; the name of its worker follows, with NUL. Sizes are those of all of it. */
#define CTF_MAGIC UINT32_C(0xc1fc1fc1)
struct ctf_packet {
	uint32_t magic, stream_id;
	uint64_t begin_ns, end_ns, content_bits, packet_bits, number, n_lost;
};
static_assert(sizeof(struct ctf_packet) == 56, "as metadata says, without padding");
/* Bytes of an event of that kind, which recorder_lines has. Pure. */
uint64_t ctf_event_size(uint32_t kind);

/* One recorder's file. */
struct ctf_stream {
	FILE *file;
	uint32_t slot;
	char name[160];    /* "price#0", "supervisor" */
	uint64_t last_ns;  /* of what was written; nothing goes back behind it */
	uint64_t n_events; /* written */
	uint64_t n_lost;   /* overwritten before they could be read, since the stream began */
	uint64_t n_packets;
};

/* Creates DIR/NAME. Returns 0 and the stream, which ctf_stream_close() ends, or -errno. */
int ctf_stream_open(struct ctf_stream *stream, const char *dir, const struct catalog *catalog, uint32_t slot);
/*
 * Writes one packet of n events, none if there are none and nothing more was lost. now_ns: no event is later; what a worker claims
 * otherwise is put right. Returns 0 or -errno.
 */
int ctf_stream_write(struct ctf_stream *stream, const struct catalog *catalog, const struct recorder_record *records,
		     uint32_t n, uint64_t n_lost, uint64_t now_ns);
/* Returns 0, or -errno if what was written is not all there. Fine on one that is not open. */
int ctf_stream_close(struct ctf_stream *stream);
