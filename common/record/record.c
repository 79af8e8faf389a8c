/* SPDX-License-Identifier: Apache-2.0 */
#include "common/record/record.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/must.h"

int record_fault(struct record_fault *fault, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fault->why, sizeof(fault->why), format, arguments);
	va_end(arguments);
	return RECORD_E_BAD;
}

void *record_scratch_get(struct record_scratch *scratch, size_t size_bytes)
{
	size_t capacity = scratch->capacity ? scratch->capacity : 1024;

	if (size_bytes <= scratch->capacity)
		return scratch->data;
	while (capacity < size_bytes)
		capacity *= 2;
	scratch->data = realloc(scratch->data, capacity);
	must(scratch->data);
	scratch->capacity = capacity;
	return scratch->data;
}

void record_scratch_deinit(struct record_scratch *scratch)
{
	free(scratch->data);
	*scratch = (struct record_scratch){ 0 };
}
