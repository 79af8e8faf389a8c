/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir run: puts the parts together in the one order that works, and takes them apart in the reverse one.
 *
 *   limits, holder (--keep) -> spec -> signals blocked -> run folder (lock) -> what was kept -> loop -> control socket
 *                                      (before ZeroMQ     ("already running"   (kept.c)                   |
 *                                       makes threads)      ends here)          supervisor (memory) <-----'
 *                                                                                   |
 *                                      sd_event_loop() <- spawn <- display <- signals
 *
 * Nothing is accepted before the last step, so every failure up to there is EXIT_TRY_AGAIN or EXIT_SPEC_INVALID, and says why.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

#include "broker/cli/command.h"
#include "broker/cli/display.h"
#include "broker/cli/history_file.h"
#include "broker/cli/kept.h"
#include "broker/cli/notice.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/reloading.h"
#include "broker/cli/run_arguments.h"
#include "broker/cli/service.h"
#include "broker/cli/signals.h"
#include "broker/cli/sockets.h"
#include "broker/cli/verbs.h"
#include "broker/cli/worker_program.h"
#include "broker/control/run_dir.h"
#include "broker/control/server.h"
#include "broker/control/state_dir.h"
#include "broker/keep/estate.h"
#include "broker/observe/door.h"
#include "broker/spec/lock.h"
#include "broker/spec/spec.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "common/store/letter_store.h"

enum { ATTEMPTS_MAX = 3, FILES_WANTED = 524288 };

struct run {
	struct run_arguments arguments;
	struct kept kept;
	struct estate *estate; /* left by a supervisor that is dead; NULL: none, or the supervisor's */
	uint64_t begun_ns;
	struct notice *notice;
	struct display *display;
	struct diagnostics diagnostics;
	struct plan *plan;
	struct sockets sockets;
	struct run_dir dir;
	char *worker_path;
	char *dead_letter_store; /* folder; owned */
	char *state_folder;      /* owned */
	char *positions;         /* folder; owned */
	struct history_file *history;
	sd_event *event;
	struct control_server *server;
	struct door *door; /* for observers; NULL: not yet */
	int *shown_fds;    /* owned: what the door shows of segments */
	struct supervisor *supervisor;
	struct service service;
	struct reloading *reloading; /* NULL: not yet */
	unsigned n_signals;
	bool had_terminal;
	uint64_t worker_files; /* soft RLIMIT_NOFILE as it was; 0: unchanged */
};

/* ---- parts ---- */

/*
 * One memfd, eventfd, pidfd and pipe for each slot, and a socket for each worker and client: take as many descriptors as we may.
 * libzmq aborts when accept() finds none free. The soft limit is a courtesy to select(2) users: workers get the old one back.
 */
static void set_limits(struct run *run)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN); /* an ulimit -f shows as EFBIG, also on memory files */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		run->worker_files = limit.rlim_cur;
		limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void print_diagnostics(const struct run *run, const struct diagnostics *diagnostics)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (!diagnostics->n)
		return;
	if (display_is_json(run->display)) {
		text_add(&text, "{\"type\":\"diagnostics\",\"diagnostics\":");
		diagnostics_format_json(diagnostics, &text);
		while (text.length && text.data[text.length - 1] == '\n')
			text.data[--text.length] = '\0';
		text_add(&text, "}\n");
	} else {
		diagnostics_format(diagnostics, display_has_color(run->display), &text);
	}
	display_print(run->display, text_get(&text));
}

/* What systemd shows of a spec that can't run is its first error, with the place. */
static void tell_first(const struct run *run, const struct diagnostics *diagnostics)
{
	_cleanup_(text_deinit) struct text first = TEXT_NULL;

	diagnostics_format_first(diagnostics, &first);
	if (first.length)
		notice_status(run->notice, text_get(&first));
}

/* Where what runs was read, which is what was given unless another weir had been told otherwise. */
static const char *spec_in_force(const struct run *run)
{
	return run->kept.spec.read ? run->kept.spec.read : run->arguments.spec;
}

