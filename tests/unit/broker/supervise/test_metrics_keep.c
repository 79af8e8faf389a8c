/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to real processes is counted, each thing where it belongs and nowhere else. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "broker/supervise/metrics.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/scope/cause.h"
#include "tests/unit/broker/supervise/trial.h"

#define STORE "\"stage\":\"store\","
#define NOBODY "\"stage\":\"\","

/* Of all samples of a metric with two labels only that one has counted something. */
static void assert_only(const struct trial *trial, enum metric metric, const char *labels, unsigned long long n)
{
	static char pipeline[] = "trial", feed[] = "feed", store[] = "store";
	static struct plan_stage stages[] = { { .name = feed }, { .name = store } };
	static const struct plan plan = { .pipeline = pipeline, .stages = stages, .n_stages = 2 };
	const struct metric_line *line = &metric_lines[metric];
	unsigned long long sum = 0;

	for (size_t i = 0; i < metric_label_size(line->labels[0], &plan); i++)
		for (size_t k = 0; k < metric_label_size(line->labels[1], &plan); k++) {
			const char *first = metric_label_value(line->labels[0], &plan, i),
				   *second = metric_label_value(line->labels[1], &plan, k);
			char each[128];

			if (!first || !second)
				continue;
			snprintf(each, sizeof(each), "\"%s\":\"%s\",\"%s\":\"%s\"", metric_label_name(line->labels[0]),
				 first, metric_label_name(line->labels[1]), second);
			sum += metric_of(trial, line->name, each);
		}
	assert_int_equal(metric_of(trial, line->name, labels), n);
	assert_int_equal(sum, n);
}

static void assert_timeouts(const struct trial *trial, const char *labels, unsigned long long n)
{
	assert_only(trial, METRIC_TIMEOUTS, labels, n);
}

static unsigned long long cancels(const struct trial *trial, const char *cause)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "\"cause\":\"%s\"", cause);
	return metric_of(trial, "weir_cancels_total", labels);
}

static unsigned long long exits(const struct trial *trial, const char *order)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "\"order\":\"%s\"", order);
	return metric_of(trial, "weir_exit_seconds", labels);
}

/* Workers that have seen it, each once, whether they said so ("stay-on") or were gone before that ("stay"). */
static unsigned long long sights(const struct trial *trial, const char *order)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "\"order\":\"%s\"", order);
	return metric_of(trial, "weir_order_seen_seconds", labels);
}

static void run_made(struct trial *trial, struct made_plan *made)
{
	run_trial(trial, &made->plan);
	assert_false(trial->refused_to_start);
}

static void run_store(struct trial *trial, const char *act)
{
	struct made_plan made;

	make_plan(&made, "good", act, 1);
	run_made(trial, &made);
}

/* ---- restarts ---- */

static void assert_restarted(const char *act, const char *reason)
{
	struct trial trial = { 0 };
	char labels[64];

	run_store(&trial, act);
	snprintf(labels, sizeof(labels), STORE "\"reason\":\"%s\"", reason);
	assert_only(&trial, METRIC_RESTARTS, labels, 1);
	end_trial(&trial);
}

static void test_restarts_by_reason(void **state)
{
	(void)state;
	assert_restarted("exit-0", "exit_zero");
	assert_restarted("exit-9", "exit_code");
	assert_restarted("die-once", "signal");
	assert_restarted("die-early-once", "signal");
}

