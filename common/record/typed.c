/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      {status: "200", at: "02/Nov/2026:15:04:05 +0100", agent: "curl"}
 *               | int       | time(%d/%b/%Y:%H:%M:%S %z)     |
 *      {status:  200,  at: "2026-11-02T14:04:05Z",       agent: "curl"}
 *
 * Numbers are read as people write them in logs: with a sign, with leading zeros, and exactly or not at all. A time is text again, in one
 * spelling that every other stage, jq and a database can read, and that sorts.
 */
#include "common/record/typed.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/record/pack.h"
#include "common/record/value.h"

#define FLOAT_TEXT_MAX 1024u
#define SHOWN_MAX 40

void typed_deinit(struct typed *typed)
{
	free(typed->fields);
	record_scratch_deinit(&typed->long_text);
	*typed = (struct typed){ 0 };
}

/* ---- what is said of a type ---- */

static int read_time_type(const char *type, struct typed_field *field, struct record_fault *fault)
{
	char format[MOMENT_FORMAT_SIZE_MAX + 2] = "";
	size_t n = strlen(type);
	const char *wrong;

	field->type = TYPED_TIME;
	if (n > 4) { /* time(FORMAT) */
		if (type[4] != '(' || type[n - 1] != ')')
			return record_fault(fault, "'%.40s' is no type: expected time(FORMAT)", type);
		if (n - 6 >= sizeof(format))
			return record_fault(fault, "the format of this time is longer than %u bytes",
					    MOMENT_FORMAT_SIZE_MAX);
		memcpy(format, type + 5, n - 6);
	}
	wrong = moment_form_read(format, &field->form);
	return wrong ? record_fault(fault, "the format of this time %s", wrong) : 0;
}

static int read_type(const char *type, struct typed_field *field, struct record_fault *fault)
{
	static const char *const words[] = { "text", "int", "float", "bool" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], type) == 0) {
			field->type = (enum typed_type)i;
			return 0;
		}
	if (strcmp(type, "time") == 0 || strncmp(type, "time(", 5) == 0)
		return read_time_type(type, field, fault);
	return record_fault(fault, "'%.40s' is no type: expected text, int, float, bool, time or time(FORMAT)", type);
}

int typed_add(struct typed *typed, const char *name, const char *type, struct record_fault *fault)
{
	struct typed_field field = { .name = name, .name_bytes = strlen(name) };
	int r = read_type(type, &field, fault);

	if (r != 0)
		return r;
	typed->fields = reallocarray(typed->fields, typed->n + 1, sizeof(*typed->fields));
	must(typed->fields);
	typed->fields[typed->n++] = field;
	return 0;
}

/* ---- what a text becomes ---- */

