/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many positions, one commit.
 *
 *      cursor   | turn 7 |                       committed with the items, atomically, by the runtime
 *      spool    | head | file 0: turn 3, turn 7 | file 1: turn 6, turn 8 | ...
 *                                        ^^^^^^           ^^^^^^  ~~~~~~
 *                                        counts           counts  never happened: its turn is not committed
 *
 * Each file has two copies of its spot, each with the turn that wrote it. A turn writes over the older copy, its number last; the one that
 * the committed cursor stands for stays. So a turn that dies, at any instruction, leaves of each file one copy that counts: the younger
 * of those whose turn is committed. The next worker takes back the others before it does anything, since its own turns have the
 * same numbers.
 *
 * A cursor has room for five such positions, and a table in its place would have to be committed as a whole. This one costs a turn a
 * few stores for each file that it has read from, and no system call.
 */
#include "worker/sources/follow_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/error.h"
#include "common/base/must.h"

#define MAGIC UINT64_C(0x7765697266736c32) /* "weirfsl2": also the layout's version */
#define ENTRIES_MIN 256u

/*
 * Nobody reads while somebody writes: the next worker begins when this one is dead. So all that is needed is that the stores come in the
 * program's order, as for a signal handler.
 */
static inline void in_this_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

struct follow_table_head {
	uint64_t magic;
	atomic_u64 n;
	uint64_t reserved[6];
};

static_assert(sizeof(struct follow_table_head) == 64 && sizeof(struct follow_spot) == 56,
	      "this is the layout in the spool");
static_assert(sizeof(struct follow_entry) == 168, "this is the layout in the spool");

static size_t table_size(uint32_t capacity)
{
	return sizeof(struct follow_table_head) + capacity * sizeof(struct follow_entry);
}

/* The memory is taken here, so that it runs out as an error and not as a fault. */
static int table_map(struct follow_table *table, uint32_t capacity)
{
	void *at;

	if (fallocate(table->fd, 0, 0, (off_t)table_size(capacity)))
		return error_origin(-errno);
	if (table->head)
		at = mremap(table->head, table_size(table->capacity), table_size(capacity), MREMAP_MAYMOVE);
	else
		at = mmap(NULL, table_size(capacity), PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, 0);
	if (at == MAP_FAILED)
		return error_origin(-errno);
	table->head = at;
	table->entries = (struct follow_entry *)(table->head + 1);
	table->capacity = capacity;
	return 0;
}

static void take_back(struct follow_table *table)
{
	for (uint32_t i = 0; i < table->n; table->n_free += !follow_table_is_used(table, i), i++)
		for (unsigned j = 0; j < 2; j++)
			if (load_relaxed(&table->entries[i].spots[j].turn) > table->turn)
				store_relaxed(&table->entries[i].spots[j].turn, 0);
}

int follow_table_open(struct follow_table *table, int spool, uint64_t turn)
{
	uint64_t capacity = ENTRIES_MIN;
	struct stat st;
	int r;

	*table = (struct follow_table){ .fd = spool, .turn = turn };
	if (fstat(spool, &st))
		return error_origin(-errno);
	if ((size_t)st.st_size > table_size(ENTRIES_MIN))
		capacity = ((size_t)st.st_size - sizeof(struct follow_table_head)) / sizeof(struct follow_entry);
	if (capacity > FOLLOW_FILES_MAX)
		return error_origin(-EBADMSG);
	r = table_map(table, (uint32_t)capacity);
	if (r != 0)
		return r;
	if (!table->head->magic)
		table->head->magic = MAGIC;
	table->n = (uint32_t)load_relaxed(&table->head->n);
	if (table->head->magic != MAGIC || table->n > table->capacity) {
		follow_table_close(table);
		return error_origin(-EBADMSG);
	}
	take_back(table);
	return 0;
}

void follow_table_close(struct follow_table *table)
{
	if (table->head)
		munmap(table->head, table_size(table->capacity));
	*table = (struct follow_table){ .fd = -1 };
}

void follow_table_turn(struct follow_table *table, uint64_t turn)
{
	table->turn = turn;
}

static int table_room(struct follow_table *table, uint32_t *ret_file)
{
	uint32_t capacity = table->capacity * 2;

	for (uint32_t i = 0; table->n_free && i < table->n; i++)
		if (!follow_table_is_used(table, i)) {
			*ret_file = i;
			return 0;
		}
	if (table->n == FOLLOW_FILES_MAX)
		return -ENOSPC;
	if (table->n == table->capacity) {
		int r = table_map(table, capacity < FOLLOW_FILES_MAX ? capacity : FOLLOW_FILES_MAX);

		if (r != 0)
			return r;
	}
	*ret_file = table->n;
	return 0;
}

int follow_table_add(struct follow_table *table, const struct follow_look *look, uint64_t path_hash, uint32_t *ret_file)
{
	struct follow_entry *entry;
	int r = table_room(table, ret_file);

	if (r != 0)
		return r;
	entry = &table->entries[*ret_file];
	memset(entry, 0, sizeof(*entry));
	entry->device = look->device;
	entry->inode = look->inode;
	entry->born_ns = look->born_ns;
	entry->path_hash = path_hash;
	in_this_order(); /* whoever finds it after a kill finds it whole */
	store_relaxed(&entry->used, 1);
	in_this_order();
	if (*ret_file == table->n)
		store_relaxed(&table->head->n, ++table->n);
	else
		table->n_free--;
	return 0;
}

void follow_table_remove(struct follow_table *table, uint32_t file)
{
	store_relaxed(&table->entries[file].used, 0);
	table->n_free++;
}

bool follow_table_is_used(const struct follow_table *table, uint32_t file)
{
	return file < table->n && load_relaxed(&table->entries[file].used);
}

static unsigned spot_that_counts(const struct follow_entry *entry)
{
	return load_relaxed(&entry->spots[1].turn) > load_relaxed(&entry->spots[0].turn);
}

const struct follow_spot *follow_table_spot(const struct follow_table *table, uint32_t file)
{
	const struct follow_entry *entry = &table->entries[file];

	return &entry->spots[spot_that_counts(entry)];
}

void follow_table_put(struct follow_table *table, uint32_t file, const struct follow_spot *spot)
{
	struct follow_entry *entry = &table->entries[file];
	struct follow_spot *to = &entry->spots[spot_that_counts(entry)];

	must(table->turn);
	if (load_relaxed(&to->turn) != table->turn) /* what the last turns have committed stays */
		to = &entry->spots[to == entry->spots];
	to->position = spot->position;
	to->print = spot->print;
	to->print_bytes = spot->print_bytes;
	to->ended = spot->ended;
	in_this_order(); /* until here the number is that of an older turn, so this copy does not count */
	store_relaxed(&to->turn, table->turn);
}
