/* SPDX-License-Identifier: Apache-2.0 */
/* What a kill leaves of a thread's stores: see the head of machine.c. */
#include <string.h>

#include "tests/explore/machine.h"

#define CUTS_MAX 60u

/* Entries of a log. */
struct set {
	uint64_t bits[LOG_MAX / 64];
};

static bool has(const struct set *set, unsigned i)
{
	return set->bits[i / 64] >> (i % 64) & 1;
}

static void put(struct set *set, unsigned i)
{
	set->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool overlap(const struct entry *a, const struct entry *b)
{
	return a->address < b->address + b->size_bytes && b->address < a->address + a->size_bytes;
}

static bool must_precede(const struct entry *earlier, const struct entry *later)
{
	return later->release || earlier->fences < later->fences || overlap(earlier, later);
}

/* The entry and all that must stand before it. */
static struct set with_causes(const struct thread *thread, unsigned last)
{
	struct set set = { { 0 } };
	unsigned release = 0, fences = 0;

	put(&set, last);
	for (unsigned i = last + 1; i-- > 0;) {
		const struct entry *entry = &thread->log[i];

		for (unsigned j = i + 1; j <= last && !has(&set, i); j++)
			if (has(&set, j) && overlap(entry, &thread->log[j]))
				put(&set, i);
		if (i < release || entry->fences < fences)
			put(&set, i);
		if (!has(&set, i))
			continue;
		if (entry->release && !release)
			release = i;
		if (entry->fences > fences)
			fences = entry->fences;
	}
	return set;
}

/* The entry and all that can't be there without it. */
static struct set with_effects(const struct thread *thread, unsigned first)
{
	struct set set = { { 0 } };

	put(&set, first);
	for (unsigned i = first + 1; i < thread->n_log; i++)
		for (unsigned j = first; j < i && !has(&set, i); j++)
			if (has(&set, j) && must_precede(&thread->log[j], &thread->log[i]))
				put(&set, i);
	return set;
}

void machine_forget_log(struct thread *thread)
{
	thread->log_first += thread->n_log;
	thread->n_log = 0;
	thread->undo_used = 0;
	thread->kill_is_new = false;
}

unsigned machine_last_entry(const struct thread *thread)
{
	return thread->log_first + thread->n_log - 1;
}

void machine_log(void *address, size_t size_bytes, bool release)
{
	struct thread *thread = &machine.threads[schedule_self];
	struct entry *entry;

	if (!thread->killable || !machine.kills_left)
		return;
	if (thread->n_log == LOG_MAX || thread->undo_used + size_bytes > UNDO_MAX)
		explore_fail("explorer: too many stores that a kill may take back");
	entry = &thread->log[thread->n_log++];
	*entry = (struct entry){ .address = address,
				 .size_bytes = size_bytes,
				 .undo = thread->undo_used,
				 .fences = thread->fences,
				 .release = release,
				 .bulk = machine.bulk[machine_cell(address)] };
	memcpy(thread->undo + entry->undo, address, size_bytes);
	thread->undo_used += size_bytes;
	if (!entry->bulk)
		thread->kill_is_new = true;
}

void machine_pin(const struct message *message)
{
	struct thread *writer = message->writer >= 0 ? &machine.threads[message->writer] : NULL;
	struct set set;

	if (!writer || message->writer == schedule_self || message->entry - writer->log_first >= writer->n_log ||
	    writer->log[message->entry - writer->log_first].pinned)
		return;
	set = with_causes(writer, message->entry - writer->log_first);
	for (unsigned i = 0; i < writer->n_log; i++)
		if (has(&set, i))
			writer->log[i].pinned = true;
}

/* ---- the choice ---- */

static struct set cuts[CUTS_MAX]; /* what stays */
static unsigned n_cuts;

static void add_cut(const struct thread *thread, struct set cut)
{
	for (unsigned i = 0; i < thread->n_log; i++)
		if (thread->log[i].pinned)
			put(&cut, i);
	for (unsigned i = 0; i < n_cuts; i++)
		if (!memcmp(&cuts[i], &cut, sizeof(cut)))
			return;
	if (n_cuts < CUTS_MAX)
		cuts[n_cuts++] = cut;
}

/* Alone and unseen behind a tail: nobody can tell. */
static bool idle_loss(const struct thread *thread, unsigned i, const struct set *lost)
{
	if (!thread->log[i].bulk)
		return false;
	for (unsigned j = i + 1; j < thread->n_log; j++)
		if (has(lost, j) && !thread->log[j].bulk)
			return false;
	return true;
}

/* Choice 0 is to live on. */
static unsigned count_cuts(void)
{
	const struct thread *thread = &machine.threads[schedule_self];
	struct set all = { { 0 } }, early;

	n_cuts = 0;
	for (unsigned i = 0; i < thread->n_log; i++)
		put(&all, i);
	add_cut(thread, all);
	if (!thread->n_log || machine.strong)
		return 1 + n_cuts;
	early = with_causes(thread, thread->n_log - 1);
	add_cut(thread, early);
	for (unsigned i = 0; i < thread->n_log; i++) {
		struct set lost, cut = { { 0 } };

		if (has(&early, i) || thread->log[i].pinned)
			continue;
		lost = with_effects(thread, i);
		if (idle_loss(thread, i, &lost))
			continue;
		for (unsigned j = 0; j < thread->n_log; j++)
			if (!has(&lost, j))
				put(&cut, j);
		add_cut(thread, cut);
	}
	return 1 + n_cuts;
}

/* Takes one store back, in memory and in its word's history. Nobody has read it. */
static void take_back(struct thread *thread, unsigned i)
{
	const struct entry *entry = &thread->log[i];
	const struct word *word = machine_word(entry->address);

	schedule_note("lost  %s", machine_name(entry->address));
	memcpy(entry->address, thread->undo + entry->undo, entry->size_bytes);
	if (word && word->number != NOT_VISIBLE && word->size_bytes == entry->size_bytes)
		machine.histories[word->number].n--;
}

void machine_kill_point(void)
{
	struct thread *thread = &machine.threads[schedule_self];
	unsigned choice;

	if (!thread->kill_is_new || !machine.kills_left || !thread->killable)
		return;
	thread->kill_is_new = false;
	choice = schedule_choose(count_cuts);
	if (!choice)
		return;
	count_cuts();
	schedule_note("killed: cut %u", choice);
	machine.kills_left--;
	machine.kill_was_whole = true;
	for (unsigned i = thread->n_log; i-- > 0;)
		if (!has(&cuts[choice - 1], i)) {
			take_back(thread, i);
			machine.kill_was_whole = false;
		}
	machine_forget_log(thread);
	schedule_die();
}
