/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who goes next, and every other answer too.
 *
 *      execution 1:   0 0 0 0 0 0      choices: which thread, which store a load returns, whether and how a kill strikes
 *      execution 2:   0 0 0 0 0 1      the last one that has another answer is changed, what follows begins anew
 *      execution 3:   0 0 0 0 1        ... until none has
 *
 * Threads are coroutines; each execution starts from nothing and repeats its prefix. A thread stops before each
 * visible operation and says what it is, so two operations that touch different words need not be tried in both
 * orders: a thread whose next operation was already tried from here sleeps until one that depends on it has been made
 * (sleep sets). With a bound on preemptions there are no sleep sets: the two don't go together.
 *
 * A death ends no scheduling step of its own: what peers do between a thread's last store and its death, they can as
 * well do between its death and the repair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "tests/explore/explore.h"

#define STACK_SIZE 131072u
#define NODES_MAX 8192u
#define STEPS_MAX 20000u

enum state { THREAD_NEW, THREAD_RUNS, THREAD_DEAD, THREAD_ENDED };
enum outcome { OUTCOME_NONE, OUTCOME_END, OUTCOME_PRUNED, OUTCOME_VIOLATION };

struct coroutine {
	enum state state;
	bool reaped;
	struct operation operation;
	jmp_buf environment;
	ucontext_t context;
	unsigned char *stack;
};

struct node {
	unsigned n, chosen;
	unsigned threads[THREADS_MAX]; /* of a node that chooses a thread */
};

int schedule_self = -1;
bool schedule_tells;

static struct coroutine coroutines[THREADS_MAX];
static const struct explore_program *program;
static struct node nodes[NODES_MAX];
static unsigned n_nodes, position, n_steps;
static int preemptions;
static unsigned asleep; /* threads, by bit */
static jmp_buf main_environment;
static const char *violation;

noreturn void explore_fail(const char *what)
{
	violation = what;
	if (schedule_self < 0) {
		fprintf(stderr, "explore: %s\n", what);
		exit(2);
	}
	_longjmp(main_environment, OUTCOME_VIOLATION);
}

