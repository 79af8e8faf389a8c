/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/memory/doorbell.h"
#include "worker/sleeper.h"

/* So long that a sleep which only its bound ends is seen as what it is: its word is 0. */
#define LONG_NS (60 * NS_PER_S)
#define SHORT_NS (5 * NS_PER_MS)
#define LONG_MS 60000

struct bed {
	struct sleeper sleeper;
	int doorbell, control[2], lifeline[2];
};

static void begin(struct bed *bed)
{
	assert_int_equal(doorbell_open(&bed->doorbell), 0);
	assert_int_equal(pipe2(bed->control, O_CLOEXEC), 0);
	assert_int_equal(pipe2(bed->lifeline, O_CLOEXEC), 0);
	assert_int_equal(sleeper_open(&bed->sleeper, bed->doorbell, bed->control[0], bed->lifeline[0]), 0);
}

static void end(struct bed *bed)
{
	sleeper_close(&bed->sleeper);
	close(bed->doorbell);
	for (int i = 0; i < 2; i++) {
		close(bed->control[i]);
		if (bed->lifeline[i] >= 0)
			close(bed->lifeline[i]);
	}
}

static int sleep_for(struct bed *bed, uint64_t ns)
{
	uint64_t now_ns = clock_now_ns();

	return sleeper_wait(&bed->sleeper, now_ns, now_ns + ns);
}

/* Until something happens. A process that was stopped and goes on has had a signal, and that ends a sleep early. */
static int sleep_long(struct bed *bed)
{
	uint64_t until_ns = clock_now_ns() + LONG_NS;
	int r;

	do
		r = sleeper_wait(&bed->sleeper, clock_now_ns(), until_ns);
	while (r == 0 && clock_now_ns() < until_ns);
	return r;
}

static int look(struct bed *bed)
{
	uint64_t now_ns = clock_now_ns();

	return sleeper_wait(&bed->sleeper, now_ns, now_ns);
}

static unsigned n_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* ---- somebody else, who acts when the test sleeps ---- */

struct other {
	pthread_t thread, sleeper_thread;
	pid_t sleeper_tid;
	int doorbell, signal;
};

static void wait_until_asleep(pid_t tid)
{
	char path[64], line[256], state = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	while (state != 'S') {
		FILE *file = fopen(path, "r");
		const char *end_of_name = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;

		state = end_of_name ? end_of_name[2] : 0;
		if (file)
			fclose(file);
	}
}

static void *act(void *data)
{
	struct other *other = data;

	wait_until_asleep(other->sleeper_tid);
	if (other->signal)
		pthread_kill(other->sleeper_thread, other->signal);
	else
		doorbell_ring(other->doorbell);
	return NULL;
}

static void start(struct other *other)
{
	other->sleeper_tid = (pid_t)syscall(SYS_gettid);
	other->sleeper_thread = pthread_self();
	assert_int_equal(pthread_create(&other->thread, NULL, act, other), 0);
}

/* ---- the doorbell ---- */

static void test_a_ring_before_the_sleep_ends_it_at_once(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleep_long(&bed), SLEEPER_DOORBELL);
	end(&bed);
}

static void test_a_ring_before_the_sleeper_was_opened_counts(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	sleeper_close(&bed.sleeper);
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleeper_open(&bed.sleeper, bed.doorbell, bed.control[0], bed.lifeline[0]), 0);
	assert_int_equal(sleep_long(&bed), SLEEPER_DOORBELL);
	end(&bed);
}

static void test_a_ring_during_the_sleep_ends_it(void **state)
{
	struct bed bed;
	struct other other;

	(void)state;
	begin(&bed);
	other = (struct other){ .doorbell = bed.doorbell };
	start(&other);
	assert_int_equal(sleep_long(&bed), SLEEPER_DOORBELL);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	end(&bed);
}

static void test_several_rings_are_one(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	for (int i = 0; i < 5; i++)
		doorbell_ring(bed.doorbell);
	assert_int_equal(sleep_long(&bed), SLEEPER_DOORBELL);
	assert_int_equal(look(&bed), 0);
	assert_int_equal(sleep_for(&bed, SHORT_NS), 0);
	end(&bed);
}

