/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each file is in order already, so the next event is the earliest of those that the files are at:
 *
 *      read#0     | packet | packet | ...      event 17 --+
 *      price#0    | packet | ...               event 40 --+--> heap, the earliest on top
 *      supervisor | packet |                   event  3 --+
 *
 * What lies on a disk may be anything: every length is looked at before it is believed, and no time goes back.
 */
#include "broker/trace/trace_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "broker/trace/ctf.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"

#define METADATA_BYTES_MAX (256u << 20) /* of 16 million lanes; more is none of ours */

struct stream {
	FILE *file;
	uint32_t slot;
	const char *name;
	uint64_t left_bytes; /* of this packet */
	uint64_t n_lost;     /* as its packets say, since its begin */
	uint64_t last_ns;
	struct trace_event event; /* the one that it is at */
	bool cut;
};

struct trace_reader {
	struct trace_names names;
	struct stream *streams;
	uint32_t n_streams, n_cut;
	uint32_t *heap; /* streams that are at an event */
	uint32_t n_heap;
};

static int broken(const struct stream *stream, struct text *why, const char *what)
{
	text_printf(why, "the events of %s can not be read: %s", stream->name, what);
	return TRACE_READER_E_FAILED;
}

/* ---- one file ---- */

/* Returns 0; TRACE_READER_END: the file ends within. */
static int take(struct stream *stream, void *ret, size_t size)
{
	return fread(ret, size, 1, stream->file) == 1 ? 0 : TRACE_READER_END;
}

static int end_of(struct stream *stream, bool within, struct text *why)
{
	if (ferror(stream->file))
		return broken(stream, why, strerror(EIO));
	stream->cut = within;
	return TRACE_READER_END;
}

/* The name behind the head: it is known already. */
static int skip_name(struct stream *stream, struct text *why)
{
	size_t size = strlen(stream->name) + 1;
	char name[256];

	if (size > sizeof(name))
		return broken(stream, why, "its name is too long");
	if (take(stream, name, size) != 0)
		return end_of(stream, true, why);
	return memcmp(name, stream->name, size) ? broken(stream, why, "a packet is somebody else's") : 0;
}

static int begin_packet(struct stream *stream, struct text *why)
{
	struct ctf_packet packet;
	size_t head = sizeof(packet) + strlen(stream->name) + 1;
	size_t n = fread(&packet, 1, sizeof(packet), stream->file);
	int r;

	if (n < sizeof(packet))
		return end_of(stream, n, why);
	if (packet.magic != CTF_MAGIC || packet.stream_id || packet.content_bits != packet.packet_bits ||
	    packet.content_bits % 8 || packet.content_bits / 8 < head || packet.n_lost < stream->n_lost)
		return broken(stream, why, "a packet of it is none");
	r = skip_name(stream, why);
	if (r != 0)
		return r;
	stream->left_bytes = packet.content_bits / 8 - head;
	stream->event.n_lost += packet.n_lost - stream->n_lost;
	stream->n_lost = packet.n_lost;
	if (packet.begin_ns > stream->last_ns)
		stream->last_ns = packet.begin_ns;
	return 0;
}

static int take_fields(struct stream *stream, const struct recorder_line *line, struct recorder_record *record)
{
	bool bad = (line->place && take(stream, &record->place, sizeof(record->place)) != 0) ||
		   (line->count && take(stream, &record->count, sizeof(record->count)) != 0) ||
		   (line->first && take(stream, &record->first, sizeof(record->first)) != 0) ||
		   (line->second && take(stream, &record->second, sizeof(record->second)) != 0);

	return bad ? TRACE_READER_END : 0;
}

static int take_event(struct stream *stream, struct text *why)
{
	struct recorder_record *record = &stream->event.record;
	uint64_t time_ns;
	uint8_t kind;

	*record = (struct recorder_record){ 0 };
	if (take(stream, &time_ns, sizeof(time_ns)) != 0 || take(stream, &kind, sizeof(kind)) != 0)
		return end_of(stream, true, why);
	if (!kind || kind >= RECORDER_KINDS)
		return broken(stream, why, "it has an event of no known kind");
	if (ctf_event_size(kind) > stream->left_bytes)
		return broken(stream, why, "an event is longer than its packet");
	if (take_fields(stream, &recorder_lines[kind], record) != 0)
		return end_of(stream, true, why);
	stream->left_bytes -= ctf_event_size(kind);
	if (time_ns > stream->last_ns)
		stream->last_ns = time_ns;
	record->kind = (enum recorder_kind)kind;
	record->time_ns = stream->last_ns;
	return 0;
}

/* To its next event, or to what was lost behind its last one. */
static int advance(struct stream *stream, struct text *why)
{
	int r = 0;

	stream->event.n_lost = 0;
	while (r == 0 && !stream->left_bytes)
		r = begin_packet(stream, why);
	if (r == 0)
		return take_event(stream, why);
	if (r != TRACE_READER_END || !stream->event.n_lost)
		return r;
	stream->event.record = (struct recorder_record){ .time_ns = stream->last_ns };
	return 0;
}

