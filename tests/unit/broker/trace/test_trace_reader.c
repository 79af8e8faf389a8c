/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/trace/ctf.h"
#include "broker/trace/trace_reader.h"
#include "common/base/cleanup.h"

static char dir[] = "/tmp/weir-test.XXXXXX";
static char path[64];
static struct catalog_stage stages[] = { { .name = 1, .in_flight = 1 }, { .name = 6, .in_flight = 4 } };
static struct catalog_slot slots[] = { { .stage = 0 }, { .stage = 1 }, { .stage = 1, .worker_index = 1 } };
static struct catalog_lane lanes[] = { { .producer = 0, .consumer = 1 },
				       { .producer = 0, .consumer = 2, .writer_index = 1 } };
static const struct catalog_head head = { .n_stages = 2, .n_slots = 3, .n_lanes = 2, .pipeline = 12 };
static const struct catalog catalog = {
	.head = &head, .stages = stages, .slots = slots, .lanes = lanes, .strings = "\0read\0price\0shop"
};

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "metadata", "supervisor", "read#0", "price#1" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

static void write_metadata(void)
{
	FILE *file = fopen(in_dir("metadata"), "we");

	assert_non_null(file);
	ctf_metadata_write(file, &catalog, UINT64_C(1700000000123456789));
	assert_int_equal(fclose(file), 0);
}

static struct recorder_record state_at(uint64_t time_ns, uint32_t number)
{
	return (struct recorder_record){ .time_ns = time_ns, .kind = RECORDER_STATE, .count = number };
}

/* A file with a packet of these states, and one more that says that n_lost were lost. */
static void write_file(uint32_t slot, const struct recorder_record *records, uint32_t n, uint64_t n_lost)
{
	struct ctf_stream stream;

	assert_int_equal(ctf_stream_open(&stream, dir, &catalog, slot), 0);
	assert_int_equal(ctf_stream_write(&stream, &catalog, records, n, 0, 1000), 0);
	assert_int_equal(ctf_stream_write(&stream, &catalog, NULL, 0, n_lost, 1000), 0);
	assert_int_equal(ctf_stream_close(&stream), 0);
}

static struct trace_reader *open_reader(int expected, const char *fragment)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct trace_reader *reader = NULL;

	assert_int_equal(trace_reader_open(dir, &reader, &why), expected);
	if (!strstr(text_get(&why), fragment))
		fail_msg("%s", text_get(&why));
	return reader;
}

static void expect_event(struct trace_reader *reader, uint32_t slot, uint64_t time_ns, uint32_t number, uint64_t n_lost)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct trace_event event;

	assert_int_equal(trace_reader_next(reader, &event, &why), 0);
	assert_int_equal(event.slot, slot);
	assert_int_equal(event.record.time_ns, time_ns);
	assert_int_equal(event.record.count, number);
	assert_int_equal(event.n_lost, n_lost);
}

static void expect_end(struct trace_reader *reader, int expected)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct trace_event event;

	assert_int_equal(trace_reader_next(reader, &event, &why), expected);
	assert_true(expected == TRACE_READER_END || why.length);
}

static void test_all_files_in_one_order(void **state)
{
	const struct recorder_record reads[] = { state_at(5, 1), state_at(40, 2), state_at(41, 3) };
	const struct recorder_record prices[] = { state_at(1, 4), state_at(40, 5) };
	struct trace_reader *reader;
	const struct trace_names *names;

	(void)state;
	write_metadata();
	write_file(0, reads, 3, 0);
	write_file(2, prices, 2, 9);
	write_file(CTF_SUPERVISOR, NULL, 0, 0);
	reader = open_reader(0, "");
	names = trace_reader_names(reader);
	assert_string_equal(names->pipeline, "shop");
	assert_int_equal(names->offset_ns, UINT64_C(1700000000123456789));
	assert_true(names->n_seats == 3 && names->n_stages == 2 && names->n_lanes == 2);
	assert_string_equal(names->seats[2].name, "price#1");
	assert_string_equal(names->stages[1].name, "price");
	assert_true(names->stages[1].in_flight && !names->stages[0].in_flight);
	assert_true(names->lanes[1].producer == 0 && names->lanes[1].consumer == 2);
	expect_event(reader, 2, 1, 4, 0);
	expect_event(reader, 0, 5, 1, 0);
	expect_event(reader, 0, 40, 2, 0);
	expect_event(reader, 2, 40, 5, 0);
	expect_event(reader, 2, 40, 0, 9); /* nothing but that events were lost */
	expect_event(reader, 0, 41, 3, 0);
	expect_end(reader, TRACE_READER_END);
	assert_int_equal(trace_reader_cut(reader), 0);
	trace_reader_close(reader);
}

/* Whoever wrote it was killed: what is whole is read. */
static void test_a_file_that_ends_in_the_middle(void **state)
{
	const struct recorder_record reads[] = { state_at(5, 1), state_at(40, 2) };
	struct trace_reader *reader;

	(void)state;
	write_metadata();
	write_file(0, reads, 2, 0);
	assert_int_equal(truncate(in_dir("read#0"), 56 + sizeof("read#0") + 13 + 12), 0);
	reader = open_reader(0, "");
	expect_event(reader, 0, 5, 1, 0);
	expect_end(reader, TRACE_READER_END);
	assert_int_equal(trace_reader_cut(reader), 1);
	trace_reader_close(reader);
}

static void scribble(const char *name, long at, const void *bytes, size_t n)
{
	FILE *file = fopen(in_dir(name), "r+e");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, n, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static void test_what_is_no_packet(void **state)
{
	static const struct {
		long at;
		unsigned char byte;
		const char *why;
	} rows[] = {
		{ 0, 0, "a packet of it is none" },     /* magic */
		{ 4, 1, "a packet of it is none" },     /* stream */
		{ 24, 0x08, "a packet of it is none" }, /* size: not both */
		{ 56, 'w', "a packet is somebody else's" },
		{ 56 + sizeof("read#0") + 8, 0, "an event of no known kind" },
		{ 56 + sizeof("read#0") + 8, RECORDER_KINDS, "an event of no known kind" },
		{ 56 + sizeof("read#0") + 8, RECORDER_BLOCK, "an event is longer than its packet" },
	};
	const struct recorder_record reads[] = { state_at(5, 1) };

	(void)state;
	write_metadata();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(0, reads, 1, 0);
		scribble("read#0", rows[i].at, &rows[i].byte, 1);
		assert_null(open_reader(TRACE_READER_E_FAILED, rows[i].why));
		unlink(in_dir("read#0"));
	}
}

static void test_what_is_no_trace(void **state)
{
	(void)state;
	open_reader(TRACE_READER_E_NONE, "its metadata can not be read: No such file or directory");
	write_metadata();
	scribble("metadata", 0, "/*", 2);
	scribble("metadata", 3, "XTF", 3);
	open_reader(TRACE_READER_E_NONE, "its metadata describes other events");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_files_in_one_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_ends_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_trace, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
