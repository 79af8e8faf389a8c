/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No recursion: `open` holds how many values each open array or map still lacks. A count is believed only while it is covered by
 * bytes that are really there (every value takes at least one), so the work is bounded by the size of the input.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/wire/prescan.h"
#include "common/wire/reader.h"

/* What follows each tag from 0xc0 to 0xdf. */
enum follows { NOTHING, NEVER, VALUE, TEXT, BINARY, ARRAY, MAP };
struct tag_line {
	uint8_t follows; /* enum follows */
	uint8_t width;   /* bytes of the number behind the tag: a value, or a count */
};

static const struct tag_line tags[32] = {
	[0x00] = { NOTHING, 0 }, [0x01] = { NEVER, 0 },  [0x02] = { NOTHING, 0 }, [0x03] = { NOTHING, 0 },
	[0x04] = { BINARY, 1 },  [0x05] = { BINARY, 2 }, [0x06] = { BINARY, 4 },  [0x07] = { NEVER, 0 },
	[0x08] = { NEVER, 0 },   [0x09] = { NEVER, 0 },  [0x0a] = { VALUE, 4 },   [0x0b] = { VALUE, 8 },
	[0x0c] = { VALUE, 1 },   [0x0d] = { VALUE, 2 },  [0x0e] = { VALUE, 4 },   [0x0f] = { VALUE, 8 },
	[0x10] = { VALUE, 1 },   [0x11] = { VALUE, 2 },  [0x12] = { VALUE, 4 },   [0x13] = { VALUE, 8 },
	[0x14] = { NEVER, 0 },   [0x15] = { NEVER, 0 },  [0x16] = { NEVER, 0 },   [0x17] = { NEVER, 0 },
	[0x18] = { NEVER, 0 },   [0x19] = { TEXT, 1 },   [0x1a] = { TEXT, 2 },    [0x1b] = { TEXT, 4 },
	[0x1c] = { ARRAY, 2 },   [0x1d] = { ARRAY, 4 },  [0x1e] = { MAP, 2 },     [0x1f] = { MAP, 4 },
};

/* What the tag byte itself says: what follows, its count where that is in the tag, the width of the number behind it. */
static struct tag_line tag_read(unsigned tag, uint64_t *ret_count)
{
	*ret_count = 0;
	if (tag < 0x80 || tag >= 0xe0)
		return (struct tag_line){ NOTHING, 0 };
	if (tag >= 0xc0)
		return tags[tag - 0xc0];
	*ret_count = tag & (tag < 0xa0 ? 0x0f : 0x1f);
	return (struct tag_line){ tag < 0x90 ? MAP : tag < 0xa0 ? ARRAY : TEXT, 0 };
}

struct scan {
	const unsigned char *next, *end;
	uint64_t open[PRESCAN_DEPTH_MAX + 1]; /* [0] is the document itself: one value */
	unsigned depth;
};

/* One value: its tag, number and bytes; an array or map opens a level. */
static int scan_value(struct scan *scan)
{
	uint64_t count;
	struct tag_line line = tag_read(*scan->next++, &count);

	if (line.follows == NEVER)
		return PRESCAN_E_TYPE;
	if ((size_t)(scan->end - scan->next) < line.width)
		return PRESCAN_E_TRUNCATED;
	for (unsigned i = 0; i < line.width; i++)
		count = count << 8 | *scan->next++;
	if (line.follows == NOTHING || line.follows == VALUE)
		return 0;
	if (line.follows == MAP)
		count *= 2;
	if (count > (size_t)(scan->end - scan->next))
		return PRESCAN_E_TRUNCATED;
	if (line.follows == TEXT || line.follows == BINARY) {
		if (line.follows == TEXT && !reader_is_text((const char *)scan->next, (size_t)count))
			return PRESCAN_E_TEXT;
		scan->next += count;
		return 0;
	}
	if (scan->depth == PRESCAN_DEPTH_MAX)
		return PRESCAN_E_TOO_DEEP;
	scan->open[++scan->depth] = count;
	return 0;
}

int prescan(const void *data, size_t size_bytes, size_t size_max_bytes)
{
	struct scan scan = { .open = { 1 } };

	if (size_bytes > size_max_bytes)
		return PRESCAN_E_TOO_LONG;
	if (size_bytes == 0)
		return PRESCAN_E_TRUNCATED;
	scan.next = data;
	scan.end = scan.next + size_bytes;
	for (;;) {
		int r;

		while (scan.open[scan.depth] == 0) {
			if (scan.depth == 0)
				return scan.next == scan.end ? 0 : PRESCAN_E_TRAILING;
			scan.depth--;
		}
		if (scan.next == scan.end)
			return PRESCAN_E_TRUNCATED;
		scan.open[scan.depth]--;
		r = scan_value(&scan);
		if (r)
			return r;
	}
}
