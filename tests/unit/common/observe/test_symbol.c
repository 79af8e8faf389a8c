/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/observe/symbol.h"

static int __attribute__((noinline)) a_static_function(int n)
{
	return n * 3 + 1;
}

static uintptr_t inside(int (*function)(int))
{
	return (uintptr_t)function + 1;
}

static void test_static_and_library_functions_have_names(void **state)
{
	struct symbol_frame frames[] = { { .address = inside(a_static_function) },
					 { .address = (uintptr_t)strtol + 1 } };

	(void)state;
	symbols_find(frames, 2);
	assert_string_equal(frames[0].function, "a_static_function");
	assert_non_null(strstr(frames[0].file, "test_common_observe_symbol"));
	assert_true(frames[0].offset < (UINT64_C(1) << 32)); /* of the object, not of this process */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_non_null(strstr(frames[1].function, "strto"));
	assert_non_null(strstr(frames[1].file, "libc"));
#endif
}

/* A call may be a function's last instruction: the address behind it belongs to the next one. */
static void test_behind_a_call(void **state)
{
	struct symbol_frame frames[] = { { .address = (uintptr_t)a_static_function, .behind_call = true },
					 { .address = (uintptr_t)a_static_function } };

	(void)state;
	symbols_find(frames, 2);
	assert_string_not_equal(frames[0].function, "a_static_function");
	assert_string_equal(frames[1].function, "a_static_function");
}

static void test_what_is_no_code(void **state)
{
	struct symbol_frame frames[] = { { .address = 0 },
					 { .address = 0, .behind_call = true },
					 { .address = 0x1234 },
					 { .address = UINTPTR_MAX } };

	(void)state;
	symbols_find(frames, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(frames[i].function, "");
		assert_string_equal(frames[i].file, "");
		assert_int_equal(frames[i].offset, frames[i].address);
	}
	symbols_find(frames, 0);
}

/* A mapping of a file with that content: whatever it says, there is an end, and no name. */
static void look_into(const char *content, size_t size_bytes, bool replaced)
{
	char path[] = "/tmp/weir-symbol-XXXXXX";
	int fd = mkstemp(path);
	struct symbol_frame frame;
	void *place;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size_bytes), size_bytes);
	place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(place, MAP_FAILED);
	if (replaced)
		unlink(path);
	frame = (struct symbol_frame){ .address = (uintptr_t)place + 100 };
	symbols_find(&frame, 1);
	assert_string_equal(frame.function, "");
	assert_non_null(strstr(frame.file, "weir-symbol-"));
	munmap(place, 4096);
	close(fd);
	unlink(path);
}

static void test_objects_that_lie(void **state)
{
	static char content[8192];
	unsigned seed = 7;
	FILE *self = fopen("/proc/self/exe", "r");

	(void)state;
	look_into("x", 1, false);
	look_into("x", 1, true);
	for (int round = 0; round < 200; round++) {
		rewind(self);
		assert_int_equal(fread(content, 1, sizeof(content), self), sizeof(content));
		for (int i = 0; i < 8; i++) /* in the header and the program headers */
			content[4 + rand_r(&seed) % 500] = (char)rand_r(&seed);
		look_into(content, sizeof(content), false);
	}
	fclose(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static_and_library_functions_have_names),
		cmocka_unit_test(test_behind_a_call),
		cmocka_unit_test(test_what_is_no_code),
		cmocka_unit_test(test_objects_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
