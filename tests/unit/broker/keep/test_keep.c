/* SPDX-License-Identifier: Apache-2.0 */
/* --keep DIR: what a supervisor gives to its holder the next one gets, and nobody else comes between. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/keep/holder_wire.h"
#include "broker/keep/keep.h"
#include "common/base/clock.h"
#include "common/memory/segment.h"
#include "tests/unit/broker/supervise/trial.h"

#define MANY (HOLDER_FDS_MAX + 3)
#define LONG_NS (600 * NS_PER_S)

static char folder[] = "/tmp/weir-test-keep-XXXXXX";
static char path[sizeof(folder) + 16];
static struct text why;

static int begin(void **state)
{
	(void)state;
	strcpy(strrchr(folder, '-') + 1, "XXXXXX");
	why = (struct text)TEXT_NULL;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/p.keep", folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	text_deinit(&why);
	(void)unlink(path);
	return rmdir(folder);
}

static int take(struct keep *keep, int **fds, size_t *n)
{
	text_clear(&why);
	return keep_take(keep, "p", fds, n, &why);
}

/* Takes, and closes what came. */
static int take_n(struct keep *keep, size_t *n)
{
	int *fds, r = take(keep, &fds, n);

	for (size_t i = 0; i < *n; i++)
		close(fds[i]);
	free(fds);
	return r;
}

/* A supervisor that has given MANY descriptors to its holder; inodes: whose they are. */
static struct keep *give(uint64_t wait_ns, ino_t inodes[MANY])
{
	struct keep *keep;
	int fds[MANY];
	size_t n;

	assert_int_equal(keep_new(folder, wait_ns, &keep), 0);
	assert_int_equal(take_n(keep, &n), 0);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct stat st;

		assert_int_equal(memfd_new("thing", &fds[i]), 0);
		assert_int_equal(fstat(fds[i], &st), 0);
		inodes[i] = st.st_ino;
	}
	assert_int_equal(keep_put(keep, fds, MANY, &why), 0);
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
	return keep;
}

static int call(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Not at once: it is another process. */
static void assert_nobody_there(void)
{
	uint64_t bound_ns = clock_now_ns() + 30 * NS_PER_S;
	int fd;

	while ((fd = call()) >= 0) {
		close(fd);
		assert_true(clock_now_ns() < bound_ns);
		usleep(1000);
	}
}

static void test_the_next_one_gets_all_of_it(void **state)
{
	ino_t inodes[MANY];
	struct keep *first = give(LONG_NS, inodes), *second;
	int *fds;
	size_t n;

	(void)state;
	keep_free(first); /* as if it had been killed */
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(keep_new(folder, LONG_NS, &second), 0);
		assert_int_equal(take(second, &fds, &n), 0);
		assert_int_equal(n, MANY);
		for (unsigned i = 0; i < MANY; i++) {
			struct stat st;

			assert_int_equal(fstat(fds[i], &st), 0);
			assert_int_equal(st.st_ino, inodes[i]);
			close(fds[i]);
		}
		free(fds);
		if (round < 2)
			keep_free(second);
	}
	keep_end(second);
	keep_free(second);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_nobody_there();
}

static void test_one_at_a_time(void **state)
{
	ino_t inodes[MANY];
	struct keep *first = give(LONG_NS, inodes), *second;
	char words[64];
	size_t n;

	(void)state;
	assert_int_equal(keep_new(folder, LONG_NS, &second), 0);
	assert_int_equal(take_n(second, &n), KEEP_E_REFUSED);
	snprintf(words, sizeof(words), "process %d has what is kept", (int)getpid());
	assert_non_null(strstr(text_get(&why), words));
	keep_free(second);
	keep_end(first);
	keep_free(first);
}

static void test_garbage_ends_the_line_that_it_came_on(void **state)
{
	const struct holder_packet put = { .magic = HOLDER_MAGIC, .version = HOLDER_VERSION, .word = 99 };
	ino_t inodes[MANY];
	struct keep *first = give(LONG_NS, inodes), *second;
	char byte;
	size_t n;

	(void)state;
	for (unsigned owned = 0; owned < 2; owned++) {
		for (size_t size = 1; size <= sizeof(put) + 40; size += 7) {
			char garbage[sizeof(put) + 40];
			int fd = call();

			memset(garbage, 'g', sizeof(garbage));
			assert_true(send(fd, garbage, size, MSG_NOSIGNAL) > 0);
			assert_int_equal(recv(fd, &byte, 1, 0), 0);
			close(fd);
		}
		first = keep_free(first);
	}
	for (unsigned silent = 0; silent < 20;
	     silent++) /* more than it has places; they are let go of below, at the end */
		assert_true(call() >= 0);
	{
		int fd = call();

		assert_int_equal(holder_send(fd, &put, NULL, 0), 0); /* a packet, and no word of ours */
		assert_int_equal(recv(fd, &byte, 1, 0), 0);
		close(fd);
	}
	assert_int_equal(keep_new(folder, LONG_NS, &second), 0);
	assert_int_equal(take_n(second, &n), 0);
	assert_int_equal(n, MANY);
	keep_end(second);
	keep_free(second);
	close_range(10, ~0U, 0);
}

