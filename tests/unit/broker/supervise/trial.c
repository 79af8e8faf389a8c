/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/wire/message.h"
#include "tests/unit/broker/supervise/trial.h"

#define LANE_BYTES 65536u
#define TRIAL_BOUND_NS (30 * NS_PER_S)
#define LOOK_US 2000u

/* ---- the plan ---- */

static uint64_t grace_of(const char *act)
{
	static const char *const to_be_killed[] = { "silent",       "deaf",          "late-deaf",
						    "hang-at-exit", "fail-and-hang", "hold-deaf" };

	for (size_t i = 0; i < sizeof(to_be_killed) / sizeof(to_be_killed[0]); i++)
		if (strcmp(act, to_be_killed[i]) == 0)
			return 100 * MS;
	return 60 * NS_PER_S;
}

static void make_stage(struct made_plan *made, uint32_t number, const char *name, enum weir_role role, const char *act)
{
	made->options[number] = (struct heritage_option){ .name = (char *)(uintptr_t) "act",
							  .type = HERITAGE_STRING,
							  .string = (char *)(uintptr_t)act,
							  .line = 7 + number,
							  .column = 5 };
	made->stages[number] = (struct plan_stage){
		.name = (char *)(uintptr_t)name,
		.role = role,
		.kind = (char *)(uintptr_t) "fake",
		.n_spools = role == WEIR_SOURCE ? 2 : 0,
		.options = &made->options[number],
		.n_options = 1,
		.workers = 1,
		.batch = 64,
		.in_flight = 1,
		.lane_bytes = LANE_BYTES,
		.attempts = 3,
		.restart_intensity = 4,
		.restart_period_ns = 30 * NS_PER_S,
		.backoff_min_ns = 1 * MS,
		.backoff_max_ns = 8 * MS,
		.grace_ns = grace_of(act),
		.position = { 3 + number, 5 },
		.kind_position = { 4 + number, 9 },
	};
}

void make_plan(struct made_plan *made, const char *feed, const char *store, uint32_t workers)
{
	uint64_t lane_sizes[WORKERS_MAX] = { LANE_BYTES, LANE_BYTES, LANE_BYTES, LANE_BYTES },
		 offsets[WORKERS_MAX] = { 0 };

	*made = (struct made_plan){ .edge = { .from = 0, .to = 1, .lane_bytes = LANE_BYTES } };
	make_stage(made, 0, "feed", WEIR_SOURCE, feed);
	make_stage(made, 1, "store", WEIR_SINK, store);
	/* The start that fails waits for the most patient stage, and so does a cancel. */
	if (strcmp(store, "silent") == 0 || strcmp(store, "late-deaf") == 0)
		made->stages[0].grace_ns = made->stages[1].grace_ns;
	made->stages[1].workers = workers;
	made->stages[1].in_flight = strcmp(store, "crowded") == 0 || strcmp(store, "hold-pending") == 0 ? 100 : 1;
	made->stages[1].first_slot = 1;
	made->stages[0].outputs = made->stages[1].inputs = &made->edge_number;
	made->stages[0].n_outputs = made->stages[1].n_inputs = 1;
	segment_plan(&made->slots[0].geometry, 0, 0, workers, lane_sizes, offsets);
	for (uint32_t i = 0; i < workers; i++) {
		made->slots[1 + i] = (struct plan_slot){ .stage = 1, .worker_index = i };
		(made->stages[1].in_flight > 1 ? segment_plan_asynchronous : segment_plan)(&made->slots[1 + i].geometry,
											   1 + i, 1, 0, NULL, NULL);
		made->lanes[i] = (struct plan_lane){ .producer = 0,
						     .consumer = 1 + i,
						     .writer_index = i,
						     .reader_index = 0,
						     .off_data = offsets[i],
						     .capacity_bytes = LANE_BYTES };
	}
	made->plan = (struct plan){ .pipeline = (char *)(uintptr_t) "trial",
				    .spec_path = (char *)(uintptr_t) "trial.yaml",
				    .drain_ns = 600 * NS_PER_S,
				    .stages = made->stages,
				    .edges = &made->edge,
				    .lanes = made->lanes,
				    .slots = made->slots,
				    .n_stages = 2,
				    .n_edges = 1,
				    .n_lanes = workers,
				    .n_slots = 1 + workers };
}

