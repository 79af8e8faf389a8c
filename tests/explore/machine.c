/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the programs run on: a view machine for C11 (release, acquire, relaxed, fences), plus death.
 *
 * Every visible word keeps all its stores, in the order of its one writer. A thread has a view: for each word the
 * oldest store that it may still read. A load may return any store from there on; which one is a choice, and all are
 * tried. That covers delayed stores, early loads and stale lines alike.
 *
 *      store           message := (value, view): release: the thread's whole view; relaxed: the view of its last
 *                      release fence
 *      load, acquire   joins the message's view to the thread's own; relaxed: keeps it for the next acquire fence
 *      fence seq_cst   both fences, and joins what all earlier seq_cst fences have seen
 *
 * A view also holds one clock per thread. Plain memory must be ordered by these clocks: each access is compared with the
 * last ones of other threads to the same four bytes, and a conflict that nothing orders is a data race, whatever value
 * was read. The compiler reports plain accesses: it is told to instrument for a race detector, and the detector is
 * plain.c.
 *
 * Death. A kill is precise: what the machine has executed becomes visible, what it hasn't never will. But the
 * compiler may have moved a store behind or before others unless an order forbids it. So what a kill leaves is a set of
 * stores that is closed under "must stand before": the same place; all before a release store; all before a release
 * fence, before all behind it. A system call, a seq_cst fence and every store that somebody has read are behind us.
 * Not every such set is tried, but the extreme ones: all stores; the last one as early as it may be; and for each store,
 * it and what hangs on it as late as may be. Lost stores are taken back in memory before the supervisor looks.
 */
#include "tests/explore/machine.h"

#include <time.h>
#include <string.h>
#include <unistd.h>

struct machine machine;

/* ---- views ---- */

