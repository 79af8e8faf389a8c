/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/status.h>

#include "common/base/atomic.h"
#include "common/base/clock.h"
#include "common/scope/scope.h"

#define OWN WEIR_CAUSE_USER

static struct weir_scope *new_scope(struct weir_scope *parent)
{
	struct weir_scope *scope = NULL;

	assert_int_equal(weir_scope_new(parent, NULL, &scope), 0);
	return scope;
}

static bool readable(int fd, int wait_ms)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	assert_true(fd >= 0);
	return poll(&one, 1, wait_ms) == 1;
}

/* ---- trees ---- */

static void test_a_cancel_goes_down_and_never_up(void **state)
{
	struct weir_scope *top = new_scope(NULL), *left = new_scope(top), *right = new_scope(top);
	struct weir_scope *leaf = new_scope(left);

	(void)state;
	assert_false(weir_scope_done(top) || weir_scope_done(leaf));
	assert_int_equal(weir_scope_cancel(left, WEIR_CAUSE_ADMISSION), WEIR_OK);
	assert_true(weir_scope_done(left) && weir_scope_done(leaf));
	assert_int_equal(weir_scope_cause(leaf), WEIR_CAUSE_ADMISSION);
	assert_false(weir_scope_done(top) || weir_scope_done(right));
	assert_int_equal(weir_scope_cancel(top, WEIR_CAUSE_CONFIG), WEIR_OK);
	assert_int_equal(weir_scope_cause(right), WEIR_CAUSE_CONFIG);
	assert_int_equal(weir_scope_cause(leaf), WEIR_CAUSE_ADMISSION);
	assert_null(weir_scope_free(top));
}

static void test_the_first_cause_wins(void **state)
{
	struct weir_scope *scope = new_scope(NULL);

	(void)state;
	assert_int_equal(weir_scope_cause(scope), WEIR_CAUSE_NONE);
	assert_int_equal(weir_scope_check(scope), WEIR_OK);
	assert_int_equal(weir_scope_cancel(scope, WEIR_CAUSE_NONE), -EINVAL);
	assert_int_equal(weir_scope_cancel(scope, (enum weir_cause)99), -EINVAL);
	assert_false(weir_scope_done(scope));
	assert_int_equal(weir_scope_cancel(scope, WEIR_CAUSE_UPSTREAM_LOST), WEIR_OK);
	assert_int_equal(weir_scope_cancel(scope, WEIR_CAUSE_USER), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(scope), WEIR_CAUSE_UPSTREAM_LOST);
	assert_int_equal(weir_scope_check(scope), WEIR_CANCELLED);
	weir_scope_free(scope);
}

static void test_born_below_a_cancelled_one(void **state)
{
	struct weir_scope *top = new_scope(NULL), *late;

	(void)state;
	weir_scope_cancel(top, WEIR_CAUSE_CONFIG);
	late = new_scope(top);
	assert_true(weir_scope_done(late));
	assert_int_equal(weir_scope_cause(late), WEIR_CAUSE_CONFIG);
	assert_true(readable(weir_scope_fd(late), 0));
	weir_scope_free(top);
}

/* In any order; the checker for leaks sees the rest. */
static void test_trees_are_freed_in_any_order(void **state)
{
	struct weir_scope *top = new_scope(NULL), *scopes[20];

	(void)state;
	for (int i = 0; i < 20; i++)
		scopes[i] = new_scope(i < 3 ? top : scopes[i / 3]);
	weir_scope_free(scopes[19]);
	weir_scope_free(scopes[1]); /* with 3, 4, 5 and those below them */
	weir_scope_free(scopes[8]);
	assert_int_equal(weir_scope_cancel(top, OWN), WEIR_OK);
	assert_true(weir_scope_done(scopes[2]) && weir_scope_done(scopes[7]));
	weir_scope_free(scopes[2]);
	assert_null(weir_scope_free(NULL));
	weir_scope_free(top);
}

/* No recursion: a chain as deep as one likes. */
static void test_a_deep_chain(void **state)
{
	struct weir_scope *top = new_scope(NULL), *scope = top;

	(void)state;
	for (int i = 0; i < 100000; i++)
		scope = new_scope(scope);
	weir_scope_cancel(top, OWN);
	assert_true(weir_scope_done(scope));
	weir_scope_free(top);
}

static void test_names_of_causes(void **state)
{
	(void)state;
	assert_string_equal(weir_cause_name(WEIR_CAUSE_ITEM_DEADLINE), "item_deadline");
	assert_string_equal(weir_cause_name(WEIR_CAUSE_CONFIG), "config");
	assert_string_equal(weir_cause_name((enum weir_cause)77), "?");
}

/* ---- below a worker ---- */

struct board_words {
	atomic_u32 order, cause;
	int fd;
	struct weir_scope *root;
};

static void board_open(struct board_words *board)
{
	struct scope_order order = { .word = (const uint32_t *)&board->order,
				     .cause = (const uint32_t *)&board->cause };

	order.fd = board->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(weir_scope_root_new(&order, &board->root), 0);
}