static struct spec_wanted wanted_of(const struct run *run, const char *path)
{
	return (struct spec_wanted){ .path = path,
				     .overrides = run->arguments.overrides,
				     .n_overrides = run->arguments.n_overrides,
				     .locked = run->arguments.locked };
}

static int load_spec(struct run *run)
{
	int r = spec_load(run->arguments.spec, run->arguments.overrides, run->arguments.n_overrides, &run->plan,
			  &run->diagnostics);

	if (r == 0 && run->arguments.locked)
		r = lock_check(run->plan, &run->diagnostics);
	print_diagnostics(run, &run->diagnostics);
	if (r == SPEC_E_INVALID && kept_spec_stands_in(&run->kept.spec, &run->plan, &run->diagnostics))
		return 0;
	if (r < 0)
		display_say(run->display, WEIR_LOG_ERROR, "can not read %s: %s", run->arguments.spec, strerror(-r));
	else if (r == SPEC_E_INVALID && !display_is_json(run->display))
		display_say(run->display, WEIR_LOG_ERROR, "%s has %zu error%s; nothing was started",
			    run->arguments.spec, run->diagnostics.n_errors, run->diagnostics.n_errors == 1 ? "" : "s");
	tell_first(run, &run->diagnostics);
	return r < 0 ? EXIT_TRY_AGAIN : r == SPEC_E_INVALID ? EXIT_SPEC_INVALID : 0;
}

/* One that fits no source stays wrong until somebody changes the spec or the socket unit. */
static int find_sockets(struct run *run)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r = sockets_take(&run->sockets);

	if (r == 0)
		r = sockets_assign(&run->sockets, run->plan, &why);
	if (r == 0)
		return 0;
	display_say(run->display, WEIR_LOG_ERROR, "nothing was started: %s",
		    why.length ? text_get(&why) : strerror(-r));
	notice_status(run->notice, why.length ? text_get(&why) : strerror(-r));
	return r < 0 ? EXIT_TRY_AGAIN : EXIT_SPEC_INVALID;
}

/* Who has the name may end while it is asked: then it is ours. */
static int open_run_dir(struct run *run)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL, taken = TEXT_NULL;
	pid_t pid = 0;
	int r;

	run->dead_letter_store = state_dir_dead_letters(run->plan->pipeline);
	run->positions = state_dir_positions(run->plan->pipeline);
	run->state_folder = state_dir_keyed_state(run->plan->pipeline);
	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		text_clear(&why);
		r = run_dir_open(&run->dir, run->plan->pipeline, &pid, &why);
		if (r != RUN_DIR_E_TAKEN || pipeline_explain_taken(run->plan->pipeline, pid, &taken))
			break;
	}
	if (r == 0) {
		_cleanup_(free) char *history = state_dir_history(run->plan->pipeline);

		run->history = history_file_new(history);
		return 0;
	}
	display_say(run->display, WEIR_LOG_ERROR, "%s",
		    taken.length ? text_get(&taken) :
		    why.length   ? text_get(&why) :
				   strerror(-r));
	return EXIT_TRY_AGAIN;
}

/* ---- callbacks ---- */

static void on_log(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		   const struct log_item *item, const char *line)
{
	struct run *run = data;

	display_log(run->display, level, stage, worker, pid, item, line);
}

static bool on_send(void *data, uint32_t slot, const struct message *message)
{
	struct run *run = data;

	return run->server && control_server_send(run->server, slot, message);
}

static void say_running(const struct run *run)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	char memory[QUANTITY_TEXT_SIZE];

	text_printf(&text, "running %s: %u stages, %u workers, at most %s of memory for the data between them",
		    spec_in_force(run), run->plan->n_stages, run->plan->n_slots,
		    quantity_format_size(run->plan->memory_bound_bytes, memory));
	display_log(run->display, WEIR_LOG_INFO, NULL, -1, 0, NULL, text_get(&text));
}

static void on_phase(void *data, const char *phase)
{
	struct run *run = data;

	service_phase(&run->service, phase);
	if (strcmp(phase, "running") == 0)
		say_running(run);
}

