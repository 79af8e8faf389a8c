/* SPDX-License-Identifier: Apache-2.0 */
/* The explorer: threads of one program under a scheduler that tries every choice. Start reading in README.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "tests/explore/hooks.h"

#define THREADS_MAX 5u
#define FDS_MAX 4

/* ---- what a program is made of ---- */

struct explore_thread {
	const char *name;
	void (*body)(unsigned thread);
	bool killable;
};

struct explore_program {
	const char *name, *what;
	void (*setup)(void); /* lays out memory, declares words; before each execution */
	struct explore_thread threads[THREADS_MAX];
	unsigned n_threads;
	unsigned kills;              /* how many kills may strike */
	int preemptions;             /* bound of switches away from a thread that could go on; -1: none */
	uint64_t executions_max;     /* where it stops unfinished; 0: never */
	const char *(*at_end)(void); /* all threads have ended: NULL, or what is wrong */
};

/* ---- calls for programs; threads of the program only, but for the first three, which belong into setup() ---- */

/* The shared memory, zeroed; everything outside is private and is not watched. */
void explore_arena(void *base, size_t size_bytes);
/*
 * Declares an atomic word. Private words are touched by one living thread only, which is checked. Racy words lie in
 * plain memory that is copied beside its living writer: their plain accesses count as relaxed ones.
 */
enum explore_word { WORD_PRIVATE, WORD_VISIBLE, WORD_RACY };
void explore_word(const void *address, size_t size_bytes, enum explore_word how);
/* Lane bytes and the like: a kill just after a store to them shows nothing that a later one doesn't. */
void explore_bulk(const void *base, size_t size_bytes);

/* After a spin that found nothing: until a store to one of the words is there that this thread has not seen. */
void explore_pause(const void *const *words, unsigned n_words);
/* Until the descriptor is readable. */
void explore_poll(int fd);
/* Takes its rings back: a system call of its own. */
void explore_hush(int fd);
/* Until one of the threads in the mask has been killed: its number. -1: all of them have ended. */
int explore_wait_death(unsigned mask);
/* The next generation of a dead thread. */
void explore_spawn(unsigned thread);
/* This thread may be killed, or not, from here on. */
void explore_killable(bool killable);
/* Whether the last kill lost none of the stores that stood before it in the program. */
bool explore_kill_was_whole(void);
noreturn void explore_fail(const char *what);

/* ---- calls for main ---- */

struct explore_result {
	uint64_t executions, pruned;
	bool exhausted;
	const char *violation; /* NULL: none */
	char trace[512];       /* choices of the execution with the violation */
};

/*
 * Runs the program through all its choices until the first violation. strong: as x86 does it, loads acquire, stores
 * release, and a kill cuts them in program order. replay: NULL, or a trace: that execution alone, told on stdout.
 */
struct explore_result explore_run(const struct explore_program *program, bool strong, const char *replay);

/* Implemented by main: the order that the site has in this configuration. */
uint32_t explore_order_of(struct explore_site *site);

/* ---- between machine.c and schedule.c ---- */

enum operation_kind {
	OPERATION_LOCAL,
	OPERATION_LOAD,
	OPERATION_STORE,
	OPERATION_SC_FENCE,
	OPERATION_PAUSE,
	OPERATION_DEVICE,
	OPERATION_DEATH,
};

/* What a thread will do next, when it is let. */
struct operation {
	enum operation_kind kind;
	unsigned word;        /* number of a visible word, or a descriptor */
	uint64_t word_mask;   /* PAUSE */
	unsigned thread_mask; /* DEATH */
};

extern int schedule_self; /* thread that runs; -1: none */
extern bool schedule_tells;

/* Before a visible operation: others may go first. */
void schedule_point(struct operation operation);
/* One of count(), each of them in some execution; count() is called the first time only. */
unsigned schedule_choose(unsigned (*count)(void));
/* The calling thread has been killed. */
noreturn void schedule_die(void);
bool schedule_dead(unsigned thread);
void schedule_revive(unsigned thread);
/* A dead thread of the mask that nobody has waited for, or -1. */
int schedule_reap(unsigned thread_mask);
void schedule_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define schedule_note(...) (schedule_tells ? schedule_tell(__VA_ARGS__) : (void)0)

void machine_reset(const struct explore_program *program, bool strong);
/* A pausing thread has something to look at; a polling one has been rung. */
bool machine_ready(unsigned thread, const struct operation *operation);
/* The thread stops by itself: the last point where a kill may strike. */
void machine_end(void);
