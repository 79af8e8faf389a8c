/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a function and survives its crash. */
#pragma once

struct guard_stack;

/*
 * Handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, process-wide, and a signal stack for this thread, until guard_end(). May be
 * nested, and used by several threads at a time. A crash outside of guard_call() is passed to who handled it before. Returns 0 or
 * -ENOMEM.
 */
int guard_begin(struct guard_stack **ret_stack);
void guard_end(struct guard_stack *stack);

/* Calls it. Returns 0 and what it returned; or the signal that it crashed by. Between guard_begin() and guard_end(), same thread. */
int guard_call(int (*function)(void *data), void *data, int *ret_status);
