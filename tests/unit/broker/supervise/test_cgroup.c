/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups: which files are written, and what is done where they are not to be had. The kernel's part is a folder here. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>

#include "broker/supervise/cgroup.h"
#include "common/base/cleanup.h"
#include "tests/unit/broker/supervise/fake_cgroup.h"

#define PID ((int)getpid())

static struct cgroup_place place_of(const struct fake_cgroup *fake)
{
	return (struct cgroup_place){ .mount = (char *)(uintptr_t)fake->root, .own = (char *)(uintptr_t) "/unit" };
}

static bool is_there(const struct fake_cgroup *fake, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	return access(whole, F_OK) == 0;
}

/* ---- where ---- */

static int find(const char *mounts, const char *groups, struct cgroup_place *place, struct text *why)
{
	struct fake_cgroup fake;
	char mountinfo[64], cgroup[64];
	int r;

	fake_cgroup_init(&fake, "");
	fake_cgroup_write(&fake, "mountinfo", mounts);
	fake_cgroup_write(&fake, "cgroup", groups);
	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", fake.root);
	snprintf(cgroup, sizeof(cgroup), "%s/cgroup", fake.root);
	r = cgroup_find(mountinfo, cgroup, place, why);
	fake_cgroup_deinit(&fake);
	return r;
}

static void assert_found(const char *mounts, const char *groups, const char *mount, const char *own)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct cgroup_place place = { 0 };

	assert_int_equal(find(mounts, groups, &place, &why), 0);
	assert_string_equal(place.mount, mount);
	assert_string_equal(place.own, own);
	free(place.mount);
	free(place.own);
}

#define TMPFS "25 1 0:22 / /run rw,nosuid - tmpfs tmpfs rw\n"
#define V1 "30 25 0:26 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
#define V2 "31 25 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define PART "31 25 0:27 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

static void test_where_it_is(void **state)
{
	(void)state;
	assert_found(TMPFS V1 V2, "4:memory:/a\n0::/user.slice/weir@a.service\n", "/sys/fs/cgroup",
		     "/user.slice/weir@a.service");
	assert_found(V2, "0::/\n", "/sys/fs/cgroup", "/");
	assert_found(PART, "0::/box/inner\n", "/sys/fs/cgroup", "/inner");
	assert_found(PART, "0::/box\n", "/sys/fs/cgroup", "/");
	assert_found(PART, "0::/boxer\n", "/sys/fs/cgroup", "/boxer");
}

static void test_nowhere(void **state)
{
	static const struct {
		const char *mounts, *groups;
	} cases[] = { { TMPFS V1, "4:memory:/a\n0::/\n" }, { V2, "4:memory:/a\n" }, { "", "" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		struct cgroup_place place = { 0 };

		assert_int_equal(find(cases[i].mounts, cases[i].groups, &place, &why), CGROUP_E_NONE);
		assert_string_equal(text_get(&why), "no control groups of version 2 are mounted");
		assert_null(place.mount);
	}
}

/* ---- the tree ---- */

static void test_it_moves_and_hands_on(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;

	(void)state;
	fake_cgroup_init(&fake, "cpuset cpu io memory pids\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	fake_cgroup_mkdir(&fake, "unit/weir-orders.price.0.17"); /* a dead supervisor has left it */
	fake_cgroup_mkdir(&fake, "unit/weir-other.price.0.17");
	place = place_of(&fake);
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY, &tree, &why), 0);
	assert_int_equal(tree.has, CGROUP_MEMORY);
	assert_true(fake_is_in("unit/weir-orders.supervisor/cgroup.procs", PID));
	assert_string_equal(fake_cgroup_read(&fake, "unit/cgroup.subtree_control"), "+memory");
	assert_false(is_there(&fake, "unit/weir-orders.price.0.17"));
	assert_true(is_there(&fake, "unit/weir-other.price.0.17"));
	cgroup_tree_widen(&tree, CGROUP_MEMORY | CGROUP_CPU);
	assert_int_equal(tree.has, CGROUP_MEMORY | CGROUP_CPU);
	assert_string_equal(fake_cgroup_read(&fake, "unit/cgroup.subtree_control"),
			    "+cpuory"); /* no kernel, no truncation */
	fake_cgroup_mkdir(&fake, "unit/weir-orders.price.0.18");
	cgroup_tree_close(&tree, PID);
	assert_false(is_there(&fake, "unit/weir-orders.price.0.18"));
	assert_true(fake_is_in("unit/cgroup.procs", PID)); /* it is back */
	assert_int_equal(tree.fd, -1);
	cgroup_tree_close(&tree, PID);
	fake_cgroup_deinit(&fake);
}

