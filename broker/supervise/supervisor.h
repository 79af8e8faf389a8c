/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor of one pipeline: single-threaded on an sd-event loop. It creates memory, spawns, watches, repairs, restarts,
 * drains and reaps; it never touches an item. The verbs are files beside this one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include <weir/log.h>

#include "broker/lifecycle/outcome.h"
#include "broker/lifecycle/reload_end.h"
#include "broker/lifecycle/reload_terms.h"
#include "broker/spec/plan.h"
#include "common/observe/log_item.h"
#include "common/base/text.h"
#include "common/scope/cause.h"

struct estate;
struct supervisor;
struct wire_peer;
struct message;

/* How a change to another plan gets on. */
enum reload_news {
	RELOAD_NEWS_SWITCHING,
	RELOAD_NEWS_CANARY,
	RELOAD_NEWS_SWITCHED,
	RELOAD_NEWS_REVERTING,
	RELOAD_NEWS_OVER
};
struct reload_report {
	enum reload_news news;
	enum reload_end how; /* OVER; REVERTING: ROLLED_BACK */
	const char *stage;   /* which worker is to blame; NULL: none, or nobody in particular */
	int worker;
	const char *why; /* what is known of that; "": nothing */
};

/* Whoever holds the plans, and can read another one. Called from the supervisor's thread; none may block. */
struct reload_callbacks {
	/* Somebody wants another spec, or to know what has become of that: JSON; false: the body says why not. */
	bool (*ask)(void *data, const char *argument, struct text *body);
	bool (*state)(void *data, uint64_t ticket, struct text *body);
	/* What the plan says of its stages is exchanged with what the other plan says. */
	void (*exchange)(void *data);
	void (*news)(void *data, const struct reload_report *report);
	void *data;
};

/* What the supervisor tells the outside. All called from its thread; none may block for long. */
struct supervisor_callbacks {
	/* One line for people. stage NULL: the supervisor itself; worker -1: the whole stage; pid 0: none. */
	/* item: which one the line is about; NULL: none. */
	void (*log)(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		    const struct log_item *item, const char *line);
	/* Sends a control message to the worker; false when it has not said hello. */
	bool (*send)(void *data, uint32_t slot, const struct message *message);
	/* The phase has changed (pipeline_state.def name). */
	void (*phase)(void *data, const char *phase);
	/* A reload has changed what the plan says of its stages. NULL: nobody wants to know. */
	void (*replanned)(void *data);
	/* Something has happened that the history has to know: a line of JSON with its newline. NULL: nobody keeps it beyond the run. */
	void (*history)(void *data, const char *line);
	void *data;
};

struct supervisor_settings {
	const char *worker_path;       /* weir-worker's absolute path */
	const char *endpoint;          /* ipc://... that workers connect to */
	uint64_t start_timeout_ns;     /* for all workers to be ready; 0: 30 s */
	const char *dead_letter_store; /* folder for what has no file of its own; NULL: none */
	const char *state_folder;      /* folder for the keyed state of stages; NULL: none can have any */
	const char *positions;         /* folder for where sources stand at the end; NULL: it is not kept */
	uint64_t worker_files;         /* soft RLIMIT_NOFILE of workers; 0: as it is now */
	const int *sockets;            /* by stage: that weir was started with; -1: none. Copied; NULL: none at all */
	bool keeps;                    /* somebody will keep supervisor_kept_fds(), so that another one can go on */
	struct estate *estate;         /* what a dead one has left, to go on with, taken over; NULL: a run begins */
};

/*
 * Creates memory, doorbells and board for the plan (borrowed for the supervisor's life). `why` gets a sentence on failure.
 * Returns 0; SUPERVISOR_E_NO_START (no memory, no fds: EXIT_TRY_AGAIN); -errno.
 */
enum { SUPERVISOR_E_NO_START = 1 };
/*
 * With an estate, which stays as it is: it can't be gone on with now (somebody else does, or its workers do not die); or it never can be.
 */
enum { SUPERVISOR_E_NOT_NOW = 5, SUPERVISOR_E_SENSELESS = 6 };
int supervisor_new(const struct plan *plan, sd_event *event, const struct supervisor_settings *settings,
		   const struct supervisor_callbacks *callbacks, struct supervisor **ret_supervisor, struct text *why);
