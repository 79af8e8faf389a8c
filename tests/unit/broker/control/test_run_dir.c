/* SPDX-License-Identifier: Apache-2.0 */
/* Run directories: taking, refusing, taking over, removing, listing; and many processes that do it at once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/control/run_dir.h"
#include "common/base/cleanup.h"

struct fixture {
	char parent[32], base[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->parent, "/tmp/weir-runs-XXXXXX");
	assert_non_null(mkdtemp(f->parent));
	snprintf(f->base, sizeof(f->base), "%s/base", f->parent);
	assert_int_equal(setenv("WEIR_RUN_DIR", f->base, 1), 0);
	*state = f;
	return 0;
}

/* Nothing may be left: the parent can be removed. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = rmdir(f->parent);

	unsetenv("WEIR_RUN_DIR");
	free(f);
	return r;
}

static int open_dir(struct run_dir *dir, const char *name)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	pid_t pid = 0;
	int r = run_dir_open(dir, name, &pid, &why);

	if (r)
		assert_true(why.length > 0);
	return r;
}

static void test_take_and_close(void **state)
{
	struct fixture *f = *state;
	struct run_dir dir = RUN_DIR_NULL, second = RUN_DIR_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(free) char *path = run_dir_path("orders");
	char lock[128], line[32] = "";
	mode_t before = umask(0);
	struct stat st;
	pid_t pid = 0;
	FILE *file;

	assert_int_equal(open_dir(&dir, "orders"), 0);
	umask(before);
	assert_string_equal(dir.path, path);
	assert_int_equal(stat(dir.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(f->base, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(lock, sizeof(lock), "%s/lock", path);
	file = fopen(lock, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_int_equal(atoi(line), getpid());
	assert_true(fcntl(dir.lock_fd, F_GETFD) & FD_CLOEXEC);

	assert_int_equal(run_dir_open(&second, "orders", &pid, &why), RUN_DIR_E_TAKEN);
	assert_int_equal(pid, getpid());
	assert_non_null(strstr(text_get(&why), "already running"));
	assert_null(second.path);
	assert_true(run_dir_is_alive(path));
	assert_int_equal(open_dir(&second, "other"), 0);
	run_dir_close(&second);
	run_dir_close(&dir);
	assert_false(run_dir_is_alive(path));
	assert_int_equal(access(f->base, F_OK), -1);
	run_dir_close(&dir);
	assert_int_equal(dir.lock_fd, -1);
}

/* Killed holding the lock, with a socket and an old pid left: the next one takes over. */
static void test_stale(void **state)
{
	struct run_dir dir = RUN_DIR_NULL;
	char socket[128];
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct run_dir child = RUN_DIR_NULL;
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		pid_t unused;

		if (run_dir_open(&child, "stale", &unused, &why) == 0) {
			snprintf(socket, sizeof(socket), "%s/control", child.path);
			close(open(socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
			raise(SIGKILL);
		}
		_exit(1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(open_dir(&dir, "stale"), 0);
	snprintf(socket, sizeof(socket), "%s/control", dir.path);
	assert_int_equal(access(socket, F_OK), -1);
	run_dir_close(&dir);
}

/* What stages have put there goes with the run, and what those of a killed one have left goes with the next. */
static void test_what_stages_put_there(void **state)
{
	struct run_dir dir = RUN_DIR_NULL;
	char path[128];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(open_dir(&dir, "meeting"), 0);
		snprintf(path, sizeof(path), "%s/r0123.0", dir.path);
		assert_int_equal(access(path, F_OK), -1);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		if (i == 0) { /* as if it had been killed */
			close(dir.lock_fd);
			free(dir.path);
			dir = (struct run_dir)RUN_DIR_NULL;
		} else {
			run_dir_close(&dir);
		}
	}
	assert_int_equal(access(path, F_OK), -1);
}

static void test_foreign(void **state)
{
	struct fixture *f = *state;
	struct run_dir dir = RUN_DIR_NULL;
	char path[128], lock[160];

	/* a base that others may write to */
	assert_int_equal(mkdir(f->base, 0700), 0);
	assert_int_equal(chmod(f->base, 0777), 0);
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(chmod(f->base, 0700), 0);
	/* a folder that others may look into; a file; a symbolic link */
	snprintf(path, sizeof(path), "%s/x", f->base);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(rmdir(path), 0);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(f->parent, path), 0);
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(unlink(path), 0);
	/* somebody else's, as far as we may make one */
	if (geteuid() == 0) {
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
		assert_int_equal(rmdir(path), 0);
	}
	/* a lock that is a symbolic link, a folder, a pipe */
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(lock, sizeof(lock), "%s/lock", path);
	assert_int_equal(symlink("/etc/passwd", lock), 0);
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(mkdir(lock, 0700), 0);
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(rmdir(lock), 0);
	assert_int_equal(mkfifo(lock, 0600), 0);
	assert_int_equal(open_dir(&dir, "x"), RUN_DIR_E_FOREIGN);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(f->base), 0);
	assert_null(dir.path);
}

