/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and ending programs: child.c and program.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/unit/worker/exec/exec_test.h"
#include "worker/exec/child.h"

struct fixture {
	struct fake_host host;
	struct program program;
	struct child child;
	struct text why;
	int out; /* what the program writes */
};

static void prepare(struct fixture *fixture, const char *const *command)
{
	*fixture = (struct fixture){ .child = CHILD_NULL, .out = memfd_create("out", MFD_CLOEXEC) };
	fake_host_init(&fixture->host, NULL);
	fake_host_option_list(&fixture->host, "command", command);
	assert_int_equal(program_init(&fixture->program, &fixture->host.context, &fixture->why), 0);
}

static void done(struct fixture *fixture)
{
	exec_assert_nothing_left();
	program_deinit(&fixture->program);
	text_deinit(&fixture->why);
	fd_close(fixture->out);
	fixture->host.stage = NULL;
	fake_host_deinit(&fixture->host);
}

static void spawn(struct fixture *fixture, const char *const *command)
{
	prepare(fixture, command);
	assert_int_equal(child_spawn(&fixture->child, &fixture->program, -1, fixture->out, &fixture->why), 0);
}

static struct program_end wait_end(struct fixture *fixture)
{
	struct pollfd fd = { .fd = fixture->child.pidfd, .events = POLLIN };
	struct program_end end;

	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_true(child_has_ended(&fixture->child));
	child_finish(&fixture->child, &end);
	assert_false(child_runs(&fixture->child));
	return end;
}

static const char *output(const struct fixture *fixture)
{
	static char buffer[4096];
	ssize_t n = pread(fixture->out, buffer, sizeof(buffer) - 1, 0);

	assert_true(n >= 0);
	buffer[n] = '\0';
	return buffer;
}

static void test_exit_status(void **state)
{
	struct fixture fixture;
	struct program_end end;

	(void)state;
	spawn(&fixture, COMMAND("printf", "a %s", "b"));
	end = wait_end(&fixture);
	assert_false(end.signaled);
	assert_int_equal(end.code, 0);
	assert_true(program_end_is_ok(&fixture.program, &end));
	assert_string_equal(output(&fixture), "a b");
	done(&fixture);

	spawn(&fixture, SHELL("exit 3"));
	end = wait_end(&fixture);
	assert_int_equal(end.code, 3);
	assert_false(program_end_is_ok(&fixture.program, &end));
	done(&fixture);

	spawn(&fixture, SHELL("kill -9 $$"));
	end = wait_end(&fixture);
	assert_true(end.signaled);
	assert_int_equal(end.code, SIGKILL);
	program_end_describe(&end, &fixture.why);
	assert_string_equal(text_get(&fixture.why), "killed by signal 9 (KILL)");
	done(&fixture);
}

/* What the child inherits: three descriptors, default signals, a group of its own. */
static void test_surroundings(void **state)
{
	_cleanup_(close) int inheritable = open("/dev/null", O_RDONLY);
	struct fixture fixture;
	sigset_t set, before;
	char expected[64];
	pid_t pid;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &before);
	spawn(&fixture,
	      SHELL("cut -d' ' -f5 /proc/$$/stat; readlink /proc/$$/fd/0; " /* exec: a shell that waits blocks signals itself */
		    "exec grep -c -E '^Sig(Blk|Ign):.0{16}$' /proc/self/status"));
	sigprocmask(SIG_SETMASK, &before, NULL);
	pid = fixture.child.pid;
	assert_int_equal(wait_end(&fixture).code, 0);
	snprintf(expected, sizeof(expected), "%d\n/dev/null\n2\n", (int)pid);
	assert_string_equal(output(&fixture), expected);
	done(&fixture);

	spawn(&fixture, COMMAND("ls", "/proc/self/fd"));
	assert_int_equal(wait_end(&fixture).code, 0);
	assert_string_equal(output(&fixture), "0\n1\n2\n3\n"); /* 3: the folder that ls reads */
	done(&fixture);
}

