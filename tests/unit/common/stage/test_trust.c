/* SPDX-License-Identifier: Apache-2.0 */
/* Paths step by step. What belongs to others is made by root alone. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/stage/trust.h"

#define STRANGER 4242

static char top[] = "/tmp/weir-trust-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top) || chdir(top) || mkdir("a", 0755) || mkdir("a/b", 0755) || mkdir("open", 0777))
		return -1;
	close(open("a/b/lib.so", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	return symlink("b/../b", "a/current") || symlink("/", "root") || symlink("loop", "loop") ||
	       symlink("a/current/lib.so", "lib.so") || symlink("gone", "dangling");
}

static int clean(void **state)
{
	char command[sizeof(top) + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return chdir("/") || system(command);
}

static void assert_trusted(const char *path)
{
	struct trusted_file file = TRUSTED_FILE_NULL;
	struct text why = TEXT_NULL;
	struct stat wanted, got, folder;

	if (trusted_file_open("plugin", path, &file, &why) != 0)
		fail_msg("%s", text_get(&why));
	assert_int_equal(stat("a/b/lib.so", &wanted), 0);
	assert_int_equal(fstat(file.file_fd, &got), 0);
	assert_int_equal(got.st_ino, wanted.st_ino);
	assert_int_equal(fstatat(file.folder_fd, file.name, &folder, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(folder.st_ino, wanted.st_ino);
	trusted_file_deinit(&file);
	text_deinit(&why);
}

static void assert_refused(const char *path, const char *words)
{
	struct trusted_file file = TRUSTED_FILE_NULL;
	struct text why = TEXT_NULL;

	assert_int_equal(trusted_file_open("plugin", path, &file, &why), TRUST_E_REFUSED);
	assert_ptr_equal(strstr(text_get(&why), "plugin "), text_get(&why));
	assert_ptr_equal(strstr(text_get(&why), path), text_get(&why) + strlen("plugin "));
	if (!strstr(text_get(&why), words))
		fail_msg("'%s' does not say '%s'", text_get(&why), words);
	assert_int_equal(file.file_fd, -1);
	text_deinit(&why);
}

static void test_paths(void **state)
{
	char absolute[128];

	(void)state;
	snprintf(absolute, sizeof(absolute), "root%s//a/./b/../b/lib.so", top);
	assert_trusted(absolute); /* an absolute link in the middle */
	assert_trusted("a/b/lib.so");
	assert_trusted("./lib.so"); /* links upon links */
	assert_refused("loop", "Too many levels");
	assert_refused("dangling", "No such file");
	assert_refused("a/b", "is not a regular file");
	assert_refused("root", "is not a regular file");
	assert_refused("a/b/lib.so/x", "/a/b/lib.so is no folder");
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_refused("fifo", "is not a regular file"); /* and nobody waits for it */
}

static void test_who_may_write(void **state)
{
	(void)state;
	assert_int_equal(chmod("a/b/lib.so", 0646), 0);
	assert_refused("lib.so", "/b/lib.so can be written by everybody");
	assert_int_equal(chmod("a/b/lib.so", 0644), 0);
	assert_int_equal(chmod("a", 0757), 0);
	assert_refused("a/b/lib.so", "/a can be written by everybody");
	assert_int_equal(chmod("a", 01777), 0); /* sticky, as /tmp is */
	assert_trusted("a/b/lib.so");
	assert_int_equal(chmod("a", 0755), 0);
	/* The link leads out of an open folder: it could lead elsewhere tomorrow. */
	assert_int_equal(chmod("open", 0777), 0);
	assert_int_equal(symlink("../a/b/lib.so", "open/lib.so"), 0);
	assert_refused("open/lib.so", "/open can be written by everybody");
	assert_int_equal(chmod("open", 0755), 0);
	assert_trusted("open/lib.so");
}

static void test_groups(void **state)
{
	(void)state;
	assert_int_equal(chmod("a/b", 0775), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown("a/b", 0, STRANGER), 0);
		assert_refused("a/b/lib.so", "can be written by its group (4242)");
		assert_int_equal(chown("a/b", 0, 0), 0);
	}
	if (geteuid() == getegid())
		assert_trusted("a/b/lib.so"); /* his own group */
	assert_int_equal(chmod("a/b", 0755), 0);
}

static void test_owners(void **state)
{
	char *before = getenv(TRUST_VARIABLE) ? strdup(getenv(TRUST_VARIABLE)) : NULL;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown("a/b/lib.so", STRANGER, 0), 0);
	assert_refused("lib.so", "/b/lib.so belongs to user 4242, who is neither root nor the user of weir (0)");
	assert_int_equal(setenv(TRUST_VARIABLE, "7,4242", 1), 0);
	assert_trusted("lib.so");
	assert_int_equal(setenv(TRUST_VARIABLE, "7,42425,x", 1), 0);
	assert_refused("lib.so", "belongs to user 4242");
	assert_int_equal(chown("a/b/lib.so", 0, 0), 0);
	assert_int_equal(lchown("a/current", STRANGER, 0), 0);
	assert_refused("lib.so", "/a/current belongs to user 4242");
	assert_int_equal(lchown("a/current", 0, 0), 0);
	assert_int_equal(chown("a", STRANGER, 0), 0);
	assert_refused("lib.so", "/a belongs to user 4242");
	assert_int_equal(chown("a", 0, 0), 0);
	assert_trusted("lib.so");
	assert_int_equal(before ? setenv(TRUST_VARIABLE, before, 1) : unsetenv(TRUST_VARIABLE), 0);
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_who_may_write),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, set_up, clean);
}
