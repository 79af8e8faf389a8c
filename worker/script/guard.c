/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neither libjq nor Lua can be trusted to come back. A timer that counts the processor's time of this process looks at the clock for them:
 * at rest it does not tick, and an item that is quickly done never sees it.
 *
 *      begin ------------------------ deadline --------------------------------------> end
 *        |          |          |          |           |          |
 *        tick: in time?  memory?          stop()      (ticks)    STUCK ticks later it is still in one function of the language:
 *                                         |                      note -> spool 0, the process ends
 *                                         '-> the interpreter ends at its next instruction: GUARD_DEADLINE
 *
 * The next generation finds the note and refuses the item with the reason: so an item costs one worker at most, whatever `attempts` says,
 * and the stage goes on behind it. Memory is bounded twice: a tick that finds more than `memory` in use stops the evaluation; RLIMIT_DATA,
 * at twice that, lets the allocation fail that is faster than a tick, which libjq can't survive: note, end.
 *
 * The handler reads the clock, one file of /proc and words that its own thread writes; it allocates nothing. What cannot be stopped in
 * either way (a fault, a function stuck in the kernel) is left to the supervisor, as in any stage.
 */
#include "worker/script/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include <weir/budget.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"

#define TICK_US 5000
#define STUCK_TICKS 40u       /* of a function that was told to end */
#define EXIT_OUT_OF_BOUNDS 70 /* EX_SOFTWARE */
#define SIGNALS 32
#define NOTE_MAGIC UINT32_C(0x45544f4e) /* "NOTE" */

/* In spool 0: of which item this seat's last worker has died. */
struct note {
	uint32_t magic, verdict;
	uint64_t sequence, accepted_ns;
	uint32_t input, cause;
};

struct guard {
	struct weir_context *context;
	struct guard_settings settings;
	int statm_fd, spool_fd;
	uint64_t page_bytes, base_bytes;
	struct note note;     /* of an earlier generation */
	struct note hand;     /* of the item at work; its verdict is written last */
	uint64_t deadline_ns; /* WEIR_FOREVER: none */
	volatile sig_atomic_t at_work, verdict;
	volatile sig_atomic_t n_ticks, n_stuck;
	struct sigaction before[SIGNALS]; /* what was done at a fault */
};

static struct guard the_guard;
static const int faults[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))

/* ---- what a tick may do ---- */

/* Bytes of private memory that this process has; 0: unknown. */
static uint64_t used_bytes(const struct guard *guard)
{
	char text[128];
	ssize_t n = pread(guard->statm_fd, text, sizeof(text) - 1, 0);
	const char *at = text;
	uint64_t pages = 0;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	for (unsigned column = 0; column < 5 && at; column++) { /* the sixth: data + stack */
		at = strchr(at, ' ');
		at += at != NULL;
	}
	for (; at && *at >= '0' && *at <= '9'; at++)
		pages = pages * 10 + (uint64_t)(*at - '0');
	return pages * guard->page_bytes;
}

static enum guard_verdict judge(const struct guard *guard)
{
	if (guard->deadline_ns != WEIR_FOREVER && clock_now_ns() >= guard->deadline_ns)
		return GUARD_DEADLINE;
	if (weir_cancelled(guard->context))
		return GUARD_CANCELLED;
	if (guard->settings.memory_bytes && used_bytes(guard) > guard->base_bytes + guard->settings.memory_bytes)
		return GUARD_MEMORY;
	return GUARD_NONE;
}

static void say(const char *line)
{
	ssize_t written = write(STDERR_FILENO, line, strlen(line));

	(void)written; /* nobody left to tell */
}

static void note_down(struct guard *guard, enum guard_verdict verdict)
{
	guard->hand.verdict = (uint32_t)verdict;
	if (pwrite(guard->spool_fd, &guard->hand, sizeof(guard->hand), 0) != sizeof(guard->hand))
		say("<4>cannot note of which item this worker ends: it may be tried again\n");
}

static void die(struct guard *guard, enum guard_verdict verdict) __attribute__((noreturn));
static void die(struct guard *guard, enum guard_verdict verdict)
{
	if (guard->at_work)
		note_down(guard, verdict);
	say(verdict == GUARD_MEMORY ?
		    "<4>an item needs more memory than `memory` allows, and what is at work can't be stopped: this worker ends, the next refuses it\n" :
		    "<4>an item's time is over, and what is at work can't be stopped: this worker ends, the next refuses it\n");
	_exit(EXIT_OUT_OF_BOUNDS);
}

static void handle_tick(int signal_number)
{
	struct guard *guard = &the_guard;
	int saved_errno = errno;

	(void)signal_number;
	if (!guard->at_work)
		return;
	guard->n_ticks = guard->n_ticks + 1;
	if (guard->verdict == GUARD_NONE && guard->n_ticks > 1) {
		guard->verdict = judge(guard);
		if (guard->verdict != GUARD_NONE && guard->settings.stop)
			guard->settings.stop(guard->settings.data);
	} else if (guard->verdict == GUARD_DEADLINE || guard->verdict == GUARD_MEMORY) {
		guard->n_stuck = guard->n_stuck + 1;
		if ((unsigned)guard->n_stuck >= STUCK_TICKS)
			die(guard, (enum guard_verdict)guard->verdict);
	}
	errno = saved_errno;
}

void guard_out_of_memory(void *data)
{
	(void)data; /* libjq hands over another one's */
	die(&the_guard, GUARD_MEMORY);
}

