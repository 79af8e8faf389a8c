/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/memory/memfd.h"
#include "common/memory/segment.h"

#define LANE_SIZE UINT64_C(65536)

struct fixture {
	struct segment_geometry geometry;
	uint64_t lane_offsets[2];
	int fd;
};

static int setup(void **state)
{
	static struct fixture fixture;
	static const uint64_t sizes[2] = { LANE_SIZE, 2 * LANE_SIZE };

	segment_plan(&fixture.geometry, 7, 3, 2, sizes, fixture.lane_offsets);
	*state = &fixture;
	return segment_create(&fixture.geometry, "weir-test", &fixture.fd);
}

static int teardown(void **state)
{
	close(((struct fixture *)*state)->fd);
	return 0;
}

static void test_plan(void **state)
{
	struct fixture *fixture = *state;
	struct segment_geometry *geometry = &fixture->geometry, bare;

	assert_int_equal(geometry->off_readers % LINE_PAIR_SIZE, 0);
	assert_int_equal(geometry->off_record % LINE_PAIR_SIZE, 0);
	assert_true(geometry->off_readers >= SEGMENT_OFF_CURSORS + 2 * sizeof(struct cursor));
	assert_int_equal(geometry->off_writers, geometry->off_readers + 3 * sizeof(struct lane_reader));
	assert_int_equal(geometry->off_record, geometry->off_writers + 2 * sizeof(struct lane_writer));
	assert_int_equal(geometry->off_data % SEGMENT_PAGE_SIZE, 0);
	assert_true(geometry->off_data >=
		    geometry->off_record + sizeof(struct commit_record) + 6 * sizeof(struct commit_operation));
	assert_true(geometry->off_data - segment_observed_size(geometry) >=
		    geometry->off_record + sizeof(struct commit_record) +
			    segment_operations_max(geometry) * sizeof(struct commit_operation));
	assert_int_equal((geometry->off_data - segment_observed_size(geometry)) % LINE_PAIR_SIZE, 0);
	assert_int_equal(fixture->lane_offsets[0], geometry->off_data);
	assert_int_equal(fixture->lane_offsets[1], geometry->off_data + LANE_SIZE);
	assert_int_equal(geometry->size_bytes, geometry->off_data + 3 * LANE_SIZE);
	segment_plan(&bare, 0, 0, 0, NULL, NULL);
	assert_int_equal(bare.size_bytes, bare.control_size_bytes);
}

/* Every word that one commit can move has its operation, and a plain geometry does not fit an asynchronous segment. */
static void test_plan_asynchronous(void **state)
{
	struct segment_geometry geometry, plain;
	struct segment segment = SEGMENT_NULL;
	int fd = -1;

	(void)state;
	segment_plan_asynchronous(&geometry, 0, 3, 0, NULL, NULL);
	assert_int_equal(geometry.off_done_bits % CACHE_LINE_SIZE, 0);
	assert_int_equal(geometry.off_done_bits, geometry.off_writers);
	assert_int_equal(geometry.off_record, geometry.off_done_bits + 3 * sizeof(struct done_bits));
	assert_int_equal(segment_operations_max(&geometry), 2 * 3 + 2 + 3 * (64 + 1));
	assert_true(geometry.off_data >= geometry.off_record + sizeof(struct commit_record) +
						 segment_operations_max(&geometry) * sizeof(struct commit_operation));
	assert_int_equal(segment_create(&geometry, "weir-test", &fd), 0);
	plain = geometry;
	plain.off_done_bits = 0;
	assert_int_equal(segment_attach(&segment, fd, &plain, SEGMENT_READ), SEGMENT_E_FOREIGN);
	assert_int_equal(segment_attach(&segment, fd, &geometry, SEGMENT_READ), 0);
	assert_ptr_equal(segment.done_bits, segment.base + geometry.off_done_bits);
	segment_detach(&segment);
	close(fd);
}

