/* SPDX-License-Identifier: Apache-2.0 */
/* Every status there may be, and the failures of a transfer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>

#include "worker/sinks/http_verdict.h"

static bool is_in(long status, const long *list)
{
	for (; *list; list++)
		if (*list == status)
			return true;
	return false;
}

/* Written down once more, the other way round. */
static enum http_verdict expected(long status)
{
	static const long denied[] = { 401, 403, 404, 405, 407, 0 }, much[] = { 400, 413, 422, 431, 0 },
			  passing[] = { 408, 425, 429, 0 };

	if (is_in(status, denied))
		return HTTP_DENIED;
	if (is_in(status, much))
		return HTTP_TOO_MUCH;
	if (is_in(status, passing))
		return HTTP_PASSING;
	switch (status / 100) {
	case 2:
		return HTTP_DELIVERED;
	case 3:
		return HTTP_DENIED;
	case 4:
		return HTTP_REFUSED;
	default:
		return HTTP_PASSING;
	}
}

static void test_statuses(void **state)
{
	(void)state;
	for (long status = 0; status < 1000; status++)
		assert_int_equal(http_judge(CURLE_OK, status, NULL), expected(status));
}

static void test_retry(void **state)
{
	static const uint16_t retry[] = { 409, 404, 400, 0 };

	(void)state;
	assert_int_equal(http_judge(CURLE_OK, 409, retry), HTTP_PASSING);
	assert_int_equal(http_judge(CURLE_OK, 404, retry), HTTP_PASSING);
	assert_int_equal(http_judge(CURLE_OK, 400, retry), HTTP_PASSING);
	assert_int_equal(http_judge(CURLE_OK, 403, retry), HTTP_DENIED);
	assert_int_equal(http_judge(CURLE_OK, 200, retry), HTTP_DELIVERED);
}

/* A status that was heard before the transfer failed means nothing: the answer is not whole. */
static void test_failures(void **state)
{
	(void)state;
	assert_int_equal(http_judge(CURLE_OPERATION_TIMEDOUT, 200, NULL), HTTP_PASSING);
	assert_int_equal(http_judge(CURLE_COULDNT_CONNECT, 0, NULL), HTTP_PASSING);
	assert_int_equal(http_judge(CURLE_PARTIAL_FILE, 400, NULL), HTTP_PASSING);
	assert_int_equal(http_judge(CURLE_PEER_FAILED_VERIFICATION, 0, NULL), HTTP_DENIED);
	assert_int_equal(http_judge(CURLE_SSL_CACERT_BADFILE, 0, NULL), HTTP_DENIED);
	assert_int_equal(http_judge(CURLE_SSL_CERTPROBLEM, 0, NULL), HTTP_DENIED);
	assert_int_equal(http_judge(CURLE_TOO_MANY_REDIRECTS, 302, NULL), HTTP_DENIED);
	assert_int_equal(http_judge(CURLE_UNSUPPORTED_PROTOCOL, 302, NULL), HTTP_DENIED);
	assert_int_equal(http_judge(CURLE_UNSUPPORTED_PROTOCOL, 0, NULL), HTTP_PASSING);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(http_status_name(404), "Not Found");
	assert_string_equal(http_status_name(299), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
