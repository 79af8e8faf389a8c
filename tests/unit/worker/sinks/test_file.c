/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void sink_init(struct fake_host *host, const char *path, const char *existing)
{
	fake_host_init(host, &file_sink_callbacks);
	fake_host_option_string(host, "path", path[0] == '/' ? path : folder_path(path));
	fake_host_option_string(host, "existing", existing);
	fake_host_option_string(host, "on_full", "fail");
}

static void put(struct fake_host *host, const char *item)
{
	assert_int_equal(fake_host_process(host, item, strlen(item)), 0);
}

static void end(struct fake_host *host)
{
	assert_int_equal(fake_host_finish(host), 0);
	assert_int_equal(fake_host_turn_end(host), 0);
	fake_host_close(host);
}

static void assert_open_fails(struct fake_host *host, const char *words)
{
	assert_int_equal(fake_host_open(host), WEIR_FAILED);
	if (!strstr(host->reason, words))
		fail_msg("'%s' does not say '%s'", host->reason, words);
	fake_host_deinit(host);
}

static void test_replace(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("out", "old content that is longer than what is new\n");
	sink_init(&host, "out", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "one");
	put(&host, "");
	assert_int_equal(fake_host_turn_end(&host), 0);
	put(&host, "two");
	end(&host);
	assert_file_is("out", "one\n\ntwo\n");
	fake_host_deinit(&host);
}

/* A start that is given up (another stage could not open) must not have cost the old file. */
static void test_start_given_up(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("out", "old\n");
	sink_init(&host, "out", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	fake_host_deinit(&host);
	assert_file_is("out", "old\n");

	sink_init(&host, "fresh", "replace");
	host.never_ran = true;
	assert_int_equal(fake_host_open(&host), 0);
	fake_host_deinit(&host);
	assert_int_equal(access(folder_path("fresh"), F_OK), -1);
}

/* Told to leave before its first item, while others go on: the next generation finds the file where it was. */
static void test_cancelled_before_the_first_item(void **state)
{
	struct fake_host host;

	(void)state;
	sink_init(&host, "fresh", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	fake_host_close(&host);
	host.generation++;
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "first");
	end(&host);
	assert_file_is("fresh", "first\n");
	fake_host_deinit(&host);
}

static void test_nothing_came(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("out", "old\n");
	sink_init(&host, "out", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	end(&host);
	assert_file_is("out", "");
	fake_host_deinit(&host);
}

static void test_append(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("log", "no newline");
	for (int i = 0; i < 2; i++) {
		sink_init(&host, "log", "append");
		assert_int_equal(fake_host_open(&host), 0);
		put(&host, "lost");
		assert_int_equal(fake_host_flush(&host), 0); /* written, and killed before the commit */
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
		put(&host, i ? "second" : "first");
		end(&host);
		fake_host_deinit(&host);
	}
	assert_file_is("log", "no newline\nfirst\nsecond\n");

	file_write_text("log", "no newline");
	sink_init(&host, "log", "append");
	assert_int_equal(fake_host_open(&host), 0);
	end(&host);
	fake_host_deinit(&host);
	assert_file_is("log", "no newline");
}

static void test_refuse(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("there", "x\n");
	sink_init(&host, "there", "refuse");
	assert_open_fails(&host, "exists and is not empty");
	assert_file_is("there", "x\n");

	sink_init(&host, "new", "refuse");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "a");
	assert_int_equal(fake_host_flush(&host), 0);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0); /* our own bytes are no reason to refuse */
	put(&host, "b");
	end(&host);
	fake_host_deinit(&host);
	assert_file_is("new", "b\n");
}

/* Killed before and after every commit: each item stands there once. */
static void test_kill_at_every_commit(void **state)
{
	struct fake_host host;
	char item[32], *text, *at;
	size_t size;

	(void)state;
	text = at = malloc(300 * 32);
	sink_init(&host, "exact", "replace");
	for (uint64_t n = 0; n < 300;) {
		assert_int_equal(fake_host_open(&host), 0);
		for (unsigned i = 0; i < 3; i++, n++) {
			snprintf(item, sizeof(item), "item %llu", (unsigned long long)n);
			at += sprintf(at, "%s\n", item);
			put(&host, item);
		}
		assert_int_equal(fake_host_turn_end(&host), 0);
		put(&host, "never committed");
		if (n % 2)
			put(&host, "and neither is this, which is longer than what comes next");
		if (n % 4)
			assert_int_equal(fake_host_flush(&host), 0);
		fake_host_kill(&host);
	}
	assert_int_equal(fake_host_open(&host), 0);
	end(&host);
	at = file_read("exact", &size);
	assert_string_equal(at, text);
	free(at);
	free(text);
	fake_host_deinit(&host);
}

