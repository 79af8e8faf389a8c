/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/spec.h"
#include "common/memory/memfd.h"

/* Without a recorder the lanes begin where the control pages end. */
static void test_recorder_off(void **state)
{
	(void)state;
	for (int off = 0; off < 2; off++) {
		struct diagnostics diagnostics = DIAGNOSTICS_NULL;
		struct plan *plan;
		char path[64];
		int fd;

		assert_int_equal(memfd_new("weir-test-spec", &fd), 0);
		assert_true(dprintf(fd,
				    "pipeline: p\nrecorder: %s\nstages:\n  - {name: in, source: generate}\n"
				    "  - {name: out, sink: discard}\n",
				    off ? "off" : "on") > 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		assert_int_equal(spec_load(path, NULL, 0, &plan, &diagnostics), 0);
		diagnostics_deinit(&diagnostics);
		close(fd);
		assert_int_equal(plan->unrecorded, off);
		for (uint32_t i = 0; i < plan->n_slots; i++) {
			const struct segment_geometry *geometry = &plan->slots[i].geometry;

			assert_int_equal(segment_is_recorded(geometry), !off);
			assert_int_equal(geometry->off_data - geometry->control_size_bytes,
					 off ? 0 : SEGMENT_RECORDER_SIZE);
		}
		plan_free(plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_recorder_off) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
