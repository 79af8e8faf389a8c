/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      {n: count, total: sum(.ms), mid: p50(.ms), slow: p99(.ms), mean: mean(.ms)}
 *
 *      outputs:   n        total     mean          mid        slow
 *                          |         |             |          |
 *      sections:           sum(.ms)--'             sketch(.ms)'            a block: |head|sum|sketch: room for 8, 16 ... 1024 buckets|
 *
 * A sum has a fixed size, a sketch and a set of hashes grow: where one is full the block is copied into one with twice that room. So a
 * block is small as long as little has been seen.
 */
#include "worker/operators/aggregate.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/fnv.h"
#include "common/base/must.h"
#include "common/stage/key_expression.h"
#include "worker/operators/sketch.h"

enum output_kind { OUTPUT_COUNT, OUTPUT_SUM, OUTPUT_MEAN, OUTPUT_LEAST, OUTPUT_MOST, OUTPUT_QUANTILE, OUTPUT_DISTINCT };

static const struct function {
	const char *name;
	enum output_kind output;
	enum section_kind section;
} functions[] = {
	{ "sum", OUTPUT_SUM, SECTION_SUM },       { "mean", OUTPUT_MEAN, SECTION_SUM },
	{ "min", OUTPUT_LEAST, SECTION_LEAST },   { "max", OUTPUT_MOST, SECTION_MOST },
	{ "p", OUTPUT_QUANTILE, SECTION_SKETCH }, { "distinct", OUTPUT_DISTINCT, SECTION_DISTINCT },
};

struct output {
	const char *name; /* the option's */
	enum output_kind kind;
	uint32_t section;
	double share; /* of a quantile */
};

struct section {
	enum section_kind kind;
	char *expression; /* owned */
	struct weir_key *key;
};

struct aggregates {
	struct output outputs[AGGREGATES_MAX];
	struct section sections[AGGREGATES_MAX];
	uint32_t n_outputs, n_sections;
};

/* The least or the most so far. */
struct extreme {
	int64_t whole;
	double real;
	uint32_t is_whole, is_set;
};

/* ---- reading the option ---- */

static uint32_t section_for(struct aggregates *aggregates, enum section_kind kind, const char *expression)
{
	uint32_t i = 0;

	for (; i < aggregates->n_sections; i++)
		if (aggregates->sections[i].kind == kind && strcmp(aggregates->sections[i].expression, expression) == 0)
			return i;
	aggregates->sections[i] = (struct section){ .kind = kind, .expression = strdup(expression) };
	must(aggregates->sections[i].expression);
	aggregates->n_sections++;
	return i;
}

static bool share_of(const char *digits, size_t length, double *ret_share)
{
	char number[16], *end;

	if (!length || length >= sizeof(number) || !isdigit((unsigned char)digits[0]))
		return false;
	memcpy(number, digits, length);
	number[length] = '\0';
	if (strspn(number, "0123456789.") != length)
		return false;
	*ret_share = strtod(number, &end) / 100;
	return !*end && *ret_share <= 1;
}

static const struct function *function_of(const char *name, size_t length, double *ret_share)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		size_t own = strlen(functions[i].name);

		if (length < own || strncmp(name, functions[i].name, own) != 0)
			continue;
		if (length == own ?
			    functions[i].output != OUTPUT_QUANTILE :
			    functions[i].output == OUTPUT_QUANTILE && share_of(name + own, length - own, ret_share))
			return &functions[i];
	}
	return NULL;
}

static int parse_one(struct aggregates *aggregates, struct output *output, const char *source, struct text *why)
{
	struct key_expression parsed = KEY_EXPRESSION_NULL;
	const char *open = strchr(source, '(');
	size_t length = strlen(source);
	const struct function *function = open ? function_of(source, (size_t)(open - source), &output->share) : NULL;
	char expression[256];

	if (strcmp(source, "count") == 0) {
		output->kind = OUTPUT_COUNT;
		return 0;
	}
	if (!function || source[length - 1] != ')' || length - (size_t)(open - source) > sizeof(expression)) {
		text_printf(why,
			    "'%s' is no aggregate: expected count, sum(EXPR), min(EXPR), max(EXPR), mean(EXPR), "
			    "distinct(EXPR), or a quantile such as p50(EXPR) or p99.9(EXPR)",
			    source);
		return -EINVAL;
	}
	length -= (size_t)(open - source) + 2;
	memcpy(expression, open + 1, length);
	expression[length] = '\0';
	if (key_expression_parse(expression, &parsed, why) != 0)
		return -EINVAL;
	key_expression_deinit(&parsed);
	output->kind = function->output;
	output->section = section_for(aggregates, function->section, expression);
	return 0;
}