static void on_replanned(void *data)
{
	struct run *run = data;

	if (run->door)
		door_replan(run->door);
}

static void on_history(void *data, const char *line)
{
	struct run *run = data;

	history_file_add(run->history, line);
}

static void on_line(void *data, enum weir_log_level level, const char *line)
{
	on_log(data, level, NULL, -1, 0, NULL, line);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct run *run = data;

	(void)source;
	if (run->n_signals++ == 0 && display_is_terminal(run->display))
		display_say(run->display, WEIR_LOG_NOTICE,
			    "finishing what was accepted, at most %.3g s; %s again for less patience",
			    (double)run->plan->drain_ns / (double)NS_PER_S,
			    info->ssi_signo == SIGINT ? "^C" : "signal");
	service_stop(&run->service);
	supervisor_signal(run->supervisor, (int)info->ssi_signo);
	return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct run *run = data;

	if (run->had_terminal && !signals_have_terminal())
		return on_signal(source, info, data);
	reloading_want(run->reloading);
	return 0;
}

static int on_resize(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct run *run = data;

	(void)source;
	(void)info;
	display_resize(run->display);
	return 0;
}

/* ---- signals ---- */

static int watch_signals(struct run *run)
{
	int r = sd_event_add_signal(run->event, NULL, SIGINT, on_signal, run);

	if (r >= 0)
		r = sd_event_add_signal(run->event, NULL, SIGTERM, on_signal, run);
	if (r >= 0 && signals_hangup_wanted())
		r = sd_event_add_signal(run->event, NULL, SIGHUP, on_hangup, run);
	if (r >= 0)
		r = sd_event_add_signal(run->event, NULL, SIGWINCH, on_resize, run);
	return r < 0 ? error_origin(r) : 0;
}

static void on_refused(void *data, const char *line)
{
	on_line(data, WEIR_LOG_WARNING, line);
}

/* ---- the run ---- */

static int make_supervisor(struct run *run)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct supervisor_settings settings = {
		.worker_path = run->worker_path,
		.endpoint = control_server_endpoint(run->server),
		.worker_files = run->worker_files,
		.dead_letter_store = run->dead_letter_store,
		.state_folder = run->state_folder,
		.positions = run->positions,
		.sockets = run->sockets.of_stage,
		.keeps = run->kept.keep != NULL,
		.estate = steal_pointer(&run->estate),
	};
	const struct supervisor_callbacks callbacks = {
		.log = on_log,
		.send = on_send,
		.phase = on_phase,
		.replanned = on_replanned,
		.history = on_history,
		.data = run,
	};
	int r = supervisor_new(run->plan, run->event, &settings, &callbacks, &run->supervisor, &why);

	if (r == 0)
		return run->kept.keep ? kept_hand_over(&run->kept, run->supervisor, &run->diagnostics, run->event) : 0;
	if (settings.estate)
		return kept_refuse(&run->kept, r == SUPERVISOR_E_SENSELESS ? EXIT_STATE_CORRUPT : EXIT_TRY_AGAIN,
				   why.length ? text_get(&why) : strerror(-r));
	display_say(run->display, WEIR_LOG_ERROR, "could not start, nothing was accepted: %s",
		    why.length ? text_get(&why) : strerror(-r));
	return EXIT_TRY_AGAIN;
}

static int make_reloading(struct run *run)
{
	const struct reloading_settings settings = {
		.event = run->event,
		.supervisor = run->supervisor,
		.plan = run->plan,
		.diagnostics = &run->diagnostics,
		.notice = run->notice,
		.kept = &run->kept.spec,
		.wanted = wanted_of(run, spec_in_force(run)),
		.log = on_line,
		.data = run,
	};

	return reloading_new(&settings, &run->reloading);
}

/* Observers may come from now on. */
static int open_door(struct run *run)
{
	struct door_exhibits exhibits = { .plan = run->plan };
	int r = supervisor_read_fds(run->supervisor, &exhibits.board_fd, &run->shown_fds);

	exhibits.segment_fds = run->shown_fds;
	return r ? r : door_new(run->event, run->dir.path, &exhibits, &run->door);
}