/* ---- callbacks ---- */

static void on_log(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		   const struct log_item *item, const char *line)
{
	struct trial *trial = data;

	(void)item;
	text_printf(&trial->log, "%d %s#%d %d: %s\n", (int)level, stage ? stage : "weir", worker, (int)pid, line);
}

static bool on_send(void *data, uint32_t slot, const struct message *message)
{
	struct trial *trial = data;

	(void)slot;
	switch (message->type) {
	case MESSAGE_DEADLINE:
		assert_true(message->deadline.deadline_ns > 0);
		trial->n_deadlines++;
		break;
	case MESSAGE_QUERY:
		trial->n_queries++;
		break;
	default:
		assert_true(message->type == MESSAGE_DRAIN || message->type == MESSAGE_CANCEL);
		trial->n_sent++;
	}
	return true;
}

static void on_phase(void *data, const char *phase)
{
	struct trial *trial = data;

	text_printf(&trial->phases, "%s ", phase);
	if (trial->at_phase)
		trial->at_phase(trial, phase);
}

/* What the control server does: hello by hello, the rest by slot. */
static int on_datagram(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct trial *trial = data;
	struct message message;
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)source;
	(void)events;
	assert_true(n > 0);
	assert_int_equal(message_decode(bytes, (size_t)n, sizeof(bytes), &message), 0);
	if (message.type == MESSAGE_HELLO)
		trial->n_refused += !supervisor_hello(trial->supervisor, &message);
	else
		supervisor_message(trial->supervisor, (uint32_t)message.ready.slot, &message);
	return 0;
}

static int on_bound(sd_event_source *source, uint64_t at_us, void *data)
{
	struct trial *trial = data;

	(void)source;
	(void)at_us;
	trial->timed_out = true;
	return sd_event_exit(trial->event, 0);
}

static int on_look(sd_event_source *source, uint64_t at_us, void *data)
{
	struct trial *trial = data;

	(void)at_us;
	if (supervisor_finished(trial->supervisor) || trial->look(trial))
		return 0;
	sd_event_source_set_time_relative(source, LOOK_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void open_control(struct trial *trial)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size_bytes;

	snprintf(trial->endpoint, sizeof(trial->endpoint), "weir-test-%d-%llu", (int)getpid(),
		 (unsigned long long)clock_now_ns());
	memcpy(address.sun_path + 1, trial->endpoint, strlen(trial->endpoint));
	size_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(trial->endpoint));
	trial->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(trial->socket >= 0);
	assert_int_equal(bind(trial->socket, (struct sockaddr *)&address, size_bytes), 0);
	assert_true(sd_event_add_io(trial->event, &trial->source, trial->socket, EPOLLIN, on_datagram, trial) >= 0);
}

static void run_loop(struct trial *trial)
{
	assert_true(sd_event_add_time_relative(trial->event, &trial->bound, CLOCK_MONOTONIC, TRIAL_BOUND_NS / NS_PER_US,
					       1000, on_bound, trial) >= 0);
	trial->begun_ns = clock_now_ns();
	if (trial->look)
		assert_true(sd_event_add_time_relative(trial->event, &trial->looks, CLOCK_MONOTONIC, LOOK_US, 100,
						       on_look, trial) >= 0);
	assert_int_equal(supervisor_start(trial->supervisor), 0);
	assert_true(sd_event_loop(trial->event) >= 0);
	trial->taken_ns = clock_now_ns() - trial->begun_ns;
	if (trial->timed_out || getenv("TRIAL_LOG"))
		print_message("%s", text_get(&trial->log));
	assert_false(trial->timed_out);
	assert_true(supervisor_finished(trial->supervisor));
	trial->exit_code = supervisor_exit_code(trial->supervisor);
	trial->failure = supervisor_failure(trial->supervisor);
	snprintf(trial->failure_message, sizeof(trial->failure_message), "%s",
		 trial->failure.message ? trial->failure.message : "");
	view_take(trial->supervisor, &trial->view);
	supervisor_metrics(trial->supervisor, &trial->metrics);
}

