/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of frame mode: what is written byte by byte, what is read, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <weir/baggage.h>

#include "tests/unit/worker/fake_host.h"
#include "worker/exec/frame_message.h"

#define BODY(text_) (text_), sizeof(text_) - 1

static void assert_written(struct buffer *buffer, const char *bytes, size_t n)
{
	assert_int_equal(buffer->length, n);
	assert_memory_equal(buffer->data, bytes, n);
	buffer->length = 0;
}

static void test_what_is_written(void **state)
{
	static const struct weir_stage nothing = { 0 };
	struct frame_item item = { .id = 7, .data = "hi", .size_bytes = 2, .left_ns = UINT64_MAX };
	struct buffer buffer = BUFFER_NULL;
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &nothing);
	assert_int_equal(frame_write_end(&buffer), 0);
	assert_written(&buffer, BODY("\0\0\0\x05\x91\xa3"
				     "end"));
	assert_int_equal(frame_write_cancel(&buffer, 300, WEIR_CAUSE_USER), 0);
	assert_written(&buffer, BODY("\0\0\0\x10\x93\xa6"
				     "cancel\xcd\x01\x2c\xa4user"));
	/* the example of docs/frame.md */
	assert_int_equal(frame_write_item(&buffer, &host.context, &item, false), 0);
	assert_written(&buffer, BODY("\0\0\0\x0c\x94\xa4item\x07\xc4\x02hi\x80"));
	item.left_ns = 500000000;
	item.attempt = 2;
	assert_int_equal(frame_write_item(&buffer, &host.context, &item, false), 0);
	assert_written(&buffer, BODY("\0\0\0\x22\x94\xa4item\x07\xc4\x02hi\x82\xa7left_ns\xce\x1d\xcd\x65\x00\xa7"
				     "attempt\x02"));
	item.left_ns = UINT64_MAX;
	item.identity = "1-0-2-a";
	assert_int_equal(frame_write_item(&buffer, &host.context, &item, false), 0);
	assert_written(&buffer, BODY("\0\0\0\x26\x94\xa4item\x07\xc4\x02hi\x82\xa7"
				     "attempt\x02\xa8identity\xa7"
				     "1-0-2-a"));
	item = (struct frame_item){ .id = 7, .data = "\x81\xa1k\x01", .size_bytes = 4, .left_ns = UINT64_MAX };
	assert_int_equal(frame_write_item(&buffer, &host.context, &item, true), 0);
	assert_written(&buffer, BODY("\0\0\0\x0c\x94\xa4item\x07\x81\xa1k\x01\x80"));
	assert_int_equal(frame_write_accepted(&buffer, (const uint64_t[]){ 1, 300 }, 2), 0);
	assert_written(&buffer, BODY("\0\0\0\x0f\x92\xa8"
				     "accepted\x92\x01\xcd\x01\x2c"));
	assert_int_equal(frame_write_refused(&buffer, 7, "no"), 0);
	assert_written(&buffer, BODY("\0\0\0\x0d\x93\xa7refused\x07\xa2no"));
	assert_int_equal(frame_write_drain(&buffer, true), 0);
	assert_written(&buffer, BODY("\0\0\0\x07\x91\xa5"
				     "drain"));
	assert_int_equal(frame_write_drain(&buffer, false), 0);
	assert_written(&buffer, BODY("\0\0\0\x08\x91\xa6resume"));
	assert_int_equal(frame_write_cancel_all(&buffer, WEIR_CAUSE_USER), 0);
	assert_written(&buffer, BODY("\0\0\0\x0e\x93\xa6"
				     "cancel\xc0\xa4user"));
	buffer_deinit(&buffer);
	fake_host_deinit(&host);
}

/* A spec may name a key as often as it likes: there is room for what is written. */
static void test_much_baggage(void **state)
{
	enum { N = 100 };
	static const struct weir_stage nothing = { 0 };
	const char *keys[N + 1] = { 0 };
	struct frame_item item = { .id = 7, .data = "hi", .size_bytes = 2, .left_ns = UINT64_MAX, .keys = keys };
	struct buffer buffer = BUFFER_NULL;
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &nothing);
	host.pair_key = "trace";
	host.pair_bytes = sizeof(host.pair);
	memset(host.pair, 'x', sizeof(host.pair));
	for (unsigned i = 0; i < N; i++)
		keys[i] = "trace";
	assert_int_equal(frame_write_item(&buffer, &host.context, &item, false), 0);
	assert_true(buffer.length > N * sizeof(host.pair));
	assert_memory_equal(buffer.data + buffer.length - sizeof(host.pair), host.pair, sizeof(host.pair));
	buffer_deinit(&buffer);
	fake_host_deinit(&host);
}

