/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that describes a trace. Every event has the header (time, number) and the fields that recorder_event.def names; numbers
 * that stand for something are enumerations, so readers show names: of lanes and seats those of this pipeline.
 */
#include <inttypes.h>
#include <string.h>

#include "broker/trace/ctf.h"
#include "broker/trace/value_name.h"
#include "common/base/clock.h"
#include "common/observe/recorder.h"

#define VALUES_MAX 256u /* of a field that stands for something */

static const char head[] = "/* CTF 1.8 */\n"
			   "typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
			   "typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
			   "typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
			   "trace {\n"
			   "\tmajor = 1;\n"
			   "\tminor = 8;\n"
			   "\tbyte_order = %s;\n"
			   "\tpacket.header := struct { uint32_t magic; uint32_t stream_id; };\n"
			   "};\n";

static const char stream[] =
	"typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := time_t;\n"
	"stream {\n"
	"\tid = 0;\n"
	"\tpacket.context := struct {\n"
	"\t\ttime_t timestamp_begin; time_t timestamp_end;\n"
	"\t\tuint64_t content_size; uint64_t packet_size; uint64_t packet_seq_num; uint64_t events_discarded;\n"
	"\t\tstring worker;\n"
	"\t};\n"
	"\tevent.header := struct { time_t timestamp; uint8_t id; };\n"
	"};\n";

static void write_names_of_seats(FILE *file, const struct catalog *catalog, unsigned bits)
{
	fprintf(file, "enum seat%u : uint%u_t {", bits, bits);
	for (uint32_t i = 0; i < catalog->head->n_slots; i++)
		fprintf(file, " \"%s#%u\" = %u,", catalog_stage_name(catalog, i), catalog->slots[i].worker_index, i);
	fprintf(file, " \"all\" = %u };\n", RECORDER_NOWHERE);
}

static void write_names_of_lanes(FILE *file, const struct catalog *catalog)
{
	fprintf(file, "enum lane32 : uint32_t {");
	for (uint32_t i = 0; i < catalog->head->n_lanes; i++) {
		const struct catalog_lane *lane = &catalog->lanes[i];

		fprintf(file, " \"%s#%u->%s#%u\" = %u,", catalog_stage_name(catalog, lane->producer),
			catalog->slots[lane->producer].worker_index, catalog_stage_name(catalog, lane->consumer),
			catalog->slots[lane->consumer].worker_index, i);
	}
	fprintf(file, " \"none\" = %u };\n", UINT32_MAX);
}

static bool has_names(const char *field)
{
	return value_name(field, 0) || value_name(field, 1);
}

/* Those that have been written are known by their event: a field of that name stands in an earlier one, or in the same place of this. */
static void write_names_of_values(FILE *file, const char *field, unsigned bits)
{
	const char *between = "";

	fprintf(file, "enum %s%u : uint%u_t {", field, bits, bits);
	for (uint32_t value = 0; value < VALUES_MAX; value++)
		if (value_name(field, value)) {
			fprintf(file, "%s \"%s\" = %u", between, value_name(field, value), value);
			between = ",";
		}
	fprintf(file, " };\n");
}

/* Each field that stands for something, once for each width. */
static void write_names(FILE *file)
{
	for (unsigned bits = 32; bits <= 64; bits += 32)
		for (unsigned i = 1; i < RECORDER_KINDS; i++) {
			const char *field = bits == 32 ? recorder_lines[i].count : recorder_lines[i].first;
			bool written = false;

			for (unsigned j = 1; field && j < i; j++) {
				const char *before = bits == 32 ? recorder_lines[j].count : recorder_lines[j].first;

				written = written || (before && strcmp(before, field) == 0);
			}
			if (field && !written && has_names(field))
				write_names_of_values(file, field, bits);
		}
}

static void write_field(FILE *file, const char *field, unsigned bits)
{
	if (!field)
		return;
	if (has_names(field) || strcmp(field, "lane") == 0 || strcmp(field, "seat") == 0)
		fprintf(file, " enum %s%u %s;", field, bits, field);
	else
		fprintf(file, " uint%u_t %s;", bits, field);
}

static void write_head(FILE *file)
{
	fprintf(file, head, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "le" : "be");
}

static void write_events(FILE *file)
{
	write_names(file);
	for (unsigned i = 1; i < RECORDER_KINDS; i++) {
		const struct recorder_line *line = &recorder_lines[i];

		fprintf(file, "event { id = %u; name = \"%s\"; stream_id = 0; fields := struct {", i, line->name);
		write_field(file, line->place, 32);
		write_field(file, line->count, 32);
		write_field(file, line->first, 64);
		write_field(file, line->second, 64);
		fprintf(file, " }; };\n");
	}
}

/* Stages whose items overlap: an item that is begun does not end the one before it. */
static void write_in_flight(FILE *file, const struct catalog *catalog)
{
	const char *between = "";

	for (uint32_t i = 0; i < catalog->head->n_stages; i++)
		if (catalog->stages[i].in_flight > 1) {
			fprintf(file, "%s%s", between, catalog_string(catalog, catalog->stages[i].name));
			between = " ";
		}
}

void ctf_metadata_write(FILE *file, const struct catalog *catalog, uint64_t offset_ns)
{
	write_head(file);
	fprintf(file, "env { domain = \"weir\"; pipeline = \"%s\"; in_flight = \"",
		catalog_string(catalog, catalog->head->pipeline));
	write_in_flight(file, catalog);
	fprintf(file,
		"\"; };\nclock { name = \"monotonic\"; description = \"CLOCK_MONOTONIC\"; freq = 1000000000; offset_s = %" PRIu64
		"; offset = %" PRIu64 "; };\n",
		offset_ns / NS_PER_S, offset_ns % NS_PER_S);
	fputs(stream, file);
	write_names_of_seats(file, catalog, 32);
	write_names_of_seats(file, catalog, 64);
	write_names_of_lanes(file, catalog);
	write_events(file);
}

void ctf_metadata_write_layout(FILE *file)
{
	write_head(file);
	fputc('\0', file);
	fputs(stream, file);
	fputc('\0', file);
	write_events(file);
	fputc('\0', file);
}
