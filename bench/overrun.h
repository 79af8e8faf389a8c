/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stages that overrun their deadline have in common (runner/overruns.py): items are numbers; every tenth one is never done, the
 * others of these at the second attempt only. Before it gets stuck a process says so: <folder>/<pid> holds the item's number and when the
 * stage was given it.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OVERRUN_EACH 5u
#define OVERRUN_FOR_EVER 10u

static inline uint64_t overrun_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline bool overrun_is_stuck(unsigned long long number, bool first_attempt)
{
	return number % OVERRUN_FOR_EVER == 0 || (number % OVERRUN_EACH == 0 && first_attempt);
}

/* Whole when it can be seen: who waits for it reads it at once. */
static inline void overrun_note(const char *folder, unsigned long long number, uint64_t given_ns)
{
	char path[4096], whole[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/.%d", folder, (int)getpid());
	snprintf(whole, sizeof(whole), "%s/%d", folder, (int)getpid());
	file = fopen(path, "w");
	if (!file || fprintf(file, "%llu %llu\n", number, (unsigned long long)given_ns) < 0 || fclose(file) != 0 ||
	    rename(path, whole) != 0)
		abort();
}

static inline void overrun_block_all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}
