/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_record.h"

#include "common/base/must.h"
#include "common/record/cut.h"
#include "tests/unit/worker/fake_host.h"

static struct fake_host *fake_of(const struct weir_context *context)
{
	return (struct fake_host *)(uintptr_t)context;
}

bool fake_decodes(const struct weir_context *context)
{
	return fake_of(context)->decode != RECORD_RAW;
}

enum weir_cutting fake_cutting(const struct weir_context *context)
{
	return fake_of(context)->decode == RECORD_CSV     ? WEIR_CUT_RECORDS :
	       fake_of(context)->decode == RECORD_MSGPACK ? WEIR_CUT_VALUES :
							    WEIR_CUT_LINES;
}

int fake_cut(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
	     size_t *ret_record, size_t *ret_used)
{
	struct record_cut at = { cut->state[0], cut->state[1] };
	int r = record_cut(fake_of(context)->decode, ',', &at, data, size_bytes, ret_record, ret_used);

	*cut = (struct weir_cut){ { at.left, at.skip_bytes } };
	return r == 0 ? WEIR_OK : r == RECORD_CUT_E_MORE ? WEIR_MORE : WEIR_REJECTED;
}

void fake_cut_short(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
		    size_t *ret_used)
{
	record_cut_short(fake_of(context)->decode, data, size_bytes, ret_record, ret_used);
}

void fake_place(struct weir_context *context, const char *name, uint64_t line)
{
	must(name);
	fake_of(context)->place = line;
}

bool fake_ends_lines(const struct weir_context *context)
{
	return fake_of(context)->encode != RECORD_MSGPACK;
}
