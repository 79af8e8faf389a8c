/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that is run one instruction at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum step_outcome { STEP_DONE = 0, STEP_MARK = 1, STEP_GONE = 2 };

/* One that has been stopped. */
struct step_child {
	pid_t pid;            /* 0: it has ended, and is reaped */
	uint64_t address;     /* the instruction that it does next */
	unsigned char *code;  /* its copy of the program (code.h), with a breakpoint at each instruction; NULL: none */
	uint64_t shared_from; /* the string instruction that it is in, if that writes to memory that others see */
};

/*
 * Forks a child that runs body(argument) and dies with its parent. Returns 0 when it has reached its first step_mark(); -errno
 * when this machine does not let us trace (nothing is left behind). own_code: it gets a copy of the program, if there are copies: dear
 * to make, and its steps are cheap.
 */
int step_spawn(struct step_child *ret_child, void (*body)(void *argument), void *argument, bool own_code);
/* In the child: stops; the parent steps on from here. */
void step_mark(void);
/*
 * One instruction. One that copies or fills memory of the child's own, which dies with it, is done in one step, not in one a round.
 * STEP_MARK: the child is at the next mark; STEP_GONE: it has ended, or is not to be stepped on.
 */
enum step_outcome step_once(struct step_child *child);
/*
 * Runs at full speed until it comes to this instruction for the times-th time. STEP_MARK: it reached a mark before that, or was stopped by
 * something else.
 */
enum step_outcome step_until(struct step_child *child, uint64_t address, uint32_t times);
/* Runs at full speed to its next mark: STEP_MARK or STEP_GONE. */
enum step_outcome step_on(struct step_child *child);
/* Kills with SIGKILL, waits until the kernel says that it is dead. To be called for each that was spawned. */
void step_kill(struct step_child *child);
