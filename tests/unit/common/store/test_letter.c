/* SPDX-License-Identifier: Apache-2.0 */
/* Letters there and back, as JSON, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/cleanup.h"
#include "common/store/letter.h"

static const struct dead_letter_death deaths[] = {
	{ .when_ns = 1790000000123456789, .pid = 4711, .generation = 1, .how = "was killed by SIGSEGV" },
	{ .when_ns = 1790000000223456789, .pid = 4712, .generation = 2, .how = "exited with status 3" },
};

static struct dead_letter rich(void)
{
	return (struct dead_letter){
		.pipeline = "orders",
		.stage = "price",
		.worker_index = 2,
		.cause = DEAD_LETTER_ATTEMPTS,
		.reason = "2 workers died \xff of it",
		.attempts = 2,
		.sequence = UINT64_MAX,
		.input = "read",
		.data = "a\0b\xff",
		.size_bytes = 4,
		.time_ns = 1790000000323456789,
		.accepted_ns = 1789999999000000000,
		.run = 1789999990000000000,
		.last_run = 1789999991000000000,
		.producer = 7,
		.part = DEAD_LETTER_PART(DEAD_LETTER_AT_FULL_LANE, 5),
		.deaths = deaths,
		.n_deaths = 2,
	};
}

static void test_there_and_back(void **state)
{
	struct dead_letter letter = rich();
	struct letter_copy copy;
	char *bytes;
	size_t size;

	(void)state;
	assert_int_equal(letter_encode(&letter, &bytes, &size), 0);
	assert_int_equal(letter_decode(bytes, size, &copy), 0);
	assert_string_equal(copy.letter.pipeline, letter.pipeline);
	assert_string_equal(copy.letter.stage, letter.stage);
	assert_string_equal(copy.letter.input, letter.input);
	assert_string_equal(copy.letter.reason, letter.reason);
	assert_int_equal(copy.letter.worker_index, 2);
	assert_int_equal(copy.letter.cause, DEAD_LETTER_ATTEMPTS);
	assert_int_equal(copy.letter.attempts, 2);
	assert_int_equal(copy.letter.sequence, UINT64_MAX);
	assert_int_equal(copy.letter.time_ns, letter.time_ns);
	assert_int_equal(copy.letter.accepted_ns, letter.accepted_ns);
	assert_int_equal(copy.letter.run, letter.run);
	assert_int_equal(copy.letter.last_run, letter.last_run);
	assert_int_equal(copy.letter.producer, 7);
	assert_int_equal(copy.letter.part, letter.part);
	assert_int_equal(copy.letter.size_bytes, 4);
	assert_memory_equal(copy.letter.data, letter.data, 4);
	assert_int_equal(copy.letter.n_deaths, 2);
	assert_string_equal(copy.letter.deaths[1].how, "exited with status 3");
	assert_int_equal(copy.letter.deaths[1].pid, 4712);
	letter_copy_deinit(&copy);
	free(bytes);
}

/* What is cut off or turned over is refused or read as something else, and never read beyond (sanitizers look). */
static void test_damaged(void **state)
{
	struct dead_letter letter = rich();
	struct letter_copy copy;
	char *bytes;
	size_t size;

	(void)state;
	assert_int_equal(letter_encode(&letter, &bytes, &size), 0);
	for (size_t n = 0; n < size; n++) {
		_cleanup_(free) char *shorter = malloc(n ? n : 1);

		memcpy(shorter, bytes, n);
		assert_int_equal(letter_decode(shorter, n, &copy), LETTER_E_BAD);
	}
	for (size_t i = 0; i < size * 8; i++) {
		bytes[i / 8] ^= (char)(1 << i % 8);
		if (letter_decode(bytes, size, &copy) == 0)
			letter_copy_deinit(&copy);
		bytes[i / 8] ^= (char)(1 << i % 8);
	}
	bytes[3] = 4; /* array16 of 18: the version follows its header */
	assert_int_equal((unsigned char)bytes[0], 0xdc);
	assert_int_equal(letter_decode(bytes, size, &copy), LETTER_E_BAD);
	free(bytes);
}

static void test_baggage(void **state)
{
	struct dead_letter letter = rich();
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct extension extension;
	unsigned char words[ITEM_EXTENSION_SIZE_MAX];
	struct letter_copy copy;
	char *bytes;
	size_t size;

	(void)state;
	assert_false(dead_letter_extension(&letter, &extension));
	assert_int_equal(extension_read(&extension, NULL, 0), 0);
	extension.scope = 4711;
	assert_int_equal(extension_set(&extension, "trace", "0af7", 4), 0);
	assert_int_equal(extension_set(&extension, "tenant", "a\"b", 3), 0);
	extension_write(&extension, extension_words(&extension), words);
	letter.baggage = words;
	letter.baggage_bytes = extension_words(&extension) * ITEM_WORD_BYTES;
	assert_int_equal(letter_encode(&letter, &bytes, &size), 0);
	assert_int_equal(letter_decode(bytes, size, &copy), 0);
	assert_int_equal(copy.letter.baggage_bytes, letter.baggage_bytes);
	assert_memory_equal(copy.letter.baggage, words, letter.baggage_bytes);
	dead_letter_format_json(&copy.letter, LETTER_WITH_PAYLOAD, &text);
	assert_non_null(
		strstr(text_get(&text), ",\"scope\":4711,\"baggage\":{\"trace\":\"0af7\",\"tenant\":\"a\\\"b\"}"));
	letter_copy_deinit(&copy);
	free(bytes);
}