/* What an item of a source brings along; nothing but that is read of what is known, and no more than is there. */
static void test_what_an_item_brings_along(void **state)
{
	struct frame_message message;
	char key[WEIR_BAGGAGE_KEY_MAX + 1];
	struct record_fault fault;
	const void *value;
	size_t n;

	(void)state;
	assert_int_equal(frame_read(BODY("\x94\xa4item\x05\xc4\x02hi\x83\xa7left_ns\xcd\x01\x00\xa7"
					 "baggage\x82\xa5trace\xc4\x02"
					 "ab\xa3who\xa1m\xa3new\x91\xc0"),
				    FRAME_SOURCE, false, &message, &fault),
			 0);
	assert_int_equal(message.left_ns, 256);
	assert_int_equal(message.n_pairs, 2);
	assert_int_equal(message.position_bytes, 0);
	frame_next_pair(&message, key, &value, &n);
	assert_string_equal(key, "trace");
	assert_true(n == 2 && !memcmp(value, "ab", 2));
	frame_next_pair(&message, key, &value, &n);
	assert_string_equal(key, "who");
	assert_true(n == 1 && !memcmp(value, "m", 1));
	assert_int_equal(frame_read(BODY("\x93\xa4item\x05\xc4\x02hi"), FRAME_SOURCE, false, &message, &fault), 0);
	assert_true(message.n_pairs == 0 && message.left_ns == UINT64_MAX);
}

/* Who is spoken to, and where a source goes on. */
static void test_hello(void **state)
{
	struct frame_hello hello = { .stage = "s", .role = FRAME_SOURCE, .at_once = 8, .size_max_bytes = 9 };
	struct buffer with = BUFFER_NULL, without = BUFFER_NULL;

	(void)state;
	assert_int_equal(frame_write_hello(&without, &hello), 0);
	hello.position = "\xcd\x01\x02";
	hello.position_bytes = 3;
	assert_int_equal(frame_write_hello(&with, &hello), 0);
	assert_int_equal(with.length, without.length + sizeof("\xa8position") - 1 + 3);
	assert_memory_equal(with.data + with.length - 12, "\xa8position\xcd\x01\x02", 12);
	assert_int_equal(with.data[12], '\x88');
	assert_int_equal(without.data[12], '\x87');
	assert_non_null(memmem(with.data, with.length, "\xa4role\xa6source", 12));
	buffer_deinit(&with);
	buffer_deinit(&without);
}

static void test_where_a_frame_ends(void **state)
{
	struct record_fault fault;
	size_t n = 0;

	(void)state;
	assert_int_equal(frame_find("", 0, 100, &n, &fault), FRAME_E_MORE);
	assert_int_equal(frame_find("\0\0\0", 3, 100, &n, &fault), FRAME_E_MORE);
	assert_int_equal(frame_find("\0\0\0\x05"
				    "1234",
				    8, 100, &n, &fault),
			 FRAME_E_MORE);
	assert_int_equal(frame_find("\0\0\0\x05"
				    "123456",
				    10, 100, &n, &fault),
			 0);
	assert_int_equal(n, 9);
	assert_int_equal(frame_find("\0\0\0\0", 4, 100, &n, &fault), FRAME_E_BAD);
	assert_int_equal(frame_find("\0\0\0\x65", 4, 100, &n, &fault), FRAME_E_BAD); /* before it is there */
	assert_non_null(strstr(fault.why, "101 bytes, where 100 is the most"));
	assert_int_equal(frame_find("Trac", 4, 100, &n, &fault), FRAME_E_BAD); /* somebody prints there */
}