unsigned count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

void close_trial(struct trial *trial)
{
	trial->supervisor = supervisor_free(trial->supervisor);
	sd_event_source_disable_unref(trial->looks);
	sd_event_source_disable_unref(trial->bound);
	sd_event_source_disable_unref(trial->source);
	close(trial->socket);
	sd_event_unref(trial->event);
}

int open_trial(struct trial *trial, const struct plan *plan)
{
	const struct supervisor_callbacks callbacks = {
		.log = on_log, .send = on_send, .phase = on_phase, .data = trial
	};
	struct supervisor_settings settings = { .worker_path =
							trial->worker_path ? trial->worker_path : "/proc/self/exe",
						.start_timeout_ns = trial->start_timeout_ns };

	assert_true(sd_event_new(&trial->event) >= 0);
	open_control(trial);
	settings.endpoint = trial->endpoint;
	return supervisor_new(plan, trial->event, &settings, &callbacks, &trial->supervisor, &trial->why);
}

void assert_childless(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

void run_trial(struct trial *trial, const struct plan *plan)
{
	unsigned n_fds = count_fds();

	if (open_trial(trial, plan) == 0)
		run_loop(trial);
	else
		trial->refused_to_start = true;
	close_trial(trial);
	assert_childless();
	assert_int_equal(count_fds(), n_fds);
}

void end_trial(struct trial *trial)
{
	text_deinit(&trial->log);
	text_deinit(&trial->phases);
	text_deinit(&trial->why);
	view_deinit(&trial->view);
	text_deinit(&trial->metrics);
}

void assert_logged(const struct trial *trial, const char *words)
{
	if (!strstr(text_get(&trial->log), words))
		fail_msg("'%s' is not in the log:\n%s", words, text_get(&trial->log));
}

unsigned count_logged(const struct trial *trial, const char *words)
{
	unsigned n = 0;

	for (const char *at = strstr(text_get(&trial->log), words); at; at = strstr(at + 1, words))
		n++;
	return n;
}

void run_acts(struct trial *trial, const char *feed, const char *store, uint32_t workers, int exit_code,
	      const char *phases)
{
	struct made_plan made;

	make_plan(&made, feed, store, workers);
	run_trial(trial, &made.plan);
	if (trial->exit_code != exit_code || strcmp(text_get(&trial->phases), phases) != 0)
		fail_msg("exit %d, phases '%s'; log:\n%s", trial->exit_code, text_get(&trial->phases),
			 text_get(&trial->log));
}

unsigned long long metric_of(const struct trial *trial, const char *name, const char *labels)
{
	char wanted[256];
	const char *at, *end;

	snprintf(wanted, sizeof(wanted), "\"name\":\"%s\"", name);
	at = strstr(text_get(&trial->metrics), wanted);
	end = at ? strstr(at, "]}") : NULL; /* of a counter's samples */
	snprintf(wanted, sizeof(wanted), "{\"labels\":{%s},", labels);
	at = at ? strstr(at, wanted) : NULL;
	if (!at || (strstr(at, "\"value\":") == at + strlen(wanted) && at > end))
		fail_msg("no %s{%s} in %s", name, labels, text_get(&trial->metrics));
	at += strlen(wanted);
	if (strncmp(at, "\"value\":", 8) != 0)
		at = strstr(strstr(at, "\"sum\":"), "\"count\":");
	return strtoull(strchr(at, ':') + 1, NULL, 10);
}
