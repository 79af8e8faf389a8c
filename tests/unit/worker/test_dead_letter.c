/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/worker/stage_test.h"
#include "worker/dead_letter.h"

static struct dead_letter letter_of(const void *data, size_t size_bytes)
{
	return (struct dead_letter){
		.pipeline = "orders",
		.stage = "price",
		.worker_index = 2,
		.cause = DEAD_LETTER_ATTEMPTS,
		.reason = "3 workers died with it in hand",
		.attempts = 3,
		.sequence = 17,
		.input = "read",
		.data = data,
		.size_bytes = size_bytes,
	};
}

/* Everything behind the time, which must look like one. */
static const char *behind_time(const char *line)
{
	int year, month, day, hour, minute, n = 0;
	float seconds;

	assert_int_equal(sscanf(line, "{\"time\":\"%4d-%2d-%2dT%2d:%2d:%6fZ\"%n", &year, &month, &day, &hour, &minute,
				&seconds, &n),
			 6);
	assert_true(year >= 2024 && n == 34);
	return line + n;
}

static void test_lines(void **state)
{
	struct dead_letter letter = letter_of("a \"quoted\"\tline\n", 16);
	struct stat st;
	size_t size;
	char *data, *second;

	(void)state;
	assert_int_equal(dead_letter_write(folder_path("letters"), &letter), 0);
	letter = letter_of("\xff\x00\x01\x02", 4);
	letter.cause = DEAD_LETTER_REJECTED;
	letter.attempts = 0;
	letter.input = "";
	assert_int_equal(dead_letter_write(folder_path("letters"), &letter), 0);

	assert_int_equal(stat(folder_path("letters"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	data = file_read("letters", &size);
	second = strchr(data, '\n') + 1;
	second[-1] = '\0';
	assert_string_equal(
		behind_time(data),
		",\"pipeline\":\"orders\",\"stage\":\"price\",\"worker\":2,\"cause\":\"attempts\",\"reason\":\"3 workers died with it in "
		"hand\",\"attempts\":3,\"sequence\":17,\"input\":\"read\",\"size\":16,\"payload\":\"a \\\"quoted\\\"\\tline\\n\"}");
	assert_string_equal(
		behind_time(second),
		",\"pipeline\":\"orders\",\"stage\":\"price\",\"worker\":2,\"cause\":\"rejected\",\"reason\":\"3 workers died with it in "
		"hand\",\"attempts\":0,\"sequence\":17,\"input\":\"\",\"size\":4,\"payload_base64\":\"/wABAg==\"}\n");
	free(data);
}

static void test_base64_lengths(void **state)
{
	static const struct {
		const char *data;
		size_t size_bytes;
		const char *text;
	} cases[] = {
		{ "\x80", 1, "\"gA==\"" },
		{ "\x80\x80", 2, "\"gIA=\"" },
		{ "\x80\x80\x80", 3, "\"gICA\"" },
		{ "\xc3", 1, "\"ww==\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dead_letter letter = letter_of(cases[i].data, cases[i].size_bytes);
		char *data, name[32];
		size_t size;

		snprintf(name, sizeof(name), "base64-%zu", i);
		assert_int_equal(dead_letter_write(folder_path(name), &letter), 0);
		data = file_read(name, &size);
		assert_non_null(strstr(data, cases[i].text));
		free(data);
	}
}

static void test_errors(void **state)
{
	struct dead_letter letter = letter_of("", 0);

	(void)state;
	assert_int_equal(dead_letter_write(folder_path("no/such/folder"), &letter), -ENOENT);
	assert_int_equal(dead_letter_write("/dev/full", &letter), -ENOSPC);
}

/* A line that did not fit whole must not swallow the next one. */
static void test_torn(void **state)
{
	struct rlimit before, small;
	struct dead_letter letter = letter_of("x", 1);
	char *data;
	size_t size;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(dead_letter_write(folder_path("torn"), &letter), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(dead_letter_write(folder_path("torn"), &letter), 0);
	data = file_read("torn", &size);
	assert_int_equal(data[100], '\n');
	(void)behind_time(data + 101);
	assert_int_equal(data[size - 1], '\n');
	free(data);
}

/* Nor if it was another process whose line did not fit. */
static void test_torn_by_another(void **state)
{
	struct dead_letter letter = letter_of("x", 1);
	FILE *file = fopen(folder_path("torn before"), "we");
	char *data;
	size_t size;

	(void)state;
	assert_non_null(file);
	fputs("{\"time\":", file);
	fclose(file);
	assert_int_equal(dead_letter_write(folder_path("torn before"), &letter), 0);
	assert_int_equal(dead_letter_write(folder_path("not torn"), &letter), 0);
	assert_int_equal(dead_letter_write(folder_path("torn before"), &letter), 0); /* is whole now */
	data = file_read("torn before", &size);
	assert_memory_equal(data, "{\"time\":\n{\"time\":\"", 18);
	assert_null(strstr(data, "\n\n"));
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_base64_lengths),  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_torn),  cmocka_unit_test(test_torn_by_another),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
