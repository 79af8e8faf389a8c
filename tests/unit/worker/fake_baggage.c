/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_baggage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/must.h"
#include "tests/unit/worker/fake_host.h"

static struct fake_host *host_of(const struct weir_context *context)
{
	return (struct fake_host *)(uintptr_t)context;
}

size_t fake_baggage_pack(const struct weir_context *context, void *packed)
{
	const struct fake_host *host = host_of(context);

	if (!host->baggage[0])
		return 0;
	memcpy(packed, host->baggage, sizeof(host->baggage));
	return sizeof(host->baggage);
}

int fake_baggage_unpack(struct weir_context *context, const void *packed, size_t size_bytes)
{
	struct fake_host *host = host_of(context);

	must(size_bytes == sizeof(host->unpacked));
	memcpy(host->unpacked, packed, size_bytes);
	return 0;
}

int fake_baggage_clear(struct weir_context *context)
{
	host_of(context)->unpacked[0] = '\0';
	return 0;
}

int fake_baggage_set(struct weir_context *context, const char *key, const void *value, size_t size_bytes)
{
	struct fake_host *host = host_of(context);

	if (!value)
		snprintf(host->unset_key, sizeof(host->unset_key), "%s", key);
	if (!value || size_bytes > sizeof(host->set))
		return value ? WEIR_TOO_LARGE : 0;
	snprintf(host->set_key, sizeof(host->set_key), "%s", key);
	memcpy(host->set, value, size_bytes);
	host->set_bytes = size_bytes;
	return 0;
}

int fake_baggage_get(const struct weir_context *context, const char *key, const void **ret_value,
		     size_t *ret_size_bytes)
{
	const struct fake_host *host = host_of(context);

	if (!host->pair_key || strcmp(key, host->pair_key) != 0)
		return -ENOENT;
	*ret_value = host->pair;
	*ret_size_bytes = host->pair_bytes;
	return 0;
}

int fake_expire_at(struct weir_context *context, uint64_t deadline_ns)
{
	host_of(context)->expire_at_ns = deadline_ns;
	return 0;
}
