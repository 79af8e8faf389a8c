/* SPDX-License-Identifier: Apache-2.0 */
/* A trial: a supervisor with real processes on a made-up plan, run to its end. The test program is its own weir-worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/supervise/supervisor.h"
#include "broker/supervise/view.h"
#include "common/base/clock.h"
#include "tests/unit/broker/supervise/fake_worker.h"

#define MS NS_PER_MS
#define WORKERS_MAX 4u

/* Two stages by hand: feed (a source, one worker) -> store (a sink, `workers`). */
struct made_plan {
	struct plan plan;
	struct plan_stage stages[2];
	struct plan_edge edge;
	struct plan_lane lanes[WORKERS_MAX];
	struct plan_slot slots[1 + WORKERS_MAX];
	struct heritage_option options[2];
	uint32_t edge_number;
};

/*
 * feed, store: what the stages' workers do (fake_worker.c). Grace and drain are so long that no test sees their end; but a stage whose
 * workers have to be killed has a short grace, which is all that they get.
 */
void make_plan(struct made_plan *made, const char *feed, const char *store, uint32_t workers);

struct trial {
	sd_event *event;
	sd_event_source *source, *bound, *looks;
	struct supervisor *supervisor;
	struct text log, phases, why;
	const char *worker_path; /* NULL: the fake worker */
	uint64_t start_timeout_ns;
	void (*at_phase)(struct trial *trial, const char *phase); /* called each time the pipeline enters a phase */
	bool (*look)(
		struct trial
			*trial); /* NULL, or called every 2 ms from the start on, until it has seen what it waits for */
	int socket;
	char endpoint[64];
	unsigned n_refused, n_sent;      /* n_sent: orders */
	unsigned n_deadlines, n_queries; /* sent too */
	unsigned n_seen;                 /* the look's own: how often it has seen what it is after */
	bool timed_out;
	bool refused_to_start; /* supervisor_new() said no: `why` says why */
	uint64_t begun_ns, taken_ns;
	int exit_code;
	struct supervisor_failure failure; /* its message: below */
	char failure_message[128];
	struct view view;    /* taken at the end */
	struct text metrics; /* as JSON; at the end, too */
};

/* Opens loop, socket and supervisor. Returns what supervisor_new() returned. */
int open_trial(struct trial *trial, const struct plan *plan);
void close_trial(struct trial *trial);
/* Runs the plan to its end and frees the supervisor; asserts that nothing is left: no child, no zombie, no descriptor. */
void run_trial(struct trial *trial, const struct plan *plan);
/* Feed and store act as told; asserts that the trial ends with this exit code and after these phases. */
void run_acts(struct trial *trial, const char *feed, const char *store, uint32_t workers, int exit_code,
	      const char *phases);
void end_trial(struct trial *trial);

unsigned count_fds(void);
void assert_childless(void);
void assert_logged(const struct trial *trial, const char *words);
unsigned count_logged(const struct trial *trial, const char *words);
/* The value of that sample, or of a histogram its count; labels as in "\"stage\":\"feed\",\"level\":\"start\"". Fails if there is none. */
unsigned long long metric_of(const struct trial *trial, const char *name, const char *labels);
