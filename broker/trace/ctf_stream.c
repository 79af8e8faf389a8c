/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream is a row of packets, and a packet whatever one look at a ring has brought:
 *
 *      header    magic, stream 0
 *      context   first time, last time, content and packet size in bits, number, events lost so far, whose it is
 *      events    time, number, the fields that an event of this number has
 *
 * Nothing is aligned, so a packet has no padding. What a worker has written about itself may be anything: times are put into order, an
 * event of no known kind is left out and counted as lost, and what names no lane is `none`.
 */
#include <errno.h>
#include <string.h>

#include "broker/trace/ctf.h"
#include "common/base/error.h"

int ctf_stream_open(struct ctf_stream *stream, const char *dir, const struct catalog *catalog, uint32_t slot)
{
	char path[4096];

	*stream = (struct ctf_stream){ .slot = slot };
	if (slot == CTF_SUPERVISOR)
		snprintf(stream->name, sizeof(stream->name), "supervisor");
	else
		snprintf(stream->name, sizeof(stream->name), "%.128s#%u", catalog_stage_name(catalog, slot),
			 catalog->slots[slot].worker_index);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, stream->name) >= sizeof(path))
		return error_origin(-ENAMETOOLONG);
	stream->file = fopen(path, "wxe");
	return stream->file ? 0 : error_origin(-errno);
}

static uint32_t lane_of(const struct catalog *catalog, uint32_t slot, uint32_t place)
{
	if (place == RECORDER_NOWHERE || slot == CTF_SUPERVISOR)
		return UINT32_MAX;
	return place & RECORDER_LANE_OUT ? catalog_output_lane(catalog, slot, place & ~RECORDER_LANE_OUT) :
					   catalog_input_lane(catalog, slot, place);
}

static uint64_t in_order(struct ctf_stream *stream, uint64_t time_ns, uint64_t now_ns)
{
	if (time_ns > now_ns)
		time_ns = now_ns;
	if (time_ns > stream->last_ns)
		stream->last_ns = time_ns;
	return stream->last_ns;
}

static void write_event(struct ctf_stream *stream, const struct catalog *catalog, const struct recorder_record *record,
			uint64_t time_ns)
{
	const struct recorder_line *line = &recorder_lines[record->kind];
	uint8_t kind = (uint8_t)record->kind;
	uint32_t place = record->place;

	fwrite(&time_ns, sizeof(time_ns), 1, stream->file);
	fwrite(&kind, sizeof(kind), 1, stream->file);
	if (line->place && strcmp(line->place, "lane") == 0)
		place = lane_of(catalog, stream->slot, place);
	if (line->place)
		fwrite(&place, sizeof(place), 1, stream->file);
	if (line->count)
		fwrite(&record->count, sizeof(record->count), 1, stream->file);
	if (line->first)
		fwrite(&record->first, sizeof(record->first), 1, stream->file);
	if (line->second)
		fwrite(&record->second, sizeof(record->second), 1, stream->file);
}

uint64_t ctf_event_size(uint32_t kind)
{
	const struct recorder_line *line = &recorder_lines[kind];

	return sizeof(uint64_t) + sizeof(uint8_t) + (line->place ? sizeof(uint32_t) : 0) +
	       (line->count ? sizeof(uint32_t) : 0) + (line->first ? sizeof(uint64_t) : 0) +
	       (line->second ? sizeof(uint64_t) : 0);
}

static bool is_known(const struct recorder_record *record)
{
	return recorder_lines[record->kind].name != NULL;
}

int ctf_stream_write(struct ctf_stream *stream, const struct catalog *catalog, const struct recorder_record *records,
		     uint32_t n, uint64_t n_lost, uint64_t now_ns)
{
	struct ctf_packet packet = { .magic = CTF_MAGIC, .number = stream->n_packets };
	uint64_t bytes = sizeof(packet) + strlen(stream->name) + 1, last_ns = stream->last_ns;

	if (!n && !n_lost)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t time_ns = in_order(stream, records[i].time_ns, now_ns);

		packet.begin_ns = packet.begin_ns ? packet.begin_ns : time_ns;
		bytes += is_known(&records[i]) ? ctf_event_size(records[i].kind) : 0;
		n_lost += !is_known(&records[i]);
	}
	if (!n)
		packet.begin_ns = last_ns;
	packet.end_ns = stream->last_ns;
	packet.content_bits = packet.packet_bits = 8 * bytes;
	packet.n_lost = stream->n_lost += n_lost;
	fwrite(&packet, sizeof(packet), 1, stream->file);
	fwrite(stream->name, strlen(stream->name) + 1, 1, stream->file);
	stream->last_ns = last_ns;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t time_ns = in_order(stream, records[i].time_ns, now_ns);

		if (!is_known(&records[i]))
			continue;
		write_event(stream, catalog, &records[i], time_ns);
		stream->n_events++;
	}
	stream->n_packets++;
	return ferror(stream->file) ? error_origin(-EIO) : 0;
}

int ctf_stream_close(struct ctf_stream *stream)
{
	int r = 0;

	if (stream->file && fclose(stream->file) != 0)
		r = error_origin(-errno);
	stream->file = NULL;
	return r;
}
