/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cells of strategies x restart types x ends with real processes: one stage's worker ends in some way, the other's
 * stays, and at the end it is looked at who was restarted. feed (1 worker) -> store (1 worker).
 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/lifecycle/strategy.h"
#include "broker/supervise/supervisor_priv.h"
#include "tests/unit/broker/supervise/trial.h"

#define LOOK_US 2000u
#define READY_BOUND_NS (300 * NS_PER_MS)
#define FAILED_STARTS 2u
#define INTENSITY 1000u

enum { FEED, STORE };

static const char *const ends[] = { "exit-0", "exit-9", "die-once", "exec-failure", "die-never-ready" };
#define ENDS (sizeof(ends) / sizeof(ends[0]))

struct cell {
	enum plan_strategy strategy;
	enum plan_restart type; /* of the stage that dies */
	const char *end;
	uint32_t dies; /* FEED or STORE */
};

static struct looks {
	const struct cell *cell;
	sd_event_source *timer;
	char *worker_path; /* while it is hidden */
	int worker_fd;
} looks;

static bool is_settled(const struct supervisor *supervisor)
{
	const struct seat *dead = &supervisor->seats[looks.cell->dies], *other = &supervisor->seats[!looks.cell->dies];

	return seat_state_over(dead->life->state) &&
	       (other->life->state == SEAT_READY || seat_state_over(other->life->state));
}

/* It vanished before the first death. */
static void show_program_after_some_starts(struct supervisor *supervisor)
{
	if (looks.worker_path && supervisor->seats[looks.cell->dies].life->restarts > FAILED_STARTS) {
		free(supervisor->worker_path);
		supervisor->worker_path = looks.worker_path;
		supervisor->worker_fd = looks.worker_fd;
		looks.worker_path = NULL;
	}
}

/* Only the one that says nothing must be told that it takes too long: its bound is set once it has begun. */
static void be_patient_with_successors(struct supervisor *supervisor)
{
	const struct seat *dies = &supervisor->seats[looks.cell->dies];

	if (dies->generation == 1 && dies->life->state == SEAT_SPAWNED)
		supervisor->lifecycle.start_timeout_ns = 60 * NS_PER_S;
}

/* Whoever is waited for has a deadline, and the clock is set for the earliest. */
static void check_bounds(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (!lifecycle_bounded(&supervisor->lifecycle, i))
			fail_msg("nothing bounds how long seat %u is '%s'", i,
				 seat_state_name(supervisor->seats[i].life->state));
	assert_int_equal(lifecycle_due_ns(&supervisor->lifecycle) != 0, supervisor->timer != NULL);
}

static int on_look(sd_event_source *source, uint64_t at_us, void *data)
{
	struct trial *trial = data;

	(void)at_us;
	if (trial->supervisor->lifecycle.finished)
		return 0;
	check_bounds(trial->supervisor);
	show_program_after_some_starts(trial->supervisor);
	be_patient_with_successors(trial->supervisor);
	if (is_settled(trial->supervisor) && trial->supervisor->lifecycle.ladder.rung == RUNG_NONE)
		supervisor_drain(trial->supervisor, 0, "the test");
	sd_event_source_set_time_relative(source, LOOK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void at_phase(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "stopped") == 0 || strcmp(phase, "failed") == 0) {
		looks.timer = sd_event_source_disable_unref(looks.timer);
		if (looks.worker_path) /* nobody has missed it */
			trial->supervisor->worker_fd = looks.worker_fd;
	}
	if (strcmp(phase, "running") != 0)
		return;
	if (strcmp(looks.cell->end, "die-never-ready") == 0)
		trial->supervisor->lifecycle.start_timeout_ns = READY_BOUND_NS;
	if (strcmp(looks.cell->end, "exec-failure") == 0) {
		looks.worker_path = trial->supervisor->worker_path;
		trial->supervisor->worker_path = strdup("/nowhere/weir-worker");
		looks.worker_fd = trial->supervisor->worker_fd;
		trial->supervisor->worker_fd = -1;
	}
	assert_true(sd_event_add_time_relative(trial->event, &looks.timer, CLOCK_MONOTONIC, LOOK_US, 100, on_look,
					       trial) >= 0);
}

static void run_cell(struct trial *trial, const struct cell *cell)
{
	const char *act = strcmp(cell->end, "exec-failure") == 0 ? "die-once" : cell->end;
	struct made_plan made;

	looks = (struct looks){ .cell = cell };
	trial->at_phase = at_phase;
	make_plan(&made, cell->dies == FEED ? act : "stay", cell->dies == STORE ? act : "stay", 1);
	made.plan.strategy = cell->strategy;
	made.stages[cell->dies].restart_type = cell->type;
	made.stages[FEED].restart_intensity = made.stages[STORE].restart_intensity = INTENSITY;
	run_trial(trial, &made.plan);
	free(looks.worker_path);
}