/* A real process, killed by a real signal, with turns larger than the buffer. */
static void test_killed_child(void **state)
{
	static char item[40000];
	const uint64_t n_items = 600;
	struct fake_host host;
	char *data;
	size_t size;
	int status = -1, kills = 0;

	(void)state;
	sink_init(&host, "killed", "replace");
	while (status != 0) {
		pid_t pid = fork();

		if (pid == 0) {
			if (fake_host_open(&host) != 0)
				_exit(1);
			while (host.n_taken < n_items) {
				for (int i = 0; i < 50 && host.n_taken < n_items; i++) {
					memset(item, 'a' + (int)(host.n_taken % 26), sizeof(item));
					if (fake_host_process(&host, item, 1 + host.n_taken * 7919 % sizeof(item)) != 0)
						_exit(2);
				}
				if (fake_host_turn_end(&host) != 0)
					_exit(3);
			}
			_exit(fake_host_finish(&host) == 0 && fake_host_turn_end(&host) == 0 ? 0 : 4);
		}
		usleep(500 + (useconds_t)(kills * 137 % 2000) + (kills > 100 ? 200000 : 0));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || status == 0);
		kills++;
		fake_host_inherit(&host);
	}
	assert_true(kills > 1);
	data = file_read("killed", &size);
	for (uint64_t n = 0, at = 0; n < n_items; n++) {
		size_t length = 1 + n * 7919 % sizeof(item);

		assert_true(at + length < size);
		memset(item, 'a' + (int)(n % 26), length);
		assert_memory_equal(data + at, item, length);
		assert_int_equal(data[at + length], '\n');
		at += length + 1;
		assert_true(n + 1 < n_items || at == size);
	}
	free(data);
	fake_host_deinit(&host);
}

static void test_large_item(void **state)
{
	struct fake_host host;
	size_t n = 3 << 20, size;
	char *item = malloc(n + 1), *data;

	(void)state;
	memset(item, 'L', n);
	sink_init(&host, "large", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "small");
	assert_int_equal(fake_host_process(&host, item, n), 0);
	put(&host, "small");
	end(&host);
	data = file_read("large", &size);
	assert_int_equal(size, n + 13);
	assert_memory_equal(data + 6, item, n);
	free(data);
	free(item);
	fake_host_deinit(&host);
}

static void test_bad_paths(void **state)
{
	struct fake_host host;

	(void)state;
	sink_init(&host, "no/such/folder", "replace");
	assert_open_fails(&host, "No such file or directory; create its folder first");
	sink_init(&host, "/", "replace");
	assert_open_fails(&host, "Is a directory; name a file in it");
	sink_init(&host, "/dev/stdout", "replace");
	assert_open_fails(&host, "use `sink: stdout`");
}

static void test_worker_in_path(void **state)
{
	struct fake_host host;

	(void)state;
	sink_init(&host, "part-{worker}-{worker}.txt", "replace");
	host.worker_index = 3;
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "x");
	end(&host);
	assert_file_is("part-3-3.txt", "x\n");
	fake_host_deinit(&host);
}

static void test_changed_under_us(void **state)
{
	struct fake_host host;

	(void)state;
	for (int i = 0; i < 3; i++) {
		sink_init(&host, "victim", "replace");
		assert_int_equal(fake_host_open(&host), 0);
		put(&host, "0123456789");
		assert_int_equal(fake_host_turn_end(&host), 0);
		fake_host_kill(&host);
		if (i == 0)
			assert_int_equal(truncate(folder_path("victim"), 3), 0);
		else
			assert_int_equal(rename(folder_path("victim"), folder_path("victim.1")), 0);
		if (i == 1)
			file_write_text("victim", "somebody else's\n");
		assert_open_fails(&host, i == 0 ? "has 3 bytes, but 11 had been written" :
					 i == 1 ? "was replaced" :
						  "has been removed");
		if (i == 1)
			assert_file_is("victim", "somebody else's\n");
	}
}