static bool is_reserved(const char *name)
{
	return strcmp(name, "key") == 0 || strcmp(name, "start") == 0 || strcmp(name, "end") == 0;
}

int aggregates_parse(const char *const *pairs, struct aggregates **ret, const char **ret_wrong, struct text *why)
{
	struct aggregates *aggregates = calloc(1, sizeof(*aggregates));
	int r = 0;

	must(aggregates);
	for (; pairs[0] && r == 0; pairs += 2) {
		struct output *output = &aggregates->outputs[aggregates->n_outputs];

		*ret_wrong = pairs[0];
		if (aggregates->n_outputs == AGGREGATES_MAX) {
			text_printf(why, "there are more than %u of them", AGGREGATES_MAX);
			r = -EINVAL;
		} else if (is_reserved(pairs[0])) {
			text_printf(why, "'%s' is what the window itself says: give it another name", pairs[0]);
			r = -EINVAL;
		} else {
			output->name = pairs[0];
			r = parse_one(aggregates, output, pairs[1], why);
			aggregates->n_outputs++;
		}
	}
	if (r != 0) {
		aggregates_free(aggregates, NULL);
		return error_origin(r);
	}
	*ret = aggregates;
	return 0;
}

int aggregates_prepare(struct aggregates *aggregates, struct weir_context *context)
{
	int r = 0;

	for (uint32_t i = 0; i < aggregates->n_sections && r == 0; i++)
		r = weir_key_new(context, aggregates->sections[i].expression, &aggregates->sections[i].key);
	return r;
}

void aggregates_free(struct aggregates *aggregates, struct weir_context *context)
{
	for (uint32_t i = 0; aggregates && i < aggregates->n_sections; i++) {
		if (aggregates->sections[i].key)
			weir_key_free(context, aggregates->sections[i].key);
		free(aggregates->sections[i].expression);
	}
	free(aggregates);
}

uint32_t aggregates_n_outputs(const struct aggregates *aggregates)
{
	return aggregates->n_outputs;
}

/* ---- items ---- */

static int measure_number(const struct section *section, struct weir_context *context, const struct weir_item *item,
			  struct measure *measure)
{
	int64_t whole;
	double real;
	int r = weir_key_integer(context, section->key, item, &whole);

	if (r == WEIR_OK) {
		measure->number = number_whole(whole);
		return WEIR_OK;
	}
	if (r != -ERANGE)
		return r;
	r = weir_key_number(context, section->key, item, &real);
	if (r == WEIR_OK)
		measure->number = number_real(real);
	return r;
}

static int measure_one(const struct section *section, struct weir_context *context, const struct weir_item *item,
		       struct measure *measure)
{
	const void *bytes;
	size_t size_bytes;
	int r;

	if (section->kind != SECTION_DISTINCT)
		return measure_number(section, context, item, measure);
	r = weir_key_bytes(context, section->key, item, &bytes, &size_bytes);
	if (r == WEIR_OK)
		measure->hash = fnv_end(fnv_add(FNV_BEGIN, bytes, size_bytes));
	return r;
}

int aggregates_measure(struct aggregates *aggregates, struct weir_context *context, const struct weir_item *item,
		       bool skips, struct measure *measures)
{
	for (uint32_t i = 0; i < aggregates->n_sections; i++) {
		const char *expression = aggregates->sections[i].expression;
		int r = measure_one(&aggregates->sections[i], context, item, &measures[i]);

		measures[i].is_there = r == WEIR_OK;
		if (r == -EINVAL)
			weir_reject(context, "its %s is no number", expression);
		else if (r == -ENOENT && !skips)
			weir_reject(context, "it has no %s", expression);
		else if (r == WEIR_OK || r == -ENOENT)
			continue;
		return r == -EINVAL || r == -ENOENT ? WEIR_REJECTED : r;
	}
	return 0;
}

/* ---- blocks ---- */

