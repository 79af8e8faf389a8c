/* SPDX-License-Identifier: Apache-2.0 */
/* A growing piece of private memory: bytes on their way to a spool or a pipe. */
#pragma once

#include <stddef.h>

struct buffer {
	char *data; /* owned */
	size_t length, capacity;
};

#define BUFFER_NULL \
	{           \
		0   \
	}

/* Appends. Returns 0, or -ENOMEM and the buffer as it was. */
int buffer_add(struct buffer *buffer, const void *bytes, size_t n);
/* Room for n more, to be filled in at data + length by the caller. Returns 0 or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t n);
/* Takes n bytes off the front. */
void buffer_drop(struct buffer *buffer, size_t n);
/* Frees and empties; fine on BUFFER_NULL and twice. */
void buffer_deinit(struct buffer *buffer);