static void join_seen(uint8_t *to, const uint8_t *from)
{
	for (unsigned i = 0; i < machine.n_visible; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

static void join(struct view *to, const struct view *from)
{
	join_seen(to->seen, from->seen);
	for (unsigned i = 0; i < THREADS_MAX; i++)
		if (from->clock[i] > to->clock[i])
			to->clock[i] = from->clock[i];
}

/* ---- layout ---- */

void explore_arena(void *base, size_t size_bytes)
{
	if (size_bytes / CELL_SIZE > CELLS_MAX)
		explore_fail("explorer: arena too large");
	memset(base, 0, size_bytes);
	machine.arena = base;
	machine.arena_size = size_bytes;
	memset(machine.word_at, 0, sizeof(machine.word_at));
	memset(machine.bulk, 0, sizeof(machine.bulk));
	machine.n_words = 0;
	machine.n_visible = 0;
}

void explore_word(const void *address, size_t size_bytes, enum explore_word how)
{
	struct word *word = &machine.words[machine.n_words++];

	if (machine.n_words > WORDS_MAX || !machine_shared(address))
		explore_fail("explorer: too many words, or one outside the arena");
	*word = (struct word){ .address = (unsigned char *)(uintptr_t)address,
			       .size_bytes = size_bytes,
			       .how = how,
			       .owner = -1,
			       .number = NOT_VISIBLE };
	machine.word_at[machine_cell(address)] = (uint8_t)machine.n_words;
	if (how == WORD_PRIVATE)
		return;
	if (machine.n_visible == VISIBLE_MAX)
		explore_fail("explorer: too many visible words");
	word->number = machine.n_visible;
	machine.histories[machine.n_visible++].n = 0; /* filled when the program begins */
}

void explore_bulk(const void *base, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes / CELL_SIZE; i++)
		machine.bulk[machine_cell(base) + i] = true;
}

void machine_reset(const struct explore_program *program, bool strong)
{
	machine.strong = strong;
	machine.kills_left = program->kills;
	machine.kill_was_whole = false;
	machine.execution++;
	memset(machine.rung, 0, sizeof(machine.rung));
	memset(machine.sc_seen, 0, sizeof(machine.sc_seen));
	program->setup();
	for (unsigned i = 0; i < machine.n_words; i++) {
		struct word *word = &machine.words[i];
		struct history *history = &machine.histories[word->number];

		if (word->number == NOT_VISIBLE)
			continue;
		history->n = 1;
		history->messages[0] = (struct message){ .writer = -1 };
		memcpy(&history->messages[0].value, word->address, word->size_bytes);
	}
	for (unsigned i = 0; i < program->n_threads; i++) {
		struct thread *thread = &machine.threads[i];

		memset(&thread->current, 0, sizeof(thread->current));
		memset(&thread->pending, 0, sizeof(thread->pending));
		memset(&thread->released, 0, sizeof(thread->released));
		thread->current.clock[i] = 1;
		thread->spins = false;
		thread->killable = program->threads[i].killable;
		machine_forget_log(thread);
	}
}

struct word *machine_word(const void *address)
{
	unsigned number = machine_shared(address) ? machine.word_at[machine_cell(address)] : 0;

	return number ? &machine.words[number - 1] : NULL;
}

/* Private words have one living user; a supervisor takes them over with the death of their worker. */
static void check_owner(struct word *word)
{
	if (word->owner >= 0 && word->owner != schedule_self && !schedule_dead((unsigned)word->owner))
		explore_fail("explorer: a word that was declared private is shared");
	word->owner = schedule_self;
}

/* ---- loads and stores ---- */

static unsigned choices;

static unsigned count_choices(void)
{
	return choices;
}

static unsigned choose(unsigned n)
{
	if (n < 2)
		return 0;
	choices = n;
	return schedule_choose(count_choices);
}

static bool orders(struct explore_site *site, enum explore_order wanted)
{
	return machine.strong || explore_order_of(site) == (uint32_t)wanted;
}

uint64_t machine_read(struct word *word, bool acquire)
{
	struct thread *thread = &machine.threads[schedule_self];
	struct history *history = &machine.histories[word->number];
	unsigned oldest = thread->current.seen[word->number], number;
	const struct message *message;

	if (!thread->spins)
		schedule_point((struct operation){ .kind = OPERATION_LOAD, .word = word->number });
	number = thread->spins ? oldest : history->n - 1 - choose(history->n - oldest);
	message = &history->messages[number];
	if (number > oldest)
		thread->current.seen[word->number] = (uint8_t)number;
	join(acquire ? &thread->current : &thread->pending, &message->view);
	machine_pin(message);
	schedule_note("load  %s [%u] = %#llx%s, %u newer", machine_name(word->address), word->number,
		      (unsigned long long)message->value, acquire ? " acquire" : "", history->n - 1 - number);
	return message->value;
}

void machine_write(struct word *word, uint64_t value, bool release)
{
	struct thread *thread = &machine.threads[schedule_self];

	thread->spins = false;
	if (word->number != NOT_VISIBLE)
		schedule_point((struct operation){ .kind = OPERATION_STORE, .word = word->number });
	else
		check_owner(word);
	schedule_note("store %s := %#llx%s", machine_name(word->address), (unsigned long long)value,
		      release ? " release" : "");
	machine_log(word->address, word->size_bytes, release);
	memcpy(word->address, &value, word->size_bytes);
	if (word->number != NOT_VISIBLE) {
		struct history *history = &machine.histories[word->number];
		struct message *message = &history->messages[history->n];

		if (history->n == MESSAGES_MAX)
			explore_fail("explorer: too many stores to a word");
		thread->current.seen[word->number] = (uint8_t)history->n++;
		*message = (struct message){ .value = value,
					     .view = release ? thread->current : thread->released,
					     .writer = schedule_self,
					     .entry = machine_last_entry(thread) };
		message->view.seen[word->number] = (uint8_t)(history->n - 1);
	}
	thread->current.clock[schedule_self]++;
}

static uint64_t load(struct explore_site *site, const void *address, size_t size_bytes)
{
	struct word *word;
	uint64_t value = 0;
	bool acquire;

	if (schedule_self >= 0) {
		machine_kill_point();
		acquire = orders(site, EXPLORE_ACQUIRE);
		word = machine_word(address);
		if (word && word->number != NOT_VISIBLE)
			return machine_read(word, acquire);
		if (word)
			check_owner(word);
		else
			machine_plain(address, size_bytes, false);
	}
	memcpy(&value, address, size_bytes);
	return value;
}

static void store(struct explore_site *site, void *address, size_t size_bytes, uint64_t value)
{
	bool release;

	if (schedule_self >= 0) {
		machine_kill_point();
		release = orders(site, EXPLORE_RELEASE);
		if (machine_word(address)) {
			machine_write(machine_word(address), value, release);
			return;
		}
		if (machine_shared(address))
			explore_fail("explorer: an atomic store to a word that was not declared");
	}
	memcpy(address, &value, size_bytes);
}

uint32_t explore_load_32(struct explore_site *site, const void *address)
{
	return (uint32_t)load(site, address, sizeof(uint32_t));
}

uint64_t explore_load_64(struct explore_site *site, const void *address)
{
	return load(site, address, sizeof(uint64_t));
}

void explore_store_32(struct explore_site *site, void *address, uint32_t value)
{
	store(site, address, sizeof(value), value);
}

void explore_store_64(struct explore_site *site, void *address, uint64_t value)
{
	store(site, address, sizeof(value), value);
}

void explore_fence(struct explore_site *site)
{
	struct thread *thread;
	uint32_t order;

	if (schedule_self < 0)
		return;
	machine_kill_point();
	thread = &machine.threads[schedule_self];
	order = explore_order_of(site);
	thread->spins = false;
	if (order == EXPLORE_SEQ_CST)
		schedule_point((struct operation){ .kind = OPERATION_SC_FENCE });
	schedule_note("fence %u", order);
	if (order == EXPLORE_ACQUIRE || order == EXPLORE_ACQ_REL || order == EXPLORE_SEQ_CST)
		join(&thread->current, &thread->pending);
	if (order == EXPLORE_SEQ_CST) {
		join_seen(thread->current.seen, machine.sc_seen);
		memcpy(machine.sc_seen, thread->current.seen, sizeof(machine.sc_seen));
		machine_forget_log(thread);
	}
	if (order == EXPLORE_RELEASE || order == EXPLORE_ACQ_REL || order == EXPLORE_SEQ_CST) {
		thread->released = thread->current;
		thread->fences++;
		thread->current.clock[schedule_self]++;
	}
}

/* The rest of the spin sees what its first look saw: a look that finds more is the same as a first look that comes later. */
void explore_relax(void)
{
	if (schedule_self >= 0)
		machine.threads[schedule_self].spins = true;
}

/* ---- waiting ---- */

bool machine_ready(unsigned number, const struct operation *operation)
{
	if (operation->kind == OPERATION_DEVICE && operation->word_mask)
		return machine.rung[operation->word];
	if (operation->kind != OPERATION_PAUSE)
		return true;
	for (unsigned i = 0; i < machine.n_visible; i++)
		if (operation->word_mask >> i & 1 &&
		    machine.threads[number].current.seen[i] + 1u < machine.histories[i].n)
			return true;
	return false;
}

/* A store does not stay unseen for ever: one of the next unseen ones is seen from now on. Which one is a choice. */
void explore_pause(const void *const *words, unsigned n_words)
{
	struct thread *thread = &machine.threads[schedule_self];
	unsigned unseen[VISIBLE_MAX], n = 0;
	uint64_t mask = 0;

	machine_kill_point();
	for (unsigned i = 0; i < n_words; i++)
		mask |= UINT64_C(1) << machine_word(words[i])->number;
	schedule_point((struct operation){ .kind = OPERATION_PAUSE, .word_mask = mask });
	for (unsigned i = 0; i < machine.n_visible; i++)
		if (mask >> i & 1 && thread->current.seen[i] + 1u < machine.histories[i].n)
			unseen[n++] = i;
	thread->current.seen[unseen[choose(n)]]++;
}

void explore_poll(int fd)
{
	machine_kill_point();
	schedule_point((struct operation){ .kind = OPERATION_DEVICE, .word = (unsigned)fd, .word_mask = 1 });
	schedule_note("poll  %d returns", fd);
}

/* A system call is a compiler barrier, and what stands before it has been executed. */
ssize_t explore_write(int fd, const void *data, size_t size_bytes);
ssize_t explore_write(int fd, const void *data, size_t size_bytes)
{
	(void)data;
	if (schedule_self < 0)
		return (ssize_t)size_bytes;
	machine_kill_point();
	schedule_point((struct operation){ .kind = OPERATION_DEVICE, .word = (unsigned)fd });
	schedule_note("ring  %d", fd);
	machine.rung[fd] = true;
	machine_forget_log(&machine.threads[schedule_self]);
	machine.threads[schedule_self].kill_is_new = true;
	return (ssize_t)size_bytes;
}

void explore_hush(int fd)
{
	machine_kill_point();
	schedule_point((struct operation){ .kind = OPERATION_DEVICE, .word = (unsigned)fd });
	machine.rung[fd] = false;
	machine_forget_log(&machine.threads[schedule_self]);
}

/* It stands still: an execution must go the same way when it is replayed, however long it takes. */
int explore_clock_gettime(clockid_t clock, struct timespec *ret_time);
int explore_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	(void)clock;
	*ret_time = (struct timespec){ .tv_sec = 1 };
	return 0;
}

