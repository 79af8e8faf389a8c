/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that is run one instruction at a time. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum step_outcome { STEP_DONE = 0, STEP_MARK = 1, STEP_GONE = 2 };

/*
 * Forks a child that runs body(argument) and dies with its parent. Returns its pid when it has reached its first
 * step_mark(); -errno when this machine does not let us trace (nothing is left behind).
 */
pid_t step_spawn(void (*body)(void *argument), void *argument);
/* In the child: stops; the parent steps on from here. */
void step_mark(void);
/* One instruction. STEP_MARK: the child is at the next mark; STEP_GONE: it has ended, and is reaped. */
enum step_outcome step_once(pid_t pid);
/*
 * Runs at full speed until it comes to this instruction for the times-th time. STEP_MARK: it reached a mark before that, or was stopped by
 * something else.
 */
enum step_outcome step_until(pid_t pid, uint64_t address, uint32_t times);
/* Runs at full speed to its next mark: STEP_MARK or STEP_GONE. */
enum step_outcome step_on(pid_t pid);
/* Where the stopped child is: the instruction that it does next. */
uint64_t step_address(pid_t pid);
/* Kills with SIGKILL, waits until the kernel says that it is dead. */
void step_kill(pid_t pid);