/* A fault of the code at work, or an assertion in it: whoever does the same again comes to the same. Then as without this handler. */
static void handle_fault(int signal_number, siginfo_t *info, void *machine)
{
	struct guard *guard = &the_guard;
	const struct sigaction *before = &guard->before[signal_number];
	bool own = info->si_code > 0 || info->si_pid == getpid();

	if (guard->at_work && own)
		note_down(guard, GUARD_FAULT);
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(signal_number, info, machine);
	else
		sigaction(signal_number, before, NULL);
}

/* ---- the stage's side ---- */

static int limit_memory(struct guard *guard)
{
	struct rlimit limit;
	uint64_t bound;

	if (!guard->settings.memory_bytes)
		return 0;
	guard->base_bytes = used_bytes(guard);
	bound = guard->base_bytes + 2 * guard->settings.memory_bytes;
	if (getrlimit(RLIMIT_DATA, &limit) != 0)
		return error_origin(-errno);
	limit.rlim_cur = bound < limit.rlim_max ? bound : limit.rlim_max;
	return setrlimit(RLIMIT_DATA, &limit) == 0 ? 0 : error_origin(-errno);
}

static void watch_faults(struct guard *guard)
{
	struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	action.sa_flags |= (int)SA_RESETHAND;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGTERM); /* while what was there before tells of it */
	for (size_t i = 0; i < N_FAULTS; i++)
		sigaction(faults[i], &action, &guard->before[faults[i]]);
}

static void leave_faults(const struct guard *guard)
{
	for (size_t i = 0; i < N_FAULTS; i++)
		sigaction(faults[i], &guard->before[faults[i]], NULL);
}

static int start_timer(void)
{
	struct sigaction action = { .sa_handler = handle_tick, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } };

	sigemptyset(&action.sa_mask);
	if (sigaction(GUARD_SIGNAL, &action, NULL) != 0 || setitimer(ITIMER_VIRTUAL, &every, NULL) != 0)
		return error_origin(-errno);
	return 0;
}

int guard_open(struct weir_context *context, const struct guard_settings *settings, struct guard **ret_guard)
{
	struct guard *guard = &the_guard;
	int r;

	*guard = (struct guard){ .context = context,
				 .settings = *settings,
				 .spool_fd = weir_spool(context, 0),
				 .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
				 .statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC) };
	if (guard->statm_fd < 0)
		return error_origin(-errno);
	if (pread(guard->spool_fd, &guard->note, sizeof(guard->note), 0) != sizeof(guard->note) ||
	    guard->note.magic != NOTE_MAGIC)
		guard->note = (struct note){ 0 };
	r = limit_memory(guard);
	if (r == 0)
		r = start_timer();
	if (r != 0) {
		guard->statm_fd = fd_close(guard->statm_fd);
		return r;
	}
	watch_faults(guard);
	*ret_guard = guard;
	return 0;
}

void guard_close(struct guard *guard)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	if (!guard)
		return;
	guard->at_work = 0;
	(void)setitimer(ITIMER_VIRTUAL, &never, NULL);
	leave_faults(guard);
	guard->statm_fd = fd_close(guard->statm_fd);
}

static void explain(struct guard *guard, const struct note *note, const char *what, const char *where)
{
	char bound[QUANTITY_TEXT_SIZE];

	if (note->verdict == GUARD_FAULT)
		weir_reject(guard->context,
			    "%s made its worker crash: the log says where; a value nested very deep does that", what);
	else if (note->verdict == GUARD_MEMORY)
		weir_reject(guard->context, "%s took more memory than memory: %s allows%s", what,
			    quantity_format_size(guard->settings.memory_bytes, bound), where);
	else
		weir_reject(guard->context, "%s was still at work when %s was over%s", what,
			    note->cause == WEIR_CAUSE_ITEM_DEADLINE ? "the stage's deadline" : "the run of its item",
			    where);
}

bool guard_recalls(struct guard *guard, const struct weir_item *item, const char *what)
{
	const struct note *note = &guard->note;

	if (!item->attempt || note->verdict == GUARD_NONE || note->sequence != item->sequence ||
	    note->accepted_ns != item->accepted_ns || note->input != item->input)
		return false;
	explain(guard, note, what, ", in a function that can't be stopped; its worker was ended");
	return true;
}

void guard_begin(struct guard *guard, const struct weir_item *item)
{
	struct weir_budget budget = weir_budget_of(guard->context);

	guard->deadline_ns = budget.deadline_ns;
	guard->hand = (struct note){ .magic = NOTE_MAGIC,
				     .sequence = item->sequence,
				     .accepted_ns = item->accepted_ns,
				     .input = item->input,
				     .cause = (uint32_t)budget.cause };
	guard->verdict = GUARD_NONE;
	guard->n_ticks = guard->n_stuck = 0;
	atomic_signal_fence(memory_order_release); /* the handler runs in this thread */
	guard->at_work = 1;
}

enum guard_verdict guard_end(struct guard *guard)
{
	guard->at_work = 0;
	return (enum guard_verdict)guard->verdict;
}

enum guard_verdict guard_look(struct guard *guard)
{
	if (guard->verdict == GUARD_NONE)
		guard->verdict = judge(guard);
	return (enum guard_verdict)guard->verdict;
}

enum guard_verdict guard_verdict(const struct guard *guard)
{
	return guard ? (enum guard_verdict)guard->verdict : GUARD_NONE;
}

int guard_answer(struct guard *guard, enum guard_verdict verdict, const char *what)
{
	if (verdict == GUARD_CANCELLED)
		return WEIR_CANCELLED;
	if (verdict == GUARD_DEADLINE)
		weir_overran(guard->context);
	guard->hand.verdict = (uint32_t)verdict;
	explain(guard, &guard->hand, what, "");
	return WEIR_REJECTED;
}