static void test_nothing_has_happened(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_store(&trial, "good");
	assert_only(&trial, METRIC_RESTARTS, STORE "\"reason\":\"signal\"", 0);
	assert_timeouts(&trial, STORE "\"level\":\"item\"", 0);
	for (enum cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		assert_int_equal(cancels(&trial, cause_name(cause)), 0);
	assert_int_equal(exits(&trial, "cancel") + exits(&trial, "drain"), 0);
	end_trial(&trial);
}

static bool drain_when_all_have_come_back(struct trial *trial)
{
	const struct life *lives = trial->supervisor->lifecycle.lives;

	for (unsigned i = 0; i < 2; i++)
		if (!lives[i].restarts || (lives[i].state != SEAT_READY && !seat_state_over(lives[i].state)))
			return false;
	supervisor_drain(trial->supervisor, 0, "the test");
	return true;
}

static void test_siblings_are_restarted_for_another(void **state)
{
	struct trial trial = { .look = drain_when_all_have_come_back };
	struct made_plan made;

	(void)state;
	make_plan(&made, "stay", "die-once", 1);
	made.plan.strategy = PLAN_ONE_FOR_ALL;
	run_made(&trial, &made);
	assert_int_equal(metric_of(&trial, "weir_restarts_total", "\"stage\":\"feed\",\"reason\":\"sibling\""), 1);
	assert_int_equal(metric_of(&trial, "weir_restarts_total", STORE "\"reason\":\"signal\""), 1);
	end_trial(&trial);
}

static struct made_plan hanging;

/* The one that hangs has a short grace, its successor all the time to exit. */
static bool be_patient_with_the_next(struct trial *trial)
{
	if (!trial->supervisor->lifecycle.lives[1].restarts)
		return false;
	hanging.stages[1].grace_ns = 60 * NS_PER_S;
	return true;
}

static void test_who_hangs_after_its_goodbye_and_is_replaced(void **state)
{
	struct trial trial = { .look = be_patient_with_the_next };

	(void)state;
	make_plan(&hanging, "good", "fail-and-hang", 1);
	hanging.stages[1].restart_type = PLAN_PERMANENT;
	run_made(&trial, &hanging);
	assert_only(&trial, METRIC_RESTARTS, STORE "\"reason\":\"hung\"", 1);
	assert_timeouts(&trial, STORE "\"level\":\"exit\"", 1);
	end_trial(&trial);
}

/* ---- timeouts ---- */

static void test_overruns(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "hold", 1);
	made.stages[1].deadline_ns = 50 * MS;
	made.stages[1].attempts = 2;
	run_made(&trial, &made);
	assert_timeouts(&trial, STORE "\"level\":\"item\"", 2);
	end_trial(&trial);
}

static void test_the_deadline_of_the_run(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "stay", "stay-on", 1);
	made.plan.deadline_ns = 300 * MS;
	run_made(&trial, &made);
	assert_timeouts(&trial, NOBODY "\"level\":\"run\"", 1);
	assert_int_equal(cancels(&trial, "run_deadline"), 1);
	assert_int_equal(exits(&trial, "cancel"), 2);
	assert_int_equal(exits(&trial, "drain"), 0);
	assert_int_equal(sights(&trial, "cancel"), 2);
	assert_int_equal(sights(&trial, "drain"), 0);
	end_trial(&trial);
}

static void drain_when_running(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") == 0)
		supervisor_drain(trial->supervisor, 0, "the test");
}

static bool hurry_when_the_source_has_ended(struct trial *trial)
{
	if (!seat_state_over(trial->supervisor->lifecycle.lives[0].state))
		return false;
	supervisor_drain(trial->supervisor, clock_now_ns() + 300 * MS, "the test");
	return true;
}

static void test_a_drain_that_takes_too_long(void **state)
{
	struct trial trial = { .at_phase = drain_when_running, .look = hurry_when_the_source_has_ended };
	struct made_plan made;

	(void)state;
	make_plan(&made, "stay", "stay-on", 1);
	run_made(&trial, &made);
	assert_timeouts(&trial, NOBODY "\"level\":\"drain\"", 1);
	assert_int_equal(cancels(&trial, "drain_deadline"), 1);
	assert_int_equal(exits(&trial, "drain"), 1); /* the source */
	assert_int_equal(exits(&trial, "cancel"), 1);
	assert_int_equal(sights(&trial, "drain"), 1);
	assert_in_range(sights(&trial, "cancel"), 0, 1); /* SIGTERM may be quicker than its eyes */
	end_trial(&trial);
}

static void test_a_start_that_takes_too_long(void **state)
{
	struct trial trial = { .start_timeout_ns = 300 * MS };

	(void)state;
	run_store(&trial, "silent");
	assert_timeouts(&trial, NOBODY "\"level\":\"start\"", 1);
	end_trial(&trial);
}

static void test_who_hangs_at_its_exit(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_store(&trial, "hang-at-exit");
	assert_timeouts(&trial, STORE "\"level\":\"exit\"", 1);
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_has_happened),
		cmocka_unit_test(test_restarts_by_reason),
		cmocka_unit_test(test_siblings_are_restarted_for_another),
		cmocka_unit_test(test_who_hangs_after_its_goodbye_and_is_replaced),
		cmocka_unit_test(test_overruns),
		cmocka_unit_test(test_the_deadline_of_the_run),
		cmocka_unit_test(test_a_drain_that_takes_too_long),
		cmocka_unit_test(test_a_start_that_takes_too_long),
		cmocka_unit_test(test_who_hangs_at_its_exit),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
