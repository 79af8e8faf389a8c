/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain memory. The sources under test are compiled with -fsanitize=thread and linked without it: the calls that the
 * compiler puts before each access come here. memcpy() is no access to the compiler, so it is renamed in those sources.
 */
#include <stdio.h>
#include <string.h>

#include "tests/explore/machine.h"

static void race(const void *address, const char *first, const char *second)
{
	static char what[160];

	snprintf(what, sizeof(what), "data race: %s of %s, not ordered after another thread's %s", second,
		 machine_name(address), first);
	explore_fail(what);
}

static void touch(struct cell *cell, const void *address, bool writes)
{
	const struct thread *thread = &machine.threads[schedule_self];
	const uint32_t *clock = thread->current.clock;

	if (cell->execution != machine.execution)
		*cell = (struct cell){ .execution = machine.execution, .writer = schedule_self };
	if (cell->writer != schedule_self && cell->written > clock[cell->writer])
		race(address, "write", writes ? "plain write" : "plain read");
	if (!writes) {
		cell->read[schedule_self] = clock[schedule_self];
		return;
	}
	for (unsigned i = 0; i < THREADS_MAX; i++)
		if (i != (unsigned)schedule_self && cell->read[i] > clock[i])
			race(address, "read", "plain write");
	cell->writer = schedule_self;
	cell->written = clock[schedule_self];
}

void machine_plain(const void *address, size_t size_bytes, bool writes)
{
	size_t first, last;

	if (!machine_shared(address) || !size_bytes)
		return;
	first = machine_cell(address);
	last = machine_cell((const unsigned char *)address + size_bytes - 1);
	for (size_t i = first; i <= last; i++)
		touch(&machine.cells[i], address, writes);
}

static void plain_read(const void *address, size_t size_bytes)
{
	if (schedule_self < 0 || !machine_shared(address))
		return;
	machine_kill_point();
	machine_plain(address, size_bytes, false);
}

static void plain_write(void *address, size_t size_bytes)
{
	if (schedule_self < 0 || !machine_shared(address))
		return;
	machine_kill_point();
	machine_plain(address, size_bytes, true);
	machine_log(address, size_bytes, false);
}

/* ---- copies ---- */

/* The next racy word in [from, end), or NULL. */
static struct word *next_racy(const unsigned char *from, const unsigned char *end)
{
	for (; from < end; from += CELL_SIZE) {
		struct word *word = machine_word(from);

		if (word && word->how == WORD_RACY)
			return word;
	}
	return NULL;
}

static bool is_racy(const unsigned char *base, size_t size_bytes)
{
	return schedule_self >= 0 && machine_shared(base) && next_racy(base, base + size_bytes);
}

/* Into memory that is read meanwhile: the declared words are stores of their own, one after the other; the rest is not watched. */
static void copy_in_racy(unsigned char *to, const unsigned char *from, size_t size_bytes)
{
	struct word *word;

	for (unsigned char *at = to; (word = next_racy(at, to + size_bytes)); at = word->address + word->size_bytes) {
		uint64_t value = 0;

		memcpy(&value, from + (word->address - to), word->size_bytes);
		machine_kill_point();
		machine_write(word, value, machine.strong);
	}
	memcpy(to, from, size_bytes);
}

static void copy_out_racy(unsigned char *to, const unsigned char *from, size_t size_bytes)
{
	struct word *word;

	memcpy(to, from, size_bytes);
	for (const unsigned char *at = from; (word = next_racy(at, from + size_bytes));
	     at = word->address + word->size_bytes) {
		uint64_t value = machine_read(word, machine.strong);

		memcpy(to + (word->address - from), &value, word->size_bytes);
	}
}

void *explore_memcpy(void *to, const void *from, size_t size_bytes);
void *explore_memcpy(void *to, const void *from, size_t size_bytes)
{
	size_t half = size_bytes > 64 ? size_bytes / 2 / CELL_SIZE * CELL_SIZE : 0;

	if (is_racy(to, size_bytes)) {
		copy_in_racy(to, from, size_bytes);
		return to;
	}
	if (is_racy(from, size_bytes)) {
		plain_write(to, size_bytes);
		copy_out_racy(to, from, size_bytes);
		return to;
	}
	plain_read(from, size_bytes);
	if (half) { /* a long copy can be cut in the middle by a kill */
		plain_write(to, half);
		memcpy(to, from, half);
	}
	plain_write((unsigned char *)to + half, size_bytes - half);
	return memcpy((unsigned char *)to + half, (const unsigned char *)from + half, size_bytes - half), to;
}

/* ---- the compiler's calls ---- */

#define PLAIN_HOOKS(size_)                                 \
	void __tsan_read##size_(void *address);            \
	void __tsan_write##size_(void *address);           \
	void __tsan_unaligned_read##size_(void *address);  \
	void __tsan_unaligned_write##size_(void *address); \
	void __tsan_read##size_(void *address)             \
	{                                                  \
		plain_read(address, size_);                \
	}                                                  \
	void __tsan_write##size_(void *address)            \
	{                                                  \
		plain_write(address, size_);               \
	}                                                  \
	void __tsan_unaligned_read##size_(void *address)   \
	{                                                  \
		plain_read(address, size_);                \
	}                                                  \
	void __tsan_unaligned_write##size_(void *address)  \
	{                                                  \
		plain_write(address, size_);               \
	}

PLAIN_HOOKS(1)
PLAIN_HOOKS(2)
PLAIN_HOOKS(4)
PLAIN_HOOKS(8)
PLAIN_HOOKS(16)

void __tsan_read_range(void *address, size_t size_bytes);
void __tsan_write_range(void *address, size_t size_bytes);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_init(void);

void __tsan_read_range(void *address, size_t size_bytes)
{
	plain_read(address, size_bytes);
}

void __tsan_write_range(void *address, size_t size_bytes)
{
	plain_write(address, size_bytes);
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void)
{
}

void __tsan_init(void)
{
}
