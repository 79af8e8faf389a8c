/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages: one tagged struct, an encoder, and a decoder that trusts nothing. All derived from messages.def. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 2u
#define WIRE_SIZE_MAX 65536u           /* bytes of a message that comes in */
#define WIRE_REPLY_SIZE_MAX (8u << 20) /* bytes of a reply, which only clients take */

/* A byte string: inside the decoded buffer, or the caller's when encoding. STRING: valid UTF-8 without NUL. Not terminated. */
struct message_bytes {
	const char *data;
	size_t size_bytes;
};

/* clang-format off */
enum message_type {
#define MESSAGE(id_, number_, name_, direction_, summary_) MESSAGE_##id_ = number_,
#define FIELD(name_, type_)
#define MESSAGE_END
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END
};

enum message_direction { MESSAGE_UP = 1, MESSAGE_DOWN, MESSAGE_ASK, MESSAGE_ANSWER };
enum message_field_type { MESSAGE_NUMBER = 1, MESSAGE_STRING, MESSAGE_BYTES };

#define MESSAGE_TYPE_NUMBER uint64_t
#define MESSAGE_TYPE_STRING struct message_bytes
#define MESSAGE_TYPE_BYTES struct message_bytes
#define MESSAGE(id_, number_, name_, direction_, summary_) struct message_##name_ { uint64_t version;
#define FIELD(name_, type_) MESSAGE_TYPE_##type_ name_;
#define MESSAGE_END };
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

struct message {
	enum message_type type;
	union {
		uint64_t version;                /* first in every member */
#define MESSAGE(id_, number_, name_, direction_, summary_) struct message_##name_ name_;
#define FIELD(name_, type_)
#define MESSAGE_END
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END
	};
};

/* clang-format on */

/* Name of a type ("hello"), NULL if there is none such. */
const char *message_name(unsigned type);
/* Direction of a type, 0 if there is none such. */
int message_direction(unsigned type);

/*
 * Encodes into a new buffer, freed by the caller. Sets the version itself. Returns 0, or -ENOMEM, -EINVAL (a STRING that
 * is none).
 */
int message_encode(const struct message *message, char **ret_data, size_t *ret_size_bytes);

enum {
	MESSAGE_E_MALFORMED = 1, /* not msgpack, too deep, too long, wrong shape */
	MESSAGE_E_VERSION = 2,   /* another WIRE_VERSION; ret_message->version says which */
	MESSAGE_E_UNKNOWN = 3,   /* a type that there is not */
};
/*
 * Decodes without allocating and without trusting a length: exact shape, exact end, at most size_max bytes. Byte strings
 * point into data. Returns 0, MESSAGE_E_*.
 */
int message_decode(const char *data, size_t size_bytes, size_t size_max, struct message *ret_message);
