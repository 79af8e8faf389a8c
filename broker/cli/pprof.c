/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few fields of profile.proto that a blocking profile needs, written by hand:
 *
 *      sample_type  contentions/count, delay/nanoseconds      as Go's own blocking profiles
 *      sample       locations, the innermost first: who holds the lane, the lane, who waits; how often, how long
 *      location     one for each function, with the same number
 *      function     a name: workers first, by slot, then each edge twice, full and empty
 *
 * A field is its number and its wire type (0: a varint, 2: so many bytes) in a varint, then that.
 */
#include "broker/cli/pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "common/base/cleanup.h"
#include "common/base/must.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };
enum profile { SAMPLE_TYPE = 1, SAMPLE = 2, LOCATION = 4, FUNCTION = 5, STRING = 6, TIME = 9, DURATION = 10 };
enum { VALUE_TYPE = 1, VALUE_UNIT = 2 };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES = 2 };
enum { LOCATION_ID = 1, LOCATION_LINE = 4, LINE_FUNCTION = 1 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2 };

static const char *const words[] = { "", "contentions", "count", "delay", "nanoseconds" };
enum { WORD_CONTENTIONS = 1, WORD_COUNT, WORD_DELAY, WORD_NANOSECONDS, N_WORDS };

static void add_varint(struct text *text, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		text_add_char(text, (char)(0x80 | (value & 0x7f)));
	text_add_char(text, (char)value);
}

static void add_number(struct text *text, unsigned field, uint64_t value)
{
	add_varint(text, field << 3 | WIRE_VARINT);
	add_varint(text, value);
}

static void add_bytes(struct text *text, unsigned field, const char *bytes, size_t n)
{
	add_varint(text, field << 3 | WIRE_BYTES);
	add_varint(text, n);
	text_add_bytes(text, bytes, n);
}

/* Consumes the part. */
static void add_part(struct text *text, unsigned field, struct text *part)
{
	add_bytes(text, field, text_get(part), part->length);
	text_clear(part);
}

/* ---- names ---- */

static uint64_t function_of_worker(uint32_t slot)
{
	return (uint64_t)slot + 1;
}

static uint64_t function_of_lane(const struct catalog *catalog, const struct pair *pair)
{
	return (uint64_t)catalog->head->n_slots + 2ull * catalog->lanes[pair->lane].edge + pair->full + 1;
}

static void add_function(struct text *message, uint64_t number, const struct text *name)
{
	_cleanup_(text_deinit) struct text part = TEXT_NULL, line = TEXT_NULL;

	add_bytes(message, STRING, text_get(name), name->length);
	add_number(&part, FUNCTION_ID, number);
	add_number(&part, FUNCTION_NAME, N_WORDS + number - 1);
	add_part(message, FUNCTION, &part);
	add_number(&line, LINE_FUNCTION, number);
	add_number(&part, LOCATION_ID, number);
	add_part(&part, LOCATION_LINE, &line);
	add_part(message, LOCATION, &part);
}

static void add_names(const struct catalog *catalog, struct text *message)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	uint64_t number = 1;

	for (uint32_t i = 0; i < catalog->head->n_slots; i++) {
		text_clear(&name);
		text_printf(&name, "%s#%" PRIu32, catalog_stage_name(catalog, i), catalog->slots[i].worker_index);
		add_function(message, number++, &name);
	}
	for (uint32_t i = 0; i < 2 * catalog->head->n_edges; i++) {
		const struct catalog_edge *edge = &catalog->edges[i / 2];

		text_clear(&name);
		text_printf(&name, "%s -> %s: %s", catalog_string(catalog, catalog->stages[edge->from].name),
			    catalog_string(catalog, catalog->stages[edge->to].name), i % 2 ? "full" : "empty");
		add_function(message, number++, &name);
	}
}

/* ---- samples ---- */

static void add_type(struct text *message, uint64_t type, uint64_t unit)
{
	_cleanup_(text_deinit) struct text part = TEXT_NULL;

	add_number(&part, VALUE_TYPE, type);
	add_number(&part, VALUE_UNIT, unit);
	add_part(message, SAMPLE_TYPE, &part);
}

static void add_sample(const struct catalog *catalog, const struct pair *pair, struct text *message)
{
	_cleanup_(text_deinit) struct text part = TEXT_NULL, list = TEXT_NULL;

	add_varint(&list, function_of_worker(pair->holder));
	add_varint(&list, function_of_lane(catalog, pair));
	add_varint(&list, function_of_worker(pair->waiter));
	add_part(&part, SAMPLE_LOCATIONS, &list);
	add_varint(&list, pair->n_waits);
	add_varint(&list, pair->waited_ns);
	add_part(&part, SAMPLE_VALUES, &list);
	add_part(message, SAMPLE, &part);
}

void pprof_format(const struct catalog *catalog, const struct pair *pairs, size_t n_pairs, uint64_t ended_ns,
		  uint64_t duration_ns, struct text *message)
{
	add_type(message, WORD_CONTENTIONS, WORD_COUNT);
	add_type(message, WORD_DELAY, WORD_NANOSECONDS);
	for (size_t i = 0; i < n_pairs; i++)
		add_sample(catalog, &pairs[i], message);
	for (size_t i = 0; i < N_WORDS; i++)
		add_bytes(message, STRING, words[i], strlen(words[i]));
	add_names(catalog, message);
	add_number(message, TIME, ended_ns - duration_ns);
	add_number(message, DURATION, duration_ns);
}

int pprof_write(struct output_file *output, const struct text *message)
{
	int fd = output_file_begin(output), r = 0;
	gzFile file = fd >= 0 ? gzdopen(fd, "wb") : NULL;

	if (fd < 0)
		return fd;
	must(file);
	errno = 0;
	if (message->length && gzwrite(file, text_get(message), (unsigned)message->length) <= 0)
		r = errno ? -errno : -EIO;
	errno = 0;
	if (gzclose(file) != Z_OK && r == 0)
		r = errno ? -errno : -EIO;
	if (r != 0)
		output_file_remove(output);
	return r;
}