/* Both it and its parent, a child of this process, end when *ret_lifeline is closed. */
static pid_t have_grandchild(int *ret_lifeline)
{
	int words[2], lifeline[2];
	pid_t child, pid = 0;

	assert_int_equal(pipe(words), 0);
	assert_int_equal(pipe(lifeline), 0);
	child = fork();
	if (child == 0) {
		close(lifeline[1]);
		pid = fork();
		if (pid == 0)
			_exit((int)read(lifeline[0], &pid, 1));
		_exit(write(words[1], &pid, sizeof(pid)) != sizeof(pid) || read(lifeline[0], &pid, 1));
	}
	assert_true(child > 0);
	assert_int_equal(read(words[0], &pid, sizeof(pid)), sizeof(pid));
	close(words[0]);
	close(words[1]);
	close(lifeline[0]);
	*ret_lifeline = lifeline[1];
	return pid;
}

/* A reload is the first that wants a tree: whoever works already, and what he has started, moves with it. Nobody else does. */
static void test_who_works_already(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;
	int lifeline;
	pid_t grandchild;

	(void)state;
	fake_cgroup_init(&fake, "memory\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	place = place_of(&fake);
	grandchild = have_grandchild(&lifeline);
	assert_true(fake_is_in("unit/cgroup.procs", grandchild));
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY, &tree, &why), 0);
	assert_int_equal(tree.has, CGROUP_MEMORY);
	assert_true(fake_is_in("unit/weir-orders.supervisor/cgroup.procs", grandchild));
	cgroup_tree_close(&tree, PID);
	assert_true(fake_is_in("unit/cgroup.procs", grandchild));
	assert_true(fake_is_in("unit/cgroup.procs", PID));

	fake_join("unit/cgroup.procs", getppid()); /* a shell */
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY, &tree, &why), CGROUP_E_NONE);
	assert_string_equal(text_get(&why), "the control group of weir, /unit, has other processes in it");
	assert_true(fake_is_in("unit/cgroup.procs", getppid()));
	assert_true(fake_is_in("unit/cgroup.procs", grandchild)); /* as it was */
	close(lifeline);
	while (wait(NULL) > 0)
		;
	fake_cgroup_deinit(&fake);
}

static void test_part_of_what_is_wanted(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;

	(void)state;
	fake_cgroup_init(&fake, "cpuset memory_recursiveprot cpu\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	place = place_of(&fake);
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY | CGROUP_CPU, &tree, &why), 0);
	assert_int_equal(tree.has, CGROUP_CPU);
	cgroup_tree_close(&tree, PID);
	fake_cgroup_deinit(&fake);
}

static void assert_none(struct fake_cgroup *fake, const char *own, unsigned wanted, const char *reason)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct cgroup_place place = { .mount = fake->root, .own = (char *)(uintptr_t)own };
	struct cgroup_tree tree;

	assert_int_equal(cgroup_tree_open(&place, "orders", PID, wanted, &tree, &why), CGROUP_E_NONE);
	assert_string_equal(text_get(&why), reason);
	assert_int_equal(tree.fd, -1);
}

static void test_it_can_not_be_had(void **state)
{
	struct fake_cgroup fake;

	(void)state;
	fake_cgroup_init(&fake, "pids cpuset\n");
	assert_none(&fake, "/nowhere", CGROUP_CPU,
		    "the control group of weir, /nowhere, is not delegated to it (No such file or directory)");
	assert_none(&fake, "/unit", CGROUP_MEMORY | CGROUP_CPU,
		    "the control group of weir, /unit, has no controller memory, cpu");
	assert_none(&fake, "/unit", CGROUP_CPU, "the control group of weir, /unit, has no controller cpu");
	assert_false(is_there(&fake, "unit/weir-orders.supervisor"));
	fake_cgroup_write(&fake, "unit/cgroup.controllers", "memory cpu\n");
	/* The leaf has no files: nobody can enter it. It goes again. */
	assert_none(&fake, "/unit", CGROUP_CPU,
		    "the control group of weir, /unit, is not delegated to it (No such file or directory)");
	assert_false(is_there(&fake, "unit/weir-orders.supervisor"));
	fake_cgroup_deinit(&fake);
}

/* ---- a worker's ---- */

