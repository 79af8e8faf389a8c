/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/traceparent.h"

#include <inttypes.h>
#include <stdio.h>

/* Digits of text, small letters only; false: something else is among them. */
static bool read_hex(const char *text, unsigned n, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < n; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

bool traceparent_parse(const char *text, size_t n, struct traceparent *ret)
{
	const size_t length = TRACEPARENT_SIZE - 1;
	uint64_t version, flags;

	if (n < length || text[2] != '-' || text[35] != '-' || text[52] != '-' || !read_hex(text, 2, &version) ||
	    version == 0xff || !read_hex(text + 3, 16, &ret->trace_high) || !read_hex(text + 19, 16, &ret->trace_low) ||
	    !read_hex(text + 36, 16, &ret->parent) || !read_hex(text + 53, 2, &flags))
		return false;
	if (n > length && (version == 0 || text[length] != '-'))
		return false;
	ret->flags = (uint32_t)flags;
	return (ret->trace_high || ret->trace_low) && ret->parent;
}

void traceparent_format(const struct traceparent *traceparent, char ret[static TRACEPARENT_SIZE])
{
	snprintf(ret, TRACEPARENT_SIZE, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-%02x", traceparent->trace_high,
		 traceparent->trace_low, traceparent->parent, traceparent->flags & 0xff);
}

/* All bits of a depend on all bits of both. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2);
	a = (a ^ a >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	a = (a ^ a >> 27) * UINT64_C(0x94d049bb133111eb);
	return a ^ a >> 31;
}

uint64_t traceparent_span(const struct traceparent *traceparent, const char *stage, uint32_t producer,
			  uint64_t sequence)
{
	uint64_t span = mix(mix(traceparent->trace_high, traceparent->trace_low), traceparent->parent);

	for (; *stage; stage++)
		span = mix(span, (unsigned char)*stage);
	span = mix(mix(span, producer), sequence);
	return span ? span : 1;
}
