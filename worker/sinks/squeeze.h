/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) into a writer, of which each flush leaves a beginning that another process can go on with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "worker/sinks/writer.h"

struct squeeze {
	z_stream stream;
	bool open, finished;
	uint64_t crc, size_bytes; /* of all that has been put in, by this process and those before it */
};

/* Goes on behind what has these sums; both 0: at the beginning. Returns 0 or -ENOMEM. */
int squeeze_open(struct squeeze *squeeze, uint64_t crc, uint64_t size_bytes);
void squeeze_close(struct squeeze *squeeze);

/* The header. Returns as writer_room(). */
int squeeze_begin(struct squeeze *squeeze, struct writer *writer);
/* One item, and a newline if those belong behind items. Returns as writer_room(): the item is taken whole or not at all. */
int squeeze_add(struct squeeze *squeeze, struct writer *writer, const void *data, size_t size_bytes);
/* All that was put in is in the writer. */
int squeeze_flush(struct squeeze *squeeze, struct writer *writer);
/* The end of the file; a second call does nothing more. */
int squeeze_finish(struct squeeze *squeeze, struct writer *writer);
