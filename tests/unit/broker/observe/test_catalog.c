/* SPDX-License-Identifier: Apache-2.0 */
/* What an observer gets of a plan: all of it, what lies where; and that no bytes of another make it read what is not there. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/observe/catalog.h"
#include "broker/spec/plan.h"
#include "common/base/cleanup.h"
#include "tests/unit/broker/observe/exhibition.h"

#define N_STAGES 3u
#define WORKERS 2u

static int setup(void **state)
{
	struct exhibition *exhibition = calloc(1, sizeof(*exhibition));

	assert_non_null(exhibition);
	exhibition_init(exhibition, N_STAGES, WORKERS);
	*state = exhibition;
	return 0;
}

static int teardown(void **state)
{
	exhibition_deinit(*state);
	free(*state);
	return 0;
}

/* A sealed file of those bytes. */
static int sealed(const unsigned char *bytes, size_t size_bytes)
{
	int fd = memfd_create("weir-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size_bytes), (ssize_t)size_bytes);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	return fd;
}

static void test_all_of_it(void **state)
{
	struct exhibition *exhibition = *state;
	struct catalog catalog = CATALOG_NULL;
	_cleanup_(close) int fd = -1;

	assert_int_equal(catalog_create(&exhibition->plan, 7, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(catalog_open(&catalog, fd), 0);
	assert_int_equal(catalog.head->generation, 7);
	assert_int_equal(catalog.head->pid, getpid());
	assert_string_equal(catalog_string(&catalog, catalog.head->pipeline), "shown");
	assert_string_equal(catalog_string(&catalog, catalog.head->spec), "shown.yaml");
	assert_int_equal(catalog.head->n_stages, N_STAGES);
	assert_int_equal(catalog.head->n_lanes, exhibition->plan.n_lanes);
	assert_string_equal(catalog_stage_name(&catalog, 3), "s1");
	assert_int_equal(catalog_find_stage(&catalog, "s2"), 2);
	assert_int_equal(catalog_find_stage(&catalog, "s"), UINT32_MAX);
	assert_int_equal(catalog.stages[1].role, WEIR_OPERATOR);
	assert_int_equal(catalog_edge_lanes(&catalog, 1), WORKERS * WORKERS);
	for (uint32_t i = 0; i < catalog.head->n_slots; i++)
		assert_memory_equal(&catalog.slots[i].geometry, &exhibition->plan.slots[i].geometry,
				    sizeof(catalog.slots[i].geometry));
	catalog_close(&catalog);
	catalog_close(&catalog);
}

/* Each lane is found from both of its ends. */
static void test_lanes(void **state)
{
	struct exhibition *exhibition = *state;
	struct catalog catalog = CATALOG_NULL;
	_cleanup_(close) int fd = -1;

	assert_int_equal(catalog_create(&exhibition->plan, 1, &fd), 0);
	assert_int_equal(catalog_open(&catalog, fd), 0);
	for (uint32_t i = 0; i < catalog.head->n_lanes; i++) {
		const struct catalog_lane *lane = &catalog.lanes[i];

		assert_int_equal(catalog_input_lane(&catalog, lane->consumer, lane->reader_index), i);
		assert_int_equal(catalog_output_lane(&catalog, lane->producer, lane->writer_index), i);
		assert_int_equal(lane->off_data, exhibition->plan.lanes[i].off_data);
	}
	assert_int_equal(catalog_input_lane(&catalog, 0, 0), UINT32_MAX); /* a source */
	assert_int_equal(catalog_input_lane(&catalog, 2, WORKERS), UINT32_MAX);
	assert_int_equal(catalog_output_lane(&catalog, 0, UINT32_MAX), UINT32_MAX);
	catalog_close(&catalog);
}

/* Uses whatever it is told; a wrong number that was let in faults, or is seen by a sanitizer. */
static void use_all(const struct catalog *catalog)
{
	size_t length = 0;

	for (uint32_t i = 0; i < catalog->head->n_stages; i++)
		length += strlen(catalog_string(catalog, catalog->stages[i].name)) +
			  strlen(catalog_string(catalog, catalog->stages[i].kind)) +
			  strlen(catalog_stage_name(catalog,
						    catalog->stages[i].first_slot + catalog->stages[i].workers - 1));
	for (uint32_t i = 0; i < catalog->head->n_edges; i++) {
		length += strlen(catalog_string(catalog, catalog->edges[i].outputs));
		for (uint32_t j = 0; j < catalog_edge_lanes(catalog, i); j++)
			length += catalog->lanes[catalog->edges[i].first_lane + j].capacity_bytes;
	}
	for (uint32_t i = 0; i < catalog->head->n_lanes; i++) {
		assert_true(catalog->lanes[i].writer_index <
			    catalog->slots[catalog->lanes[i].producer].geometry.n_writers);
		assert_true(catalog->lanes[i].reader_index <
			    catalog->slots[catalog->lanes[i].consumer].geometry.n_readers);
		(void)catalog_input_lane(catalog, catalog->lanes[i].consumer, catalog->lanes[i].reader_index);
	}
	assert_true(length > 0);
}

/* Every word of it is anything. */
static void test_hostile(void **state)
{
	static const uint32_t planted[] = { 0, 1, 3, 0x7f, 0x1000, 0x7fffffff, 0x80000000, 0xfffffff0, UINT32_MAX };
	struct exhibition *exhibition = *state;
	_cleanup_(close) int good_fd = -1;
	unsigned n_refused = 0, n = 0;
	unsigned char *bytes;
	struct stat st;

	assert_int_equal(catalog_create(&exhibition->plan, 1, &good_fd), 0);
	assert_int_equal(fstat(good_fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	for (off_t at = 0; at + 4 <= st.st_size; at += 4)
		for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++, n++) {
			struct catalog catalog = CATALOG_NULL;
			int fd, r;

			assert_int_equal(pread(good_fd, bytes, (size_t)st.st_size, 0), st.st_size);
			memcpy(bytes + at, &planted[i], 4);
			fd = sealed(bytes, (size_t)st.st_size);
			r = catalog_open(&catalog, fd);
			assert_true(r == 0 || r == CATALOG_E_FOREIGN);
			if (r == 0)
				use_all(&catalog);
			else
				assert_null(catalog.head);
			n_refused += r != 0;
			catalog_close(&catalog);
			close(fd);
		}
	assert_true(n_refused > n / 4); /* most words may be many things: pids, batches, bytes of the geometry */
	free(bytes);
}

static void test_cut_or_open(void **state)
{
	struct exhibition *exhibition = *state;
	struct catalog catalog = CATALOG_NULL;
	_cleanup_(close) int good_fd = -1;
	unsigned char bytes[65536];
	ssize_t n;
	int fd;

	assert_int_equal(catalog_create(&exhibition->plan, 1, &good_fd), 0);
	n = pread(good_fd, bytes, sizeof(bytes), 0);
	assert_true(n > 0 && (size_t)n < sizeof(bytes));
	for (ssize_t cut = 0; cut < n; cut += 13) {
		fd = sealed(bytes, (size_t)cut);
		assert_int_equal(catalog_open(&catalog, fd), CATALOG_E_FOREIGN);
		close(fd);
	}
	fd = memfd_create("weir-test", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* its writer may change it yet */
	assert_int_equal(write(fd, bytes, (size_t)n), n);
	assert_int_equal(catalog_open(&catalog, fd), CATALOG_E_FOREIGN);
	close(fd);
	assert_int_equal(catalog_open(&catalog, -1), CATALOG_E_FOREIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_or_open, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
