/* SPDX-License-Identifier: Apache-2.0 */
/* Which folder wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/control/state_dir.h"

static void set(const char *wanted, const char *given, const char *xdg, const char *home)
{
	setenv("WEIR_STATE_DIR", wanted, 1);
	setenv("STATE_DIRECTORY", given, 1);
	setenv("XDG_STATE_HOME", xdg, 1);
	setenv("HOME", home, 1);
}

static void assert_base(const char *expected)
{
	char *base = state_dir_base();

	assert_string_equal(base, expected);
	free(base);
}

static void test_order(void **state)
{
	char here[4096], expected[4200];
	char *letters;

	(void)state;
	set("/wanted/", "/given:/other", "/xdg", "/home/me");
	assert_base("/wanted");
	letters = state_dir_dead_letters("orders");
	assert_string_equal(letters, "/wanted/orders/dead-letters");
	free(letters);
	letters = state_dir_last_good("orders");
	assert_string_equal(letters, "/wanted/orders/spec");
	free(letters);
	set("", "/given:/other", "/xdg", "/home/me");
	assert_base("/given");
	set("", "", "/xdg", "/home/me");
	assert_base(geteuid() ? "/xdg/weir" : "/var/lib/weir");
	set("", "", "relative", "/home/me");
	assert_base(geteuid() ? "/home/me/.local/state/weir" : "/var/lib/weir");
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/below", here);
	set("below", "", "", "");
	assert_base(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
