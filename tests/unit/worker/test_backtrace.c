/* SPDX-License-Identifier: Apache-2.0 */
/* Each case is a process of its own, whose stderr is read to its end. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/observe/backtrace_line.h"
#include "worker/backtrace.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAULTS_ARE_OURS false
#else
#define FAULTS_ARE_OURS true
#endif

enum { EXIT_WENT_ON = 17, EXIT_ON_TERM = 18 };

static char heard[65536];
static void (*volatile body)(void);
static volatile int sink;

/* What a stage looks like from below: runtime, callback, functions of its own. */
static int __attribute__((noinline)) a_callback(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context;
	(void)state;
	(void)item;
	body();
	return sink++; /* no jump: the frame stays */
}

static const struct weir_stage stage = { .process = a_callback };

static void __attribute__((noinline)) a_runtime_function(void)
{
	stage.process(NULL, NULL, NULL);
	sink++;
}

/* Runs it in a child below backtrace_begin(); what it wrote is in `heard`. Returns how it ended, as waitpid(). */
static int run(void (*what)(void))
{
	size_t length = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		body = what;
		backtrace_begin();
		backtrace_know_stage(&stage);
		a_runtime_function();
		_exit(EXIT_WENT_ON);
	}
	close(fds[1]);
	while ((n = read(fds[0], heard + length, sizeof(heard) - 1 - length)) > 0)
		length += (size_t)n;
	heard[length] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_heard(const char *words)
{
	if (!strstr(heard, words))
		fail_msg("no '%s' in '%s'", words, heard);
}

static void assert_not_heard(const char *words)
{
	if (strstr(heard, words))
		fail_msg("'%s' in '%s'", words, heard);
}

static void assert_went_on(int status)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_WENT_ON);
}

static void assert_died_of(int status, int signal_number)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal_number);
}

/* ---- asked ---- */

static void __attribute__((noinline)) a_stuck_function(void)
{
	errno = 4711;
	raise(SIGQUIT);
	if (errno != 4711)
		_exit(1);
	sink++;
}

static void test_asked(void **state)
{
	(void)state;
	assert_went_on(run(a_stuck_function));
	assert_int_equal(strncmp(heard, "\n<5>\002backtrace: ", 16), 0);
	assert_heard("a_stuck_function (test_worker_backtrace+0x");
	assert_heard(" < a_callback (test_worker_backtrace+0x");
	assert_not_heard("a_runtime_function");
	assert_not_heard("handle_quit");
	assert_int_equal(heard[strlen(heard) - 1], '\n');
	assert_true(strlen(heard) <= BACKTRACE_LINE_MAX + 8);
}

/* Without a callback in sight the program's own frames are shown, but for main() and what is below: here all is one program. */
static void forget_callback(void)
{
	static const struct weir_stage other = { 0 };

	backtrace_know_stage(&other);
	raise(SIGQUIT);
	sink++;
}

static void test_no_callback(void **state)
{
	(void)state;
	assert_went_on(run(forget_callback));
	assert_heard("raise");
	assert_not_heard("__libc_start");
}

static void again_and_again(void)
{
	for (int i = 0; i < 3; i++)
		raise(SIGQUIT);
}

static void test_more_than_once(void **state)
{
	const char *at = heard;
	int n = 0;

	(void)state;
	assert_went_on(run(again_and_again));
	for (; (at = strstr(at, "again_and_again (")); at++)
		n++;
	assert_int_equal(n, 3);
}

static void close_stderr(void)
{
	FILE *file;

	close(STDERR_FILENO);
	file = fopen("/dev/null", "w"); /* it gets the number, and must not get the line */
	if (!file || fileno(file) != STDERR_FILENO)
		_exit(1);
	raise(SIGQUIT);
}

static void test_stderr_that_is_something_else_now(void **state)
{
	(void)state;
	assert_went_on(run(close_stderr));
	assert_heard("close_stderr (");
}

static void handle_term(int signal_number)
{
	(void)signal_number;
	_exit(EXIT_ON_TERM);
}

/* Whichever the kernel delivers first, the line is there when SIGTERM ends the process. */
static void quit_and_term(void)
{
	struct sigaction terminate = { .sa_handler = handle_term };
	sigset_t both, before;

	sigaction(SIGTERM, &terminate, NULL);
	sigemptyset(&both);
	sigaddset(&both, SIGQUIT);
	sigaddset(&both, SIGTERM);
	sigprocmask(SIG_BLOCK, &both, &before);
	raise(SIGQUIT);
	raise(SIGTERM);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_before_sigterm(void **state)
{
	int status;

	(void)state;
	status = run(quit_and_term);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_ON_TERM);
	assert_heard("quit_and_term (");
}