static void close_door(struct run *run)
{
	run->door = door_free(run->door);
	free(run->shown_fds);
	run->shown_fds = NULL;
}

/* Returns an exit code, 0 to go on. */
static int set_up(struct run *run)
{
	int r = sd_event_default(&run->event);

	if (r >= 0)
		r = control_server_new(run->event, run->dir.path, run->plan->n_slots, &run->server);
	if (r < 0) {
		display_say(run->display, WEIR_LOG_ERROR, "can not open the control socket in %s: %s%s", run->dir.path,
			    strerror(-r), r == -EAGAIN ? "; no room for threads (ulimit -v, ulimit -u)" : "");
		return EXIT_TRY_AGAIN;
	}
	r = make_supervisor(run);
	if (r)
		return r;
	control_server_serve(run->server, run->supervisor);
	control_server_log_to(run->server, on_refused, run);
	run->had_terminal = signals_have_terminal();
	r = watch_signals(run);
	if (r == 0)
		r = service_begin(&run->service, run->notice, run->event, run->plan, run->supervisor);
	if (r == 0)
		r = make_reloading(run);
	if (r == 0)
		r = open_door(run);
	if (r == 0)
		r = display_watch(run->display, run->event, run->plan, run->supervisor);
	if (r == 0)
		r = supervisor_start(run->supervisor);
	if (r < 0) {
		display_say(run->display, WEIR_LOG_ERROR, "could not start, nothing was accepted: %s", strerror(-r));
		return EXIT_TRY_AGAIN;
	}
	return 0;
}

/* A failure that has a place in the spec is shown there, with the line and a caret. */
static void show_failure(const struct run *run, struct ending *ending, struct supervisor_failure failure)
{
	/* The spec's text is lent to a list of one. */
	struct diagnostics one = {
		.path = run->diagnostics.path,
		.source = run->diagnostics.source,
		.source_size = run->diagnostics.source_size,
	};

	if (!failure.message)
		return;
	ending->failure = failure.message;
	ending->failure_stage = failure.stage;
	if (!failure.position.line)
		return;
	diagnostics_add(&one, DIAGNOSTIC_ERROR, failure.position, NULL, "%s", failure.message);
	print_diagnostics(run, &one);
	tell_first(run, &one);
	one.path = one.source = NULL;
	diagnostics_deinit(&one);
	ending->failure = NULL;
}

/* Appends why the letters that were given again could not be settled, if so. */
static void explain_letters(const struct run *run, struct text *text)
{
	int r = supervisor_letters_status(run->supervisor);

	if (r == 0)
		return;
	text_add(text, "some dead letters that were given again may still be in the store, though they were taken: ");
	letter_store_explain(run->dead_letter_store, r, text);
	text_printf(text,
		    "; what may have been taken is not given again by itself: the next 'weir dlq replay %s' names it",
		    run->plan->pipeline);
}

/* A stage's failure with a place in the spec has been told with it. */
static void tell_end(const struct run *run, const struct ending *ending)
{
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	if (supervisor_failure(run->supervisor).position.line)
		return;
	ending_format(ending, &sentence);
	if (sentence.length)
		notice_status(run->notice, text_get(&sentence));
}

static void end_history(struct run *run)
{
	int error;
	uint64_t n = history_file_close(run->history, &error);

	run->history = NULL;
	if (n)
		display_say(run->display, WEIR_LOG_INFO,
			    "%" PRIu64 " events of this run are missing in its history: %s", n, strerror(error));
}