static void test_good_messages(void **state)
{
	struct frame_message message;
	struct record_fault fault;
	const void *data;
	size_t n;

	(void)state;
	assert_int_equal(frame_read(BODY("\x92\xa5ready\x01"), FRAME_OPERATOR, false, &message, &fault), 0);
	assert_true(message.kind == FRAME_READY && message.version == 1 && message.at_once == 0);
	assert_int_equal(frame_read(BODY("\x94\xa5ready\x01\x40\xc0"), FRAME_OPERATOR, false, &message, &fault),
			 0); /* and more */
	assert_true(message.kind == FRAME_READY && message.at_once == 64);
	assert_int_equal(frame_read(BODY("\x93\xa6"
					 "answer\xcd\x01\x00\x92\xc4\x01x\xa2yz"),
				    FRAME_OPERATOR, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_ANSWER && message.id == 256 && message.n_outputs == 2);
	frame_next_output(&message, false, &data, &n);
	assert_true(n == 1 && !memcmp(data, "x", 1));
	frame_next_output(&message, false, &data, &n);
	assert_true(n == 2 && !memcmp(data, "yz", 2));
	assert_int_equal(frame_read(BODY("\x93\xa6"
					 "answer\x05\x91\x81\xa1k\x91\xc0"),
				    FRAME_OPERATOR, true, &message, &fault),
			 0);
	frame_next_output(&message, true, &data, &n);
	assert_true(n == 5 && !memcmp(data, "\x81\xa1k\x91\xc0", 5));
	assert_int_equal(frame_read(BODY("\x93\xa6"
					 "answer\x05\x90"),
				    FRAME_OPERATOR, false, &message, &fault),
			 0);
	assert_int_equal(message.n_outputs, 0);
	assert_int_equal(frame_read(BODY("\x93\xa6refuse\x05\xa3"
					 "why"),
				    FRAME_OPERATOR, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_REFUSE && message.text_bytes == 3 && !memcmp(message.text, "why", 3));
	assert_int_equal(frame_read(BODY("\x93\xa5"
					 "error\x05\xa0"),
				    FRAME_OPERATOR, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_ERROR && message.text_bytes == 0);
	assert_int_equal(frame_read(BODY("\x92\xa9"
					 "cancelled\x05"),
				    FRAME_OPERATOR, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_CANCELLED && message.id == 5);
	assert_int_equal(frame_read(BODY("\x91\xa3"
					 "bye"),
				    FRAME_OPERATOR, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_BYE);
	assert_int_equal(frame_read(BODY("\x92\xa4"
					 "done\x05"),
				    FRAME_SINK, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_DONE && message.id == 5 && message.n_outputs == 0);
}

static void test_what_a_source_says(void **state)
{
	struct frame_message message;
	struct record_fault fault;

	(void)state;
	assert_int_equal(frame_read(BODY("\x93\xa4item\x05\xc4\x02hi"), FRAME_SOURCE, false, &message, &fault), 0);
	assert_true(message.kind == FRAME_GIVEN && message.id == 5 && message.position_bytes == 0);
	assert_true(message.data_bytes == 2 && !memcmp(message.data, "hi", 2));
	assert_int_equal(frame_read(BODY("\x95\xa4item\x06\x81\xa1k\x01\x82\xa1x\xc0\xa8position\x92\x01\xa1p\xc0"),
				    FRAME_SOURCE, true, &message, &fault),
			 0);
	assert_true(message.id == 6 && message.data_bytes == 4 && !memcmp(message.data, "\x81\xa1k\x01", 4));
	assert_true(message.position_bytes == 4 && !memcmp(message.position, "\x92\x01\xa1p", 4));
	assert_int_equal(frame_read(BODY("\x91\xa3"
					 "end"),
				    FRAME_SOURCE, false, &message, &fault),
			 0);
	assert_true(message.kind == FRAME_OVER);
}

/* docs/frame.md, "What is no message". */
static const struct {
	const char *body;
	size_t n;
	bool values;
	const char *why;
	enum frame_role role;
} bad_messages[] = {
	{ BODY("\xc0"), false, "an array that begins with its name", FRAME_OPERATOR },
	{ BODY("\x90"), false, "an array that begins with its name", FRAME_OPERATOR },
	{ BODY("\x91\x01"), false, "begins with its name, a string", FRAME_OPERATOR },
	{ BODY("\x91\xa5hello"), false, "'hello', which is none that a program sends", FRAME_OPERATOR },
	{ BODY("\x91\xa4item"), false, "'item', which is none that an operator sends", FRAME_OPERATOR },
	{ BODY("\x93\xa4item\x01\xa1x"), false, "'item', which is none that a sink sends", FRAME_SINK },
	{ BODY("\x91\xa3"
	       "end"),
	  false, "'end', which is none that a sink sends", FRAME_SINK },
	{ BODY("\x92\xa4"
	       "done\x01"),
	  false, "'done', which is none that a source sends", FRAME_SOURCE },
	{ BODY("\x91\xa4"
	       "done"),
	  false, "an id stands behind the name", FRAME_OPERATOR },
	{ BODY("\x91\xa4item"), false, "an id stands behind the name", FRAME_SOURCE },
	{ BODY("\x92\xa4item\x01"), false, "a field is missing behind the id", FRAME_SOURCE },
	{ BODY("\x93\xa4item\x01\x05"), false, "the data of an item is neither bytes nor a string", FRAME_SOURCE },
	{ BODY("\x93\xa4item\x01\xa5x"), false, "the data of an item is cut off", FRAME_SOURCE },
	{ BODY("\x93\xa4item\x01\xa1\xff"), true, "the data of an item: byte 1: invalid UTF-8", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x05"), false, "a map behind its data, or nothing", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\x05\x05"), false, "strings as its keys", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\xa7"
	       "baggage\x05"),
	  false, "the baggage of an item is a map", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\xa7"
	       "baggage\x81\xa0\xa1v"),
	  false, "a key of an item's baggage is a string of 1 to 64 bytes", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\xa7"
	       "baggage\x81\xa2k\0\xa1v"),
	  false, "a key of an item's baggage is a string of 1 to 64 bytes", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\xa7"
	       "baggage\x81\xa1k\x05"),
	  false, "what an item's baggage holds is bytes, or a string", FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\xa7left_ns\xff"), false, "left_ns of an item is a number from 0 up",
	  FRAME_SOURCE },
	{ BODY("\x94\xa4item\x01\xa1x\x81\xa8position\xa5x"), false, "is cut off, or no msgpack", FRAME_SOURCE },
	{ BODY("\x91\xa6"
	       "answer"),
	  false, "an id stands behind the name", FRAME_OPERATOR },
	{ BODY("\x92\xa6"
	       "answer\xff"),
	  false, "an id stands behind the name", FRAME_OPERATOR },
	{ BODY("\x92\xa6"
	       "answer\x01"),
	  false, "a field is missing behind the id", FRAME_OPERATOR },
	{ BODY("\x93\xa6"
	       "answer\x01\xa1x"),
	  false, "an array of outputs behind its id", FRAME_OPERATOR },
	{ BODY("\x93\xa6"
	       "answer\x01\x91\x05"),
	  false, "output 1 of an answer is neither bytes nor a string", FRAME_OPERATOR },
	{ BODY("\x93\xa6"
	       "answer\x01\x92\xa1x\xc4\x09y"),
	  false, "output 2 of an answer is cut off", FRAME_OPERATOR },
	{ BODY("\x93\xa6"
	       "answer\x01\xdd\xff\xff\xff\xff"),
	  false, "an array of outputs behind its id", FRAME_OPERATOR },
	{ BODY("\x93\xa6"
	       "answer\x01\x91\xc1"),
	  true, "output 1 of an answer is cut off, or no msgpack", FRAME_OPERATOR },
	{ BODY("\x93\xa6"
	       "answer\x01\x91\xa1\xff"),
	  true, "output 1 of an answer: byte 1: invalid UTF-8", FRAME_OPERATOR },
	{ BODY("\x93\xa6refuse\x01\x02"), false, "a reason is a string", FRAME_OPERATOR },
	{ BODY("\x93\xa5"
	       "error\x01\xa1\xff"),
	  false, "a reason is a string", FRAME_OPERATOR },
	{ BODY("\x92\xa5ready\xa1x"), false, "ready has the version behind its name", FRAME_OPERATOR },
	{ BODY("\x93\xa5ready\x01\x00"), false, "a number from 1 up", FRAME_OPERATOR },
	{ BODY("\x91\xa3"
	       "bye\xc0"),
	  false, "bytes lie behind the message", FRAME_OPERATOR },
	{ BODY("\x92\xa3"
	       "bye"),
	  false, "it is cut off", FRAME_OPERATOR },
	{ BODY("\x93\xa9"
	       "cancelled\x01"),
	  false, "it is cut off", FRAME_OPERATOR },
};

static void test_bad_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_messages) / sizeof(bad_messages[0]); i++) {
		struct frame_message message;
		struct record_fault fault = { "" };

		if (frame_read(bad_messages[i].body, bad_messages[i].n, bad_messages[i].role, bad_messages[i].values,
			       &message, &fault) != FRAME_E_BAD)
			fail_msg("case %zu was read", i);
		if (!strstr(fault.why, bad_messages[i].why))
			fail_msg("case %zu: '%s' says nothing of '%s'", i, fault.why, bad_messages[i].why);
	}
}