/* The count is never read, and no longer 0: the next ring is told all the same. */
static void test_every_sleep_hears_its_ring(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	for (int i = 0; i < 100; i++) {
		doorbell_ring(bed.doorbell);
		assert_int_equal(i % 2 ? sleep_long(&bed) : look(&bed), SLEEPER_DOORBELL);
		assert_int_equal(look(&bed), 0);
	}
	end(&bed);
}

/* ---- control plane, lifeline, signals ---- */

static void test_control_is_told_until_it_is_read(void **state)
{
	struct bed bed;
	char byte;

	(void)state;
	begin(&bed);
	assert_int_equal(write(bed.control[1], "x", 1), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sleep_long(&bed), SLEEPER_CONTROL);
	assert_int_equal(read(bed.control[0], &byte, 1), 1);
	assert_int_equal(look(&bed), 0);
	end(&bed);
}

static void test_the_end_of_the_lifeline_is_told(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	assert_int_equal(look(&bed), 0);
	close(bed.lifeline[1]);
	bed.lifeline[1] = -1;
	assert_int_equal(sleep_long(&bed), SLEEPER_LIFELINE);
	assert_int_equal(look(&bed), SLEEPER_LIFELINE);
	end(&bed);
}

static void test_all_that_happened_is_told_together(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	assert_int_equal(write(bed.control[1], "x", 1), 1);
	assert_int_equal(write(bed.lifeline[1], "x", 1), 1);
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleep_long(&bed), SLEEPER_DOORBELL | SLEEPER_CONTROL | SLEEPER_LIFELINE);
	end(&bed);
}

static void ignore(int signal)
{
	(void)signal;
}

static void test_a_signal_ends_the_sleep(void **state)
{
	struct sigaction old, action = { .sa_handler = ignore };
	struct bed bed;
	struct other other = { .signal = SIGUSR1 };
	uint64_t until_ns = clock_now_ns() + LONG_NS;

	(void)state;
	begin(&bed);
	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	start(&other);
	assert_int_equal(sleeper_wait(&bed.sleeper, clock_now_ns(), until_ns), 0);
	assert_true(clock_now_ns() < until_ns);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	end(&bed);
}

/* ---- the bound ---- */

static void test_no_sleep_ends_before_its_bound_or_without_it(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	for (uint64_t ns = 1; ns < 4 * NS_PER_MS; ns *= 7) {
		uint64_t now_ns = clock_now_ns();

		assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + ns), 0);
		assert_true(clock_now_ns() >= now_ns + ns);
	}
	assert_int_equal(sleeper_wait(&bed.sleeper, 0, 1), 0); /* long past */
	end(&bed);
}

/* A time that has come is no sleep, and leaves the timer alone. */
static void test_no_time_is_a_look(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	assert_int_equal(look(&bed), 0);
	assert_int_equal(sleeper_wait(&bed.sleeper, 1, 1), 0);
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleeper_wait(&bed.sleeper, 2, 1), SLEEPER_DOORBELL);
	assert_int_equal(bed.sleeper.timer_ns, 0);
	end(&bed);
}

static void test_the_timer_is_set_for_earlier_bounds_only(void **state)
{
	struct bed bed;
	uint64_t now_ns = clock_now_ns();

	(void)state;
	begin(&bed);
	for (uint64_t more = 0; more < 3; more++) {
		doorbell_ring(bed.doorbell);
		assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + (1 + more) * LONG_NS), SLEEPER_DOORBELL);
		assert_int_equal(bed.sleeper.timer_ns, now_ns + LONG_NS);
	}
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + LONG_NS / 2), SLEEPER_DOORBELL);
	assert_int_equal(bed.sleeper.timer_ns, now_ns + LONG_NS / 2);
	while (bed.sleeper.timer_ns && clock_now_ns() < now_ns + LONG_NS / 2)
		assert_int_equal(sleep_for(&bed, SHORT_NS), 0); /* it would be half a minute */
	assert_true(clock_now_ns() < now_ns + LONG_NS / 2);
	end(&bed);
}

