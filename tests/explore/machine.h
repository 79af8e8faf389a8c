/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the machine: what machine.c (orders), plain.c (plain memory) and death.c (kills) share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/explore/explore.h"

#define VISIBLE_MAX 16u
#define NOT_VISIBLE VISIBLE_MAX
#define WORDS_MAX 200u
#define MESSAGES_MAX 100u
#define CELL_SIZE 4u
#define CELLS_MAX 8192u
#define LOG_MAX 192u
#define UNDO_MAX 65536u

struct view {
	uint8_t seen[VISIBLE_MAX]; /* per visible word: number of the oldest store that may still be read */
	uint32_t clock[THREADS_MAX];
};

struct message {
	uint64_t value;
	struct view view;
	int writer;
	unsigned entry; /* in the writer's log */
};

struct history {
	unsigned n;
	struct message messages[MESSAGES_MAX];
};

struct word {
	unsigned char *address;
	size_t size_bytes;
	enum explore_word how;
	int owner;       /* thread that touched a private word last */
	unsigned number; /* of its history; NOT_VISIBLE */
};

/* A store that a kill may still take back. */
struct entry {
	unsigned char *address;
	size_t size_bytes, undo; /* old bytes: thread->undo + undo */
	unsigned fences;         /* release fences before it */
	bool release, bulk, pinned;
};

struct thread {
	struct view current, pending, released;
	unsigned fences;
	bool spins, killable, kill_is_new;
	unsigned log_first, n_log; /* number of log[0] since the thread's beginning */
	struct entry log[LOG_MAX];
	size_t undo_used;
	unsigned char undo[UNDO_MAX];
};

/* Who touched four bytes last. */
struct cell {
	uint64_t execution;
	int writer;
	uint32_t written, read[THREADS_MAX]; /* clocks */
};

struct machine {
	unsigned char *arena;
	size_t arena_size;
	bool strong, kill_was_whole;
	unsigned kills_left;
	uint64_t execution;
	unsigned n_words, n_visible;
	struct word words[WORDS_MAX];
	uint8_t word_at[CELLS_MAX];
	bool bulk[CELLS_MAX];
	struct cell cells[CELLS_MAX];
	struct history histories[VISIBLE_MAX + 1];
	uint8_t sc_seen[VISIBLE_MAX];
	struct thread threads[THREADS_MAX];
	bool rung[FDS_MAX];
};

extern struct machine machine;

static inline bool machine_shared(const void *address)
{
	return (uintptr_t)address - (uintptr_t)machine.arena < machine.arena_size;
}

static inline size_t machine_cell(const void *address)
{
	return ((uintptr_t)address - (uintptr_t)machine.arena) / CELL_SIZE;
}

/* The declared word at the address, or NULL. */
struct word *machine_word(const void *address);
/* An access to a visible or racy word by the running thread. */
uint64_t machine_read(struct word *word, bool acquire);
void machine_write(struct word *word, uint64_t value, bool release);
/* A plain access by the running thread; outside the arena: nothing. Fails the execution if it races. */
void machine_plain(const void *address, size_t size_bytes, bool writes);
/* What the address is, for people. Static text. */
const char *machine_name(const void *address);

/* Before a store: keeps the old bytes. */
void machine_log(void *address, size_t size_bytes, bool release);
unsigned machine_last_entry(const struct thread *thread);
/* All of the thread's stores have been executed for good. */
void machine_forget_log(struct thread *thread);
/* Somebody has read it: it, and what must stand before it, can't be lost any more. */
void machine_pin(const struct message *message);
/* The running thread may die here. */
void machine_kill_point(void);