struct supervisor *supervisor_free(struct supervisor *supervisor);
/* All workers have ended: removes the files of their keyed state. supervisor_free() does so too; this, while the run has its name still. */
void supervisor_forget_state(struct supervisor *supervisor);

/*
 * With `keeps`: what the next supervisor needs, in a list that the caller frees; descriptors stay the supervisor's. None, if an estate was
 * taken over: that is kept already. Returns 0 or -ENOMEM.
 */
int supervisor_kept_fds(const struct supervisor *supervisor, int **ret_fds, size_t *ret_n);
/* Which plan (plan_digest.h) the next supervisor has to come with. false: nobody keeps anything. */
bool supervisor_kept_plan(const struct supervisor *supervisor, uint64_t *ret_digest);
/* All is over and told: from now on nobody goes on with it. */
void supervisor_end_estate(struct supervisor *supervisor);
/* Whether this one goes on with a run, and the how manieth it is of that run. */
uint32_t supervisor_succession(const struct supervisor *supervisor);

/*
 * What others may look at: the board, and the segment of each slot, as descriptors that can be read only. They stay the supervisor's; the
 * list of plan->n_slots is the caller's to free. Returns 0 or -ENOMEM.
 */
int supervisor_read_fds(const struct supervisor *supervisor, int *ret_board_fd, int **ret_segment_fds);

/* Whether the workers of this stage listen at a socket that weir was started with, now or at the run's begin. */
bool supervisor_has_socket(const struct supervisor *supervisor, uint32_t stage);

/* Spawns all workers. Then sd_event_loop() runs until supervisor_finished() made the loop exit. Returns 0 or -errno. */
int supervisor_start(struct supervisor *supervisor);

/* The ladder: drain -> cancel -> SIGTERM -> SIGKILL, one absolute deadline set by the first call. */
/* Begins to drain, or, when draining already, lets the earlier deadline count. deadline_ns absolute; 0: the plan's. */
void supervisor_drain(struct supervisor *supervisor, uint64_t deadline_ns, const char *who);
/* Cancels at once, with a cause; who: for the log and the message. */
void supervisor_cancel(struct supervisor *supervisor, enum cause cause, const char *who);
/*
 * Takes an order to drain back: sources that have not ended go on. Returns NULL: they have been told so, and the phase is `running`
 * when all have answered (2 s at most, else it stays `draining`, and the log says why); or a sentence why not, static: nothing
 * has changed.
 */
const char *supervisor_resume(struct supervisor *supervisor, const char *who);
/* Whether supervisor_resume() would be heard, or has been and is under way. */
bool supervisor_may_resume(const struct supervisor *supervisor);
/* How long what it has set itself to do next has been overdue; 0: it is not. A loop that turns keeps this small. */
uint64_t supervisor_behind_ns(const struct supervisor *supervisor);
/*
 * Puts another plan into force, whose stages `changed` have other options; the difference between the two is not refused
 * (broker/spec/difference.h). Both are borrowed until RELOAD_NEWS_OVER. terms: for the new workers.
 * Returns 0: it has begun, or is over; SUPERVISOR_E_REFUSED: `why` says why. Does not wait.
 */
int supervisor_reload(struct supervisor *supervisor, const struct plan *other, const bool *changed,
		      struct reload_terms terms, struct text *why);
/* From now on these are asked; without it there are no reloads. */
void supervisor_reload_by(struct supervisor *supervisor, const struct reload_callbacks *callbacks);
/* Gives the change up, if the plans have not been exchanged yet. Returns whether it was. */
bool supervisor_reload_abandon(struct supervisor *supervisor);
/* Somebody wants another spec, or to know what has become of it: passed on to who holds the plans. JSON; false: the body says why not. */
bool supervisor_ask_reload(struct supervisor *supervisor, const char *argument, struct text *body);
bool supervisor_reload_state(struct supervisor *supervisor, uint64_t ticket, struct text *body);
/*
 * Whether there is a stage of that name. If not, the JSON says so and which there are. The calls below that take a stage's name want one
 * of which this says yes.
 */
