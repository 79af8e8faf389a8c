/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of stages with a language in them: items written as JSON. */
#pragma once

#include <stddef.h>

#include "tests/unit/worker/fake_host.h"

#define DOCUMENT WEIR_SOURCE_DIR "/docs/jq.md"

struct packed {
	unsigned char *data;
	size_t size_bytes;
};

/* The structured item that `decode: json` makes of it; fails the test if that is none. */
struct packed packed_json(const char *text);
void packed_free(struct packed *packed);

/* Items begin to end - 1 as JSON, a blank between two; the caller frees. */
char *items_as_json(const struct fake_host *host, uint64_t begin, uint64_t end);
