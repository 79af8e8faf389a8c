/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gzip file that several processes write, one after the other, each killed at any time.
 *
 *      | header | blocks of turn 1 | empty block | blocks of turn 2 | empty block | ... | last block | CRC, size |
 *                                                ^ a flush ends at a byte; what follows may have been made by another process
 *
 * A deflate stream cannot be gone on with by a process that does not know its window, but need not be: blocks that refer only to
 * themselves may follow any others. So who takes over begins a new window, behind the last flush that was committed; the sum and the
 * size of the whole, which stand at the end, go along in the cursor. A flush costs five bytes; the window lives on through it.
 */
#include "worker/sinks/squeeze.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"

#define LEVEL 6
#define RAW_WINDOW_BITS (-15)
#define MEMORY_LEVEL 8
#define HELD_BYTES ((size_t)256 * 1024) /* what deflate may still hold of earlier items, and a little more */

static const unsigned char header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

int squeeze_open(struct squeeze *squeeze, uint64_t crc, uint64_t size_bytes)
{
	*squeeze = (struct squeeze){ .crc = crc, .size_bytes = size_bytes };
	if (deflateInit2(&squeeze->stream, LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return error_origin(-ENOMEM);
	squeeze->open = true;
	return 0;
}

void squeeze_close(struct squeeze *squeeze)
{
	if (squeeze->open)
		(void)deflateEnd(&squeeze->stream);
	squeeze->open = false;
}

int squeeze_begin(struct squeeze *squeeze, struct writer *writer)
{
	int r = writer_room(writer, sizeof(header));

	(void)squeeze;
	if (r != 0)
		return r;
	memcpy(writer->buffer + writer->used, header, sizeof(header));
	writer->used += sizeof(header);
	return 0;
}

/* There is room: see who calls it. */
static void squeeze_run(struct squeeze *squeeze, struct writer *writer, const void *data, size_t size_bytes, int flush)
{
	z_stream *stream = &squeeze->stream;

	stream->next_in = (Bytef *)(uintptr_t)data;
	stream->avail_in = (uInt)size_bytes;
	stream->next_out = (Bytef *)writer->buffer + writer->used;
	stream->avail_out = (uInt)(writer->capacity - writer->used);
	must(deflate(stream, flush) != Z_STREAM_ERROR && stream->avail_in == 0 && stream->avail_out > 0);
	writer->used = writer->capacity - stream->avail_out;
	if (size_bytes) {
		squeeze->crc = crc32_z(squeeze->crc, data, size_bytes);
		squeeze->size_bytes += size_bytes;
	}
}

int squeeze_add(struct squeeze *squeeze, struct writer *writer, const void *data, size_t size_bytes)
{
	int r = writer_room(writer, deflateBound(&squeeze->stream, (uLong)size_bytes + 1) + HELD_BYTES);

	if (r != 0)
		return r;
	squeeze_run(squeeze, writer, data, size_bytes, Z_NO_FLUSH);
	if (writer->ends_lines)
		squeeze_run(squeeze, writer, "\n", 1, Z_NO_FLUSH);
	return 0;
}

int squeeze_flush(struct squeeze *squeeze, struct writer *writer)
{
	int r = writer_room(writer, HELD_BYTES);

	if (r == 0)
		squeeze_run(squeeze, writer, NULL, 0, Z_SYNC_FLUSH);
	return r;
}

static void put_word(struct writer *writer, uint64_t word)
{
	for (unsigned i = 0; i < 4; i++)
		writer->buffer[writer->used++] = (char)(word >> 8 * i & 0xff);
}

int squeeze_finish(struct squeeze *squeeze, struct writer *writer)
{
	int r = squeeze->finished ? 0 : writer_room(writer, HELD_BYTES);

	if (r != 0 || squeeze->finished)
		return r;
	squeeze_run(squeeze, writer, NULL, 0, Z_FINISH);
	squeeze->finished = true;
	put_word(writer, squeeze->crc);
	put_word(writer, squeeze->size_bytes);
	return 0;
}
