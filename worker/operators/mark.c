/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/operators/mark.h"

#include <endian.h>
#include <stdio.h>

#include "common/base/fnv.h"

#define PREFIX "weir."
#define NAME_MAX_HERE (WEIR_BAGGAGE_KEY_MAX - (sizeof(PREFIX) - 1))

void mark_key(const char *stage_name, char key[MARK_KEY_SIZE])
{
	size_t n = strlen(stage_name);

	if (n <= NAME_MAX_HERE)
		snprintf(key, MARK_KEY_SIZE, PREFIX "%s", stage_name);
	else
		snprintf(key, MARK_KEY_SIZE, PREFIX "%08x%s", (uint32_t)fnv_add(FNV_BEGIN, stage_name, n),
			 stage_name + n - (NAME_MAX_HERE - 8));
}

int mark_set(struct weir_context *context, const char *key, const struct mark *mark)
{
	int r = weir_baggage_set(context, key, mark, sizeof(*mark));

	if (r != WEIR_TOO_LARGE)
		return r;
	weir_reject(context, "its baggage has no room for the %zu bytes by which it would be known again",
		    sizeof(*mark) + strlen(key) + 4);
	return WEIR_REJECTED;
}

bool mark_get(const struct weir_context *context, const char *key, struct mark *ret_mark)
{
	const void *value;
	size_t size_bytes;

	if (weir_baggage_get(context, key, &value, &size_bytes) != 0 || size_bytes != sizeof(*ret_mark))
		return false;
	memcpy(ret_mark, value, sizeof(*ret_mark));
	return true;
}

void mark_write(const struct mark *mark, unsigned char bytes[MARK_BYTES])
{
	const uint32_t worker = htobe32(mark->worker);
	const uint64_t number = htobe64(mark->number), stamp_ns = htobe64(mark->stamp_ns);

	memcpy(bytes, &worker, sizeof(worker));
	memcpy(bytes + 4, &number, sizeof(number));
	memcpy(bytes + 12, &stamp_ns, sizeof(stamp_ns));
}

void mark_read(struct mark *mark, uint64_t run, const unsigned char bytes[MARK_BYTES])
{
	uint32_t worker;
	uint64_t number, stamp_ns;

	memcpy(&worker, bytes, sizeof(worker));
	memcpy(&number, bytes + 4, sizeof(number));
	memcpy(&stamp_ns, bytes + 12, sizeof(stamp_ns));
	*mark = (struct mark){
		.run = run, .number = be64toh(number), .stamp_ns = be64toh(stamp_ns), .worker = be32toh(worker)
	};
}
