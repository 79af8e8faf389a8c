/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/process_state.h"

static pid_t fork_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) S 1 (b"); /* what a name may look like */
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static char state_after(pid_t pid, char wanted)
{
	uint64_t starved_ns;
	char state = 0;

	for (unsigned i = 0; i < 3000 && state != wanted; i++, usleep(10000))
		state = process_state(pid, &starved_ns);
	return state;
}

static void test_states(void **state)
{
	pid_t pid = fork_sleeper();
	char name[PROCESS_NAME_SIZE], where[32] = "?";
	uint64_t starved_ns;

	(void)state;
	assert_int_equal(process_state(getpid(), &starved_ns), 'R');
	assert_int_equal(state_after(pid, 'S'), 'S');
	process_where(pid, where, sizeof(where));
	assert_string_not_equal(where, "?");
	if (process_child(getpid(), name) != 0) { /* a kernel may not tell */
		assert_int_equal(process_child(getpid(), name), pid);
		assert_string_equal(name, "a) S 1 (b");
	}
	kill(pid, SIGSTOP);
	assert_int_equal(state_after(pid, 'T'), 'T');
	kill(pid, SIGKILL);
	assert_int_equal(state_after(pid, 'Z'), 'Z');
	waitpid(pid, NULL, 0);
	assert_int_equal(process_state(pid, &starved_ns), 0);
	assert_int_equal(process_child(pid, name), 0);
}

/* A name may hold what looks like fields; the ticks grow from one process to a later one, or stay. */
static void test_when_it_began(void **state)
{
	pid_t pid = fork_sleeper();
	uint64_t ticks = process_began_ticks(pid);

	(void)state;
	assert_true(ticks > 0);
	assert_int_equal(process_began_ticks(pid), ticks);
	assert_in_range(process_began_ticks(getpid()), 1, ticks);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(process_began_ticks(pid), 0);
}

static void test_memory(void **state)
{
	(void)state;
	assert_in_range(process_resident_bytes(getpid()), 4096, UINT64_C(1) << 40);
	assert_int_equal(process_resident_bytes(getpid()) % (uint64_t)sysconf(_SC_PAGESIZE), 0);
	assert_int_equal(process_resident_bytes(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_states), cmocka_unit_test(test_when_it_began),
					    cmocka_unit_test(test_memory) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
