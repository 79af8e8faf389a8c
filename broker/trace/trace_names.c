/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever does not depend on the pipeline, the layout of every event among it, must stand there to the letter as this version writes it:
 * so a trace is read as it is meant or not at all. The rest is two lists, of seats and of lanes, and three values.
 */
#include "broker/trace/trace_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/trace/ctf.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"

static int other(struct text *why, const char *what)
{
	text_printf(why, "%s: it was recorded by another version of weir, or it is none of weir's", what);
	return TRACE_NAMES_E_OTHER;
}

static bool layout_is_ours(const char *metadata)
{
	_cleanup_(free) char *ours = NULL;
	size_t size;
	FILE *file = open_memstream(&ours, &size);
	bool same = true;

	must(file);
	ctf_metadata_write_layout(file);
	must(fclose(file) == 0);
	for (const char *part = ours; *part && same; part += strlen(part) + 1)
		same = strstr(metadata, part);
	return same;
}

/* The value of KEY = "..."; NULL: there is none. */
static char *string_of(const char *metadata, const char *key)
{
	const char *at = strstr(metadata, key), *end;

	if (!at)
		return NULL;
	at += strlen(key);
	end = strchr(at, '"');
	return end ? strndup(at, (size_t)(end - at)) : NULL;
}

/* The next pair of an enumeration, "NAME" = NUMBER. Returns what lies behind it; NULL: it is at its end, or is none. */
static const char *next_pair(const char *at, char **ret_name, uint32_t *ret_number)
{
	const char *name, *end;
	char *rest;

	at += strspn(at, " ,");
	if (*at != '"')
		return NULL;
	name = at + 1;
	end = strchr(name, '"');
	if (!end || strncmp(end, "\" = ", 4) != 0)
		return NULL;
	*ret_number = (uint32_t)strtoul(end + 4, &rest, 10);
	*ret_name = strndup(name, (size_t)(end - name));
	must(*ret_name);
	return rest;
}

/* Numbers go up from 0; the last pair stands for none of them. Returns how many there are before that, and their names. */
static uint32_t read_list(const char *metadata, const char *head, char ***ret_names)
{
	const char *at = strstr(metadata, head);
	uint32_t n = 0, capacity = 0, number;
	char **names = NULL, *name;

	for (at = at ? at + strlen(head) : ""; (at = next_pair(at, &name, &number)); n++) {
		if (number != n) {
			free(name);
			break;
		}
		if (n == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			names = reallocarray(names, capacity, sizeof(*names));
			must(names);
		}
		names[n] = name;
	}
	*ret_names = names;
	return n;
}

/* ---- seats ---- */

static int by_name(const void *a, const void *b, void *context)
{
	const struct trace_names *names = context;

	return strcmp(names->seats[*(const uint32_t *)a].name, names->seats[*(const uint32_t *)b].name);
}

/* Seats of a stage stand side by side. */
static bool add_stage_of(struct trace_names *names, struct trace_seat *seat)
{
	const char *end = strrchr(seat->name, '#');
	size_t n = end ? (size_t)(end - seat->name) : 0;
	struct trace_stage *last = names->n_stages ? &names->stages[names->n_stages - 1] : NULL;

	if (!n || strchr(seat->name, '/'))
		return false;
	if (!last || strlen(last->name) != n || strncmp(last->name, seat->name, n) != 0) {
		last = &names->stages[names->n_stages++];
		last->name = strndup(seat->name, n);
		must(last->name);
	}
	seat->stage = names->n_stages - 1;
	return true;
}

static bool read_seats(struct trace_names *names, const char *metadata)
{
	char **list;
	bool fit = true;

	names->n_seats = read_list(metadata, "enum seat32 : uint32_t {", &list);
	names->seats = calloc(names->n_seats + 1, sizeof(*names->seats));
	names->stages = calloc(names->n_seats + 1, sizeof(*names->stages));
	names->sorted = calloc(names->n_seats + 1, sizeof(*names->sorted));
	must(names->seats && names->stages && names->sorted);
	for (uint32_t i = 0; i < names->n_seats; i++) {
		names->seats[i].name = list[i];
		names->sorted[i] = i;
		fit = fit && add_stage_of(names, &names->seats[i]);
	}
	free(list);
	qsort_r(names->sorted, names->n_seats, sizeof(*names->sorted), by_name, names);
	return fit && names->n_seats;
}

/* The seat of that name, n bytes long; n_seats: there is none. */
static uint32_t find_seat(const struct trace_names *names, const char *name, size_t n)
{
	uint32_t low = 0, high = names->n_seats;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const char *candidate = names->seats[names->sorted[middle]].name;
		int order = strncmp(candidate, name, n);

		if (order == 0 && !candidate[n])
			return names->sorted[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return names->n_seats;
}

/* ---- lanes, and what else there is ---- */

static bool read_lanes(struct trace_names *names, const char *metadata)
{
	char **list;
	bool fit = true;

	names->n_lanes = read_list(metadata, "enum lane32 : uint32_t {", &list);
	names->lanes = calloc(names->n_lanes + 1, sizeof(*names->lanes));
	must(names->lanes);
	for (uint32_t i = 0; i < names->n_lanes; i++) {
		const char *arrow = strstr(list[i], "->");
		struct trace_lane *lane = &names->lanes[i];

		lane->name = list[i];
		lane->producer = arrow ? find_seat(names, list[i], (size_t)(arrow - list[i])) : names->n_seats;
		lane->consumer = arrow ? find_seat(names, arrow + 2, strlen(arrow + 2)) : names->n_seats;
		fit = fit && lane->producer < names->n_seats && lane->consumer < names->n_seats;
	}
	free(list);
	return fit;
}

static void read_in_flight(struct trace_names *names, const char *metadata)
{
	_cleanup_(free) char *list = string_of(metadata, "; in_flight = \"");
	char *rest = list, *word;

	while (rest && (word = strsep(&rest, " ")))
		for (uint32_t i = 0; i < names->n_stages; i++)
			names->stages[i].in_flight |= strcmp(names->stages[i].name, word) == 0;
}

static bool read_offset(struct trace_names *names, const char *metadata)
{
	const char *at = strstr(metadata, "; offset_s = ");
	unsigned long long seconds, ns;

	if (!at || sscanf(at, "; offset_s = %llu; offset = %llu;", &seconds, &ns) != 2)
		return false;
	names->offset_ns = seconds * NS_PER_S + ns;
	return true;
}

int trace_names_read(struct trace_names *names, const char *metadata, struct text *why)
{
	*names = (struct trace_names){ 0 };
	if (!layout_is_ours(metadata))
		return other(why, "its metadata describes other events");
	names->pipeline = string_of(metadata, "; pipeline = \"");
	if (!names->pipeline || !read_offset(names, metadata))
		return other(why, "its metadata names no pipeline, or no clock");
	if (!read_seats(names, metadata) || !read_lanes(names, metadata))
		return other(why, "its metadata names no workers, or lanes between others");
	read_in_flight(names, metadata);
	return 0;
}

void trace_names_deinit(struct trace_names *names)
{
	for (uint32_t i = 0; i < names->n_seats; i++)
		free(names->seats[i].name);
	for (uint32_t i = 0; i < names->n_lanes; i++)
		free(names->lanes[i].name);
	for (uint32_t i = 0; i < names->n_stages; i++)
		free(names->stages[i].name);
	free(names->seats);
	free(names->lanes);
	free(names->stages);
	free(names->sorted);
	free(names->pipeline);
	*names = (struct trace_names){ 0 };
}
