/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crash in a guarded call is left by a jump out of the signal handler.
 *
 *      guard_call:  sigsetjmp --> function() --> returned
 *                       ^             |
 *                       |         SIGSEGV, on a stack of its own: the other may be what has run out
 *                       '--siglongjmp-+
 *
 * These signals strike the thread that has caused them, so the thread's own `innermost` tells whether it is guarded. One that
 * another process has sent (kill -ABRT) takes the same way if it hits a guarded thread: that is a crash, too. The jump leaves whatever
 * the function held; who calls this is about to end the process.
 */
#include "common/scope/guard.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)64 * 1024)

struct guard_stack {
	stack_t before;
	unsigned char bytes[STACK_BYTES];
};

struct guarded {
	sigjmp_buf jump;
	struct guarded *outer;
};

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* Not looked up by an allocation, as it may be in a library that is loaded late: the handler reads it. */
static __thread struct guarded *volatile innermost __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static unsigned n_guards;
static struct sigaction before[SIGNALS];

static void handle_crash(int signal_number)
{
	struct guarded *guarded = innermost;

	if (guarded) {
		innermost = guarded->outer;
		siglongjmp(guarded->jump, signal_number);
	}
	/* As if there had been no guard: the instruction, or abort(), does it again. */
	for (size_t i = 0; i < SIGNALS; i++)
		if (signals[i] == signal_number)
			sigaction(signal_number, &before[i], NULL);
	raise(signal_number);
}

int guard_begin(struct guard_stack **ret_stack)
{
	const struct sigaction action = { .sa_handler = handle_crash, .sa_flags = SA_ONSTACK };
	struct guard_stack *guard = malloc(sizeof(*guard));
	stack_t stack = { .ss_size = STACK_BYTES };

	if (!guard)
		return -ENOMEM;
	stack.ss_sp = guard->bytes;
	if (sigaltstack(&stack, &guard->before) < 0) { /* this thread is on such a stack: so be it */
		free(guard);
		return -errno;
	}
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < SIGNALS && !n_guards; i++)
		sigaction(signals[i], &action, &before[i]);
	n_guards++;
	pthread_mutex_unlock(&lock);
	*ret_stack = guard;
	return 0;
}

void guard_end(struct guard_stack *guard)
{
	pthread_mutex_lock(&lock);
	n_guards--;
	for (size_t i = 0; i < SIGNALS && !n_guards; i++)
		sigaction(signals[i], &before[i], NULL);
	pthread_mutex_unlock(&lock);
	sigaltstack(&guard->before, NULL);
	free(guard);
}

int guard_call(int (*function)(void *data), void *data, int *ret_status)
{
	struct guarded guarded = { .outer = innermost };
	int crashed_by = sigsetjmp(guarded.jump, 1);

	if (crashed_by)
		return crashed_by;
	innermost = &guarded;
	*ret_status = function(data);
	innermost = guarded.outer;
	return 0;
}