static void test_background_is_killed(void **state)
{
	struct fixture fixture;
	int background = 0, session = 0;

	(void)state;
	spawn(&fixture, SHELL("sleep 100 & echo $!; setsid sleep 100 & echo $!"));
	assert_int_equal(wait_end(&fixture).code, 0);
	assert_int_equal(sscanf(output(&fixture), "%d %d", &background, &session), 2);
	assert_int_equal(kill(background, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(kill(session, 0), -1);
	assert_int_equal(errno, ESRCH);
	done(&fixture);
}

static void test_stop(void **state)
{
	struct fixture fixture;
	uint64_t from_ns;

	(void)state;
	spawn(&fixture, COMMAND("sleep", "100"));
	from_ns = clock_now_ns();
	child_stop(&fixture.child);
	assert_true(clock_now_ns() - from_ns < 50 * NS_PER_S);
	done(&fixture);

	spawn(&fixture, SHELL("trap '' TERM; echo up; while :; do sleep 1; done"));
	while (!*output(&fixture))
		usleep(1000);
	child_stop(&fixture.child);
	assert_false(child_runs(&fixture.child));
	child_stop(&fixture.child);
	done(&fixture);

	spawn(&fixture, SHELL("kill -STOP $$"));
	child_kill(&fixture.child);
	done(&fixture);
}

/* The program dies with the worker, however that died. */
static void test_parent_death(void **state)
{
	struct fixture fixture;
	int fds[2], pid = 0, status;
	pid_t worker;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	worker = fork();
	if (!worker) {
		spawn(&fixture, COMMAND("sleep", "100"));
		if (write(fds[1], &fixture.child.pid, sizeof(fixture.child.pid)) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(worker, NULL, 0), worker);
	assert_int_equal(waitpid(pid, &status, 0), pid); /* it is ours now */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(fds[0]);
	close(fds[1]);
	exec_assert_nothing_left();
}

static void refuse(const char *const *command, const char *const *ok_exit, const char *expected)
{
	struct fake_host host;
	struct program program;
	struct text why = TEXT_NULL;

	fake_host_init(&host, NULL);
	fake_host_option_list(&host, "command", command);
	if (ok_exit)
		fake_host_option_list(&host, "ok_exit", ok_exit);
	assert_int_equal(program_init(&program, &host.context, &why), PROGRAM_E_BAD);
	assert_non_null(strstr(text_get(&why), expected));
	program_deinit(&program);
	text_deinit(&why);
	fake_host_deinit(&host);
}

static void test_refused(void **state)
{
	(void)state;
	refuse(COMMAND("no-such-program-anywhere"), NULL, "not in PATH");
	refuse(COMMAND("./no/such/program"), NULL, "No such file");
	refuse(COMMAND("/etc"), NULL, "not a program");
	refuse(COMMAND(""), NULL, "not in PATH");
	refuse((const char *const[]){ NULL }, NULL, "command is empty");
	refuse(COMMAND("true"), COMMAND("0", "256"), "'256' is no exit status");
	refuse(COMMAND("true"), COMMAND("yes"), "'yes' is no exit status");
	refuse(COMMAND("/etc/passwd"), NULL, "chmod +x");
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_scripts(void **state)
{
	char folder[] = "/tmp/weir-test-XXXXXX", path[64];
	struct fixture fixture;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/script", folder);
	write_file(path, "echo plain $1\n", 0755);
	spawn(&fixture, COMMAND(path, "x"));
	assert_int_equal(wait_end(&fixture).code, 0);
	assert_string_equal(output(&fixture), "plain x\n");
	done(&fixture);

	write_file(path, "#!/no/such/interpreter\n", 0755);
	prepare(&fixture, COMMAND(path));
	assert_int_equal(child_spawn(&fixture.child, &fixture.program, -1, fixture.out, &fixture.why), CHILD_E_BAD);
	assert_non_null(strstr(text_get(&fixture.why), "is the interpreter in its first line there?"));
	assert_false(child_runs(&fixture.child));
	done(&fixture);
	unlink(path);
	rmdir(folder);
}

static void test_titles_and_advice(void **state)
{
	struct fixture fixture;
	char long_word[200];

	(void)state;
	prepare(&fixture, SHELL("grep x |\n\tsort"));
	assert_string_equal(fixture.program.title, "grep x |  sort");
	program_end_advise(&fixture.program, &(struct program_end){ .code = 1 }, true, &fixture.why);
	assert_non_null(strstr(text_get(&fixture.why), "ok_exit: [0, 1]"));
	text_clear(&fixture.why);
	program_end_advise(&fixture.program, &(struct program_end){ .code = 127 }, true, &fixture.why);
	assert_non_null(strstr(text_get(&fixture.why), "did not find a program"));
	done(&fixture);

	memset(long_word, 'x', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	prepare(&fixture, COMMAND("echo", long_word));
	assert_int_equal(strlen(fixture.program.title), PROGRAM_TITLE_SIZE - 1);
	assert_string_equal(fixture.program.title + PROGRAM_TITLE_SIZE - 4, "...");
	done(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_background_is_killed),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_parent_death),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_titles_and_advice),
	};

	return cmocka_run_group_tests(tests, exec_test_group, NULL);
}
