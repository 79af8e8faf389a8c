/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack and libjq's values say nearly the same things. Where they don't, nothing is bent in silence: what jq has not is refused with its
 * place, and so is what msgpack could say and JSON could not.
 *
 * Numbers: libjq knows doubles alone, and so 1.0 comes out as the integer 1. All whole numbers up to 2^53 are exact on both ways.
 */
#include "worker/jq_value.h"

#include <errno.h>
#include <math.h>
#include <msgpack/pack.h>

#include "common/base/text.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/* ---- from an item ---- */

struct reading {
	struct value_reader *reader;
	const unsigned char *begin;
	bool exact;
	struct record_fault *fault;
};

static int refuse(const struct reading *reading, const unsigned char *at, const char *what)
{
	if (reading->fault)
		(void)record_fault(reading->fault, "byte %zu of the item: %s", (size_t)(at - reading->begin) + 1, what);
	return RECORD_E_BAD;
}

/* There is a double that is just this integer. */
static bool is_exact(const struct value *value)
{
	double real = value->type == VALUE_NEGATIVE ? (double)(int64_t)value->number : (double)value->number;

	if (value->type == VALUE_NEGATIVE)
		return (int64_t)real == (int64_t)value->number;
	return real < 0x1p64 && (uint64_t)real == value->number;
}

static int read_any(const struct reading *reading, unsigned depth, jv *ret_value);

static int read_array(const struct reading *reading, uint32_t n, unsigned depth, jv *ret_value)
{
	jv all = jv_array();

	for (uint32_t i = 0; i < n; i++) {
		jv element;

		if (read_any(reading, depth + 1, &element) != 0) {
			jv_free(all);
			return RECORD_E_BAD;
		}
		all = jv_array_append(all, element);
	}
	*ret_value = all;
	return 0;
}

static int read_map(const struct reading *reading, uint32_t n, unsigned depth, jv *ret_value)
{
	jv all = jv_object();

	for (uint32_t i = 0; i < n; i++) {
		const unsigned char *at = reading->reader->next;
		jv name = jv_invalid(), element = jv_invalid();
		int r = read_any(reading, depth + 1, &name);

		if (r == 0 && jv_get_kind(name) != JV_KIND_STRING)
			r = refuse(reading, at, "a name that is no string, which jq does not have");
		if (r == 0)
			r = read_any(reading, depth + 1, &element);
		if (r != 0) {
			jv_free(all);
			jv_free(name);
			return r;
		}
		all = jv_object_set(all, name, element);
	}
	*ret_value = all;
	return 0;
}

static int read_integer(const struct reading *reading, const struct value *value, const unsigned char *at,
			jv *ret_value)
{
	if (reading->exact && !is_exact(value))
		return refuse(reading, at, "an integer that jq can't hold exactly: decode it as a string");
	*ret_value = jv_number(value->type == VALUE_NEGATIVE ? (double)(int64_t)value->number : (double)value->number);
	return 0;
}

static int read_any(const struct reading *reading, unsigned depth, jv *ret_value)
{
	const unsigned char *at = reading->reader->next;
	struct value value;

	if (depth > RECORD_DEPTH_MAX)
		return refuse(reading, at, "it is nested deeper than 64 levels");
	if (value_next(reading->reader, &value) != 0)
		return refuse(reading, at, "no msgpack: is what comes here decoded?");
	switch (value.type) {
	case VALUE_NIL:
		*ret_value = jv_null();
		return 0;
	case VALUE_BOOLEAN:
		*ret_value = jv_bool(value.number != 0);
		return 0;
	case VALUE_UNSIGNED:
	case VALUE_NEGATIVE:
		return read_integer(reading, &value, at, ret_value);
	case VALUE_DOUBLE:
		*ret_value = jv_number(value.real);
		return 0;
	case VALUE_STRING:
		if (!text_is_utf8(value.data, value.n))
			return refuse(reading, at, "invalid UTF-8 in a string");
		*ret_value = jv_string_sized(value.data, (int)value.n);
		return 0;
	case VALUE_ARRAY:
		return read_array(reading, value.n, depth, ret_value);
	case VALUE_MAP:
		return read_map(reading, value.n, depth, ret_value);
	case VALUE_BINARY:
		return refuse(reading, at, "bytes (bin), which jq does not have");
	default:
		return refuse(reading, at, "an extension type, which jq does not have");
	}
}