static void test_full_device(void **state)
{
	struct fake_host host;

	(void)state;
	sink_init(&host, "/dev/full", "replace");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "x");
	assert_int_equal(fake_host_flush(&host), WEIR_FAILED);
	assert_non_null(strstr(
		host.reason, "cannot write /dev/full: No space left on device; the first 0 bytes are safe; make room"));
	fake_host_deinit(&host);
}

static void cancel_at_third(struct fake_host *host, void *data)
{
	(void)data;
	host->cancelled = host->n_waits == 3;
}

static void test_full_device_waits(void **state)
{
	struct fake_host host;

	(void)state;
	sink_init(&host, "/dev/full", "replace");
	fake_host_option_string(&host, "on_full", "wait");
	host.sleepless = true;
	host.on_wait = cancel_at_third;
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "x");
	assert_int_equal(fake_host_flush(&host), WEIR_CANCELLED);
	assert_int_equal(host.n_waits, 3);
	fake_host_deinit(&host);
}

static void make_room(struct fake_host *host, void *path)
{
	if (host->n_waits == 2)
		unlink(path);
}

/* A disk that really fills, in a mount namespace of our own. Exit status: what went wrong; 0 nothing. */
static int fill_a_disk(bool wait)
{
	char disk[256], ballast[300], out[300], item[1000];
	struct fake_host host;
	struct stat st;
	int fd, r = 0;

	snprintf(disk, sizeof(disk), "%s", folder_path("disk"));
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mkdir(disk, 0700) ||
	    mount("weir", disk, "tmpfs", 0, "size=256k"))
		return 77;
	snprintf(ballast, sizeof(ballast), "%s/ballast", disk);
	snprintf(out, sizeof(out), "%s/out", disk);
	fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, 100000) || close(fd))
		return 10;
	memset(item, 'i', sizeof(item));
	sink_init(&host, out, "replace");
	fake_host_option_string(&host, "on_full", wait ? "wait" : "fail");
	host.sleepless = true;
	host.on_wait = make_room;
	host.on_wait_data = ballast;
	if (fake_host_open(&host))
		return 11;
	for (int turn = 0; r == 0 && turn < 20; turn++) {
		for (int i = 0; i < 10; i++)
			if (fake_host_process(&host, item, sizeof(item)))
				return 12;
		r = fake_host_turn_end(&host);
	}
	fake_host_close(&host);
	if (stat(out, &st))
		return 13;
	if (wait)
		return r != 0 ? 14 : host.n_waits != 2 ? 15 : st.st_size != 200 * 1001 ? 16 : 0;
	/* what the file holds is what was committed */
	return r != WEIR_FAILED                    ? 17 :
	       !strstr(host.reason, "its first 1") ? 18 :
	       st.st_size % 10010                  ? 19 :
	       st.st_size < 100000                 ? 20 :
						     0;
}

static void full_disk(bool wait)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) ? 77 : fill_a_disk(wait));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(folder_path("disk"));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* mounts are not allowed here */
	assert_int_equal(status, 0);
}

static void test_full_disk_fails(void **state)
{
	(void)state;
	full_disk(false);
}

static void test_full_disk_waits(void **state)
{
	(void)state;
	full_disk(true);
}

static void attach_reader(struct fake_host *host, void *fd)
{
	(void)host;
	if (*(int *)fd < 0)
		*(int *)fd = open(folder_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void test_fifo(void **state)
{
	struct fake_host host;
	char got[64] = "";
	int fd = -1;

	(void)state;
	assert_int_equal(mkfifo(folder_path("fifo"), 0600), 0);
	sink_init(&host, "fifo", "replace");
	host.on_wait = attach_reader;
	host.on_wait_data = &fd;
	host.sleepless = true;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(host.n_waits, 1);
	put(&host, "through");
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(read(fd, got, sizeof(got)), 8);
	assert_string_equal(got, "through\n");
	close(fd);
	put(&host, "nobody");
	assert_int_equal(fake_host_flush(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "was closed by its reader after 8 bytes"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_start_given_up),
		cmocka_unit_test(test_cancelled_before_the_first_item),
		cmocka_unit_test(test_nothing_came),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_kill_at_every_commit),
		cmocka_unit_test(test_killed_child),
		cmocka_unit_test(test_large_item),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_worker_in_path),
		cmocka_unit_test(test_changed_under_us),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_full_device_waits),
		cmocka_unit_test(test_full_disk_fails),
		cmocka_unit_test(test_full_disk_waits),
		cmocka_unit_test(test_fifo),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