static void test_garbage_of_the_owner_ends_its_line(void **state)
{
	ino_t inodes[MANY];
	struct keep *first = give(LONG_NS, inodes), *second;
	char byte;
	size_t n;

	(void)state;
	assert_int_equal(send(keep_fd(first), "g", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(keep_fd(first), &byte, 1, 0), 0);
	assert_int_equal(keep_new(folder, LONG_NS, &second), 0);
	assert_int_equal(take_n(second, &n), 0);
	assert_int_equal(n, MANY);
	keep_free(first);
	keep_end(second);
	keep_free(second);
}

static void test_nobody_came_in_time(void **state)
{
	ino_t inodes[MANY];
	struct keep *first = give(NS_PER_MS, inodes), *second;
	size_t n;

	(void)state;
	keep_free(first);
	assert_nobody_there();
	assert_int_equal(keep_new(folder, LONG_NS, &second), 0);
	assert_int_equal(take_n(second, &n), KEEP_E_LOST);
	assert_non_null(strstr(text_get(&why), "is gone"));
	keep_free(second);
}

static void test_what_was_dropped_is_not_given(void **state)
{
	ino_t inodes[MANY];
	struct keep *first = give(LONG_NS, inodes), *second;
	size_t n;

	(void)state;
	keep_drop(first);
	keep_free(first); /* nothing left to wait for */
	assert_nobody_there();
	assert_int_equal(keep_new(folder, LONG_NS, &second), 0);
	assert_int_equal(take_n(second, &n), KEEP_E_LOST);
	keep_free(second);
}

/* Somebody else's server has that name. */
static void test_an_answer_of_something_else_is_refused(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), line;
	struct keep *keep;
	size_t n;

	(void)state;
	strcpy(address.sun_path, path);
	assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server, 1), 0);
	if (fork() == 0) {
		line = accept(server, NULL, NULL);
		send(line, "I am something else", 19, 0);
		_exit(0);
	}
	assert_int_equal(keep_new(folder, LONG_NS, &keep), 0);
	assert_int_equal(take_n(keep, &n), KEEP_E_REFUSED);
	assert_non_null(strstr(text_get(&why), "is no holder of this version"));
	keep_free(keep);
	close(server);
}

static void test_a_folder_that_others_may_write_to_is_refused(void **state)
{
	struct keep *keep;
	size_t n;

	(void)state;
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(keep_new(folder, LONG_NS, &keep), 0);
	assert_int_equal(take_n(keep, &n), KEEP_E_REFUSED);
	assert_non_null(strstr(text_get(&why), "chmod 700"));
	keep_free(keep);
	assert_int_equal(keep_new("/nowhere/at/all", LONG_NS, &keep), 0);
	assert_int_equal(take_n(keep, &n), KEEP_E_REFUSED);
	keep_free(keep);
}

static void test_a_path_too_long_for_a_socket_is_refused(void **state)
{
	char name[101];
	struct keep *keep;
	int *fds;
	size_t n;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(keep_new(folder, LONG_NS, &keep), 0);
	assert_int_equal(keep_take(keep, name, &fds, &n, &why), KEEP_E_REFUSED);
	assert_non_null(strstr(text_get(&why), "too long"));
	keep_free(keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_next_one_gets_all_of_it, begin, end),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, begin, end),
		cmocka_unit_test_setup_teardown(test_garbage_ends_the_line_that_it_came_on, begin, end),
		cmocka_unit_test_setup_teardown(test_garbage_of_the_owner_ends_its_line, begin, end),
		cmocka_unit_test_setup_teardown(test_nobody_came_in_time, begin, end),
		cmocka_unit_test_setup_teardown(test_what_was_dropped_is_not_given, begin, end),
		cmocka_unit_test_setup_teardown(test_an_answer_of_something_else_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_a_folder_that_others_may_write_to_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_a_path_too_long_for_a_socket_is_refused, begin, end),
	};

	alarm(120);
	unsetenv("NOTIFY_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