static size_t size_of(enum section_kind kind, uint32_t room)
{
	switch (kind) {
	case SECTION_SUM:
		return sizeof(struct sum);
	case SECTION_LEAST:
	case SECTION_MOST:
		return sizeof(struct extreme);
	case SECTION_SKETCH:
		return sketch_bytes(room);
	case SECTION_DISTINCT:
		break;
	}
	return distinct_bytes(room);
}

static bool has_room(enum section_kind kind)
{
	return kind == SECTION_SKETCH || kind == SECTION_DISTINCT;
}

static size_t section_bytes(enum section_kind kind, const unsigned char *at)
{
	return size_of(kind, has_room(kind) ? ((const struct table_head *)at)->room : 0);
}

static uint32_t room_for(enum section_kind kind, uint32_t n, bool spare)
{
	return kind == SECTION_SKETCH ? table_room(n, spare, SKETCH_ROOM_MIN, SKETCH_ROOM_MAX) :
					table_room(n, spare, DISTINCT_ROOM_MIN, DISTINCT_ROOM_MAX);
}

static size_t clear(const struct aggregates *aggregates, unsigned char *at, uint32_t n)
{
	size_t size_bytes = 0;

	for (uint32_t i = 0; i < aggregates->n_sections; i++) {
		enum section_kind kind = aggregates->sections[i].kind;
		uint32_t room = has_room(kind) ? room_for(kind, n, false) : 0;

		if (at)
			memset(at + size_bytes, 0, size_of(kind, room));
		if (at && room)
			((struct table_head *)(at + size_bytes))->room = room;
		size_bytes += size_of(kind, room);
	}
	return size_bytes;
}

size_t aggregates_size_min(const struct aggregates *aggregates)
{
	return clear(aggregates, NULL, 0);
}

size_t aggregates_size_max(const struct aggregates *aggregates)
{
	return clear(aggregates, NULL, UINT32_MAX);
}

void aggregates_clear(const struct aggregates *aggregates, void *block, bool largest)
{
	(void)clear(aggregates, block, largest ? UINT32_MAX : 0);
}

bool aggregates_are_tight(const struct aggregates *aggregates, const void *block)
{
	const unsigned char *at = block;
	bool tight = false;

	for (uint32_t i = 0; i < aggregates->n_sections; i++) {
		enum section_kind kind = aggregates->sections[i].kind;
		const struct table_head *head = (const struct table_head *)at;

		tight = tight || (kind == SECTION_SKETCH && sketch_is_tight(head)) ||
			(kind == SECTION_DISTINCT && distinct_is_tight(head));
		at += section_bytes(kind, at);
	}
	return tight;
}

size_t aggregates_copy(const struct aggregates *aggregates, const void *block, bool spare, void *to)
{
	const unsigned char *from = block;
	unsigned char *at = to;
	size_t size_bytes = 0;

	for (uint32_t i = 0; i < aggregates->n_sections; i++) {
		enum section_kind kind = aggregates->sections[i].kind;
		const struct table_head *head = (const struct table_head *)from;
		uint32_t room =
			!has_room(kind) ?
				0 :
				room_for(kind, kind == SECTION_SKETCH ? head->n : distinct_entries(head), spare);
		size_t old_bytes = section_bytes(kind, from), new_bytes = size_of(kind, room);

		if (at) {
			memset(at, 0, new_bytes);
			memcpy(at, from, old_bytes < new_bytes ? old_bytes : new_bytes);
			if (room)
				((struct table_head *)at)->room = room;
			at += new_bytes;
		}
		from += old_bytes;
		size_bytes += new_bytes;
	}
	return size_bytes;
}

static void take_extreme(struct extreme *extreme, struct number number, bool most)
{
	struct number now = { extreme->is_whole, extreme->whole, extreme->real };

	if (extreme->is_set && !(most ? number_less(now, number) : number_less(number, now)))
		return;
	*extreme = (struct extreme){ number.whole, number.real, number.is_whole, 1 };
}

void aggregates_add(const struct aggregates *aggregates, void *block, const struct measure *measures)
{
	unsigned char *at = block;

	for (uint32_t i = 0; i < aggregates->n_sections; at += section_bytes(aggregates->sections[i].kind, at), i++) {
		if (!measures[i].is_there)
			continue;
		switch (aggregates->sections[i].kind) {
		case SECTION_SUM:
			sum_add((struct sum *)at, measures[i].number);
			break;
		case SECTION_LEAST:
		case SECTION_MOST:
			take_extreme((struct extreme *)at, measures[i].number,
				     aggregates->sections[i].kind == SECTION_MOST);
			break;
		case SECTION_SKETCH:
			sketch_add((struct table_head *)at, measures[i].number.real);
			break;
		case SECTION_DISTINCT:
			distinct_add((struct table_head *)at, measures[i].hash);
			break;
		}
	}
}