/* Letters outlive programs: those of version 1 had two members less, no baggage and no last run; 2 no last run. */
static void test_earlier_versions(void **state)
{
	struct dead_letter letter = rich();
	struct letter_copy copy;
	char *bytes;
	size_t size;

	(void)state;
	assert_int_equal(letter_encode(&letter, &bytes, &size), 0);
	assert_memory_equal(bytes, "\xdc\x00\x12\x03", 4);
	size -= 9; /* a number of 64 bits */
	assert_memory_equal(bytes + size - 2, "\xc4\x00\xcf", 3);
	for (int version = 2; version >= 1; version--) {
		bytes[2] = (char)(15 + version);
		assert_int_equal(letter_decode(bytes, size, &copy), LETTER_E_BAD);
		bytes[3] = (char)version;
		assert_int_equal(letter_decode(bytes, size, &copy), 0);
		assert_int_equal(copy.letter.size_bytes, 4);
		assert_int_equal(copy.letter.baggage_bytes, 0);
		assert_int_equal(copy.letter.last_run, letter.run);
		letter_copy_deinit(&copy);
		size -= 2;
	}
	bytes[2] = 18;
	assert_int_equal(letter_decode(bytes, size + 13, &copy), LETTER_E_BAD);
	free(bytes);
}

static void test_identity(void **state)
{
	struct dead_letter a = rich(), b = rich();
	unsigned char one[LETTER_IDENTITY_MAX], other[LETTER_IDENTITY_MAX];
	size_t size = dead_letter_identity(&a, one);

	(void)state;
	/* what another generation may say otherwise */
	b.reason = "something else";
	b.attempts = 9;
	b.worker_index = 5;
	b.time_ns++;
	b.n_deaths = 0;
	assert_int_equal(dead_letter_identity(&b, other), size);
	assert_memory_equal(one, other, size);
#define ASSERT_OTHER(change_)                                                                          \
	do {                                                                                           \
		b = rich();                                                                            \
		change_;                                                                               \
		assert_true(dead_letter_identity(&b, other) != size || memcmp(one, other, size) != 0); \
	} while (0)
	ASSERT_OTHER(b.run++);
	ASSERT_OTHER(b.producer++);
	ASSERT_OTHER(b.sequence--);
	ASSERT_OTHER(b.part++);
	ASSERT_OTHER(b.stage = "prices");
}

static void test_json(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct dead_letter letter = rich();

	(void)state;
	letter.id = 3;
	letter.reason = "because";
	letter.n_deaths = 1;
	dead_letter_format_json(&letter, LETTER_WITH_PAYLOAD, &text);
	assert_string_equal(
		text_get(&text),
		"{\"id\":3,\"time\":\"2026-09-21T14:13:20.323Z\",\"pipeline\":\"orders\",\"stage\":\"price\",\"worker\":2,\"cause\":\"attempts\","
		"\"reason\":\"because\",\"attempts\":2,\"sequence\":18446744073709551615,\"input\":\"read\",\"size\":4,"
		"\"accepted\":\"2026-09-21T14:13:19.000Z\",\"run\":1789999990000000000,\"producer\":7,\"deaths\":[{\"time\":"
		"\"2026-09-21T14:13:20.123Z\",\"pid\":4711,\"generation\":1,\"how\":\"was killed by SIGSEGV\"}],\"payload_base64\":\"YQBi/w==\"}");
	text_clear(&text);
	letter.accepted_ns = 0;
	letter.n_deaths = 0;
	dead_letter_format_json(&letter, LETTER_WITHOUT_PAYLOAD, &text);
	assert_non_null(strstr(text_get(&text), "\"accepted\":null"));
	assert_null(strstr(text_get(&text), "payload"));
}

static void test_causes(void **state)
{
	enum dead_letter_cause cause;

	(void)state;
	assert_true(dead_letter_cause_from_name("rejected", &cause) && cause == DEAD_LETTER_REJECTED);
	assert_false(dead_letter_cause_from_name("nonsense", &cause));
	assert_string_equal(dead_letter_cause_name(DEAD_LETTER_ATTEMPTS), "attempts");
	assert_string_equal(dead_letter_cause_name((enum dead_letter_cause)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_baggage),        cmocka_unit_test(test_earlier_versions),
		cmocka_unit_test(test_identity),       cmocka_unit_test(test_json),
		cmocka_unit_test(test_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