int jq_value_read(struct value_reader *reader, bool exact, jv *ret_value, struct record_fault *fault)
{
	struct reading reading = { .reader = reader, .begin = reader->next, .exact = exact, .fault = fault };

	return read_any(&reading, 0, ret_value);
}

/* ---- into an item ---- */

static int write_any(jv value, msgpack_packer *packer, unsigned depth, struct record_fault *fault);

static int write_number(double number, msgpack_packer *packer, struct record_fault *fault)
{
	if (!isfinite(number))
		return record_fault(fault, "a number that is not finite");
	if (number == trunc(number) && fabs(number) <= EXACT_MAX && (number != 0 || !signbit(number)))
		msgpack_pack_int64(packer, (int64_t)number);
	else
		msgpack_pack_double(packer, number);
	return 0;
}

static void write_string(jv string, msgpack_packer *packer)
{
	size_t n = (size_t)jv_string_length_bytes(jv_copy(string));

	msgpack_pack_str_with_body(packer, jv_string_value(string), n);
}

static int write_array(jv array, msgpack_packer *packer, unsigned depth, struct record_fault *fault)
{
	int n = jv_array_length(jv_copy(array)), r = 0;

	msgpack_pack_array(packer, (size_t)n);
	for (int i = 0; i < n && r == 0; i++)
		r = write_any(jv_array_get(jv_copy(array), i), packer, depth + 1, fault);
	return r;
}

static int write_object(jv object, msgpack_packer *packer, unsigned depth, struct record_fault *fault)
{
	int r = 0;

	msgpack_pack_map(packer, (size_t)jv_object_length(jv_copy(object)));
	for (int i = jv_object_iter(object); r == 0 && jv_object_iter_valid(object, i);
	     i = jv_object_iter_next(object, i)) {
		jv name = jv_object_iter_key(object, i);

		write_string(name, packer);
		jv_free(name);
		r = write_any(jv_object_iter_value(object, i), packer, depth + 1, fault);
	}
	return r;
}

/* Consumes the value. */
static int write_any(jv value, msgpack_packer *packer, unsigned depth, struct record_fault *fault)
{
	int r = 0;

	switch (depth > RECORD_DEPTH_MAX ? JV_KIND_INVALID : jv_get_kind(value)) {
	case JV_KIND_NULL:
		msgpack_pack_nil(packer);
		break;
	case JV_KIND_FALSE:
		msgpack_pack_false(packer);
		break;
	case JV_KIND_TRUE:
		msgpack_pack_true(packer);
		break;
	case JV_KIND_NUMBER:
		r = write_number(jv_number_value(value), packer, fault);
		break;
	case JV_KIND_STRING:
		write_string(value, packer);
		break;
	case JV_KIND_ARRAY:
		r = write_array(value, packer, depth, fault);
		break;
	case JV_KIND_OBJECT:
		r = write_object(value, packer, depth, fault);
		break;
	case JV_KIND_INVALID:
		r = record_fault(fault, "it is nested deeper than 64 levels");
		break;
	}
	jv_free(value);
	return r;
}

struct writing {
	msgpack_sbuffer *buffer;
	bool failed;
};

static int append(void *data, const char *bytes, size_t n)
{
	struct writing *writing = data;

	writing->failed = writing->failed || msgpack_sbuffer_write(writing->buffer, bytes, n) != 0;
	return 0;
}

int jq_value_write(jv value, msgpack_sbuffer *buffer, struct record_fault *fault)
{
	struct writing writing = { .buffer = buffer };
	msgpack_packer packer;
	int r;

	msgpack_packer_init(&packer, &writing, append);
	r = write_any(value, &packer, 0, fault);
	return writing.failed ? -ENOMEM : r;
}
