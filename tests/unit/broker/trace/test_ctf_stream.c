/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/trace/ctf.h"

static char dir[] = "/tmp/weir-test.XXXXXX";
static unsigned char bytes[4096];
static size_t n_bytes, at;

static int setup(void **state)
{
	(void)state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/supervisor", dir);
	unlink(path);
	return rmdir(dir);
}

static void load(void)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/supervisor", dir);
	file = fopen(path, "re");
	assert_non_null(file);
	n_bytes = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	at = 0;
}

static uint64_t take(size_t size)
{
	uint64_t value = 0;

	assert_true(at + size <= n_bytes);
	memcpy(&value, bytes + at, size); /* little endian: what weir runs on */
	at += size;
	return value;
}

/* Takes a packet's head; its name is "supervisor". */
static void expect_packet(uint64_t begin_ns, uint64_t end_ns, uint64_t number, uint64_t n_lost, size_t size)
{
	size_t from = at;

	assert_true(take(4) == 0xc1fc1fc1 && take(4) == 0);
	assert_int_equal(take(8), begin_ns);
	assert_int_equal(take(8), end_ns);
	assert_int_equal(take(8), 8 * size);
	assert_int_equal(take(8), 8 * size);
	assert_int_equal(take(8), number);
	assert_int_equal(take(8), n_lost);
	assert_string_equal(bytes + at, "supervisor");
	at += sizeof("supervisor");
	assert_true(from + size <= n_bytes);
}

static void expect_phase(uint64_t time_ns, uint32_t phase)
{
	assert_int_equal(take(8), time_ns);
	assert_int_equal(take(1), RECORDER_PHASE);
	assert_int_equal(take(4), phase);
}

static struct recorder_record phase(uint64_t time_ns, uint32_t number)
{
	return (struct recorder_record){ .time_ns = time_ns, .kind = RECORDER_PHASE, .count = number };
}

/* Times that go back or lie ahead are put right, what is no event is lost, and what was lost is added up. */
static void test_whatever_is_claimed_is_in_order(void **state)
{
	const size_t head = 56 + sizeof("supervisor"), event = 13;
	struct recorder_record records[] = {
		phase(5, 1), phase(900, 2), { .kind = RECORDER_NOTHING }, phase(UINT64_MAX, 3), phase(3, 4)
	};
	struct ctf_stream stream;

	(void)state;
	assert_int_equal(ctf_stream_open(&stream, dir, NULL, CTF_SUPERVISOR), 0);
	assert_int_equal(ctf_stream_write(&stream, NULL, records, 0, 0, 1), 0); /* nothing: no packet */
	assert_int_equal(ctf_stream_write(&stream, NULL, records, 5, 7, 1000), 0);
	assert_int_equal(ctf_stream_write(&stream, NULL, records, 0, 2, 1500), 0);
	assert_int_equal(ctf_stream_write(&stream, NULL, records, 1, 0, 2000), 0);
	assert_int_equal(stream.n_events, 5);
	assert_int_equal(stream.n_lost, 10);
	assert_int_equal(ctf_stream_close(&stream), 0);
	load();
	expect_packet(5, 1000, 0, 8, head + 4 * event);
	expect_phase(5, 1);
	expect_phase(900, 2);
	expect_phase(1000, 3);
	expect_phase(1000, 4);
	expect_packet(1000, 1000, 1, 10, head);
	expect_packet(1000, 1000, 2, 10, head + event);
	expect_phase(1000, 1);
	assert_int_equal(at, n_bytes);
}

static void test_no_file_is_overwritten(void **state)
{
	struct ctf_stream stream, other;

	(void)state;
	assert_int_equal(ctf_stream_open(&stream, dir, NULL, CTF_SUPERVISOR), 0);
	assert_int_equal(ctf_stream_open(&other, dir, NULL, CTF_SUPERVISOR), -EEXIST);
	assert_int_equal(ctf_stream_close(&other), 0);
	assert_int_equal(ctf_stream_close(&stream), 0);
	assert_int_equal(ctf_stream_open(&other, "/nonexistent/weir", NULL, CTF_SUPERVISOR), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whatever_is_claimed_is_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file_is_overwritten, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