/* "feed store ": whose workers had a successor. */
static const char *restarted(const struct trial *trial)
{
	static const char *const sets[] = { "", "feed ", "store ", "feed store " };

	return sets[(trial->view.stages[FEED].restarts > 0) + 2 * (trial->view.stages[STORE].restarts > 0)];
}

static const char *expected(const struct cell *cell)
{
	bool takes = cell->strategy == PLAN_ONE_FOR_ALL || (cell->strategy == PLAN_REST_FOR_ONE && cell->dies == FEED);

	if (cell->type == PLAN_TEMPORARY)
		return "";
	return takes ? "feed store " : cell->dies == FEED ? "feed " : "store ";
}

static unsigned long long restarts(const struct trial *trial, uint32_t stage, const char *reason)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "\"stage\":\"%s\",\"reason\":\"%s\"", stage == FEED ? "feed" : "store",
		 reason);
	return metric_of(trial, "weir_restarts_total", labels);
}

/* Each counted once, with its reason: who died for the reason of its death, who was restarted with it as its sibling. */
static void check_reasons(const struct trial *trial, const struct cell *cell)
{
	static const char *const reasons[] = { "exit_zero", "exit_code", "signal", "exec_failed", "never_ready" };
	const struct view_stage *stages = trial->view.stages;

	unsigned long long n = 0;

	/* Of two that can't be executed the first takes the other with it, as its sibling. */
	for (size_t end = 0; end < ENDS; end++)
		if (strcmp(cell->end, ends[end]) == 0)
			n = restarts(trial, cell->dies, reasons[end]) + restarts(trial, !cell->dies, reasons[end]);
	if (!n != (cell->type == PLAN_TEMPORARY))
		fail_msg("%s of a worker, type %d: counted %llu times", cell->end, (int)cell->type, n);
	assert_int_equal(restarts(trial, !cell->dies, "sibling") + restarts(trial, !cell->dies, "exec_failed"),
			 stages[!cell->dies].restarts);
	assert_int_equal(!restarts(trial, !cell->dies, "sibling"), !stages[!cell->dies].restarts);
	if (strcmp(cell->end, "die-never-ready") == 0 && cell->type != PLAN_TEMPORARY)
		assert_int_equal(metric_of(trial, "weir_timeouts_total",
					   cell->dies == FEED ? "\"stage\":\"feed\",\"level\":\"start\"" :
								"\"stage\":\"store\",\"level\":\"start\""),
				 1);
}

static void check_cell(const struct cell *cell)
{
	struct trial trial = { 0 };
	int exit_code = cell->type == PLAN_TEMPORARY ? EXIT_LOSSES : EXIT_DONE;

	run_cell(&trial, cell);
	if (trial.exit_code != exit_code || strcmp(restarted(&trial), expected(cell)) != 0)
		fail_msg("%s, type %d, %s of %s: exit %d, restarted '%s' instead of '%s'; log:\n%s",
			 strategy_name(cell->strategy), (int)cell->type, cell->end,
			 cell->dies == FEED ? "feed" : "store", trial.exit_code, restarted(&trial), expected(cell),
			 text_get(&trial.log));
	if (cell->type == PLAN_TEMPORARY)
		assert_logged(&trial, "has failed: a temporary worker died");
	else if (strcmp(cell->end, "exec-failure") == 0)
		assert_logged(&trial, "could not be executed");
	else if (strcmp(cell->end, "die-never-ready") == 0)
		assert_logged(&trial, "is not ready after");
	check_reasons(&trial, cell);
	end_trial(&trial);
}

static void check_strategy(enum plan_strategy strategy)
{
	for (int type = PLAN_TRANSIENT; type <= PLAN_TEMPORARY; type++)
		for (size_t end = 0; end < ENDS; end++)
			for (uint32_t dies = FEED; dies <= STORE; dies++)
				check_cell(&(struct cell){ strategy, (enum plan_restart)type, ends[end], dies });
}

static void test_one_for_one(void **state)
{
	(void)state;
	check_strategy(PLAN_ONE_FOR_ONE);
}

static void test_rest_for_one(void **state)
{
	(void)state;
	check_strategy(PLAN_REST_FOR_ONE);
}

static void test_one_for_all(void **state)
{
	(void)state;
	check_strategy(PLAN_ONE_FOR_ALL);
}

/* Only the one that died is counted: its sibling has been stopped far more often than its own intensity allows. */
static void test_a_sibling_that_is_stopped_is_not_counted(void **state)
{
	const struct cell cell = { PLAN_ONE_FOR_ALL, PLAN_TRANSIENT, "crash-after-turns", STORE };
	struct trial trial = { .at_phase = at_phase };
	struct made_plan made;

	(void)state;
	looks = (struct looks){ .cell = &cell };
	make_plan(&made, "stay", "crash-after-turns", 1);
	made.plan.strategy = cell.strategy;
	made.stages[FEED].restart_intensity = 0;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_int_equal(trial.view.stages[STORE].restarts, 12);
	assert_in_range(trial.view.stages[FEED].restarts, 1, 12);
	end_trial(&trial);
}