static void block(void)
{
	sigset_t quit;

	sigemptyset(&quit);
	sigaddset(&quit, SIGQUIT);
	sigprocmask(SIG_BLOCK, &quit, NULL);
	raise(SIGQUIT);
}

static void test_blocked(void **state)
{
	(void)state;
	assert_went_on(run(block));
	assert_string_equal(heard, "");
}

/* Asked by another process, at any moment: in malloc(), in a copy, in a function's first instruction. */
static void work(void)
{
	struct timespec now, until;
	pid_t pid = fork(), parent = getppid();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		parent = getppid();
		for (int i = 0; i < 2000; i++)
			kill(parent, SIGQUIT);
		_exit(0);
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	do {
		for (int i = 0; i < 100; i++) {
			char *bytes = malloc((size_t)(i * 97));

			memset(bytes, i, (size_t)(i * 97));
			sink += i ? bytes[i] : 0;
			free(bytes);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void test_in_the_middle_of_anything(void **state)
{
	(void)state;
	assert_went_on(run(work));
	assert_heard(" < a_callback (");
}

/* ---- faults ---- */

static void __attribute__((noinline)) write_nowhere(void)
{
	volatile uintptr_t nowhere = 16;

	*(volatile int *)nowhere = 1;
}

static void __attribute__((noinline)) jump_nowhere(void)
{
	void (*volatile nowhere)(void) = NULL;

	nowhere();
	sink++;
}

static void __attribute__((noinline)) jump_into_data(void)
{
	void (*volatile somewhere)(void) = (void (*)(void))(uintptr_t)0x7777;

	somewhere();
	sink++;
}

static int __attribute__((noinline)) dig(int n)
{
	volatile char much[4096];

	much[0] = (char)n;
	return n < 0 ? 0 : dig(n + 1) + much[0];
}

static void dig_deep(void)
{
	sink += dig(1);
}

static void send_myself(void)
{
	kill(getpid(), SIGSEGV);
	sink++;
}

static void fail_an_assertion(void)
{
	abort();
}

static void divide(void)
{
	volatile int zero = 0;

	raise(SIGFPE); /* what dividing by `zero` does on some machines */
	sink += 1 / (zero + 1);
}

static void *in_a_thread(void *data)
{
	write_nowhere();
	return data;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, in_a_thread, NULL) == 0)
		pthread_join(thread, NULL);
}

static void test_faults(void **state)
{
	(void)state;
	assert_died_of(run(write_nowhere), SIGSEGV);
	assert_heard("\n<7>\002backtrace (address 0x10): write_nowhere (test_worker_backtrace+0x");
	assert_heard(" < a_callback (");
	assert_not_heard("a_runtime_function");
	assert_died_of(run(fail_an_assertion), SIGABRT);
	assert_heard("abort");
	assert_heard("fail_an_assertion (");
	assert_died_of(run(divide), SIGFPE);
	assert_heard("divide (");
	assert_died_of(run(send_myself), SIGSEGV);
	assert_heard("backtrace: ");
	assert_heard("send_myself (");
	assert_died_of(run(start_thread), SIGSEGV);
	assert_heard("backtrace (thread ");
	assert_heard("write_nowhere (");
}

static void test_jumps_to_nowhere(void **state)
{
	(void)state;
	assert_died_of(run(jump_nowhere), SIGSEGV);
	assert_heard("backtrace (address 0x0): 0x0 < jump_nowhere (");
	assert_died_of(run(jump_into_data), SIGSEGV);
	assert_heard("backtrace (address 0x7777): 0x7777 < jump_into_data (");
}

static void test_the_stack_is_used_up(void **state)
{
	(void)state;
	assert_died_of(run(dig_deep), SIGSEGV);
	assert_heard(": dig (test_worker_backtrace+0x");
	assert_heard(" < dig (");
	assert_heard(" < ... < ");
	assert_true(strlen(heard) <= BACKTRACE_LINE_MAX + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_no_callback),
		cmocka_unit_test(test_more_than_once),
		cmocka_unit_test(test_stderr_that_is_something_else_now),
		cmocka_unit_test(test_before_sigterm),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_in_the_middle_of_anything),
	};
	const struct CMUnitTest faults[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_jumps_to_nowhere),
		cmocka_unit_test(test_the_stack_is_used_up),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return FAULTS_ARE_OURS ? failed + cmocka_run_group_tests(faults, NULL, NULL) : failed;
}