static void board_cancel(struct board_words *board, enum weir_cause cause)
{
	store_relaxed(&board->cause, (uint32_t)cause);
	store_release(&board->order, WEIR_SCOPE_ORDER_CANCEL);
	assert_int_equal(eventfd_write(board->fd, 1), 0);
}

static void board_close(struct board_words *board)
{
	assert_null(weir_scope_root_free(board->root));
	close(board->fd);
}

/* Nobody has called anything in between. */
static void test_an_order_is_seen_by_the_test_alone(void **state)
{
	struct board_words board = { 0 };
	struct weir_scope *child, *grandchild;

	(void)state;
	board_open(&board);
	child = new_scope(board.root);
	grandchild = new_scope(child);
	store_release(&board.order, 2); /* drain: no matter of scopes */
	assert_false(weir_scope_done(board.root) || weir_scope_done(grandchild));
	board_cancel(&board, WEIR_CAUSE_DRAIN_DEADLINE);
	assert_true(weir_scope_done(board.root) && weir_scope_done(grandchild));
	assert_int_equal(weir_scope_cause(grandchild), WEIR_CAUSE_DRAIN_DEADLINE);
	store_relaxed(&board.cause, WEIR_CAUSE_USER); /* what comes later changes nothing */
	assert_int_equal(weir_scope_cause(child), WEIR_CAUSE_DRAIN_DEADLINE);
	board_close(&board);
}

static void test_an_order_beats_a_later_cancel(void **state)
{
	struct board_words board = { 0 };
	struct weir_scope *child, *early;

	(void)state;
	board_open(&board);
	child = new_scope(board.root);
	early = new_scope(board.root);
	assert_int_equal(weir_scope_cancel(early, WEIR_CAUSE_ITEM_DEADLINE), WEIR_OK);
	board_cancel(&board, WEIR_CAUSE_SIBLING_FAILED);
	assert_int_equal(weir_scope_cancel(child, WEIR_CAUSE_USER), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(child), WEIR_CAUSE_SIBLING_FAILED);
	assert_int_equal(weir_scope_cause(early), WEIR_CAUSE_ITEM_DEADLINE);
	board_close(&board);
}

static void test_an_order_without_a_good_cause(void **state)
{
	struct board_words board = { 0 };

	(void)state;
	board_open(&board);
	board_cancel(&board, (enum weir_cause)4711);
	assert_int_equal(weir_scope_cause(board.root), WEIR_CAUSE_USER);
	board_close(&board);
}

static void test_the_workers_own_scope_is_not_the_stages(void **state)
{
	struct board_words board = { 0 };

	(void)state;
	board_open(&board);
	assert_int_equal(weir_scope_cancel(board.root, OWN), -EPERM);
	assert_null(weir_scope_free(board.root));
	assert_false(weir_scope_done(board.root));
	board_close(&board);
}

/* ---- descriptors ---- */

static void test_a_descriptor_is_readable_for_ever(void **state)
{
	struct weir_scope *top = new_scope(NULL), *child = new_scope(top);
	int fd = weir_scope_fd(child), late;

	(void)state;
	assert_int_equal(weir_scope_fd(child), fd);
	assert_false(readable(fd, 0));
	weir_scope_cancel(top, OWN);
	for (int i = 0; i < 3; i++)
		assert_true(readable(fd, 0));
	late = weir_scope_fd(top);
	assert_true(readable(late, 0));
	weir_scope_free(top);
}

/* The kernel does it: no call of this process comes between. */
static void test_the_order_and_the_time_make_it_readable(void **state)
{
	struct board_words board = { 0 };
	const struct weir_budget soon = weir_budget_within(NULL, 30 * NS_PER_MS);
	struct weir_scope *child, *timed;
	int child_fd, timed_fd, event_fd;

	(void)state;
	board_open(&board);
	child = new_scope(board.root);
	assert_int_equal(weir_scope_new(child, &soon, &timed), 0);
	child_fd = weir_scope_fd(child);
	timed_fd = weir_scope_fd(timed);
	event_fd = weir_scope_event_fd(child);
	assert_true(readable(timed_fd, 10000));
	assert_false(readable(child_fd, 0));
	board_cancel(&board, OWN);
	assert_true(readable(child_fd, 0));
	assert_false(readable(event_fd, 0)); /* for those who hear of orders otherwise */
	assert_true(readable(weir_scope_fd(board.root), 0));
	assert_int_equal(weir_scope_check(board.root), WEIR_CANCELLED);
	assert_true(readable(event_fd, 0));
	board_close(&board);
}

/* ---- deadlines ---- */

