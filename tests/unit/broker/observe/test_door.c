/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets in at the door and who is sent away, and that none of them can hold up the loop behind it. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/observe/catalog_layout.h"
#include "broker/observe/observer.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "tests/unit/broker/observe/exhibition.h"

static int setup(void **state)
{
	struct exhibition *exhibition = calloc(1, sizeof(*exhibition));

	assert_non_null(exhibition);
	exhibition_init(exhibition, 3, 2);
	*state = exhibition;
	return 0;
}

static int teardown(void **state)
{
	exhibition_deinit(*state);
	free(*state);
	return 0;
}

static char *path_of(const struct exhibition *exhibition)
{
	struct text path = TEXT_NULL;

	text_printf(&path, "%s/observe", exhibition->dir.path);
	return text_steal(&path);
}

/* A guest that does as it likes. */
static int come(const struct exhibition *exhibition)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(free) char *path = path_of(exhibition);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The kind of the next packet; 0: the end. Descriptors that come along are closed by the kernel. */
static uint32_t next_kind(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct door_packet packet = { 0 };
	ssize_t n;

	assert_int_equal(poll(&wait, 1, (int)(EXHIBITION_BOUND_NS / NS_PER_MS)), 1);
	n = recv(fd, &packet, sizeof(packet), 0);
	if (n <= 0)
		return 0;
	assert_int_equal(n, sizeof(packet));
	assert_true(packet.magic == DOOR_MAGIC && packet.version == DOOR_VERSION);
	return packet.kind;
}

static void test_private(void **state)
{
	struct exhibition *exhibition = *state;
	_cleanup_(free) char *path = path_of(exhibition);
	mode_t before = umask(0);
	struct stat st;

	exhibition_open(exhibition);
	assert_int_equal(umask(before), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	exhibition_shut(exhibition);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_what_is_said(void **state)
{
	struct exhibition *exhibition = *state;
	int fd;

	exhibition_open(exhibition);
	fd = come(exhibition);
	assert_int_equal(next_kind(fd), DOOR_BEGIN);
	assert_int_equal(next_kind(fd), DOOR_SEGMENTS);
	exhibition_await(exhibition, 1);
	exhibition_replan(exhibition, "other");
	assert_int_equal(next_kind(fd), DOOR_REPLANNED);
	exhibition_shut(exhibition);
	assert_int_equal(next_kind(fd), DOOR_ENDED);
	assert_int_equal(next_kind(fd), 0);
	close(fd);
}

/* One more than there may be is told so; when one leaves there is room again. */
static void test_full(void **state)
{
	struct exhibition *exhibition = *state;
	int fds[DOOR_OBSERVERS_MAX], fd;

	exhibition_open(exhibition);
	for (unsigned i = 0; i < DOOR_OBSERVERS_MAX; i++) {
		fds[i] = come(exhibition);
		assert_int_equal(next_kind(fds[i]), DOOR_BEGIN);
	}
	fd = come(exhibition);
	assert_int_equal(next_kind(fd), DOOR_FULL);
	assert_int_equal(next_kind(fd), 0);
	close(fd);
	close(fds[5]);
	exhibition_await(exhibition, DOOR_OBSERVERS_MAX - 1);
	fds[5] = come(exhibition);
	assert_int_equal(next_kind(fds[5]), DOOR_BEGIN);
	for (unsigned i = 0; i < DOOR_OBSERVERS_MAX; i++)
		close(fds[i]);
	exhibition_await(exhibition, 0);
}

/* An observer has nothing to say. */
static void test_talker(void **state)
{
	struct exhibition *exhibition = *state;
	int fd;

	exhibition_open(exhibition);
	fd = come(exhibition);
	exhibition_await(exhibition, 1);
	assert_int_equal(send(fd, "please", 6, MSG_NOSIGNAL), 6);
	exhibition_await(exhibition, 0);
	close(fd);
}

/* Who does not read is told until its socket is full, then it has so much time, and others are served meanwhile. */
static void test_dawdler(void **state)
{
	struct exhibition *exhibition = *state;
	int slow, fd;

	exhibition->patience_ns = 50 * NS_PER_MS;
	exhibition_open(exhibition);
	slow = come(exhibition);
	exhibition_await(exhibition, 1);
	for (unsigned i = 0; i < 3000; i++)
		atomic_fetch_add(&exhibition->replans_wanted, 1);
	fd = come(exhibition);
	assert_int_equal(next_kind(fd), DOOR_BEGIN);
	close(fd);
	exhibition_await(exhibition, 0);
	close(slow);
}

/* Who reads at last in time is told all the rest. */
static void test_slow_but_in_time(void **state)
{
	struct exhibition *exhibition = *state;
	uint32_t kind, n = 0;
	int fd;

	exhibition->patience_ns = EXHIBITION_BOUND_NS;
	exhibition_open(exhibition);
	fd = come(exhibition);
	exhibition_await(exhibition, 1);
	for (unsigned i = 0; i < 3000; i++)
		atomic_fetch_add(&exhibition->replans_wanted, 1);
	exhibition_replan(exhibition, "last");
	do { /* what it has missed comes as one */
		struct door_packet packet = { 0 };

		assert_int_equal(recv(fd, &packet, sizeof(packet), 0), sizeof(packet));
		kind = packet.kind;
		n = packet.generation;
	} while (n < 3002);
	assert_int_equal(kind, DOOR_REPLANNED);
	exhibition_shut(exhibition);
	assert_int_equal(next_kind(fd), DOOR_ENDED);
	close(fd);
}

/* With everybody told, the loop does not turn. */
static void test_idle(void **state)
{
	struct exhibition *exhibition = *state;
	uint64_t until_ns = clock_now_ns() + EXHIBITION_BOUND_NS;
	unsigned before;
	int fd;

	exhibition_open(exhibition);
	fd = come(exhibition);
	assert_int_equal(next_kind(fd), DOOR_BEGIN);
	do { /* until it has turned for the last time */
		before = atomic_load(&exhibition->n_iterations);
		poll(NULL, 0, 300);
	} while (atomic_load(&exhibition->n_iterations) != before && clock_now_ns() < until_ns);
	assert_int_equal(atomic_load(&exhibition->n_iterations), before);
	close(fd);
}

/* No descriptors: who comes waits, and the loop does not turn round and round for it. */
static void test_no_descriptors(void **state)
{
	struct exhibition *exhibition = *state;
	struct rlimit limit, none;
	unsigned before;
	int fd, spare;

	exhibition_open(exhibition);
	fd = come(exhibition);
	exhibition_await(exhibition, 1);
	close(fd);
	exhibition_await(exhibition, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	assert_true(spare > fd);
	close(spare);
	none = (struct rlimit){ .rlim_cur = (rlim_t)spare, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	before = atomic_load(&exhibition->n_iterations);
	{
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		snprintf(address.sun_path, sizeof(address.sun_path), "%s/observe", exhibition->dir.path);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	}
	poll(NULL, 0, 300);
	assert_true(atomic_load(&exhibition->n_iterations) - before < 20);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(next_kind(fd), DOOR_BEGIN);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_private, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_talker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dawdler, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_but_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