/* No room for the pid: a sentence, and what was made until then goes again. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	struct run_dir dir = RUN_DIR_NULL;
	struct rlimit before, none;
	int r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	r = open_dir(&dir, "full");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, -EFBIG);
	assert_null(dir.path);
	assert_int_equal(access(f->base, F_OK), -1);
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	struct run_dir dir = RUN_DIR_NULL;
	char longer[256];

	assert_int_equal(open_dir(&dir, ""), -EINVAL);
	assert_int_equal(open_dir(&dir, "."), -EINVAL);
	assert_int_equal(open_dir(&dir, ".."), -EINVAL);
	assert_int_equal(open_dir(&dir, "a/b"), -EINVAL);
	memset(longer, 'a', sizeof(longer));
	longer[100] = '\0';
	assert_int_equal(open_dir(&dir, longer), RUN_DIR_E_TOO_LONG);
	/* the longest that fits: 107 bytes with the socket */
	longer[107 - strlen(f->base) - strlen("//control")] = '\0';
	assert_int_equal(open_dir(&dir, longer), 0);
	run_dir_close(&dir);
}

static void free_names(char **names, size_t n)
{
	while (n)
		free(names[--n]);
	free(names);
}

static void test_list(void **state)
{
	struct fixture *f = *state;
	struct run_dir a = RUN_DIR_NULL, b = RUN_DIR_NULL;
	char dead[128], **names = NULL;
	size_t n = 99;

	assert_int_equal(run_dir_list(&names, &n), 0);
	assert_int_equal(n, 0);
	free_names(names, n);
	assert_int_equal(open_dir(&b, "b"), 0);
	assert_int_equal(open_dir(&a, "a"), 0);
	snprintf(dead, sizeof(dead), "%s/dead", f->base);
	assert_int_equal(mkdir(dead, 0700), 0);
	assert_int_equal(run_dir_list(&names, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	free_names(names, n);
	assert_int_equal(rmdir(dead), 0);
	run_dir_close(&a);
	run_dir_close(&b);
}

/* The base where nothing says otherwise, and a relative one, which is made absolute. */
static void test_base(void **state)
{
	_cleanup_(free) char *by_default = NULL, *relative = NULL;
	char here[256], expected[300];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	setenv("WEIR_RUN_DIR", "some/where//", 1);
	relative = run_dir_path("p");
	snprintf(expected, sizeof(expected), "%s/some/where/p", here);
	assert_string_equal(relative, expected);
	unsetenv("WEIR_RUN_DIR");
	unsetenv("XDG_RUNTIME_DIR");
	by_default = run_dir_path("p");
	snprintf(expected, sizeof(expected), "/tmp/weir-%u/p", (unsigned)geteuid());
	assert_string_equal(by_default, geteuid() == 0 ? "/run/weir-root/p" : expected);
}

/* Opens and closes; while it has the folder, nobody else may: the file `owner` proves it. */
static void contend(const char *witness, int rounds)
{
	int n_taken = 0;

	for (int i = 0; i < rounds; i++) {
		struct run_dir dir = RUN_DIR_NULL;
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		pid_t pid;
		int fd, r = run_dir_open(&dir, "contended", &pid, &why);

		if (r == RUN_DIR_E_TAKEN)
			continue;
		if (r)
			_exit(2);
		fd = open(witness, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0)
			_exit(3);
		close(fd);
		if (!run_dir_is_alive(dir.path) || unlink(witness))
			_exit(4);
		n_taken++;
		run_dir_close(&dir);
	}
	_exit(n_taken ? 0 : 5);
}

static void test_contention(void **state)
{
	struct fixture *f = *state;
	char witness[128];
	pid_t pids[4];

	snprintf(witness, sizeof(witness), "%s/witness", f->parent);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			contend(witness, 2000);
		assert_true(pids[i] > 0);
	}
	for (int i = 0; i < 4; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_take_and_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_stages_put_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_base, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contention, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