/* It lies by itself: peers who map the control pages don't have it, and a geometry without does not fit. */
static void test_recorder(void **state)
{
	static const uint64_t sizes[1] = { LANE_SIZE };
	struct segment_geometry geometry, plain;
	struct segment segment = SEGMENT_NULL;
	struct recorder_ring *writer, *reader;
	uint64_t offset;
	int fd = -1, read_fd = -1;

	(void)state;
	segment_plan(&plain, 0, 1, 1, sizes, &offset);
	segment_plan_with(&geometry, SEGMENT_RECORDED, 0, 1, 1, sizes, &offset);
	assert_false(segment_is_recorded(&plain));
	assert_true(segment_is_recorded(&geometry));
	assert_int_equal(geometry.control_size_bytes, plain.control_size_bytes);
	assert_int_equal(offset, plain.off_data + SEGMENT_RECORDER_SIZE);
	assert_true(SEGMENT_RECORDER_SIZE >= RECORDER_SIZE(RECORDER_SLOT_EVENTS));
	assert_int_equal(segment_create(&geometry, "weir-test", &fd), 0);
	assert_int_equal(segment_attach(&segment, fd, &plain, SEGMENT_READ), SEGMENT_E_FOREIGN);
	assert_int_equal(memfd_reopen_read_only(fd, &read_fd), 0);
	assert_int_equal(recorder_map(fd, &geometry, SEGMENT_WRITE, &writer), 0);
	assert_int_equal(recorder_map(read_fd, &geometry, SEGMENT_READ, &reader), 0);
	store_relaxed(&writer->head, 7);
	store_relaxed(&writer->events[RECORDER_SLOT_EVENTS - 1].second, 9);
	assert_int_equal(load_relaxed(&reader->head), 7);
	assert_int_equal(load_relaxed(&reader->events[RECORDER_SLOT_EVENTS - 1].second), 9);
	assert_int_equal(mprotect(reader, SEGMENT_PAGE_SIZE, PROT_READ | PROT_WRITE), -1);
	recorder_unmap(reader);
	recorder_unmap(writer);
	recorder_unmap(NULL);
	geometry.size_bytes += SEGMENT_PAGE_SIZE;
	assert_int_equal(recorder_map(fd, &geometry, SEGMENT_READ, &reader), -EBADMSG);
	close(read_fd);
	close(fd);
}