/* Set for an earlier sleep, it goes off in this one: which ends by its own bound all the same. */
static void test_a_timer_that_goes_off_early_is_set_again(void **state)
{
	struct bed bed;
	struct other other;
	uint64_t now_ns = clock_now_ns();

	(void)state;
	begin(&bed);
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + SHORT_NS), SLEEPER_DOORBELL);
	assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + 4 * SHORT_NS), 0);
	assert_true(clock_now_ns() >= now_ns + 4 * SHORT_NS);

	now_ns = clock_now_ns();
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + SHORT_NS), SLEEPER_DOORBELL);
	while (clock_now_ns() < now_ns + 2 * SHORT_NS) /* it goes off while nobody sleeps */
		usleep(1000);
	other = (struct other){ .doorbell = bed.doorbell };
	start(&other);
	assert_int_equal(sleep_long(&bed), SLEEPER_DOORBELL);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	end(&bed);
}

/* The timer is not for anybody else: its going off is never told. */
static void test_a_timer_is_not_told(void **state)
{
	struct bed bed;
	int n_ready;

	(void)state;
	begin(&bed);
	for (int with = 0; with < 2; with++) {
		uint64_t now_ns = clock_now_ns();

		doorbell_ring(bed.doorbell);
		assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + SHORT_NS), SLEEPER_DOORBELL);
		while (clock_now_ns() < now_ns + 2 * SHORT_NS)
			usleep(1000);
		assert_int_equal(with ? sleeper_wait_with(&bed.sleeper, NULL, 0, 0, &n_ready) : look(&bed), 0);
		now_ns = clock_now_ns();
		assert_int_equal(sleeper_wait_with(&bed.sleeper, NULL, 0, SHORT_NS / NS_PER_MS, &n_ready), 0);
		assert_true(clock_now_ns() >= now_ns + SHORT_NS); /* nor does it keep others awake */
	}
	end(&bed);
}

/* ---- other descriptors ---- */

static void test_other_descriptors_end_the_sleep_too(void **state)
{
	struct bed bed;
	int others[2][2], n_ready;
	struct pollfd fds[3];

	(void)state;
	begin(&bed);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pipe2(others[i], O_CLOEXEC), 0);
	fds[0] = (struct pollfd){ .fd = others[0][0], .events = POLLIN, .revents = POLLERR };
	fds[1] = (struct pollfd){ .fd = others[1][0], .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = -1, .events = POLLIN };

	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, 3, 1, &n_ready), 0);
	assert_int_equal(n_ready, 0);

	doorbell_ring(bed.doorbell); /* own only */
	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, 3, LONG_MS, &n_ready), SLEEPER_DOORBELL);
	assert_int_equal(n_ready, 0);
	assert_int_equal(fds[0].revents | fds[1].revents | fds[2].revents, 0);
	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, 3, 0, &n_ready), 0);

	assert_int_equal(write(others[1][1], "x", 1), 1); /* others only */
	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, 3, LONG_MS, &n_ready), 0);
	assert_int_equal(n_ready, 1);
	assert_int_equal(fds[0].revents, 0);
	assert_int_equal(fds[1].revents, POLLIN);

	close(others[0][1]); /* all of it */
	doorbell_ring(bed.doorbell);
	assert_int_equal(write(bed.control[1], "x", 1), 1);
	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, 3, LONG_MS, &n_ready),
			 SLEEPER_DOORBELL | SLEEPER_CONTROL);
	assert_int_equal(n_ready, 2);
	assert_int_equal(fds[0].revents, POLLHUP);
	close(others[0][0]);
	close(others[1][0]);
	close(others[1][1]);
	end(&bed);
}

