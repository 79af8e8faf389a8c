/* SPDX-License-Identifier: Apache-2.0 */
#include "random_item.h"

#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 5u

uint64_t random_next(struct random_source *source)
{
	uint64_t z = source->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t random_below(struct random_source *source, uint32_t n)
{
	return (uint32_t)(random_next(source) % n);
}

size_t random_text(struct random_source *source, uint32_t n_max, char *room)
{
	static const char *const pieces[] = { "a",
					      "b",
					      "z",
					      " ",
					      "\"",
					      "\\",
					      "/",
					      "\n",
					      "\r",
					      "\t",
					      "\b",
					      "\f",
					      "\x01",
					      "\x1f",
					      "\x7f",
					      ",",
					      ";",
					      "\xc3\xa4",
					      "\xe2\x82\xac",
					      "\xed\x9f\xbf",
					      "\xee\x80\x80",
					      "\xf0\x9f\x8c\x8a" };
	uint32_t n = n_max ? random_below(source, n_max) : 0;
	size_t size = 0;

	for (uint32_t i = 0; i < n; i++) {
		const char *piece = pieces[random_below(source, sizeof(pieces) / sizeof(pieces[0]))];

		if (random_below(source, 50) == 0) {
			room[size++] = '\0';
			continue;
		}
		if (size + strlen(piece) > 3 * (size_t)n_max)
			break;
		memcpy(room + size, piece, strlen(piece));
		size += strlen(piece);
	}
	return size;
}

static double random_double(struct random_source *source)
{
	double value;
	uint64_t bits;

	switch (random_below(source, 4)) {
	case 0:
		return (double)random_below(source, 1000) / 8;
	case 1:
		return -(double)random_below(source, 100000) / 1000;
	case 2:
		return ldexp(1, (int)random_below(source, 200) - 100);
	default:
		do {
			bits = random_next(source);
			memcpy(&value, &bits, sizeof(value));
		} while (!isfinite(value));
		return value;
	}
}

static void pack_random_string(struct random_source *source, msgpack_packer *packer, int number)
{
	char text[1300];
	uint32_t n_max = random_below(source, 40) == 0 ? 400 : random_below(source, 20) == 0 ? 100 : 12;
	size_t size = random_text(source, n_max, text);

	if (number >= 0) /* so no name comes twice */
		size += (size_t)sprintf(text + size, "%d", number);
	msgpack_pack_str_with_body(packer, text, size);
}

static void pack_random(struct random_source *source, msgpack_packer *packer, unsigned depth)
{
	uint32_t kind = random_below(source, depth < DEPTH_MAX ? 9 : 7), n;

	switch (kind) {
	case 0:
		msgpack_pack_nil(packer);
		break;
	case 1:
		(void)(random_below(source, 2) ? msgpack_pack_true(packer) : msgpack_pack_false(packer));
		break;
	case 2:
		msgpack_pack_uint64(packer, random_next(source) >> random_below(source, 64));
		break;
	case 3:
		msgpack_pack_int64(packer, (int64_t)random_next(source) >> random_below(source, 64));
		break;
	case 4:
		msgpack_pack_double(packer, random_double(source));
		break;
	case 5:
	case 6:
		pack_random_string(source, packer, -1);
		break;
	default:
		n = random_below(source, random_below(source, 10) == 0 ? 40 : 5);
		(void)(kind == 7 ? msgpack_pack_array(packer, n) : msgpack_pack_map(packer, n));
		for (uint32_t i = 0; i < n; i++) {
			if (kind == 8)
				pack_random_string(source, packer, (int)i);
			pack_random(source, packer, n > 5 ? DEPTH_MAX : depth + 1);
		}
		break;
	}
}

size_t random_item(struct random_source *source, unsigned char room[RANDOM_ITEM_BYTES])
{
	size_t size;

	do {
		msgpack_sbuffer buffer;
		msgpack_packer packer;

		msgpack_sbuffer_init(&buffer);
		msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
		pack_random(source, &packer, 0);
		size = buffer.size;
		if (size <= RANDOM_ITEM_BYTES)
			memcpy(room, buffer.data, size);
		msgpack_sbuffer_destroy(&buffer);
	} while (size > RANDOM_ITEM_BYTES);
	return size;
}