/* Where the stream ended cleanly nobody comes back, whatever the strategy and the type. */
static void test_a_clean_end_restarts_nobody(void **state)
{
	struct made_plan made;

	(void)state;
	for (int type = PLAN_TRANSIENT; type <= PLAN_TEMPORARY; type++) {
		struct trial trial = { 0 };

		make_plan(&made, "good", "good", 2);
		made.plan.strategy = PLAN_ONE_FOR_ALL;
		made.stages[FEED].restart_type = made.stages[STORE].restart_type = (enum plan_restart)type;
		run_trial(&trial, &made.plan);
		assert_int_equal(trial.exit_code, EXIT_DONE);
		assert_string_equal(restarted(&trial), "");
		end_trial(&trial);
	}
}

static void test_a_permanent_worker_that_says_it_cannot_go_on_is_restarted(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_cell(&trial, &(struct cell){ PLAN_ONE_FOR_ONE, PLAN_PERMANENT, "fail-once", STORE });
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_string_equal(restarted(&trial), "store ");
	end_trial(&trial);
}

/* Before everybody was ready there is nothing that a sibling could have taken: it stays. */
static void test_before_the_start_only_the_dead_one_is_restarted(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "die-early-once", 1);
	made.plan.strategy = PLAN_ONE_FOR_ALL;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_string_equal(restarted(&trial), "store ");
	end_trial(&trial);
}

static void test_a_temporary_worker_that_dies_before_the_start_fails_it(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "die-early-once", 1);
	made.stages[STORE].restart_type = PLAN_TEMPORARY;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_TRY_AGAIN);
	assert_string_equal(trial.failure.stage, "store");
	assert_string_equal(trial.failure_message,
			    "worker 0 died before the pipeline ran; not restarted (restart: {type: temporary})");
	end_trial(&trial);
}

/* As in OTP: stopped with the others, and not started again. */
static void test_a_temporary_sibling_does_not_come_back(void **state)
{
	const struct cell cell = { PLAN_ONE_FOR_ALL, PLAN_TRANSIENT, "die-once", STORE };
	struct trial trial = { .at_phase = at_phase };
	struct made_plan made;

	(void)state;
	looks = (struct looks){ .cell = &cell };
	make_plan(&made, "stay", "die-once", 1);
	made.plan.strategy = cell.strategy;
	made.stages[FEED].restart_type = PLAN_TEMPORARY;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_LOSSES);
	assert_logged(&trial, "feed#0 (for good: temporary)");
	assert_logged(&trial, "has failed: a temporary worker was stopped because of a sibling");
	assert_int_equal(trial.view.stages[FEED].restarts, 0);
	end_trial(&trial);
}

/* on_failure: drop_branch: a stand-in takes the seat, and nobody is cancelled. What it does with items is told by the scenario k09. */
static void test_a_dropped_stage_gets_a_stand_in(void **state)
{
	const struct cell cell = { PLAN_ONE_FOR_ONE, PLAN_TRANSIENT, "crash-always", STORE };
	struct trial trial = { .at_phase = at_phase };
	struct made_plan made;

	(void)state;
	looks = (struct looks){ .cell = &cell };
	make_plan(&made, "stay", "crash-always", 2);
	made.stages[STORE].drop_branch = true;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_LOSSES);
	assert_logged(&trial, "its branch is dropped");
	assert_string_equal(trial.view.cause, "none");
	assert_true(trial.view.stages[STORE].dropped && !trial.view.stages[FEED].dropped);
	assert_int_equal(trial.view.stages[FEED].restarts, 0);
	end_trial(&trial);
}

/* One that says that it can't go on, and whose stand-in can't either: then the pipeline has failed. */
static void test_a_stand_in_that_fails_is_the_end(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "stay-on", "fail-run-too", 1);
	made.stages[STORE].drop_branch = true;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_LOSSES);
	assert_string_equal(trial.view.cause, "sibling_failed");
	assert_int_equal(trial.view.stages[STORE].restarts, 1);
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_for_one),
		cmocka_unit_test(test_rest_for_one),
		cmocka_unit_test(test_one_for_all),
		cmocka_unit_test(test_a_sibling_that_is_stopped_is_not_counted),
		cmocka_unit_test(test_a_clean_end_restarts_nobody),
		cmocka_unit_test(test_a_permanent_worker_that_says_it_cannot_go_on_is_restarted),
		cmocka_unit_test(test_before_the_start_only_the_dead_one_is_restarted),
		cmocka_unit_test(test_a_temporary_worker_that_dies_before_the_start_fails_it),
		cmocka_unit_test(test_a_temporary_sibling_does_not_come_back),
		cmocka_unit_test(test_a_dropped_stage_gets_a_stand_in),
		cmocka_unit_test(test_a_stand_in_that_fails_is_the_end),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