static void test_no_more_others_than_there_is_room_for(void **state)
{
	struct bed bed;
	struct pollfd fds[SLEEPER_OTHERS_MAX + 1];
	int n_ready = 7;

	(void)state;
	begin(&bed);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fds[i] = (struct pollfd){ .fd = bed.doorbell, .events = POLLIN };
	doorbell_ring(bed.doorbell);
	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, SLEEPER_OTHERS_MAX + 1, 0, &n_ready), -EINVAL);
	assert_int_equal(n_ready, 0);
	assert_int_equal(sleeper_wait_with(&bed.sleeper, fds, SLEEPER_OTHERS_MAX, 0, &n_ready), SLEEPER_DOORBELL);
	assert_int_equal(n_ready, SLEEPER_OTHERS_MAX);
	end(&bed);
}

/* ---- open and close ---- */

static void test_nothing_is_left_open(void **state)
{
	unsigned before = n_open();
	struct sleeper sleeper = { 0 };
	struct bed bed;

	(void)state;
	sleeper_close(&sleeper); /* was never open */
	begin(&bed);
	assert_true(fcntl(bed.sleeper.epoll_fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(bed.sleeper.timer_fd, F_GETFD) & FD_CLOEXEC);
	sleeper_close(&bed.sleeper);
	assert_false(bed.sleeper.is_open);
	sleeper_close(&bed.sleeper);
	assert_int_not_equal(fcntl(bed.doorbell, F_GETFD), -1); /* borrowed */
	assert_int_not_equal(fcntl(bed.control[0], F_GETFD), -1);
	assert_int_not_equal(fcntl(bed.lifeline[0], F_GETFD), -1);
	end(&bed);
	assert_int_equal(n_open(), before);
}

static void test_what_can_not_be_slept_on_leaves_nothing(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	unsigned before = n_open();
	struct sleeper sleeper;

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(sleeper_open(&sleeper, file, -1, -1), -EPERM);
	assert_false(sleeper.is_open);
	assert_int_equal(sleeper_open(&sleeper, -1, -1, file), -EPERM);
	assert_false(sleeper.is_open);
	assert_int_equal(n_open(), before);
	close(file);
}

static void test_a_descriptor_that_is_not_there_is_left_out(void **state)
{
	struct bed bed = { .doorbell = -1 };
	uint64_t now_ns = clock_now_ns();

	(void)state;
	assert_int_equal(sleeper_open(&bed.sleeper, -1, -1, -1), 0);
	assert_int_equal(sleeper_wait(&bed.sleeper, now_ns, now_ns + SHORT_NS), 0);
	assert_true(clock_now_ns() >= now_ns + SHORT_NS);
	sleeper_close(&bed.sleeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ring_before_the_sleep_ends_it_at_once),
		cmocka_unit_test(test_a_ring_before_the_sleeper_was_opened_counts),
		cmocka_unit_test(test_a_ring_during_the_sleep_ends_it),
		cmocka_unit_test(test_several_rings_are_one),
		cmocka_unit_test(test_every_sleep_hears_its_ring),
		cmocka_unit_test(test_control_is_told_until_it_is_read),
		cmocka_unit_test(test_the_end_of_the_lifeline_is_told),
		cmocka_unit_test(test_all_that_happened_is_told_together),
		cmocka_unit_test(test_a_signal_ends_the_sleep),
		cmocka_unit_test(test_no_sleep_ends_before_its_bound_or_without_it),
		cmocka_unit_test(test_no_time_is_a_look),
		cmocka_unit_test(test_the_timer_is_set_for_earlier_bounds_only),
		cmocka_unit_test(test_a_timer_that_goes_off_early_is_set_again),
		cmocka_unit_test(test_a_timer_is_not_told),
		cmocka_unit_test(test_other_descriptors_end_the_sleep_too),
		cmocka_unit_test(test_no_more_others_than_there_is_room_for),
		cmocka_unit_test(test_nothing_is_left_open),
		cmocka_unit_test(test_what_can_not_be_slept_on_leaves_nothing),
		cmocka_unit_test(test_a_descriptor_that_is_not_there_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
