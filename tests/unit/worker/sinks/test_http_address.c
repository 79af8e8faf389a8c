/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of servers and proxies, right and wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "worker/sinks/http_address.h"

static void is_wrong(const char *fault, const char *word)
{
	assert_non_null(fault);
	assert_non_null(strstr(fault, word));
}

static void test_urls(void **state)
{
	static const char *const good[] = {
		"http://a",
		"HTTPS://a.example/b?c=d:e@f",
		"http://a:1",
		"http://a:65535/",
		"http://[::1]",
		"http://[fe80::1]:80/x",
		"http://127.0.0.1:8080?x",
		"http://a/:b",
	};
	static const char *const ports[] = {
		"http://a:",   "http://a:0",   "http://a:65536/", "http://a:99999999999999999999",
		"http://a:8x", "http://a:-1/", "http://[::1]80",  "http://[::1]:x/",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(http_url_fault(good[i]));
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		is_wrong(http_url_fault(ports[i]), "a port is a number");
	is_wrong(http_url_fault("ftp://a/"), "expected http://HOST");
	is_wrong(http_url_fault("a/b"), "expected http://HOST");
	is_wrong(http_url_fault("http:///b"), "no host");
	is_wrong(http_url_fault("http://:80/"), "no host");
	is_wrong(http_url_fault("http://[::1/"), "brackets");
	is_wrong(http_url_fault("http://[/]"), "brackets");
	is_wrong(http_url_fault("http://a\tb/"), "blanks");
	is_wrong(http_url_fault("http://me:pw@a/"), "no name or password");
	is_wrong(http_url_fault("http://a/#b"), "behind #");
}

static void test_proxies(void **state)
{
	static const char *const good[] = {
		"", "proxy.example:3128", "http://proxy.example:3128/", "socks5h://[::1]:1080", "SOCKS4://a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(http_proxy_fault(good[i]));
	is_wrong(http_proxy_fault("ftp://a"), "before ://");
	is_wrong(http_proxy_fault("http://me:secret@a:3128"), "no name or password");
	is_wrong(http_proxy_fault("http://a:3128x"), "a port is a number");
	is_wrong(http_proxy_fault("http://"), "no host");
	is_wrong(http_proxy_fault("a b"), "blank");
	is_wrong(http_proxy_fault("http://a/b"), "no path");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_proxies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
