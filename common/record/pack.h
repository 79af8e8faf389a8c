/* SPDX-License-Identifier: Apache-2.0 */
/* Writing msgpack into room that is known to be large enough (own folder only): msgpack-c's packer behind one pointer. */
#pragma once

#include <msgpack/pack.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PACK_HEAD_BYTES_MAX 5u /* of a string, an array, a map */

struct pack {
	msgpack_packer packer;
	unsigned char *next;
};

static inline int pack_write(void *data, const char *bytes, size_t n)
{
	struct pack *pack = data;

	memcpy(pack->next, bytes, n);
	pack->next += n;
	return 0;
}

static inline void pack_init(struct pack *pack, void *room)
{
	msgpack_packer_init(&pack->packer, pack, pack_write);
	pack->next = room;
}

static inline void pack_string(struct pack *pack, const char *data, size_t size_bytes)
{
	msgpack_pack_str(&pack->packer, size_bytes);
	if (size_bytes)
		memcpy(pack->next, data, size_bytes);
	pack->next += size_bytes;
}

/* A string's bytes, size_bytes of them, lie PACK_HEAD_BYTES_MAX behind `next`: writes the head, and moves them up to it. */
static inline void pack_string_behind(struct pack *pack, size_t size_bytes)
{
	unsigned char *data = pack->next + PACK_HEAD_BYTES_MAX;

	msgpack_pack_str(&pack->packer, size_bytes);
	memmove(pack->next, data, size_bytes);
	pack->next += size_bytes;
}

/* Bytes of a packed string, its head included. Strings are packed in one way only, so equal ones have equal bytes. */
static inline size_t pack_string_size(const unsigned char *string)
{
	if (*string < 0xc0)
		return 1 + (size_t)(*string & 0x1f);
	if (*string == 0xd9)
		return 2 + (size_t)string[1];
	if (*string == 0xda)
		return 3 + ((size_t)string[1] << 8 | string[2]);
	return 5 + ((size_t)string[1] << 24 | (size_t)string[2] << 16 | (size_t)string[3] << 8 | string[4]);
}

/* An array or map begins whose count is not known yet: most have less than 16 elements, and then its head is one byte. */
static inline unsigned char *pack_open(struct pack *pack)
{
	return pack->next++;
}

/* It has n elements (of a map: pairs). Those of more than 15 move a little, to make room for the head. */
static inline void pack_close(struct pack *pack, unsigned char *begin, uint32_t n, bool is_map)
{
	unsigned char *end = pack->next;
	size_t head_bytes = n < 16 ? 1 : n < 65536 ? 3 : 5;

	if (head_bytes > 1)
		memmove(begin + head_bytes, begin + 1, (size_t)(end - begin - 1));
	pack->next = begin;
	if (is_map)
		msgpack_pack_map(&pack->packer, n);
	else
		msgpack_pack_array(&pack->packer, n);
	pack->next = end + head_bytes - 1;
}