/* Any change of any byte, and any cut: an answer, or a fault, and nothing read beyond the end (for the sanitizers to see). */
static void test_scribbled_messages(void **state)
{
	static const char good[] = "\x93\xa6"
				   "answer\x05\x92\x81\xa1k\x91\xc0\xc4\x02xy";
	struct frame_message message;
	struct record_fault fault;
	uint32_t n_read = 0;

	(void)state;
	for (size_t cut = 0; cut < sizeof(good); cut++)
		for (unsigned byte = 0; cut && byte < 256; byte++)
			for (unsigned values = 0; values < 2; values++) {
				char *body = malloc(cut);

				memcpy(body, good, cut);
				body[byte % cut] = (char)(byte * 7);
				if (frame_read(body, cut, FRAME_OPERATOR, values, &message, &fault) == 0) {
					const void *data;
					size_t n;

					for (uint32_t i = 0; i < message.n_outputs; i++)
						frame_next_output(&message, values, &data, &n);
					n_read++;
				}
				free(body);
			}
	assert_true(n_read > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written),
		cmocka_unit_test(test_where_a_frame_ends),
		cmocka_unit_test(test_good_messages),
		cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_scribbled_messages),
		cmocka_unit_test(test_what_a_source_says),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_what_an_item_brings_along),
		cmocka_unit_test(test_much_baggage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