static bool write_int(const struct value *text, struct pack *pack)
{
	const char *at = text->data, *end = at + text->n;
	bool negative = at < end && *at == '-';
	uint64_t number = 0;

	at += negative || (at < end && *at == '+');
	if (at == end)
		return false;
	for (; at < end; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (negative && number > (uint64_t)INT64_MAX + 1)
		return false;
	if (negative)
		msgpack_pack_int64(&pack->packer, (int64_t)(0 - number));
	else
		msgpack_pack_uint64(&pack->packer, number);
	return true;
}

/* What strtod() takes besides: blanks, hexadecimal digits, infinity and nan. */
static bool looks_decimal(const char *at, const char *end)
{
	bool any = false;

	at += at < end && (*at == '-' || *at == '+');
	for (; at < end; at++) {
		if (!isdigit((unsigned char)*at) && !strchr(".eE+-", *at))
			return false;
		any = any || isdigit((unsigned char)*at);
	}
	return any;
}

static bool write_float(struct typed *typed, const struct value *text, struct pack *pack)
{
	char *copy, *end;
	double number;

	if (text->n > FLOAT_TEXT_MAX || memchr(text->data, '\0', text->n) ||
	    !looks_decimal(text->data, text->data + text->n))
		return false;
	copy = record_scratch_get(&typed->long_text, FLOAT_TEXT_MAX + 1);
	memcpy(copy, text->data, text->n);
	copy[text->n] = '\0';
	number = strtod(copy, &end);
	if (*end || !isfinite(number))
		return false;
	msgpack_pack_double(&pack->packer, number);
	return true;
}

static bool write_bool(const struct value *text, struct pack *pack)
{
	bool is_true = text->n == 4 && memcmp(text->data, "true", 4) == 0;

	if (!is_true && !(text->n == 5 && memcmp(text->data, "false", 5) == 0))
		return false;
	if (is_true)
		msgpack_pack_true(&pack->packer);
	else
		msgpack_pack_false(&pack->packer);
	return true;
}

static bool write_time(const struct moment_form *form, const struct value *text, struct pack *pack)
{
	char room[MOMENT_TEXT_SIZE];
	struct moment moment;

	if (!moment_read(form, text->data, text->n, &moment))
		return false;
	pack_string(pack, room, moment_write(&moment, room));
	return true;
}

/* Bytes of it to show, whole characters. */
static int shown(const struct value *text)
{
	uint32_t n = text->n < SHOWN_MAX ? text->n : SHOWN_MAX;

	while (n && n < text->n && ((unsigned char)text->data[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

static int write_typed(struct typed *typed, const struct typed_field *field, const struct value *text,
		       struct pack *pack, struct record_fault *fault)
{
	static const char *const called[] = { "text", "int", "float", "bool", "time of this format" };
	bool fine = false;

	if (field->type == TYPED_INT)
		fine = write_int(text, pack);
	else if (field->type == TYPED_FLOAT)
		fine = write_float(typed, text, pack);
	else if (field->type == TYPED_BOOL)
		fine = write_bool(text, pack);
	else if (field->type == TYPED_TIME)
		fine = write_time(&field->form, text, pack);
	if (fine)
		return 0;
	return record_fault(fault, "%.40s: '%.*s'%s is no %s", field->name, shown(text), text->data,
			    (uint32_t)shown(text) < text->n ? "..." : "", called[field->type]);
}

/* NULL: it stays what it is. */
static const struct typed_field *field_of(const struct typed *typed, const struct value *name)
{
	for (uint32_t i = 0; i < typed->n; i++)
		if (typed->fields[i].name_bytes == name->n && memcmp(typed->fields[i].name, name->data, name->n) == 0)
			return typed->fields[i].type == TYPED_TEXT ? NULL : &typed->fields[i];
	return NULL;
}

int typed_write(struct typed *typed, const void *map, size_t size_bytes, void *room, size_t *ret_size_bytes,
		struct record_fault *fault)
{
	struct value_reader reader;
	struct value value, name;
	struct pack pack;
	uint32_t n;

	value_reader_init(&reader, map, size_bytes);
	must(value_next(&reader, &value) == 0 && value.type == VALUE_MAP);
	n = value.n;
	pack_init(&pack, room);
	msgpack_pack_map(&pack.packer, n);
	for (uint32_t i = 0; i < n; i++) {
		const unsigned char *pair = reader.next;
		const struct typed_field *field;

		must(value_next(&reader, &name) == 0 && name.type == VALUE_STRING);
		field = field_of(typed, &name);
		if (field) {
			pack_string(&pack, name.data, name.n);
			must(value_next(&reader, &value) == 0);
			if (value.type == VALUE_STRING && write_typed(typed, field, &value, &pack, fault) != 0)
				return RECORD_E_BAD;
			if (value.type == VALUE_STRING)
				continue;
			if (value.type != VALUE_BOOLEAN || field->type != TYPED_BOOL)
				return record_fault(fault, "%.40s: it has no value", field->name);
			msgpack_pack_true(&pack.packer);
			continue;
		}
		must(value_skip(&reader) == 0);
		memcpy(pack.next, pair, (size_t)(reader.next - pair));
		pack.next += reader.next - pair;
	}
	*ret_size_bytes = (size_t)(pack.next - (unsigned char *)room);
	return 0;
}
