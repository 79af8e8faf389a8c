/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the record layer write and read items as. */
#pragma once

#include <stddef.h>

struct test_item {
	unsigned char data[4096];
	size_t size_bytes;
};
/* The item that this JSON says; fails the test if it is none. */
struct test_item item_of(const char *json);
/* An item for people, static; fails the test if it is none. */
const char *as_json(const void *item, size_t size_bytes);
