/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec, derived from messages.def: one row per message with the types of its fields, and two loops over the rows.
 *
 * Every member of struct message starts with the version and is followed by its fields without padding (all are multiples of
 * 8 bytes), so a field's place follows from the types before it; the assertions below hold the compiler to that.
 */
#include <assert.h>
#include <errno.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/wire/message.h"
#include "common/wire/reader.h"

struct message_line {
	unsigned number;
	enum message_direction direction;
	const char *name;
	const uint8_t *fields; /* enum message_field_type, ended by 0 */
	uint32_t n_fields;
};

/* clang-format off */
#define MESSAGE(id_, number_, name_, direction_, summary_) static const uint8_t fields_##name_[] = {
#define FIELD(name_, type_) MESSAGE_##type_,
#define MESSAGE_END 0 };
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

static const struct message_line lines[] = {
#define MESSAGE(id_, number_, name_, direction_, summary_) \
	{ number_, MESSAGE_##direction_, #name_, fields_##name_, sizeof(fields_##name_) - 1 },
#define FIELD(name_, type_)
#define MESSAGE_END
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END
};

static_assert(sizeof(struct message_bytes) == 16 && _Alignof(struct message_bytes) == 8, "fields must lie without padding");
#define MESSAGE(id_, number_, name_, direction_, summary_) static_assert(sizeof(struct message_##name_) == sizeof(uint64_t)
#define FIELD(name_, type_) + sizeof(MESSAGE_TYPE_##type_)
#define MESSAGE_END , "fields must lie without padding");
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/* clang-format on */

/* Where a message's fields begin: behind the version, which every member starts with. */
#define FIELDS_OFFSET (offsetof(struct message, version) + sizeof(uint64_t))

static const struct message_line *line_find(uint64_t number)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lines[i].number == number)
			return &lines[i];
	return NULL;
}

const char *message_name(unsigned type)
{
	const struct message_line *line = line_find(type);

	return line ? line->name : NULL;
}

int message_direction(unsigned type)
{
	const struct message_line *line = line_find(type);

	return line ? (int)line->direction : 0;
}

static int pack_string(msgpack_packer *packer, const struct message_bytes *bytes)
{
	if (bytes->size_bytes > UINT32_MAX || !reader_is_text(bytes->data, bytes->size_bytes))
		return -EINVAL;
	return msgpack_pack_str(packer, bytes->size_bytes) ||
			       msgpack_pack_str_body(packer, bytes->data, bytes->size_bytes) ?
		       -ENOMEM :
		       0;
}

static int pack_binary(msgpack_packer *packer, const struct message_bytes *bytes)
{
	if (bytes->size_bytes > UINT32_MAX)
		return -EINVAL;
	return msgpack_pack_bin(packer, bytes->size_bytes) ||
			       msgpack_pack_bin_body(packer, bytes->data, bytes->size_bytes) ?
		       -ENOMEM :
		       0;
}

static int pack_fields(msgpack_packer *packer, const struct message_line *line, const unsigned char *at)
{
	for (const uint8_t *type = line->fields; *type; type++) {
		struct message_bytes bytes;
		uint64_t number;
		int r;

		if (*type == MESSAGE_NUMBER) {
			memcpy(&number, at, sizeof(number));
			at += sizeof(number);
			r = msgpack_pack_uint64(packer, number) ? -ENOMEM : 0;
		} else {
			memcpy(&bytes, at, sizeof(bytes));
			at += sizeof(bytes);
			r = *type == MESSAGE_STRING ? pack_string(packer, &bytes) : pack_binary(packer, &bytes);
		}
		if (r)
			return error_origin(r);
	}
	return 0;
}

int message_encode(const struct message *message, char **ret_data, size_t *ret_size_bytes)
{
	const struct message_line *line = line_find(message->type);
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	int r;

	if (!line)
		return error_origin(-EINVAL);
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	r = msgpack_pack_array(&packer, 2 + line->n_fields) || msgpack_pack_uint64(&packer, WIRE_VERSION) ||
			    msgpack_pack_uint64(&packer, line->number) ?
		    error_origin(-ENOMEM) :
		    0;
	if (!r)
		r = pack_fields(&packer, line, (const unsigned char *)message + FIELDS_OFFSET);
	if (!r) {
		*ret_size_bytes = buffer.size;
		*ret_data = msgpack_sbuffer_release(&buffer);
	}
	msgpack_sbuffer_destroy(&buffer);
	return r;
}

static int read_fields(struct reader *reader, const struct message_line *line, unsigned char *at)
{
	for (const uint8_t *type = line->fields; *type; type++) {
		struct message_bytes bytes;
		uint64_t number;

		if (*type == MESSAGE_NUMBER) {
			if (reader_unsigned(reader, &number))
				return MESSAGE_E_MALFORMED;
			memcpy(at, &number, sizeof(number));
			at += sizeof(number);
			continue;
		}
		if (*type == MESSAGE_STRING ? reader_string(reader, &bytes.data, &bytes.size_bytes) :
					      reader_binary(reader, &bytes.data, &bytes.size_bytes))
			return MESSAGE_E_MALFORMED;
		memcpy(at, &bytes, sizeof(bytes));
		at += sizeof(bytes);
	}
	return 0;
}

int message_decode(const char *data, size_t size_bytes, size_t size_max, struct message *ret_message)
{
	const struct message_line *line;
	struct message message = { 0 };
	struct reader reader;
	uint64_t version, number;
	uint32_t n;

	if (size_bytes > size_max)
		return MESSAGE_E_MALFORMED;
	reader_init(&reader, data, size_bytes);
	if (reader_array(&reader, &n) || n < 2 || reader_unsigned(&reader, &version))
		return MESSAGE_E_MALFORMED;
	if (version != WIRE_VERSION) {
		/* Of another version only this is known: what comes next need not be a type. */
		ret_message->version = version;
		return MESSAGE_E_VERSION;
	}
	if (reader_unsigned(&reader, &number))
		return MESSAGE_E_MALFORMED;
	line = line_find(number);
	if (!line)
		return MESSAGE_E_UNKNOWN;
	message.type = (enum message_type)line->number;
	message.version = version;
	if (n != 2 + line->n_fields || read_fields(&reader, line, (unsigned char *)&message + FIELDS_OFFSET) ||
	    !reader_at_end(&reader))
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}
