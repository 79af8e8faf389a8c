/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/exec/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"

#define FIRST_CAPACITY ((size_t)4096)

int buffer_reserve(struct buffer *buffer, size_t n)
{
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
	char *data;

	if (buffer->capacity - buffer->length >= n)
		return 0;
	while (capacity - buffer->length < n)
		capacity *= 2;
	data = realloc(buffer->data, capacity);
	if (!data)
		return error_origin(-ENOMEM);
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_add(struct buffer *buffer, const void *bytes, size_t n)
{
	int r = buffer_reserve(buffer, n);

	if (r)
		return r;
	if (n)
		memcpy(buffer->data + buffer->length, bytes, n);
	buffer->length += n;
	return 0;
}

void buffer_drop(struct buffer *buffer, size_t n)
{
	must(n <= buffer->length);
	buffer->length -= n;
	if (buffer->length)
		memmove(buffer->data, buffer->data + n, buffer->length);
}

void buffer_deinit(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer)BUFFER_NULL;
}