static int conclude(struct run *run)
{
	_cleanup_(text_deinit) struct text unsettled = TEXT_NULL;
	struct view view;
	struct ending ending = { .view = &view,
				 .exit_code = supervisor_exit_code(run->supervisor),
				 .duration_ns = clock_now_ns() - run->begun_ns };

	service_stop(&run->service);
	display_end(run->display);
	explain_letters(run, &unsettled);
	if (unsettled.length) {
		display_say(run->display, WEIR_LOG_WARNING, "%s", text_get(&unsettled));
		ending.unsettled = text_get(&unsettled);
	}
	supervisor_save_positions(run->supervisor);
	end_history(run);
	view_take(run->supervisor, &view);
	ending_letters(&ending, run->plan, run->dead_letter_store);
	show_failure(run, &ending, supervisor_failure(run->supervisor));
	supervisor_end_estate(run->supervisor); /* before anything of it is removed */
	kept_spec_forget(&run->kept.spec);
	supervisor_forget_state(run->supervisor);
	keep_end(run->kept.keep);
	/* The name is free and the socket is gone before the last words: whoever reads them may start the next run. */
	run->server = control_server_free(run->server);
	close_door(run);
	run_dir_close(&run->dir);
	display_summary(run->display, &ending);
	tell_end(run, &ending);
	view_deinit(&view);
	return ending.exit_code;
}

static int run_pipeline(struct run *run)
{
	int r = load_spec(run);

	if (r == 0)
		r = worker_program_find(run->display, &run->worker_path);
	if (r)
		return r;
	r = find_sockets(run);
	if (r)
		return r;
	signals_block();
	r = open_run_dir(run);
	if (r == 0)
		r = kept_take(&run->kept, &run->plan, &run->diagnostics, run->display, &run->estate);
	if (r == 0)
		r = set_up(run);
	if (r)
		return r;
	r = sd_event_loop(run->event);
	if (r < 0) {
		display_say(run->display, WEIR_LOG_ERROR, "the event loop failed: %s", strerror(-r));
		return EXIT_STATE_CORRUPT;
	}
	return conclude(run);
}

static int say_no_thread(const struct run *run)
{
	display_say(run->display, WEIR_LOG_ERROR,
		    "could not start, nothing was accepted: no room for a thread (ulimit -v, ulimit -u)");
	return EXIT_TRY_AGAIN;
}

static int say_no_holder(int r)
{
	fprintf(stderr, "weir: could not start, nothing was accepted: no process for --keep: %s\n", strerror(-r));
	return EXIT_TRY_AGAIN;
}

int run_command(int argc, char **argv)
{
	struct run run = { .diagnostics = DIAGNOSTICS_NULL, .dir = RUN_DIR_NULL, .begun_ns = clock_now_ns() };
	struct display_settings settings = { 0 };
	int r = run_arguments_parse(&run.arguments, argc, argv, &settings);

	if (r >= 0)
		return r;
	run.kept.folder = run.arguments.keep;
	run.kept.for_ns = run.arguments.keep_for_ns;
	set_limits(&run);
	r = keep_new(run.kept.folder, (uint64_t)run.kept.for_ns, &run.kept.keep);
	if (r < 0)
		return say_no_holder(r);
	if (run.kept.keep)
		kept_spec_init(&run.kept.spec, wanted_of(&run, run.arguments.spec));
	r = notice_new(&run.notice);
	run.service.notice = run.notice;
	settings.notice = run.notice;
	run.display = display_new(&settings);
	r = r == 0 && display_works(run.display) ? run_pipeline(&run) : say_no_thread(&run);
	end_history(&run);
	display_end(run.display);
	/* systemd reads READY=1 of a run that was over at once, and why one could not start, before it sees the end. */
	service_end(&run.service);
	close_door(&run);
	reloading_free(run.reloading);
	supervisor_free(run.supervisor);
	estate_free(run.estate);
	kept_spec_deinit(&run.kept.spec);
	keep_free(run.kept.keep);
	control_server_free(run.server);
	sd_event_unref(run.event);
	run_dir_close(&run.dir);
	sockets_deinit(&run.sockets);
	plan_free(run.plan);
	diagnostics_deinit(&run.diagnostics);
	free(run.worker_path);
	free(run.dead_letter_store);
	free(run.state_folder);
	notice_free(run.notice);
	free(run.positions);
	display_free(run.display);
	return r;
}