static void test_create_is_sealed_allocated_and_private(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	int seals = fcntl(fixture->fd, F_GET_SEALS);

	assert_int_equal(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ftruncate(fixture->fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fixture->fd, (off_t)fixture->geometry.size_bytes * 2), -1);
	assert_int_equal(fcntl(fixture->fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_true(fcntl(fixture->fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fixture->fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	assert_true((uint64_t)st.st_blocks * 512 >= fixture->geometry.size_bytes);
}

static void test_create_without_memory_is_an_error(void **state)
{
	struct segment_geometry geometry;
	uint64_t size = UINT64_C(1) << 50, offset;
	int fd = -1;

	(void)state;
	segment_plan(&geometry, 0, 0, 1, &size, &offset);
	assert_int_equal(segment_create(&geometry, "weir-huge", &fd), -ENOMEM);
	assert_int_equal(fd, -1);
	assert_true(memory_available_bytes() > 0);
}

static void test_attach_checks_header(void **state)
{
	struct fixture *fixture = *state;
	struct segment segment = SEGMENT_NULL;
	struct segment_geometry other = fixture->geometry;
	int plain;

	assert_int_equal(segment_attach(&segment, fixture->fd, &fixture->geometry, SEGMENT_READ), 0);
	assert_ptr_equal(segment.writers, segment.base + fixture->geometry.off_writers);
	assert_ptr_equal(segment.record, segment.base + fixture->geometry.off_record);
	segment_detach(&segment);
	assert_null(segment.base);
	segment_detach(&segment);

	other.slot = 8;
	assert_int_equal(segment_attach(&segment, fixture->fd, &other, SEGMENT_READ), SEGMENT_E_FOREIGN);
	other = fixture->geometry;
	other.n_readers = 2;
	assert_int_equal(segment_attach(&segment, fixture->fd, &other, SEGMENT_READ), SEGMENT_E_FOREIGN);
	other = fixture->geometry;
	other.size_bytes += SEGMENT_PAGE_SIZE;
	assert_int_equal(segment_attach(&segment, fixture->fd, &other, SEGMENT_READ), SEGMENT_E_FOREIGN);

	/* right size, but anyone could shrink it under us */
	assert_int_equal(memfd_new("weir-plain", &plain), 0);
	assert_int_equal(ftruncate(plain, (off_t)fixture->geometry.size_bytes), 0);
	assert_int_equal(segment_attach(&segment, plain, &fixture->geometry, SEGMENT_READ), SEGMENT_E_FOREIGN);
	close(plain);

	/* sealed and of the right size, but without a header */
	assert_int_equal(memfd_new_fixed("weir-blank", fixture->geometry.size_bytes, &plain), 0);
	assert_int_equal(segment_attach(&segment, plain, &fixture->geometry, SEGMENT_READ), SEGMENT_E_FOREIGN);
	close(plain);
	assert_int_equal(segment_attach(&segment, -1, &fixture->geometry, SEGMENT_READ), SEGMENT_E_FOREIGN);
	assert_null(segment.base);
}

static void test_read_only_fd_cannot_be_mapped_writable(void **state)
{
	struct fixture *fixture = *state;
	struct segment segment = SEGMENT_NULL;
	unsigned char *data = NULL;
	int reader = -1;

	assert_int_equal(memfd_reopen_read_only(fixture->fd, &reader), 0);
	assert_true(fcntl(reader, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(segment_attach(&segment, reader, &fixture->geometry, SEGMENT_WRITE), -EACCES);
	assert_int_equal(lane_map(reader, fixture->lane_offsets[0], LANE_SIZE, SEGMENT_WRITE, false, &data), -EACCES);
	assert_null(data);
	assert_int_equal(segment_attach(&segment, reader, &fixture->geometry, SEGMENT_READ), 0);
	assert_int_equal(mprotect(segment.base, SEGMENT_PAGE_SIZE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(lane_map(reader, fixture->lane_offsets[0], LANE_SIZE, SEGMENT_READ, true, &data), 0);
	assert_int_equal(mprotect(data, LANE_SIZE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(write(reader, "x", 1), -1);
	lane_unmap(data, LANE_SIZE);
	segment_detach(&segment);
	close(reader);
}

static void test_lane_is_mapped_twice(void **state)
{
	struct fixture *fixture = *state;
	unsigned char *writer, *reader;
	int fd;

	assert_int_equal(memfd_reopen_read_only(fixture->fd, &fd), 0);
	for (unsigned lane = 0; lane < 2; lane++) {
		size_t size = (lane + 1) * LANE_SIZE;

		assert_int_equal(lane_map(fixture->fd, fixture->lane_offsets[lane], size, SEGMENT_WRITE, lane, &writer),
				 0);
		assert_int_equal(lane_map(fd, fixture->lane_offsets[lane], size, SEGMENT_READ, !lane, &reader), 0);
		memcpy(writer + size - 3, lane ? "second" : "firsts", 6); /* across the seam */
		assert_memory_equal(reader + size - 3, lane ? "second" : "firsts", 6);
		assert_memory_equal(reader, lane ? "ond" : "sts", 3);
		assert_memory_equal(writer, reader + size, size);
		lane_unmap(writer, size);
		lane_unmap(reader, size);
	}
	/* the first lane was not touched by the second one */
	assert_int_equal(lane_map(fd, fixture->lane_offsets[0], LANE_SIZE, SEGMENT_READ, false, &reader), 0);
	assert_memory_equal(reader + LANE_SIZE - 3, "firsts", 6);
	lane_unmap(reader, LANE_SIZE);
	lane_unmap(NULL, LANE_SIZE);
	close(fd);
}

/* Reading from a pointer through write(2) tells, without a fault, whether it is mapped. */
static int mapped(const void *address)
{
	int fds[2], n;

	if (pipe(fds))
		return -1;
	n = write(fds[1], address, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return n;
}

static void test_writable_mappings_do_not_reach_children(void **state)
{
	struct fixture *fixture = *state;
	struct segment segment = SEGMENT_NULL;
	unsigned char *data;
	int status;
	pid_t child;

	assert_int_equal(segment_attach(&segment, fixture->fd, &fixture->geometry, SEGMENT_WRITE), 0);
	assert_int_equal(lane_map(fixture->fd, fixture->lane_offsets[0], LANE_SIZE, SEGMENT_WRITE, true, &data), 0);
	assert_int_equal(mapped(segment.base) + mapped(segment.record) + mapped(data) + mapped(data + LANE_SIZE), 4);
	child = fork();
	if (!child)
		_exit(mapped(segment.base) + mapped(segment.record) + mapped(data) + mapped(data + LANE_SIZE));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	lane_unmap(data, LANE_SIZE);
	segment_detach(&segment);
}

static void test_header_is_out_of_the_owners_reach(void **state)
{
	struct fixture *fixture = *state;
	struct segment segment = SEGMENT_NULL;
	int fds[2];

	assert_int_equal(segment_attach(&segment, fixture->fd, &fixture->geometry, SEGMENT_WRITE), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "xx", 2), 2);
	assert_int_equal(read(fds[0], segment.base, 1), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(read(fds[0], (void *)segment.armed, 1), 1);
	close(fds[0]);
	close(fds[1]);
	segment_detach(&segment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
		cmocka_unit_test(test_plan_asynchronous),
		cmocka_unit_test(test_recorder),
		cmocka_unit_test_setup_teardown(test_create_is_sealed_allocated_and_private, setup, teardown),
		cmocka_unit_test(test_create_without_memory_is_an_error),
		cmocka_unit_test_setup_teardown(test_attach_checks_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only_fd_cannot_be_mapped_writable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lane_is_mapped_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writable_mappings_do_not_reach_children, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_is_out_of_the_owners_reach, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