static void test_limits_are_written(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct cgroup_limits limits = {
		.memory_bytes = 512 << 20, .cpu_billionths = 1500000000, .has_nice = true, .nice = -3
	};
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;
	int fd = -1;

	(void)state;
	fake_cgroup_init(&fake, "cpu memory\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	fake_cgroup_add(&fake, "weir-orders.price.0.1");
	place = place_of(&fake);
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY | CGROUP_CPU, &tree, &why), 0);
	assert_int_equal(cgroup_make(&tree, "price.0.1", &limits, &fd, &why), 0);
	assert_int_equal(write(fd, "0", 1), 1);
	fd = fd_close(fd);
	assert_true(fake_is_in("unit/weir-orders.price.0.1/cgroup.procs", PID));
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/memory.max"), "536870912");
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/memory.swap.max"), "0");
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/cpu.max"), "150000 100000");
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/cpu.weight.nice"), "-3");
	assert_int_equal(cgroup_oom_kills(&tree, "price.0.1"), 0);
	fake_cgroup_write(&fake, "unit/weir-orders.price.0.1/memory.events",
			  "low 0\nhigh 0\nmax 71\noom 2\noom_kill 1\noom_group_kill 5\n");
	assert_int_equal(cgroup_oom_kills(&tree, "price.0.1"), 1);
	cgroup_tree_close(&tree, PID);
	fake_cgroup_deinit(&fake);
}

/* Less than the kernel takes: the least that it does. */
static void test_little_processor_time(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct cgroup_limits limits = { .memory_bytes = 1 << 20, .cpu_billionths = 1 };
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;
	int fd = -1;

	(void)state;
	fake_cgroup_init(&fake, "cpu memory\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	fake_cgroup_add(&fake, "weir-orders.price.0.1");
	place = place_of(&fake);
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_CPU, &tree, &why), 0);
	assert_int_equal(cgroup_make(&tree, "price.0.1", &limits, &fd, &why), 0);
	fd = fd_close(fd);
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/cpu.max"), "1000 100000");
	/* Its controller was not wanted, or is not there. */
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/memory.max"), "");
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/cpu.weight.nice"), "");
	cgroup_tree_close(&tree, PID);
	fake_cgroup_deinit(&fake);
}

static void test_a_kernel_without_swap(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct cgroup_limits limits = { .memory_bytes = 1 << 20 };
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;
	char path[128];
	int fd = -1;

	(void)state;
	fake_cgroup_init(&fake, "memory\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	fake_cgroup_add(&fake, "weir-orders.price.0.1");
	snprintf(path, sizeof(path), "%s/unit/weir-orders.price.0.1/memory.swap.max", fake.root);
	assert_int_equal(unlink(path), 0);
	place = place_of(&fake);
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY, &tree, &why), 0);
	assert_int_equal(cgroup_make(&tree, "price.0.1", &limits, &fd, &why), 0);
	fd = fd_close(fd);
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-orders.price.0.1/memory.max"), "1048576");
	/* What is there and can't be written is another matter. */
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(cgroup_make(&tree, "price.0.1", &limits, &fd, &why), -EISDIR);
	assert_string_equal(text_get(&why), "memory.swap.max can't be set to 0: Is a directory");
	cgroup_tree_close(&tree, PID);
	fake_cgroup_deinit(&fake);
}

static void test_a_group_that_can_not_be_made_leaves_nothing(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct cgroup_limits limits = { .memory_bytes = 1 << 20 };
	struct fake_cgroup fake;
	struct cgroup_place place;
	struct cgroup_tree tree;
	int fd = -1;

	(void)state;
	fake_cgroup_init(&fake, "memory\n");
	fake_cgroup_add(&fake, "weir-orders.supervisor");
	place = place_of(&fake);
	assert_int_equal(cgroup_tree_open(&place, "orders", PID, CGROUP_MEMORY, &tree, &why), 0);
	/* Made, but without the files: not a group at all. */
	assert_int_equal(cgroup_make(&tree, "price.0.1", &limits, &fd, &why), -ENOENT);
	assert_string_equal(text_get(&why), "memory.max can't be set to 1048576: No such file or directory");
	assert_false(is_there(&fake, "unit/weir-orders.price.0.1"));
	assert_int_equal(fd, -1);
	cgroup_tree_close(&tree, PID);
	fake_cgroup_deinit(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_it_is),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_it_moves_and_hands_on),
		cmocka_unit_test(test_who_works_already),
		cmocka_unit_test(test_part_of_what_is_wanted),
		cmocka_unit_test(test_it_can_not_be_had),
		cmocka_unit_test(test_limits_are_written),
		cmocka_unit_test(test_little_processor_time),
		cmocka_unit_test(test_a_kernel_without_swap),
		cmocka_unit_test(test_a_group_that_can_not_be_made_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