int explore_wait_death(unsigned mask)
{
	struct view *own = &machine.threads[schedule_self].current;
	int dead;

	schedule_point((struct operation){ .kind = OPERATION_DEATH, .thread_mask = mask });
	dead = schedule_reap(mask);
	if (dead < 0)
		return dead;
	join(own, &machine.threads[dead].current);
	for (unsigned i = 0; i < machine.n_visible; i++) /* what it had stored and lost is not there to be seen */
		if (own->seen[i] >= machine.histories[i].n)
			own->seen[i] = (uint8_t)(machine.histories[i].n - 1);
	return dead;
}

void explore_spawn(unsigned number)
{
	struct thread *heir = &machine.threads[number], *self = &machine.threads[schedule_self];
	uint32_t clock = heir->current.clock[number];

	heir->current = self->current;
	heir->current.clock[number] = clock + 1;
	memset(&heir->pending, 0, sizeof(heir->pending));
	memset(&heir->released, 0, sizeof(heir->released));
	heir->spins = false;
	machine_forget_log(heir);
	self->current.clock[schedule_self]++;
	machine_kill_point(); /* what the repair has stored is not lost any more */
	machine_forget_log(self);
	for (unsigned i = 0; i < machine.n_words; i++) /* handed over */
		if (machine.words[i].owner == schedule_self)
			machine.words[i].owner = -1;
	schedule_revive(number);
}

void explore_killable(bool killable)
{
	machine_kill_point();
	machine.threads[schedule_self].killable = killable;
}

bool explore_kill_was_whole(void)
{
	return machine.kill_was_whole;
}

void machine_end(void)
{
	machine_kill_point();
}