static void merge_one(enum section_kind kind, unsigned char *at, const unsigned char *other)
{
	const struct extreme *extreme = (const struct extreme *)other;

	switch (kind) {
	case SECTION_SUM:
		sum_merge((struct sum *)at, (const struct sum *)other);
		break;
	case SECTION_LEAST:
	case SECTION_MOST:
		if (extreme->is_set)
			take_extreme((struct extreme *)at,
				     (struct number){ extreme->is_whole, extreme->whole, extreme->real },
				     kind == SECTION_MOST);
		break;
	case SECTION_SKETCH:
		sketch_merge((struct table_head *)at, (const struct table_head *)other);
		break;
	case SECTION_DISTINCT:
		distinct_merge((struct table_head *)at, (const struct table_head *)other);
		break;
	}
}

void aggregates_merge(const struct aggregates *aggregates, void *block, const void *other)
{
	const unsigned char *from = other;
	unsigned char *at = block;

	for (uint32_t i = 0; i < aggregates->n_sections; i++) {
		enum section_kind kind = aggregates->sections[i].kind;

		merge_one(kind, at, from);
		at += section_bytes(kind, at);
		from += section_bytes(kind, from);
	}
}

/* ---- results ---- */

static void write_sum(const struct sum *sum, msgpack_packer *packer)
{
	__int128 whole = sum_whole(sum);

	if (sum->n_real || whole < INT64_MIN || whole > (__int128)UINT64_MAX)
		msgpack_pack_double(packer, sum_double(sum));
	else if (whole < 0)
		msgpack_pack_int64(packer, (int64_t)whole);
	else
		msgpack_pack_uint64(packer, (uint64_t)whole);
}

static void write_number(bool is_there, struct number number, msgpack_packer *packer)
{
	if (!is_there)
		msgpack_pack_nil(packer);
	else if (number.is_whole)
		msgpack_pack_int64(packer, number.whole);
	else
		msgpack_pack_double(packer, number.real);
}

static void write_one(const struct output *output, const unsigned char *at, msgpack_packer *packer)
{
	const struct extreme *extreme = (const struct extreme *)at;
	const struct sum *sum = (const struct sum *)at;
	double quantile = 0;
	bool is_there;

	switch (output->kind) {
	case OUTPUT_COUNT:
		break;
	case OUTPUT_SUM:
		write_sum(sum, packer);
		break;
	case OUTPUT_MEAN:
		write_number(sum->n, (struct number){ .real = sum->n ? sum_double(sum) / (double)sum->n : 0 }, packer);
		break;
	case OUTPUT_LEAST:
	case OUTPUT_MOST:
		write_number(extreme->is_set, (struct number){ extreme->is_whole, extreme->whole, extreme->real },
			     packer);
		break;
	case OUTPUT_QUANTILE:
		is_there = sketch_quantile((const struct table_head *)at, output->share, &quantile);
		write_number(is_there, (struct number){ .real = quantile }, packer);
		break;
	case OUTPUT_DISTINCT:
		msgpack_pack_uint64(packer, distinct_count((const struct table_head *)at));
		break;
	}
}

void aggregates_write(const struct aggregates *aggregates, const void *block, uint64_t n_items, msgpack_packer *packer)
{
	const unsigned char *sections[AGGREGATES_MAX], *at = block;

	for (uint32_t i = 0; i < aggregates->n_sections; i++) {
		sections[i] = at;
		at += section_bytes(aggregates->sections[i].kind, at);
	}
	for (uint32_t i = 0; i < aggregates->n_outputs; i++) {
		const struct output *output = &aggregates->outputs[i];

		msgpack_pack_str(packer, strlen(output->name));
		msgpack_pack_str_body(packer, output->name, strlen(output->name));
		if (output->kind == OUTPUT_COUNT)
			msgpack_pack_uint64(packer, n_items);
		else
			write_one(output, sections[output->section], packer);
	}
}
