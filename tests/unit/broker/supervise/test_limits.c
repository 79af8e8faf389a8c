/* SPDX-License-Identifier: Apache-2.0 */
/* Workers with limits: by control groups, which are a folder here, and without any. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/processors.h"
#include "tests/unit/broker/supervise/fake_cgroup.h"
#include "tests/unit/broker/supervise/trial.h"

static struct fake_cgroup fake;
static char first_processor[16];

/* Before anybody is started. */
static void place_it(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "starting") == 0)
		trial->supervisor->limits.place =
			(struct cgroup_place){ .mount = strdup(fake.root), .own = strdup("/unit") };
}

static void make_limited(struct made_plan *made, const char *store)
{
	make_plan(made, "stay-on", store, 1);
	made->stages[1].resources = (struct plan_resources){ .memory_bytes = 64 << 20, .cpu_billionths = 1500000000 };
}

static void add_groups(unsigned n)
{
	char name[64];

	fake_cgroup_add(&fake, "weir-trial.supervisor");
	for (unsigned i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "weir-trial.store.0.%u", i);
		fake_cgroup_add(&fake, name);
	}
}

static void test_a_worker_that_the_kernel_killed_for_its_memory(void **state)
{
	struct trial trial = { .at_phase = place_it };
	struct made_plan made;

	(void)state;
	fake_cgroup_init(&fake, "cpu memory\n");
	add_groups(8);
	fake_cgroup_write(&fake, "unit/weir-trial.store.0.2/memory.events", "oom 1\noom_kill 1\n");
	make_limited(&made, "crash-always");
	run_trial(&trial, &made.plan);
	assert_logged(
		&trial,
		"6 store#-1 0: resources of each worker: memory 64.0 MiB by its control group, cpu 150% by its control group\n");
	assert_int_equal(count_logged(&trial, "resources of each worker"), 1);
	assert_string_not_equal(fake_cgroup_read(&fake, "unit/weir-trial.store.0.1/cgroup.procs"), "");
	assert_int_equal(fake_n_moved,
			 0); /* feed, who has no limit, and is forked first, is in the leaf from its fork on */
	assert_string_equal(fake_cgroup_read(&fake, "unit/weir-trial.store.0.1/memory.max"), "67108864");
	assert_string_not_equal(fake_cgroup_read(&fake, "unit/weir-trial.store.0.5/cgroup.procs"), "");
	assert_int_equal(count_logged(&trial, "was killed by SIGKILL"), 5);
	assert_int_equal(
		count_logged(
			&trial,
			"was killed by SIGKILL by the kernel, for it had used up its memory of 64.0 MiB (resources: memory)"),
		1);
	assert_int_equal(metric_of(&trial, "weir_restarts_total", "\"stage\":\"store\",\"reason\":\"memory\""), 1);
	end_trial(&trial);
	fake_cgroup_deinit(&fake);
}

static void test_who_asks_for_nothing_stays_where_he_is(void **state)
{
	struct trial trial = { .at_phase = place_it };
	struct made_plan made;

	(void)state;
	fake_cgroup_init(&fake, "cpu memory\n");
	make_plan(&made, "good", "good", 1);
	made.stages[1].resources = (struct plan_resources){ .has_nice = true, .nice = 19 };
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_string_equal(fake_cgroup_read(&fake, "unit/cgroup.subtree_control"), "");
	assert_logged(&trial, "6 store#-1 0: resources of each worker: nice 19\n");
	end_trial(&trial);
	fake_cgroup_deinit(&fake);
}

static void look_at_data_limit(struct trial *trial, const char *phase)
{
	struct rlimit data = { 0 };

	place_it(trial, phase);
	if (strcmp(phase, "running") != 0)
		return;
	assert_int_equal(prlimit(trial->supervisor->seats[1].pid, RLIMIT_DATA, NULL, &data), 0);
	assert_int_equal(data.rlim_cur, UINT64_C(1) << 50);
	trial->n_seen++;
}

/* A worker whose group can't be made works without one, by what else there is. */
static void test_a_group_that_can_not_be_made(void **state)
{
	struct trial trial = { .at_phase = look_at_data_limit };
	struct made_plan made;

	(void)state;
	fake_cgroup_init(&fake, "cpu memory\n");
	add_groups(0);
	make_plan(&made, "good", "good", 1);
	made.stages[1].resources = (struct plan_resources){ .memory_bytes = UINT64_C(1) << 50 };
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_int_equal(trial.n_seen, 1);
	assert_logged(&trial,
		      "resources: this worker is without a control group: memory.max can't be set to 1125899906842624");
	end_trial(&trial);
	fake_cgroup_deinit(&fake);
}

/* ---- without control groups: what the kernel says of the worker ---- */

static void look_at_worker(struct trial *trial, const char *phase)
{
	const struct seat *store = &trial->supervisor->seats[1];
	_cleanup_(text_deinit) struct text may = TEXT_NULL;
	struct rlimit data = { 0 };
	cpu_set_t set;

	place_it(trial, phase);
	if (strcmp(phase, "running") != 0)
		return;
	assert_int_equal(sched_getaffinity(store->pid, sizeof(set), &set), 0);
	processors_format(&set, &may);
	assert_string_equal(text_get(&may), first_processor);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)store->pid), 7);
	assert_int_equal(prlimit(store->pid, RLIMIT_DATA, NULL, &data), 0);
	assert_int_equal(data.rlim_cur, UINT64_C(1) << 50);
	trial->n_seen++;
}

static void find_first_processor(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set)) {
			snprintf(first_processor, sizeof(first_processor), "%u", i);
			return;
		}
}

static void test_without_control_groups(void **state)
{
	struct trial trial = { .at_phase = look_at_worker };
	struct made_plan made;

	(void)state;
	fake_cgroup_init(&fake, "pids\n");
	find_first_processor();
	make_plan(&made, "good", "good", 1);
	made.stages[1].resources = (struct plan_resources){ .cpus = first_processor,
							    .has_nice = true,
							    .nice = 7,
							    .memory_bytes = UINT64_C(1) << 50,
							    .cpu_billionths = 10000000 };
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.n_seen, 1);
	assert_logged(&trial, "4 store#-1 0: resources of each worker: cpus ");
	assert_logged(
		&trial,
		", nice 7, memory 1.0 PiB by RLIMIT_DATA (each process by itself, without what it shares), cpu 1% NOT in force; "
		"the control group of weir, /unit, has no controller memory, cpu\n");
	end_trial(&trial);
	fake_cgroup_deinit(&fake);
}

/* What has been there when the spec was checked need not be there now. */
static void test_a_processor_that_is_gone(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "good", 1);
	made.stages[1].resources.cpus = (char *)(uintptr_t) "1023";
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_TRY_AGAIN);
	assert_logged(&trial, "could not be given its processors (resources: cpus) (Invalid argument)");
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_worker_that_the_kernel_killed_for_its_memory),
		cmocka_unit_test(test_who_asks_for_nothing_stays_where_he_is),
		cmocka_unit_test(test_a_group_that_can_not_be_made),
		cmocka_unit_test(test_without_control_groups),
		cmocka_unit_test(test_a_processor_that_is_gone),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
