/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/process_state.h"

static pid_t fork_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) S 1 (\x1b[1m"); /* what a name may look like */
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
		assert_string_equal(name, "a) S 1 (\\x1b[1m"); /* no terminal obeys it */
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
	assert_int_equal(process_parent(pid), getpid());
	assert_in_range(process_began_ticks(getpid()), 1, ticks);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(process_began_ticks(pid), 0);
	assert_int_equal(process_parent(pid), 0);
}

static void test_memory(void **state)
{
	const size_t size_bytes = 32 << 20;
	struct process_memory before = process_memory_of(getpid()), own, shared;
	char *bytes;

	(void)state;
	assert_in_range(before.resident_bytes, 4096, UINT64_C(1) << 40);
	assert_int_equal(before.resident_bytes % (uint64_t)sysconf(_SC_PAGESIZE), 0);
	assert_in_range(before.private_bytes, 4096, before.resident_bytes);
	bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	own = process_memory_of(getpid());
	assert_true(own.private_bytes >= before.private_bytes + size_bytes / 2);
	munmap(bytes, size_bytes);
	before = process_memory_of(getpid());
	bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	shared = process_memory_of(getpid());
	assert_true(shared.resident_bytes >= before.resident_bytes + size_bytes / 2);
	assert_true(shared.private_bytes < before.private_bytes + size_bytes / 2);
	munmap(bytes, size_bytes);
	assert_int_equal(process_memory_of(-1).resident_bytes, 0);
	assert_int_equal(process_memory_of(-1).private_bytes, 0);
}

static void test_open_files(void **state)
{
	uint64_t before = process_open_files();
	int fds[2];

	(void)state;
	assert_true(before >= 3);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(process_open_files(), before + 2);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(process_open_files(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_states), cmocka_unit_test(test_when_it_began),
					    cmocka_unit_test(test_memory), cmocka_unit_test(test_open_files) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
