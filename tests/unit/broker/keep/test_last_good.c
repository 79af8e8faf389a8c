/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of specs, each under the digest of its plan: what is put is got, what can't be needed goes, what is not ours is not read. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/keep/last_good.h"

static char base[64], pipeline[128], folder[160];

static int begin(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/weir-last-good.XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(pipeline, sizeof(pipeline), "%s/orders", base);
	snprintf(folder, sizeof(folder), "%s/" LAST_GOOD_FOLDER, pipeline);
	return 0;
}

static int end(void **state)
{
	(void)state;
	last_good_forget(folder);
	assert_int_equal(access(pipeline, F_OK), -1);
	return rmdir(base);
}

static void put(uint64_t digest, const char *text)
{
	const struct last_good good = { .begun = (char *)(uintptr_t) "/etc/a.yaml",
					.read = (char *)(uintptr_t) "/etc/b c.yaml",
					.text = (char *)(uintptr_t)text,
					.size = strlen(text) };

	assert_int_equal(last_good_put(folder, digest, &good), 0);
}

static void assert_got(uint64_t digest, const char *text)
{
	struct last_good good = { 0 };

	assert_int_equal(last_good_get(folder, digest, &good), 0);
	assert_string_equal(good.begun, "/etc/a.yaml");
	assert_string_equal(good.read, "/etc/b c.yaml");
	assert_string_equal(good.text, text);
	assert_int_equal(good.size, strlen(text));
	last_good_deinit(&good);
}

static int get(uint64_t digest)
{
	struct last_good good = { 0 };
	int r = last_good_get(folder, digest, &good);

	last_good_deinit(&good);
	return r;
}

static void test_what_is_put_is_got(void **state)
{
	(void)state;
	assert_int_equal(get(1), LAST_GOOD_E_NONE);
	put(1, "pipeline: one\n");
	put(UINT64_MAX, "%YAML 1.2\n---\npipeline: two");
	assert_got(1, "pipeline: one\n");
	assert_got(UINT64_MAX, "%YAML 1.2\n---\npipeline: two");
	put(1, "");
	assert_got(1, "");
	last_good_settle(folder, UINT64_MAX);
	assert_int_equal(get(1), LAST_GOOD_E_NONE);
	assert_got(UINT64_MAX, "%YAML 1.2\n---\npipeline: two");
}

static void test_a_run_is_found_by_what_it_was_begun_with(void **state)
{
	struct last_good good = { 0 };

	(void)state;
	assert_int_equal(last_good_find(base, "/etc/a.yaml", &good), LAST_GOOD_E_NONE);
	put(7, "pipeline: one\n");
	assert_int_equal(last_good_find(base, "/etc/b c.yaml", &good), LAST_GOOD_E_NONE);
	assert_int_equal(last_good_find(base, "/etc/a.yaml", &good), 0);
	assert_string_equal(good.text, "pipeline: one\n");
	last_good_deinit(&good);
	assert_int_equal(last_good_find("/nowhere", "/etc/a.yaml", &good), LAST_GOOD_E_NONE);
}

static void damage(const char *bytes, size_t n)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/0000000000000005.yaml", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
	assert_int_equal(get(5), -EBADMSG);
}

static void test_what_makes_no_sense_is_not_read(void **state)
{
	static const char *const heads[] = { "", "# begun: /a\n", "# begun: a\n# read: /b\n", "# begun: /a\n# read: /b",
					     "# read: /b\n# begun: /a\npipeline: x\n" };

	(void)state;
	put(5, "pipeline: one\n");
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		damage(heads[i], strlen(heads[i]));
	damage("# begun: /a\n# read: /b\npipe\0line: one\n", 38);
}

static void test_a_folder_of_others_is_not_read(void **state)
{
	struct last_good good = { 0 };

	(void)state;
	put(5, "pipeline: one\n");
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(get(5), -EPERM);
	assert_int_equal(last_good_find(base, "/etc/a.yaml", &good), LAST_GOOD_E_NONE);
}

static void test_names(void **state)
{
	char here[4096], expected[4200];
	char *name;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/a.yaml", here);
	name = last_good_name("a.yaml");
	assert_string_equal(name, expected);
	free(name);
	name = last_good_name("./a.yaml");
	assert_string_equal(name, expected);
	free(name);
	name = last_good_name("/a.yaml");
	assert_string_equal(name, "/a.yaml");
	free(name);
	assert_null(last_good_name("-"));
	assert_null(last_good_name("/nowhere/at/all/a.yaml"));
	assert_null(last_good_name("a\nb.yaml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_put_is_got, begin, end),
		cmocka_unit_test_setup_teardown(test_a_run_is_found_by_what_it_was_begun_with, begin, end),
		cmocka_unit_test_setup_teardown(test_what_makes_no_sense_is_not_read, begin, end),
		cmocka_unit_test_setup_teardown(test_a_folder_of_others_is_not_read, begin, end),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
