/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets come from files, into options of this process alone, and are hidden in what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/credentials.h"

static char folder[] = "/tmp/weir-test-credentials.XXXXXX";

static void write_file(const char *name, const char *bytes, size_t size_bytes)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
	assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || setenv("CREDENTIALS_DIRECTORY", folder, 1) < 0)
		return 1;
	write_file("pw", "s3cret word\n", 12);
	write_file("token.1", "t0ken", 5);
	write_file("binary", "a\0b", 3);
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "pw", "token.1", "binary" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static int put_in(const char *string, char **ret_string, struct text *why)
{
	struct heritage_option options[] = { { .name = (char *)"number", .type = HERITAGE_NUMBER },
					     { .name = (char *)"connect", .type = HERITAGE_STRING } };
	const char *name = NULL;
	int r;

	options[1].string = strdup(string);
	r = credentials_resolve(options, 2, &name, why);
	if (r)
		assert_string_equal(name, "connect");
	*ret_string = options[1].string;
	return r;
}

static void test_puts_them_in(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	char *string, said[] = "no user with 's3cret word' (t0ken), s3cret";

	(void)state;
	assert_int_equal(put_in("host=a password=${cred:pw} x=${cred:token.1}", &string, &why), 0);
	assert_string_equal(string, "host=a password=s3cret word x=t0ken");
	free(string);
	assert_int_equal(put_in("$cred ${x} $", &string, &why), 0);
	assert_string_equal(string, "$cred ${x} $");
	free(string);
	credentials_hide(said);
	assert_string_equal(said, "no user with '***********' (*****), s3cret");
}

static void test_says_what_is_missing(void **state)
{
	static const struct {
		const char *string, *said;
	} wrong[] = {
		{ "${cred:none}", "there is no credential 'none' in /tmp/" },
		{ "${cred:none}", "LoadCredential=none:" },
		{ "${cred:binary}", "'binary' is no text" },
		{ "${cred:../pw}", "it is ${cred:NAME}" },
		{ "${cred:}", "it is ${cred:NAME}" },
		{ "${cred:pw", "it is ${cred:NAME}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		char *string;

		assert_int_equal(put_in(wrong[i].string, &string, &why), CREDENTIALS_E_MISSING);
		assert_non_null(strstr(text_get(&why), wrong[i].said));
		free(string);
	}
}

static void test_no_folder(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	char *string;

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(put_in("${cred:pw}", &string, &why), CREDENTIALS_E_NONE);
	assert_string_equal(string, "${cred:pw}");
	assert_non_null(strstr(text_get(&why), "CREDENTIALS_DIRECTORY is not set"));
	free(string);
	assert_int_equal(put_in("plain", &string, &why), 0);
	free(string);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_puts_them_in),
		cmocka_unit_test(test_says_what_is_missing),
		cmocka_unit_test(test_no_folder),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
