/* SPDX-License-Identifier: Apache-2.0 */
/* Files whose records do not end at each newline: csv and msgpack, with places, with what has no end, and with kills. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static const char *paths[2];
static char path[256];

static void source_init(struct fake_host *host, enum record_format format, const char *bytes, size_t size)
{
	file_write("in", bytes, size);
	fake_host_init(host, &file_source_callbacks);
	snprintf(path, sizeof(path), "%s", folder_path("in"));
	paths[0] = path;
	fake_host_option_list(host, "path", paths);
	host->decode = format;
}

/* Read with a kill behind each commit, and once more in the air. */
static void run_killed(struct fake_host *host)
{
	int r;

	do {
		assert_int_equal(fake_host_open(host), 0);
		host->room = host->full_after = 1;
		r = fake_host_produce(host);
		assert_int_equal(fake_host_turn_end(host), 0);
		if (r == WEIR_MORE)
			(void)fake_host_produce(host);
		fake_host_kill(host);
	} while (r == WEIR_MORE);
	assert_int_equal(r, WEIR_CLOSED);
}

static void assert_items(const struct fake_host *host, const char *const *items, const uint64_t *lines, unsigned n)
{
	assert_int_equal(fake_host_items(host), n);
	for (unsigned i = 0; i < n; i++) {
		if (!fake_host_item_is(host, i, items[i]))
			fail_msg("item %u is '%.*s', not '%s'", i, (int)fake_host_item(host, i).size_bytes,
				 fake_host_item(host, i).data, items[i]);
		if (lines)
			assert_int_equal(host->places[i], lines[i]);
	}
}

static void test_lines_have_places(void **state)
{
	static const char *const items[] = { "{}", "", "[\"", "]" };
	static const uint64_t lines[] = { 1, 2, 3, 4 };
	struct fake_host host;

	(void)state;
	source_init(&host, RECORD_JSON, "{}\n\n[\"\n]", 8);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_items(&host, items, lines, 4);
	fake_host_deinit(&host);
}

static const char csv[] = "a,b\n1,\"x\ny\n\"\r\n\"\"\"\n\",2\n\n3,4\n\"open,5\n6,7\n8,9";
static const char *const csv_items[] = { "a,b", "1,\"x\ny\n\"\r", "\"\"\"\n\",2", "", "3,4", "\"open,5", "6,7", "8,9" };
static const uint64_t csv_lines[] = { 1, 2, 5, 7, 8, 9, 10, 11 };

static void test_csv(void **state)
{
	struct fake_host host;

	(void)state;
	source_init(&host, RECORD_CSV, csv, sizeof(csv) - 1);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_items(&host, csv_items, csv_lines, 8);
	fake_host_deinit(&host);
	source_init(&host, RECORD_CSV, csv, sizeof(csv) - 1);
	run_killed(&host);
	assert_items(&host, csv_items, NULL, 8);
	fake_host_deinit(&host);
}

/* A record of several lines that is too long with its end in sight is one letter; a quote that is never closed costs its line. */
static void test_csv_too_long(void **state)
{
	static const char *const items[] = { "1,2", "3,4", "\"never", "5,6" };
	char *text = malloc(1 << 20), *to = text;
	struct fake_host host;

	(void)state;
	to += sprintf(to, "1,2\nx,\"");
	for (unsigned i = 0; i < 500; i++)
		to += sprintf(to, "9,9\n");
	to += sprintf(to, "\"\n3,4\n");
	source_init(&host, RECORD_CSV, text, (size_t)(to - text));
	host.item_size_max = 1000;
	run_killed(&host);
	assert_items(&host, items, NULL, 2);
	assert_int_equal(host.n_rejected, 1);
	assert_non_null(strstr(host.last_rejection, "in:2: the line has 2,004 bytes and an item may have 1,000"));
	assert_int_equal(host.last_rejection_size, 2004);
	fake_host_deinit(&host);

	to = text + sprintf(text, "1,2\n3,4\n\"never\n5,6\n");
	for (unsigned i = 0; i < 150000; i++)
		to += sprintf(to, "7,%u\n", i % 10);
	source_init(&host, RECORD_CSV, text, (size_t)(to - text));
	host.item_size_max = 1000;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(host.n_rejected, 0);
	assert_int_equal(fake_host_items(&host), 150004);
	for (unsigned i = 0; i < 4; i++)
		assert_true(fake_host_item_is(&host, i, items[i]));
	assert_int_equal(host.places[3], 4);
	fake_host_deinit(&host);
	free(text);
}

/* Values one behind the other; NUL bytes are no sign of anything here. */
static void test_msgpack(void **state)
{
	static const char stream[] = "\x00\x81\xa1"
				     "a\x92\x01\x02\xa3x\ny\xc0\xcd\x00\x00\x92\x01";
	static const size_t sizes[] = { 1, 6, 4, 1, 3, 2 };
	struct fake_host host;

	(void)state;
	for (int kill = 0; kill < 2; kill++) {
		size_t at = 0;

		source_init(&host, RECORD_MSGPACK, stream, sizeof(stream) - 1);
		if (kill) {
			run_killed(&host);
		} else {
			assert_int_equal(fake_host_open(&host), 0);
			assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
		}
		assert_int_equal(fake_host_items(&host), 6); /* the last one is cut off: what decodes it will say so */
		for (unsigned i = 0; i < 6; i++) {
			assert_int_equal(fake_host_item(&host, i).size_bytes, sizes[i]);
			assert_memory_equal(fake_host_item(&host, i).data, stream + at, sizes[i]);
			if (!kill)
				assert_int_equal(host.places[i], i + 1);
			at += sizes[i];
		}
		fake_host_deinit(&host);
	}
}

/* Behind what is no value nobody can go on: the rest is one letter, however large it is. */
static void test_msgpack_lost(void **state)
{
	size_t n = 700000;
	char *stream = malloc(n);

	(void)state;
	memset(stream, 'x', n);
	memcpy(stream, "\x01\x92\x01\xc1", 4);
	for (int long_value = 0; long_value < 2; long_value++)
		for (int kill = 0; kill < 2; kill++) {
			struct fake_host host;

			if (long_value)
				memcpy(stream, "\x01\xdb\x00\x01\x00\x00", 6); /* 65,536 bytes, where 1000 are most */
			source_init(&host, RECORD_MSGPACK, stream, n);
			host.item_size_max = 1000;
			fake_host_option_string(&host, "too_long", kill ? "cut" : "fail");
			if (kill) {
				run_killed(&host);
			} else {
				assert_int_equal(fake_host_open(&host), 0);
				assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
			}
			assert_int_equal(fake_host_items(&host), 1);
			assert_int_equal(host.n_rejected, 1);
			assert_non_null(strstr(host.last_rejection, "in:2: from here on, byte 1, these are no values"));
			assert_non_null(strstr(host.last_rejection, "the 699,999 bytes that are left are refused"));
			assert_int_equal(host.last_rejection_size, 65536);
			fake_host_deinit(&host);
		}
	free(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_have_places), cmocka_unit_test(test_csv),
		cmocka_unit_test(test_csv_too_long),      cmocka_unit_test(test_msgpack),
		cmocka_unit_test(test_msgpack_lost),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
