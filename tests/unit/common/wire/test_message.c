/* SPDX-License-Identifier: Apache-2.0 */
/* The codec: every message there and back, agreement with msgpack's own unpacker, and hostile bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack/object.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <msgpack/unpack.h>

#include "common/base/cleanup.h"
#include "common/wire/message.h"

#define FUZZ_ROUNDS 200000u

static uint64_t seed = 42;

static uint64_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

struct type_line {
	unsigned number;
	const char *name;
	int direction;
	const char *fields; /* one letter a field: N(UMBER) S(TRING) B(YTES) */
};

/* clang-format off */
static const struct type_line types[] = {
#define MESSAGE(id_, number_, name_, direction_, summary_) { number_, #name_, MESSAGE_##direction_,
#define FIELD(name_, type_) #type_ " "
#define MESSAGE_END "" },
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END
};
/* clang-format on */
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static const char *next_field(const char *fields)
{
	return strchr(fields, ' ') + 1;
}

/* A message of the type with random fields; strings and bytes lie in pool. */
static void fill(const struct type_line *type, struct message *message, char *pool)
{
	unsigned char *at = (unsigned char *)message + offsetof(struct message, version) + sizeof(uint64_t);

	memset(message, 0, sizeof(*message));
	message->type = (enum message_type)type->number;
	for (const char *field = type->fields; *field; field = next_field(field)) {
		uint64_t number = random_number() >> (random_number() % 64);
		struct message_bytes bytes = { pool, random_number() % 300 };

		if (*field == 'N') {
			memcpy(at, &number, sizeof(number));
			at += sizeof(number);
			continue;
		}
		for (size_t i = 0; i < bytes.size_bytes; i++)
			pool[i] = *field == 'S' ? (char)('a' + random_number() % 26) : (char)random_number();
		pool += bytes.size_bytes;
		memcpy(at, &bytes, sizeof(bytes));
		at += sizeof(bytes);
	}
}

static void assert_same(const struct type_line *type, const struct message *a, const struct message *b)
{
	size_t at = offsetof(struct message, version) + sizeof(uint64_t);

	assert_int_equal(a->type, b->type);
	for (const char *field = type->fields; *field; field = next_field(field)) {
		const unsigned char *from_a = (const unsigned char *)a + at, *from_b = (const unsigned char *)b + at;
		struct message_bytes bytes_a, bytes_b;

		if (*field == 'N') {
			assert_memory_equal(from_a, from_b, sizeof(uint64_t));
			at += sizeof(uint64_t);
			continue;
		}
		memcpy(&bytes_a, from_a, sizeof(bytes_a));
		memcpy(&bytes_b, from_b, sizeof(bytes_b));
		assert_int_equal(bytes_a.size_bytes, bytes_b.size_bytes);
		if (bytes_a.size_bytes)
			assert_memory_equal(bytes_a.data, bytes_b.data, bytes_a.size_bytes);
		at += sizeof(bytes_a);
	}
}

