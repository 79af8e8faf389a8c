/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/common/record/as_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/record/json.h"

struct test_item item_of(const char *json)
{
	struct record_scratch scratch = { 0 };
	struct record_fault fault;
	struct test_item item;

	assert_true(json_decode_bound(strlen(json)) <= sizeof(item.data));
	if (json_decode(&scratch, json, strlen(json), item.data, &item.size_bytes, &fault) != 0)
		fail_msg("%s: %s", json, fault.why);
	record_scratch_deinit(&scratch);
	return item;
}

const char *as_json(const void *item, size_t size_bytes)
{
	static char text[65536];
	struct record_fault fault;
	size_t n;

	assert_true(json_encode_bound(size_bytes) < sizeof(text));
	if (json_encode(item, size_bytes, text, &n, &fault) != 0)
		fail_msg("%s", fault.why);
	text[n] = '\0';
	return text;
}
