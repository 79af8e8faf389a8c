/* SPDX-License-Identifier: Apache-2.0 */
/* Against the vectors of FIPS 180-2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/digest.h"

static void test_known_sums(void **state)
{
	char hex[DIGEST_TEXT_SIZE];

	(void)state;
	digest_bytes("", 0, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_bytes("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A million times "a": in many pieces, from the beginning though the offset is elsewhere. */
static void test_file(void **state)
{
	char path[] = "/tmp/weir-digest-XXXXXX", hex[DIGEST_TEXT_SIZE], block[1000];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	memset(block, 'a', sizeof(block));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	assert_int_equal(digest_fd(fd, hex), 0);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_int_equal(digest_file(path, hex), 0);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	close(fd);
	unlink(path);
	assert_int_equal(digest_file(path, hex), -ENOENT);
	assert_int_equal(digest_file("/dev/null", hex), -EINVAL);
	assert_int_equal(digest_file("/", hex), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_sums),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
