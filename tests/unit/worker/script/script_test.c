/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/script/script_test.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/base/text.h"
#include "common/record/json.h"
#include "tests/unit/worker/stage_test.h"

struct packed packed_json(const char *text)
{
	struct record_scratch scratch = { 0 };
	struct record_fault fault = { "" };
	struct packed packed = { .data = malloc(json_decode_bound(strlen(text))) };
	int r = json_decode(&scratch, text, strlen(text), packed.data, &packed.size_bytes, &fault);

	if (r != 0)
		fail_msg("'%s' is no JSON: %s", text, fault.why);
	record_scratch_deinit(&scratch);
	return packed;
}

void packed_free(struct packed *packed)
{
	free(packed->data);
}

char *items_as_json(const struct fake_host *host, uint64_t begin, uint64_t end)
{
	struct text all = TEXT_NULL;

	for (uint64_t i = begin; i < end; i++) {
		struct fake_item item = fake_host_item(host, i);
		char *room = malloc(json_encode_bound(item.size_bytes));
		struct record_fault fault = { "" };
		size_t size;

		if (json_encode(item.data, item.size_bytes, room, &size, &fault) != 0)
			fail_msg("an item is no JSON: %s", fault.why);
		text_add(&all, i > begin ? " " : "");
		text_add_bytes(&all, room, size);
		free(room);
	}
	return text_steal(&all);
}
