/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/chaos_victim.h"

/* Two stages with a seat each that somebody sits in, and an empty one. This process plays the supervisor. */
struct scene {
	struct view_worker workers[3];
	struct view_stage stages[2];
	struct view view;
	pid_t children[2];
};

static pid_t sleep_in_a_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static int setup(void **state)
{
	static struct scene scene;

	scene = (struct scene){ .children = { sleep_in_a_child(), sleep_in_a_child() } };
	scene.workers[0] = (struct view_worker){ .pid = scene.children[0], .generation = 3 };
	scene.workers[1] = (struct view_worker){ .index = 0 }; /* restarting */
	scene.workers[2] = (struct view_worker){ .index = 1, .pid = scene.children[1] };
	scene.stages[0] = (struct view_stage){ .name = "read", .n_workers = 1, .workers = &scene.workers[0] };
	scene.stages[1] = (struct view_stage){ .name = "pass", .n_workers = 2, .workers = &scene.workers[1] };
	scene.view = (struct view){ .pid = getpid(), .n_stages = 2, .stages = scene.stages };
	*state = &scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 2; i++) {
		kill(scene->children[i], SIGKILL);
		waitpid(scene->children[i], NULL, 0);
	}
	return 0;
}

static void test_only_the_living_are_victims(void **state)
{
	struct scene *scene = *state;
	struct chaos_victim victim = CHAOS_VICTIM_NULL;

	assert_int_equal(chaos_victims(&scene->view, NULL), 2);
	assert_int_equal(chaos_victims(&scene->view, "pass"), 1);
	assert_int_equal(chaos_victims(&scene->view, "nobody"), 0);
	assert_int_equal(chaos_victim_take(&scene->view, NULL, 1, &victim), 0);
	assert_int_equal(victim.pid, scene->children[1]);
	assert_string_equal(victim.stage, "pass");
	assert_int_equal(victim.index, 1);
	chaos_victim_release(&victim);
	assert_int_equal(chaos_victim_take(&scene->view, NULL, 2, &victim), 1);
}

static void test_the_signal_reaches_the_one_that_was_taken(void **state)
{
	struct scene *scene = *state;
	struct chaos_victim victim = CHAOS_VICTIM_NULL;
	siginfo_t end = { 0 };

	assert_int_equal(chaos_victim_take(&scene->view, "read", 0, &victim), 0);
	assert_int_equal(victim.generation, 3);
	assert_int_equal(chaos_victim_signal(&victim, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)scene->children[0], &end, WEXITED), 0);
	assert_int_equal(end.si_code, CLD_KILLED);
	assert_int_equal(chaos_victim_signal(&victim, SIGKILL), 1); /* gone */
	chaos_victim_release(&victim);
	assert_int_equal(chaos_victim_take(&scene->view, "read", 0, &victim), 1);
}

/* A process of that number that is somebody else's child is left alone. */
static void test_a_stranger_is_no_victim(void **state)
{
	struct scene *scene = *state;
	struct chaos_victim victim = CHAOS_VICTIM_NULL;

	scene->view.pid = 1;
	assert_int_equal(chaos_victim_take(&scene->view, NULL, 0, &victim), 1);
	assert_int_equal(victim.pidfd, -1);
}

static void test_a_disk_that_can_not_be_filled_is_named(void **state)
{
	uint64_t bytes;
	int fd = -1, r;

	(void)state;
	assert_int_equal(chaos_fill("/nonexistent-folder", &fd, &bytes), -ENOENT);
	r = chaos_fill("/proc", &fd, &bytes);
	assert_true(r < 0);
	assert_int_equal(fd, -1);
	assert_int_equal(chaos_fill_possible("/nonexistent-folder"), -ENOENT);
	assert_int_equal(chaos_fill_possible("/proc"), r);
}

/* What a file may have stands for what a disk has. All of it is taken, and close() gives it back. */
static void test_all_room_is_taken(void **state)
{
	const struct rlimit limit = { .rlim_cur = 3 << 20, .rlim_max = RLIM_INFINITY };
	const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	uint64_t bytes = 0;
	struct stat st;
	int fd = -1;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(chaos_fill(folder, &fd, &bytes), 0);
	assert_int_equal(bytes, 3 << 20);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_size, 3 << 20);
	assert_int_equal(chaos_fill_possible(folder), 0);
	close(fd);
	assert_int_equal(chaos_fill_possible(folder), 0);
}

/* What is full now may have room when its turn comes. */
static void test_a_full_disk_can_be_filled_again(void **state)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(chaos_fill_possible(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_the_living_are_victims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_signal_reaches_the_one_that_was_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stranger_is_no_victim, setup, teardown),
		cmocka_unit_test(test_all_room_is_taken),
		cmocka_unit_test(test_a_disk_that_can_not_be_filled_is_named),
		cmocka_unit_test(test_a_full_disk_can_be_filled_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