void schedule_tell(const char *format, ...)
{
	va_list arguments;

	printf("  %-12s", schedule_self < 0 ? "-" : program->threads[schedule_self].name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

/* ---- choices ---- */

static struct node *next_node(void)
{
	if (position == NODES_MAX)
		explore_fail("explorer: too many choices in one execution");
	return &nodes[position++];
}

unsigned schedule_choose(unsigned (*count)(void))
{
	bool repeated = position < n_nodes;
	struct node *node = next_node();

	if (!repeated) {
		*node = (struct node){ .n = count() };
		n_nodes = position;
	}
	return node->chosen;
}

/* Goes to the next execution. False: there is none. */
static bool advance(void)
{
	while (n_nodes && nodes[n_nodes - 1].chosen + 1 >= nodes[n_nodes - 1].n)
		n_nodes--;
	if (!n_nodes)
		return false;
	nodes[n_nodes - 1].chosen++;
	return true;
}

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static void write_trace(char *text, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < position && i < n_nodes && i + 1 < size; i++) {
		text[i] = digits[nodes[i].chosen % (sizeof(digits) - 1)];
		if (nodes[i].chosen)
			length = i + 1;
	}
	text[length] = '\0';
	if (!length)
		memcpy(text, "0", 2);
}

/* ---- threads ---- */

static bool enabled(unsigned thread)
{
	const struct coroutine *coroutine = &coroutines[thread];
	const struct operation *operation = &coroutine->operation;
	bool all_ended = true;

	if (coroutine->state != THREAD_NEW && coroutine->state != THREAD_RUNS)
		return false;
	if (operation->kind != OPERATION_DEATH)
		return machine_ready(thread, operation);
	for (unsigned i = 0; i < program->n_threads; i++) {
		if (!(operation->thread_mask >> i & 1))
			continue;
		if (coroutines[i].state == THREAD_DEAD && !coroutines[i].reaped)
			return true;
		all_ended &= coroutines[i].state == THREAD_ENDED;
	}
	return all_ended;
}

static bool dependent(const struct operation *a, const struct operation *b)
{
	if (a->kind == OPERATION_LOCAL || b->kind == OPERATION_LOCAL)
		return false;
	if (a->kind == OPERATION_DEATH || b->kind == OPERATION_DEATH)
		return true;
	if (a->kind == OPERATION_PAUSE || b->kind == OPERATION_PAUSE)
		return a->kind == OPERATION_STORE || b->kind == OPERATION_STORE;
	if (a->kind == OPERATION_SC_FENCE || b->kind == OPERATION_SC_FENCE)
		return a->kind == b->kind;
	if (a->kind == OPERATION_DEVICE || b->kind == OPERATION_DEVICE)
		return a->kind == b->kind && a->word == b->word;
	return a->word == b->word && (a->kind == OPERATION_STORE || b->kind == OPERATION_STORE);
}

/* Those that still sleep after this operation. */
static unsigned still_asleep(unsigned sleepers, unsigned thread)
{
	for (unsigned i = 0; i < program->n_threads; i++)
		if (i == thread || dependent(&coroutines[i].operation, &coroutines[thread].operation))
			sleepers &= ~(1u << i);
	return sleepers;
}

static unsigned choose_thread(const unsigned *candidates, unsigned n)
{
	bool repeated = position < n_nodes;
	struct node *node;

	if (n == 1) {
		asleep = still_asleep(asleep, candidates[0]);
		return candidates[0];
	}
	node = next_node();
	if (!repeated) {
		*node = (struct node){ .n = n };
		memcpy(node->threads, candidates, n * sizeof(*candidates));
		n_nodes = position;
	} else if (node->n && node->n != n)
		explore_fail("explorer: an execution did not repeat itself");
	else {
		node->n = n;
		memcpy(node->threads, candidates, n * sizeof(*candidates));
	}
	if (program->preemptions < 0)
		for (unsigned i = 0; i < node->chosen; i++)
			asleep |= 1u << node->threads[i];
	asleep = still_asleep(asleep, node->threads[node->chosen]);
	return node->threads[node->chosen];
}

/* Nobody can move. */
static noreturn void finish(bool pruned)
{
	for (unsigned i = 0; i < program->n_threads && !pruned; i++)
		if (coroutines[i].state == THREAD_NEW || coroutines[i].state == THREAD_RUNS) {
			violation = coroutines[i].operation.kind == OPERATION_DEVICE ?
					    "a sleep beside work: nobody will ring" :
					    "a thread waits for a store that nobody will make";
			_longjmp(main_environment, OUTCOME_VIOLATION);
		}
	_longjmp(main_environment, pruned ? OUTCOME_PRUNED : OUTCOME_END);
}

static unsigned pick(void)
{
	unsigned candidates[THREADS_MAX], n = 0, n_enabled = 0;
	bool self_enabled = schedule_self >= 0 && enabled((unsigned)schedule_self);

	if (++n_steps > STEPS_MAX)
		explore_fail("no end: the threads keep each other busy without getting on");
	for (unsigned i = 0; i < program->n_threads; i++)
		if (enabled(i) && coroutines[i].operation.kind == OPERATION_LOCAL)
			return i; /* nobody can tell when it is made */
	if (self_enabled && program->preemptions >= 0 && preemptions >= program->preemptions)
		return (unsigned)schedule_self;
	for (unsigned i = 0; i < program->n_threads; i++) {
		unsigned thread = schedule_self < 0 ? i : ((unsigned)schedule_self + i) % program->n_threads;

		if (!enabled(thread))
			continue;
		n_enabled++;
		if (!(asleep >> thread & 1))
			candidates[n++] = thread;
	}
	if (!n)
		finish(n_enabled > 0);
	n_enabled = choose_thread(candidates, n);
	if (self_enabled && n_enabled != (unsigned)schedule_self)
		preemptions++;
	return n_enabled;
}

static void enter(void)
{
	unsigned self = (unsigned)schedule_self;

	program->threads[self].body(self);
	machine_end();
	coroutines[self].state = THREAD_ENDED;
	coroutines[self].operation = (struct operation){ .kind = OPERATION_LOCAL };
	asleep = 0; /* whoever waits for deaths may go on */
	schedule_die();
}

static noreturn void go(unsigned thread)
{
	struct coroutine *coroutine = &coroutines[thread];

	schedule_self = (int)thread;
	if (coroutine->state != THREAD_NEW)
		_longjmp(coroutine->environment, 1);
	coroutine->state = THREAD_RUNS;
	getcontext(&coroutine->context);
	coroutine->context.uc_stack.ss_sp = coroutine->stack;
	coroutine->context.uc_stack.ss_size = STACK_SIZE;
	makecontext(&coroutine->context, enter, 0);
	setcontext(&coroutine->context);
	abort();
}

void schedule_point(struct operation operation)
{
	struct coroutine *self = &coroutines[schedule_self];
	unsigned next;

	self->operation = operation;
	next = pick();
	if (next != (unsigned)schedule_self && !_setjmp(self->environment))
		go(next);
}

noreturn void schedule_die(void)
{
	struct coroutine *self = &coroutines[schedule_self];

	if (self->state == THREAD_RUNS) {
		self->state = THREAD_DEAD;
		self->reaped = false;
		asleep = 0;
	}
	schedule_self = -1;
	go(pick());
}

bool schedule_dead(unsigned thread)
{
	return coroutines[thread].state == THREAD_DEAD || coroutines[thread].state == THREAD_ENDED;
}

int schedule_reap(unsigned thread_mask)
{
	for (unsigned i = 0; i < program->n_threads; i++)
		if (thread_mask >> i & 1 && coroutines[i].state == THREAD_DEAD && !coroutines[i].reaped) {
			coroutines[i].reaped = true;
			return (int)i;
		}
	return -1;
}

void schedule_revive(unsigned thread)
{
	coroutines[thread].state = THREAD_NEW;
	coroutines[thread].operation = (struct operation){ .kind = OPERATION_LOCAL };
}

/* ---- executions ---- */

static enum outcome execute(bool strong)
{
	int outcome;

	position = 0;
	n_steps = 0;
	preemptions = 0;
	asleep = 0;
	violation = NULL;
	schedule_self = -1;
	machine_reset(program, strong);
	for (unsigned i = 0; i < program->n_threads; i++) {
		coroutines[i].state = program->threads[i].body ? THREAD_NEW : THREAD_ENDED;
		coroutines[i].operation = (struct operation){ .kind = OPERATION_LOCAL };
		if (!coroutines[i].stack)
			coroutines[i].stack = malloc(STACK_SIZE);
		if (!coroutines[i].stack)
			abort();
	}
	outcome = _setjmp(main_environment);
	if (!outcome)
		go(pick());
	schedule_self = -1;
	if (outcome == OUTCOME_END && program->at_end)
		violation = program->at_end();
	return violation ? OUTCOME_VIOLATION : (enum outcome)outcome;
}

static void load_trace(const char *text)
{
	n_nodes = 0;
	for (; *text && n_nodes < NODES_MAX; text++) {
		const char *digit = strchr(digits, *text);

		nodes[n_nodes++] = (struct node){ .chosen = digit ? (unsigned)(digit - digits) : 0 };
	}
}

struct explore_result explore_run(const struct explore_program *run, bool strong, const char *replay)
{
	struct explore_result result = { 0 };

	program = run;
	n_nodes = 0;
	schedule_tells = replay != NULL;
	if (replay)
		load_trace(replay);
	do {
		enum outcome outcome = execute(strong);

		result.executions++;
		result.pruned += outcome == OUTCOME_PRUNED;
		if (outcome != OUTCOME_VIOLATION)
			continue;
		result.violation = violation;
		write_trace(result.trace, sizeof(result.trace));
		return result;
	} while (!replay && (!program->executions_max || result.executions < program->executions_max) && advance());
	result.exhausted = !n_nodes;
	return result;
}