/* ---- all of them ---- */

static bool is_before(const struct trace_reader *reader, uint32_t a, uint32_t b)
{
	const struct stream *one = &reader->streams[reader->heap[a]], *two = &reader->streams[reader->heap[b]];

	if (one->event.record.time_ns != two->event.record.time_ns)
		return one->event.record.time_ns < two->event.record.time_ns;
	return one->slot < two->slot;
}

static void exchange(struct trace_reader *reader, uint32_t a, uint32_t b)
{
	uint32_t stream = reader->heap[a];

	reader->heap[a] = reader->heap[b];
	reader->heap[b] = stream;
}

static void sink(struct trace_reader *reader, uint32_t at)
{
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < reader->n_heap && is_before(reader, child, least))
				least = child;
		if (least == at)
			return;
		exchange(reader, at, least);
		at = least;
	}
}

static void lift(struct trace_reader *reader, uint32_t at)
{
	for (; at && is_before(reader, at, (at - 1) / 2); at = (at - 1) / 2)
		exchange(reader, at, (at - 1) / 2);
}

/* A file that is not there is a worker without a recorder. */
static int open_stream(struct trace_reader *reader, const char *dir, uint32_t slot, struct text *why)
{
	struct stream *stream = &reader->streams[reader->n_streams];
	char path[4096];
	int r;

	*stream = (struct stream){ .slot = slot, .event.slot = slot };
	stream->name = slot == CTF_SUPERVISOR ? "supervisor" : reader->names.seats[slot].name;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, stream->name) >= sizeof(path))
		return broken(stream, why, strerror(ENAMETOOLONG));
	stream->file = fopen(path, "re");
	if (!stream->file)
		return errno == ENOENT ? 0 : broken(stream, why, strerror(errno));
	reader->n_streams++;
	r = advance(stream, why);
	if (r == 0) {
		reader->heap[reader->n_heap] = reader->n_streams - 1;
		lift(reader, reader->n_heap++);
	}
	reader->n_cut += stream->cut;
	return r == TRACE_READER_END ? 0 : r;
}

/* Returns the text, or NULL and errno. */
static char *load(const char *path)
{
	_cleanup_(fclose) FILE *file = fopen(path, "re");
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	char part[65536];
	size_t n;

	if (!file)
		return NULL;
	while (text.length < METADATA_BYTES_MAX && (n = fread(part, 1, sizeof(part), file)) > 0)
		text_add_bytes(&text, part, n);
	if (ferror(file))
		return NULL;
	(void)text_get(&text);
	return text_steal(&text);
}

static int read_names(struct trace_reader *reader, const char *dir, struct text *why)
{
	_cleanup_(free) char *metadata = NULL;
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/metadata", dir) >= sizeof(path))
		errno = ENAMETOOLONG;
	else
		metadata = load(path);
	if (!metadata) {
		text_printf(why, "%s is no recorded trace: its metadata can not be read: %s", dir, strerror(errno));
		return TRACE_READER_E_NONE;
	}
	text_printf(why, "%s is no trace that can be read here: ", dir);
	if (trace_names_read(&reader->names, metadata, why) != 0)
		return TRACE_READER_E_NONE;
	text_clear(why);
	return 0;
}

/* A file for each seat. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int trace_reader_open(const char *dir, struct trace_reader **ret_reader, struct text *why)
{
	struct trace_reader *reader = calloc(1, sizeof(*reader));
	int r;

	must(reader);
	r = read_names(reader, dir, why);
	reader->streams = calloc(reader->names.n_seats + 1, sizeof(*reader->streams));
	reader->heap = calloc(reader->names.n_seats + 1, sizeof(*reader->heap));
	must(reader->streams && reader->heap);
	allow_files();
	for (uint32_t i = 0; r == 0 && i <= reader->names.n_seats; i++)
		r = open_stream(reader, dir, i < reader->names.n_seats ? i : CTF_SUPERVISOR, why);
	if (r != 0)
		trace_reader_close(reader);
	else
		*ret_reader = reader;
	return r;
}

const struct trace_names *trace_reader_names(const struct trace_reader *reader)
{
	return &reader->names;
}

int trace_reader_next(struct trace_reader *reader, struct trace_event *event, struct text *why)
{
	struct stream *stream;
	int r;

	if (!reader->n_heap)
		return TRACE_READER_END;
	stream = &reader->streams[reader->heap[0]];
	*event = stream->event;
	r = advance(stream, why);
	if (r == TRACE_READER_E_FAILED)
		return r;
	if (r == TRACE_READER_END) {
		reader->n_cut += stream->cut;
		exchange(reader, 0, --reader->n_heap);
	}
	sink(reader, 0);
	return 0;
}

uint32_t trace_reader_cut(const struct trace_reader *reader)
{
	return reader->n_cut;
}

void trace_reader_close(struct trace_reader *reader)
{
	if (!reader)
		return;
	for (uint32_t i = 0; i < reader->n_streams; i++)
		fclose(reader->streams[i].file);
	trace_names_deinit(&reader->names);
	free(reader->streams);
	free(reader->heap);
	free(reader);
}