static void test_the_highest_overdue_scope_is_cancelled(void **state)
{
	const struct weir_budget past = weir_budget_at(NULL, 1), later = weir_budget_within(NULL, 3600 * NS_PER_S);
	struct weir_scope *top, *mid, *leaf, *sibling;

	(void)state;
	assert_int_equal(weir_scope_new(NULL, &later, &top), 0);
	assert_int_equal(weir_scope_new(top, &past, &mid), 0);
	assert_int_equal(weir_scope_new(mid, &later, &leaf), 0); /* no extension */
	sibling = new_scope(mid);
	assert_int_equal(weir_scope_budget(leaf).deadline_ns, 1);
	assert_int_equal(weir_scope_budget(top).deadline_ns, later.deadline_ns);
	assert_false(weir_scope_done(leaf)); /* reads no clock */
	assert_int_equal(weir_scope_check(leaf), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(leaf), WEIR_CAUSE_ITEM_DEADLINE);
	assert_true(weir_scope_done(mid) && weir_scope_done(sibling));
	assert_int_equal(weir_scope_check(top), WEIR_OK);
	weir_scope_free(top);
}

static void count_one(void *data)
{
	++*(int *)data;
}

static void test_a_deadline_brings_its_cause_and_its_expiry(void **state)
{
	int n = 0;
	struct weir_expiry expiry = { .function = count_one, .data = &n };
	struct weir_budget run = weir_budget_at(NULL, 5);
	struct weir_scope *top, *child;

	(void)state;
	run.cause = WEIR_CAUSE_RUN_DEADLINE;
	run.expiry = &expiry;
	assert_int_equal(weir_scope_new(NULL, &run, &top), 0);
	child = new_scope(top);
	assert_int_equal(weir_scope_check(child), WEIR_CANCELLED);
	assert_int_equal(weir_scope_check(top), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(child), WEIR_CAUSE_RUN_DEADLINE);
	assert_int_equal(n, 1);
	weir_scope_free(top);
}

/* ---- fork ---- */

static void test_a_child_process_leaves_scopes_alone(void **state)
{
	struct weir_scope *scope = new_scope(NULL);
	struct weir_scope_hook hook = { .function = NULL };
	int fd = weir_scope_fd(scope), status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct weir_scope *other;
		bool good = weir_scope_cancel(scope, OWN) == -EPERM && weir_scope_hook(scope, &hook) == -EPERM &&
			    weir_scope_unhook(scope, &hook) == -EPERM && weir_scope_fd(scope) == -EPERM &&
			    weir_scope_new(scope, NULL, &other) == -EPERM && weir_scope_check(scope) == WEIR_OK &&
			    weir_scope_cause(scope) == WEIR_CAUSE_NONE && !weir_scope_free(scope) &&
			    !weir_scope_done(scope);

		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(readable(fd, 0));
	assert_false(weir_scope_done(scope));
	weir_scope_free(scope);
}

/* ---- threads ---- */

#define THREADS 4

struct race {
	struct weir_scope *top, *leaf[THREADS];
	enum weir_cause seen[THREADS];
	uint32_t turn;
};

struct racer {
	struct race *race;
	int number;
	int won;
};

static void *race_thread(void *data)
{
	struct racer *racer = data;
	struct race *race = racer->race;
	struct weir_scope *leaf = race->leaf[racer->number];

	for (int i = 0; i < 50; i++)
		weir_scope_free(new_scope(leaf));
	if (racer->number >= 2)
		racer->won = weir_scope_cancel(race->top, (enum weir_cause)(racer->number)) == WEIR_OK;
	while (!weir_scope_done(leaf))
		cpu_relax();
	assert_true(readable(weir_scope_fd(leaf), 10000));
	race->seen[racer->number] = weir_scope_cause(leaf);
	return NULL;
}

/* Two cancel, four see it, all name the same cause, and exactly one was the first. */
static void test_many_threads_agree(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		struct race race = { .top = new_scope(NULL) };
		struct racer racers[THREADS];
		pthread_t threads[THREADS];
		int n_won = 0;

		for (int i = 0; i < THREADS; i++)
			race.leaf[i] = new_scope(race.top);
		for (int i = 0; i < THREADS; i++) {
			racers[i] = (struct racer){ .race = &race, .number = i };
			assert_int_equal(pthread_create(&threads[i], NULL, race_thread, &racers[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			n_won += racers[i].won;
		}
		assert_int_equal(n_won, 1);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(race.seen[i], weir_scope_cause(race.top));
		weir_scope_free(race.top);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_cancel_goes_down_and_never_up),
		cmocka_unit_test(test_the_first_cause_wins),
		cmocka_unit_test(test_born_below_a_cancelled_one),
		cmocka_unit_test(test_trees_are_freed_in_any_order),
		cmocka_unit_test(test_a_deep_chain),
		cmocka_unit_test(test_names_of_causes),
		cmocka_unit_test(test_an_order_is_seen_by_the_test_alone),
		cmocka_unit_test(test_an_order_beats_a_later_cancel),
		cmocka_unit_test(test_an_order_without_a_good_cause),
		cmocka_unit_test(test_the_workers_own_scope_is_not_the_stages),
		cmocka_unit_test(test_a_descriptor_is_readable_for_ever),
		cmocka_unit_test(test_the_order_and_the_time_make_it_readable),
		cmocka_unit_test(test_the_highest_overdue_scope_is_cancelled),
		cmocka_unit_test(test_a_deadline_brings_its_cause_and_its_expiry),
		cmocka_unit_test(test_a_child_process_leaves_scopes_alone),
		cmocka_unit_test(test_many_threads_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