/* msgpack's own idea of the same bytes. */
static void assert_msgpack_agrees(const struct type_line *type, const struct message *message, const char *data,
				  size_t size_bytes)
{
	const unsigned char *at = (const unsigned char *)message + offsetof(struct message, version) + sizeof(uint64_t);
	msgpack_unpacked unpacked;
	const msgpack_object *object;
	size_t offset = 0;

	msgpack_unpacked_init(&unpacked);
	assert_int_equal(msgpack_unpack_next(&unpacked, data, size_bytes, &offset), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(offset, size_bytes);
	assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_ARRAY);
	object = unpacked.data.via.array.ptr;
	assert_int_equal(object[0].via.u64, WIRE_VERSION);
	assert_int_equal(object[1].via.u64, type->number);
	object += 2;
	for (const char *field = type->fields; *field; field = next_field(field), object++) {
		struct message_bytes bytes;
		uint64_t number;

		if (*field == 'N') {
			assert_int_equal(object->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
			memcpy(&number, at, sizeof(number));
			assert_true(number == object->via.u64);
			at += sizeof(number);
			continue;
		}
		memcpy(&bytes, at, sizeof(bytes));
		at += sizeof(bytes);
		assert_int_equal(object->type, *field == 'S' ? MSGPACK_OBJECT_STR : MSGPACK_OBJECT_BIN);
		assert_int_equal(object->via.bin.size, bytes.size_bytes);
		if (bytes.size_bytes)
			assert_memory_equal(object->via.bin.ptr, bytes.data, bytes.size_bytes);
	}
	assert_ptr_equal(object, unpacked.data.via.array.ptr + unpacked.data.via.array.size);
	msgpack_unpacked_destroy(&unpacked);
}

static void test_round_trip(void **state)
{
	char pool[2048];

	(void)state;
	for (size_t i = 0; i < N_TYPES; i++) {
		assert_string_equal(message_name(types[i].number), types[i].name);
		assert_int_equal(message_direction(types[i].number), types[i].direction);
		for (int round = 0; round < 200; round++) {
			struct message message, again;
			_cleanup_(free) char *data = NULL;
			size_t size_bytes;

			fill(&types[i], &message, pool);
			assert_int_equal(message_encode(&message, &data, &size_bytes), 0);
			assert_int_equal(message_decode(data, size_bytes, size_bytes, &again), 0);
			assert_int_equal(again.version, WIRE_VERSION);
			assert_same(&types[i], &message, &again);
			assert_msgpack_agrees(&types[i], &again, data, size_bytes);
			assert_int_equal(message_decode(data, size_bytes, size_bytes - 1, &again), MESSAGE_E_MALFORMED);
		}
	}
	assert_null(message_name(0));
	assert_null(message_name(999));
	assert_int_equal(message_direction(999), 0);
}

/* Every prefix is cut off, every appended byte is one too many; the output stays as it was. */
static void test_exact_end(void **state)
{
	char pool[2048], longer[4096];

	(void)state;
	for (size_t i = 0; i < N_TYPES; i++) {
		struct message message, untouched, before;
		_cleanup_(free) char *data = NULL;
		size_t size_bytes;

		fill(&types[i], &message, pool);
		assert_int_equal(message_encode(&message, &data, &size_bytes), 0);
		memset(&untouched, 0x5a, sizeof(untouched));
		memcpy(&before, &untouched, sizeof(before));
		for (size_t n = 0; n < size_bytes; n++)
			assert_int_equal(message_decode(data, n, WIRE_SIZE_MAX, &untouched), MESSAGE_E_MALFORMED);
		memcpy(longer, data, size_bytes);
		for (int byte = 0; byte < 256; byte++) {
			longer[size_bytes] = (char)byte;
			assert_int_equal(message_decode(longer, size_bytes + 1, WIRE_SIZE_MAX, &untouched),
					 MESSAGE_E_MALFORMED);
		}
		assert_memory_equal(&untouched, &before, sizeof(before));
	}
	assert_int_equal(message_decode(NULL, 0, WIRE_SIZE_MAX, &(struct message){ 0 }), MESSAGE_E_MALFORMED);
}

static void test_version_and_type(void **state)
{
	struct message message = { 0 };

	(void)state;
	assert_int_equal(message_decode("\x92\x03\x02", 3, WIRE_SIZE_MAX, &message), MESSAGE_E_VERSION);
	assert_int_equal(message.version, 3);
	assert_int_equal(message_decode("\x93\xcd\x01\x00\xa1\x61\xc0", 7, WIRE_SIZE_MAX, &message), MESSAGE_E_VERSION);
	assert_int_equal(message.version, 256);
	assert_int_equal(message_decode("\x92\x02\x7f", 3, WIRE_SIZE_MAX, &message), MESSAGE_E_UNKNOWN);
	assert_int_equal(message_decode("\x92\x02\xcf\x00\x00\x00\x01\x00\x00\x00\x13", 11, WIRE_SIZE_MAX, &message),
			 MESSAGE_E_UNKNOWN);
	assert_int_equal(message_decode("\x92\x02\x13", 3, WIRE_SIZE_MAX, &message), 0);
	assert_int_equal(message.type, MESSAGE_QUERY);
	assert_int_equal(message_decode("\x91\x02", 2, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x92\xa1\x61\x02", 4, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	/* a slot that is negative, a float, nil, a map, a string; other widths of the same number are fine */
	assert_int_equal(message_decode("\x93\x02\x02\xff", 4, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x93\x02\x02\xd1\xff\xfe", 6, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x93\x02\x02\xca\x00\x00\x00\x00", 8, WIRE_SIZE_MAX, &message),
			 MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x93\x02\x02\xc0", 4, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x93\x02\x02\x80", 4, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x93\x02\x02\xa1\x35", 5, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
	assert_int_equal(message_decode("\x93\x02\x02\xd3\0\0\0\0\0\0\x01\x02", 12, WIRE_SIZE_MAX, &message), 0);
	assert_int_equal(message.ready.slot, 258);
	assert_int_equal(message_decode("\xdd\0\0\0\x03\x02\xcc\x02\xce\0\0\0\x07", 13, WIRE_SIZE_MAX, &message), 0);
	assert_int_equal(message.ready.slot, 7);
	/* the five bytes that make msgpack-c ask for 2 GB */
	assert_int_equal(message_decode("\xdd\x04\0\0\0", 5, WIRE_SIZE_MAX, &message), MESSAGE_E_MALFORMED);
}

static int encode_string(const char *string, size_t size_bytes)
{
	struct message message = { .type = MESSAGE_CANCEL };
	_cleanup_(free) char *data = NULL;
	size_t n;

	message.cancel.who = (struct message_bytes){ string, size_bytes };
	return message_encode(&message, &data, &n);
}

/* The same string by hand: array [2, 17, 0, str8]. */
static int decode_string(const char *string, size_t size_bytes)
{
	char data[64] = "\x94\x02\x11\x00\xd9";
	struct message message;

	data[5] = (char)size_bytes;
	memcpy(data + 6, string, size_bytes);
	return message_decode(data, 6 + size_bytes, WIRE_SIZE_MAX, &message);
}

static void test_text_rules(void **state)
{
	static const struct {
		const char *bytes;
		size_t size_bytes;
		bool well;
	} cases[] = {
		{ "", 0, true },
		{ "weir", 4, true },
		{ "\xc3\xa9", 2, true },
		{ "\xe2\x82\xac", 3, true },
		{ "\xf0\x9f\x90\x9f", 4, true },
		{ "a\0b", 3, false },
		{ "\0", 1, false },
		{ "\xff", 1, false },
		{ "\xc3", 1, false },
		{ "\xc0\x80", 2, false },
		{ "\xed\xa0\x80", 3, false },
		{ "\xf4\x90\x80\x80", 4, false },
		{ "\xe0\x80\x80", 3, false },
		{ "\x80", 1, false },
		{ "ab\xe2\x82", 4, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(encode_string(cases[i].bytes, cases[i].size_bytes), cases[i].well ? 0 : -EINVAL);
		assert_int_equal(decode_string(cases[i].bytes, cases[i].size_bytes),
				 cases[i].well ? 0 : MESSAGE_E_MALFORMED);
	}
	assert_int_equal(
		message_encode(&(struct message){ .type = (enum message_type)999 }, &(char *){ NULL }, &(size_t){ 0 }),
		-EINVAL);
}

/* A decoded message must lie inside its buffer and, encoded again, mean the same. */
static void check_decoded(const struct message *message, const char *data, size_t size_bytes)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		const unsigned char *at =
			(const unsigned char *)message + offsetof(struct message, version) + sizeof(uint64_t);
		struct message again;
		_cleanup_(free) char *encoded = NULL;
		size_t n;

		if (types[i].number != message->type)
			continue;
		for (const char *field = types[i].fields; *field; field = next_field(field)) {
			struct message_bytes bytes;

			if (*field == 'N') {
				at += sizeof(uint64_t);
				continue;
			}
			memcpy(&bytes, at, sizeof(bytes));
			at += sizeof(bytes);
			assert_true(bytes.data >= data && bytes.size_bytes <= (size_t)(data + size_bytes - bytes.data));
		}
		assert_int_equal(message_encode(message, &encoded, &n), 0);
		assert_int_equal(message_decode(encoded, n, WIRE_SIZE_MAX, &again), 0);
		assert_same(&types[i], message, &again);
		return;
	}
	fail_msg("decoded into type %d, which there is not", (int)message->type);
}

/* Half random bytes, half valid messages with up to four bytes changed; in a buffer of exactly their size, for the sanitizer. */
static void test_hostile(void **state)
{
	unsigned n_well = 0;
	char pool[2048];

	(void)state;
	for (unsigned round = 0; round < FUZZ_ROUNDS; round++) {
		_cleanup_(free) char *data = NULL;
		struct message message;
		size_t size_bytes;

		if (round % 2) {
			fill(&types[random_number() % N_TYPES], &message, pool);
			assert_int_equal(message_encode(&message, &data, &size_bytes), 0);
			for (uint64_t n = random_number() % 5; n; n--)
				data[random_number() % size_bytes] = (char)random_number();
		} else {
			size_bytes = random_number() % 64;
			data = malloc(size_bytes + 1);
			assert_non_null(data);
			for (size_t i = 0; i < size_bytes; i++)
				data[i] = (char)random_number();
			if (size_bytes > 2) {
				data[0] = (char)(0x90 | random_number() % 8);
				data[1] = (char)WIRE_VERSION;
				data[2] = (char)types[random_number() % N_TYPES].number;
			}
		}
		if (message_decode(data, size_bytes, WIRE_SIZE_MAX, &message) == 0) {
			check_decoded(&message, data, size_bytes);
			n_well++;
		}
	}
	/* a fifth of the changed ones keeps all its bytes, so both ways were walked */
	assert_in_range(n_well, FUZZ_ROUNDS / 20, FUZZ_ROUNDS);
}

/* docs/control-protocol.md has a row for every message, word for word what messages.def says. */
static void test_document(void **state)
{
	/* clang-format off */
	static const char *const rows[] = {
#define MESSAGE(id_, number_, name_, direction_, summary_) "| " #number_ " | `" #name_ "` | " #direction_ " | ",
#define FIELD(name_, type_) "`" #name_ "` " #type_,
#define MESSAGE_END " |",
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END
	};
	static const char *const summaries[] = {
#define MESSAGE(id_, number_, name_, direction_, summary_) summary_,
#define FIELD(name_, type_)
#define MESSAGE_END
#include "common/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END
	};
	/* clang-format on */
	static char document[65536];
	FILE *file = fopen(WEIR_SOURCE_DIR "/docs/control-protocol.md", "re");
	size_t n = 0, n_rows = 0;
	char row[512] = "";

	(void)state;
	assert_non_null(file);
	n = fread(document, 1, sizeof(document) - 1, file);
	fclose(file);
	assert_in_range(n, 1, sizeof(document) - 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t length = strlen(row);
		bool first = rows[i][0] == '|', end = rows[i][0] == ' ', second = length && row[length - 1] != ' ';

		if (end && !second)
			strcat(row, "-");
		snprintf(row + strlen(row), sizeof(row) - strlen(row), "%s%s", !first && !end && second ? ", " : "",
			 rows[i]);
		if (!end)
			continue;
		snprintf(row + strlen(row), sizeof(row) - strlen(row), " %s |\n", summaries[n_rows++]);
		if (!strstr(document, row))
			fail_msg("docs/control-protocol.md lacks the row: %s", row);
		row[0] = '\0';
	}
	assert_int_equal(n_rows, N_TYPES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_exact_end),
		cmocka_unit_test(test_version_and_type), cmocka_unit_test(test_text_rules),
		cmocka_unit_test(test_hostile),          cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
