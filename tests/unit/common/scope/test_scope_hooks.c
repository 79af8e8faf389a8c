/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <weir/scope.h>

#include "common/base/atomic.h"

/* What the hooks have written, a letter each. */
static char trace[64];

struct lettered {
	struct weir_scope_hook hook;
	char letter;
	enum weir_cause cause;
};

static void write_letter(void *data, enum weir_cause cause)
{
	struct lettered *lettered = data;
	size_t length = strlen(trace);

	trace[length] = lettered->letter;
	trace[length + 1] = '\0';
	lettered->cause = cause;
}

static struct lettered lettered_of(char letter)
{
	return (struct lettered){ .hook = { .function = write_letter }, .letter = letter };
}

static int add(struct weir_scope *scope, struct lettered *lettered)
{
	lettered->hook.data = lettered;
	return weir_scope_hook(scope, &lettered->hook);
}

static struct weir_scope *new_scope(struct weir_scope *parent)
{
	struct weir_scope *scope = NULL;

	assert_int_equal(weir_scope_new(parent, NULL, &scope), 0);
	return scope;
}

static int setup(void **state)
{
	(void)state;
	trace[0] = '\0';
	return 0;
}

static void test_last_in_first_out_once(void **state)
{
	struct weir_scope *top = new_scope(NULL), *left = new_scope(top), *right = new_scope(top);
	struct lettered a = lettered_of('a'), b = lettered_of('b'), l = lettered_of('l'), m = lettered_of('m'),
			r = lettered_of('r');

	(void)state;
	assert_int_equal(add(top, &a), WEIR_OK);
	add(left, &l);
	add(left, &m);
	add(right, &r);
	add(top, &b);
	assert_string_equal(trace, "");
	weir_scope_cancel(top, WEIR_CAUSE_ADMISSION);
	assert_string_equal(trace, "rmlba");
	assert_int_equal(l.cause, WEIR_CAUSE_ADMISSION);
	weir_scope_cancel(top, WEIR_CAUSE_USER);
	weir_scope_check(left);
	assert_string_equal(trace, "rmlba");
	weir_scope_free(top);
}

static void test_a_late_one_runs_at_once(void **state)
{
	struct weir_scope *scope = new_scope(NULL);
	struct lettered a = lettered_of('a');

	(void)state;
	weir_scope_cancel(scope, WEIR_CAUSE_CONFIG);
	assert_int_equal(add(scope, &a), WEIR_CANCELLED);
	assert_string_equal(trace, "a");
	assert_int_equal(a.cause, WEIR_CAUSE_CONFIG);
	assert_int_equal(weir_scope_unhook(scope, &a.hook), WEIR_CANCELLED);
	weir_scope_free(scope);
}

static void test_removed_ones_do_not_run(void **state)
{
	struct weir_scope *scope = new_scope(NULL);
	struct lettered a = lettered_of('a'), b = lettered_of('b'), c = lettered_of('c');

	(void)state;
	add(scope, &a);
	add(scope, &b);
	add(scope, &c);
	assert_int_equal(weir_scope_unhook(scope, &b.hook), WEIR_OK);
	assert_int_equal(weir_scope_unhook(scope, &b.hook), WEIR_OK); /* it is not there */
	weir_scope_cancel(scope, WEIR_CAUSE_USER);
	assert_string_equal(trace, "ca");
	assert_int_equal(weir_scope_unhook(scope, &a.hook), WEIR_CANCELLED);
	weir_scope_free(scope);
}

/* What has not been cancelled is freed without a word; its hooks may be used again. */
static void test_freed_ones_do_not_run(void **state)
{
	struct weir_scope *top = new_scope(NULL), *child = new_scope(top);
	struct lettered a = lettered_of('a'), b = lettered_of('b');

	(void)state;
	add(child, &a);
	add(top, &b);
	weir_scope_free(child);
	weir_scope_cancel(top, WEIR_CAUSE_USER);
	assert_string_equal(trace, "b");
	assert_int_equal(add(top, &a), WEIR_CANCELLED);
	assert_string_equal(trace, "ba");
	weir_scope_free(top);
}

struct nested {
	struct weir_scope *top;
	struct lettered late;
	struct weir_scope_hook hook;
	int unhooked;
};

static void do_everything(void *data, enum weir_cause cause)
{
	struct nested *nested = data;

	assert_int_equal(weir_scope_cancel(nested->top, WEIR_CAUSE_USER), WEIR_OK);
	assert_int_equal(add(nested->top, &nested->late), WEIR_CANCELLED);
	nested->unhooked = weir_scope_unhook(nested->top, &nested->hook);
	assert_int_equal(cause, WEIR_CAUSE_CONFIG);
}