bool supervisor_has_stage(const struct supervisor *supervisor, const char *name, struct text *body);
/*
 * Cancels one stage, and the pipeline goes on without it (stage_cancel.c); or one scope of items, for for_ns (0: ten minutes), whose place
 * in time *ret_epoch is. Returns 0; SUPERVISOR_E_ALREADY: it is; SUPERVISOR_E_TOO_EARLY, SUPERVISOR_E_REFUSED: `why` says why not. Do
 * not wait.
 */
enum { SUPERVISOR_E_ALREADY = 2, SUPERVISOR_E_TOO_EARLY = 3, SUPERVISOR_E_REFUSED = 4 };
int supervisor_cancel_stage(struct supervisor *supervisor, const char *name, enum cause cause, const char *who,
			    struct text *why);
int supervisor_cancel_scope(struct supervisor *supervisor, uint64_t scope, enum cause cause, uint64_t for_ns,
			    const char *who, uint32_t *ret_epoch, struct text *why);
/*
 * The stage is to have n workers: it begins to grow or shrink (scale.c), and the log says when it has come there, or why not. Returns 0;
 * SUPERVISOR_E_TOO_EARLY, SUPERVISOR_E_REFUSED: `why` says why not. Does not wait.
 */
int supervisor_scale(struct supervisor *supervisor, const char *name, uint32_t n, const char *who, struct text *why);
/* Appends how far that is: {"wanted", "working", "settled"}. */
void supervisor_scale_progress(const struct supervisor *supervisor, const char *name, struct text *body);
/* Appends who has not acknowledged that yet, as a JSON array of {"stage", "index", "pid"}; returns how many. */
uint32_t supervisor_stage_unseen(const struct supervisor *supervisor, const char *name, struct text *text);
uint32_t supervisor_scope_unseen(const struct supervisor *supervisor, uint32_t epoch, struct text *text);
/* What keeps the pipeline from moving, as JSON (docs/control-protocol.md): "why". Does not wait. */
void supervisor_why(struct supervisor *supervisor, struct text *text);
/* What each worker of that stage does now, or waits for, as JSON (docs/control-protocol.md): "dump". Does not wait. */
void supervisor_dump(struct supervisor *supervisor, const char *stage, struct text *text);
/*
 * Asks the workers of a stage where they stand; "status" has the answers when they are there. Appends {"asked": how many}. Does not wait.
 */
void supervisor_ask_backtraces(struct supervisor *supervisor, const char *stage, struct text *body);
/*
 * Dead letters are, or will be, marked to be given to that stage again: tells its workers to look, and appends what `weir dlq replay` has
 * to know, as JSON (docs/control-protocol.md). Returns false if nothing can be given to it: then the JSON says why. Does not wait.
 */
bool supervisor_replay(struct supervisor *supervisor, const char *stage, struct text *body);
/* After the end: 0, or what letter_store.h said when letters that had been given again were to be settled. */
int supervisor_letters_status(const struct supervisor *supervisor);
/* All metrics as they stand, as JSON (docs/metrics.md): "metrics". Does not wait. */
void supervisor_metrics(struct supervisor *supervisor, struct text *text);
/* SIGINT or SIGTERM has come: the first drains, each further one skips to the next rung. */
void supervisor_signal(struct supervisor *supervisor, int signal_number);

/* What has happened since event number `from`, as JSON (docs/control-protocol.md): "history". Does not wait. */
void supervisor_history(struct supervisor *supervisor, uint64_t from, struct text *text);

/* A message of a worker, whose hello (slot, generation, token) must be checked here first. Returns false: refuse and count. */
bool supervisor_hello(struct supervisor *supervisor, const struct message *message);
void supervisor_message(struct supervisor *supervisor, uint32_t slot, const struct message *message);

/* True once everything has ended; then the exit code and the final words. */
bool supervisor_finished(const struct supervisor *supervisor);
int supervisor_exit_code(const struct supervisor *supervisor);
/* After the end: keeps where the sources stand that the next run goes on with (positions.c). May block on the disk. */
void supervisor_save_positions(struct supervisor *supervisor);
const struct plan *supervisor_plan(const struct supervisor *supervisor);
/* Why it failed, and where that points into the spec; position.line 0: nowhere; message NULL: nothing failed. Borrowed. */
struct supervisor_failure {
	struct spec_position position;
	const char *stage; /* NULL: none */
	const char *message;
};
struct supervisor_failure supervisor_failure(const struct supervisor *supervisor);