/* A hook may cancel more, add hooks, and remove itself. */
static void test_a_hook_uses_scopes(void **state)
{
	struct nested nested = { .top = new_scope(NULL), .late = lettered_of('z') };
	struct weir_scope *child = new_scope(nested.top);
	struct lettered a = lettered_of('a');

	(void)state;
	nested.hook = (struct weir_scope_hook){ .function = do_everything, .data = &nested };
	add(nested.top, &a);
	weir_scope_hook(child, &nested.hook);
	weir_scope_cancel(child, WEIR_CAUSE_CONFIG);
	assert_string_equal(trace, "az");
	assert_int_equal(nested.unhooked, WEIR_CANCELLED);
	weir_scope_free(nested.top);
}

/* ---- threads ---- */

static atomic_u32 step;

static void wait_for_step(uint32_t number)
{
	while (atomic_load(&step) < number)
		cpu_relax();
}

static void run_long(void *data, enum weir_cause cause)
{
	(void)cause;
	atomic_store(&step, 1);
	for (volatile int i = 0; i < 2000000; i++)
		;
	*(int *)data = 1; /* plain: unhook() and free() have to order it */
}

static void *cancel_thread(void *data)
{
	weir_scope_cancel(data, WEIR_CAUSE_USER);
	return NULL;
}

static void test_unhook_waits_for_one_that_runs(void **state)
{
	struct weir_scope *scope = new_scope(NULL);
	int done = 0;
	struct weir_scope_hook hook = { .function = run_long, .data = &done };
	pthread_t thread;

	(void)state;
	atomic_store(&step, 0);
	weir_scope_hook(scope, &hook);
	pthread_create(&thread, NULL, cancel_thread, scope);
	wait_for_step(1);
	assert_int_equal(weir_scope_unhook(scope, &hook), WEIR_CANCELLED);
	assert_int_equal(done, 1);
	pthread_join(thread, NULL);
	weir_scope_free(scope);
}

static void test_free_waits_for_one_that_runs(void **state)
{
	struct weir_scope *top = new_scope(NULL), *child = new_scope(top);
	int done = 0;
	struct weir_scope_hook hook = { .function = run_long, .data = &done };
	pthread_t thread;

	(void)state;
	atomic_store(&step, 0);
	weir_scope_hook(child, &hook);
	pthread_create(&thread, NULL, cancel_thread, top);
	wait_for_step(1);
	weir_scope_free(child);
	assert_int_equal(done, 1);
	pthread_join(thread, NULL);
	weir_scope_free(top);
}

static void count_up(void *data, enum weir_cause cause)
{
	(void)cause;
	atomic_fetch_add((atomic_u32 *)data, 1);
}

/* Hooks come and go while others cancel: each that was not removed has run once. */
static void test_a_race_of_hooks_and_cancels(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct weir_scope *top = new_scope(NULL), *child = new_scope(top);
		struct weir_scope_hook hooks[8];
		atomic_u32 n = 0;
		uint32_t n_removed = 0;
		pthread_t threads[2];

		for (int i = 0; i < 4; i++) {
			hooks[i] = (struct weir_scope_hook){ .function = count_up, .data = &n };
			weir_scope_hook(i & 1 ? top : child, &hooks[i]);
		}
		pthread_create(&threads[0], NULL, cancel_thread, child);
		pthread_create(&threads[1], NULL, cancel_thread, top);
		for (int i = 4; i < 8; i++) {
			hooks[i] = (struct weir_scope_hook){ .function = count_up, .data = &n };
			(void)weir_scope_hook(i & 1 ? top : child, &hooks[i]);
		}
		for (int i = 0; i < 8; i += 3)
			n_removed += weir_scope_unhook(i & 1 ? top : child, &hooks[i]) == WEIR_OK;
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		weir_scope_free(top);
		assert_int_equal(atomic_load(&n) + n_removed, 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_last_in_first_out_once, setup),
		cmocka_unit_test_setup(test_a_late_one_runs_at_once, setup),
		cmocka_unit_test_setup(test_removed_ones_do_not_run, setup),
		cmocka_unit_test_setup(test_freed_ones_do_not_run, setup),
		cmocka_unit_test_setup(test_a_hook_uses_scopes, setup),
		cmocka_unit_test(test_unhook_waits_for_one_that_runs),
		cmocka_unit_test(test_free_waits_for_one_that_runs),
		cmocka_unit_test(test_a_race_of_hooks_and_cancels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
