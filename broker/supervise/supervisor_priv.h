/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's own structures and the verbs on them. For this folder only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "broker/keep/estate.h"
#include "broker/lifecycle/lifecycle.h"
#include "broker/supervise/canary.h"
#include "broker/supervise/history.h"
#include "broker/supervise/last_words.h"
#include "broker/supervise/limits.h"
#include "broker/supervise/metrics.h"
#include "broker/supervise/overrun.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view.h"
#include "common/flow/repair.h"
#include "common/memory/board.h"
#include "common/memory/segment.h"
#include "common/observe/recorder.h"
#include "common/wire/message.h"

#define ORPHANS_BUDGET_NS (50 * NS_PER_MS) /* one sweep may take so long */
#define STAGE_LINES_PER_S 200u
#define STAGE_SPOOLS_MAX 2u
#define LAST_EVENTS_KEPT 6u /* of a dead worker */
#define NOT_RESTARTED_TEMPORARY "not restarted (restart: {type: temporary})"

/* Handlers of what people and the clock want come before those of deaths (a goodbye first), and those before chatter. */
#define PRIORITY_TIMER 0
#define PRIORITY_DEATH 10
#define PRIORITY_STDERR 50

/* What one worker said when it left. */
struct goodbye {
	char *reason, *option; /* owned; NULL: none */
};

/* Where the worker said last that it stood. */
struct seat_backtrace {
	char *text; /* owned; NULL: never asked, or no answer */
	uint64_t when_ns;
	uint32_t generation;
};

/* How the kernel says that it ended. */
struct death {
	bool exited;           /* else killed by a signal */
	int status;            /* exit code or signal */
	int exec_errno;        /* not 0: weir-worker never ran */
	int exec_step;         /* ... as this could not be done: enum spawn_step */
	uint64_t oom_kills;    /* of it and its programs, for its `memory` */
	unsigned worker_state; /* what the status line said last */
	bool stopped;          /* we told it to end, and not everybody */
	struct repair_report report;
	uint64_t when_ns;
	struct recorder_record last_events[LAST_EVENTS_KEPT]; /* of its flight recorder, the oldest first */
	uint32_t n_last_events;
};

/* The item for which this generation is being ended: deadline_watch.c. */
struct overrun {
	bool known;      /* that has been decided */
	uint64_t due_ns; /* when the item had to be done */
	struct overrun_item item;
	uint64_t stopped_ns; /* it is no item: somebody has stopped the process, since then; 0: it is one */
};

/* It has been told to end, or has said goodbye; all zero: neither. */
struct seat_told {
	uint64_t since_ns, rung_ns; /* rung_ns: when the last signal for that was sent; 0: none was */
	enum cause cause;
	char who[EVENT_WHO_SIZE];
};

/* An item that has cost lives, as the board says it of the present one. */
struct suspect {
	uint32_t lane, attempts;
	uint64_t position;
	struct heritage_death *deaths; /* owned */
	uint32_t n_deaths;
};

struct seat {
	struct supervisor *supervisor;
	const struct plan_stage *stage;
	uint32_t slot, stage_number, worker_index;
	const struct life *life; /* what has been decided about it; only lifecycle_step() changes it */

	/* for all generations */
	int segment_fd;      /* read-write: the worker's, and repair's */
	int segment_read_fd; /* peers' and views' */
	int doorbell_fd;
	int cancel_fd; /* eventfd: rung once, with the order to cancel, and never read */
	int scopes_fd; /* eventfd: rung when scopes of items have been cancelled */
	int spool_fds[STAGE_SPOOLS_MAX];
	int state_fd;           /* keyed state: what its workers have changed since they last wrote it down; -1: none */
	int socket_fd;          /* that weir was started with, for all workers of the seat to listen at; -1: none */
	struct segment segment; /* control pages, read-only */
	bool has_pages;         /* the lanes between it and others that have are allocated */
	struct canary_base canary;       /* of the reload that is under way */
	struct heritage_death *attempts; /* that the present suspect has cost: attempts.c */
	uint32_t n_attempts;
	struct suspect *aside; /* others that have cost lives and are not done: suspects.c */
	uint32_t n_aside;
	uint32_t n_overruns; /* items that have overrun the stage's deadline here */
	uint64_t
		order_heard_ns; /* when the worker had seen the last order of which we know that it has; of all generations */
	struct seat_backtrace backtrace;

	/* of the present generation */
	uint32_t generation; /* the last one while nobody sits here */
	uint8_t token[HERITAGE_TOKEN_SIZE];
	pid_t pid;                /* 0: nobody */
	pid_t last_pid;           /* the same, but stays for the log after the death */
	uint64_t pid_began_ticks; /* of pid; only for the estate */
	bool retiring;            /* seat_retire() was begun: never taken back once it is done */
	bool own_group;           /* its pid is a process group, too */
	int pidfd;
	int exec_fd; /* read end: errno of a failed exec; -1 once it has said hello */
	int stderr_fd;
	uint32_t group; /* number of its control group; 0: none */
	uint64_t spawned_ns;
	uint64_t books_before; /* digest of its books when this generation began: seat_books() */
	struct last_words words;
	struct goodbye goodbye;
	struct seat_told told;
	struct death death;
	bool cancel_seen;     /* it has acknowledged an order to cancel: nothing is started any more */
	uint32_t scopes_seen; /* epoch of the board's scopes that it has acknowledged */
	int spawn_error;      /* errno of the last fork that failed */
	bool overdue;         /* it was not ready in time, and told to end for that */
	bool hung;            /* it had said goodbye, did not exit, and was told to end */
	sd_event_source *pidfd_source, *stderr_source;
	struct overrun_track overrun_track;
	struct overrun overrun;
};

struct stage_watch {
	struct line_limit limit;
	sd_event_source *limit_timer;
	uint32_t number;
	uint32_t dealt_by; /* who has seen that many dealings of the board knows who of this stage is dealt to */
	struct supervisor *supervisor;
	char *resources; /* what was said last to be in force of them; owned; NULL: nothing */
};

/* A process that was forked for a seat, before anybody watches it. */
struct newborn {
	pid_t pid;
	bool own_group;
	int pidfd, exec_fd, stderr_fd;
	uint32_t group; /* number of its control group; 0: none */
};
#define NEWBORN_NULL                    \
	{                               \
		0, false, -1, -1, -1, 0 \
	}

struct newcomer;
struct metrics_watch;
/* Events that wait for their turn, in their order. */
struct event_queue {
	struct event *events;
	uint32_t next, n, size;
};

struct stall_watch;
struct load_watch;
struct stall_episode;
struct scope_cancels;

#define SUPERVISOR_MAGIC 0x57525355u
struct supervisor {
	unsigned magic;
	const struct plan *plan;
	sd_event *event;
	char *worker_path, *endpoint;
	int worker_fd;           /* the program at worker_path as this supervisor began; -1: there was none */
	char *positions;         /* folder; NULL: nothing is kept for the next run */
	char *dead_letter_store; /* folder; NULL: stages without a file of their own can't keep any */
	char *state_folder;      /* of the pipeline; NULL: none, or what lay there is removed */
	uint64_t run;            /* CLOCK_REALTIME of the start, in ns */
	struct supervisor_callbacks callbacks;
	struct reload_callbacks reloads; /* all NULL: there are none */
	pid_t pid;
	int subreaper_before;
	struct rlimit files_before;     /* RLIMIT_NOFILE as it was */
	struct rlimit files_of_workers; /* ... and what workers get */

	struct seat *seats;         /* plan->n_slots */
	struct stage_watch *stages; /* plan->n_stages */
	struct board *board;
	int board_fd, board_read_fd;
	struct recorder recorder; /* its own, on the board */
	void *repair_room;        /* PROT_NONE; NULL: none, or a repair has it */
	size_t repair_room_bytes;
	int lifeline_fds[2]; /* only we hold [1]: workers see the end of [0] when we are gone */
	int null_fd;
	struct estate *estate;  /* for the next supervisor; NULL: nobody keeps it */
	int lifeline_kept_fd;   /* an open file of its own on lifeline_fds[0], for whoever keeps it */
	bool goes_on;           /* another supervisor has begun this run */
	uint32_t n_supervisors; /* of this run, with this one */
	bool estate_over;       /* ended well: nothing is left for anybody */

	struct lifecycle lifecycle;          /* what has been decided: lifecycle_step() alone changes it */
	struct event_queue answers, waiting; /* events.c */
	bool busy;                           /* an event is being taken */
	sd_event_source *timer;              /* for the lifecycle's earliest deadline */
	struct stall_watch *stalls;
	struct load_watch *loads;
	struct metrics_watch *metrics;
	struct history history;
	uint64_t look_ns,
		look_due_ns; /* between two looks for overruns; 0: no stage has a deadline. When the next is due */
	sd_event_source *look_timer;
	struct scope_cancels *scope_cancels; /* NULL: nobody has cancelled a scope yet */
	struct supervisor_failure failure;
	char *failure_message;
	struct outcome counted; /* census.c: ledger, in_lanes, corrupt */
	int letters_status;     /* what the store said in the end */
	struct newcomer *newcomers;
	struct limits limits;
	const struct plan *other_plan; /* of a reload that is not over; borrowed */
	struct text reload_why;        /* what is known of what went wrong */
	bool canary_outside;           /* ... its limits: that is why */
};

/* tell.c */
void supervisor_log(struct supervisor *supervisor, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void seat_log(const struct seat *seat, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* It is about the item of that number. */
void seat_log_item(const struct seat *seat, enum weir_log_level level, uint64_t sequence, const char *line);
/* A line of the worker's own, with what it said that it is about. */
void seat_pass_on(const struct seat *seat, enum weir_log_level level, const char *line);
void stage_log(const struct stage_watch *watch, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* timer.c */
/* Makes the loop open its timerfd now, while running out of descriptors is still an answer. Returns 0 or -errno. */
int timer_prepare(sd_event *event);
/* One-shot timer at an absolute time; replaces the one that was set. */
void timer_set(struct supervisor *supervisor, sd_event_source **timer, uint64_t at_ns, sd_event_time_handler_t handler,
	       void *data);
void timer_stop(sd_event_source **timer);

/* events.c */
/*
 * The event goes through lifecycle_step(), and what it decides is done; from within an action: when its turn comes. Returns false
 * if what a worker or a person wants is refused.
 */
bool supervisor_post(struct supervisor *supervisor, const struct event *event);
/* What has become of an action: taken before anything else. */
void supervisor_answer(struct supervisor *supervisor, const struct event *event);
void supervisor_arm(struct supervisor *supervisor, uint64_t at_ns);
void supervisor_forget_events(struct supervisor *supervisor);

/* perform.c */
void supervisor_perform(struct supervisor *supervisor, const struct action *action);

/* say.c, say_failure.c: actions that only say something. */
void supervisor_say(struct supervisor *supervisor, const struct action *action);
void seat_say(struct seat *seat, const struct action *action);
void seat_say_failure(struct seat *seat, const struct action *action);
/* seat NULL: nobody in particular. */
void supervisor_say_start_failed(struct supervisor *supervisor, struct seat *seat, enum reason reason);

/* orders.c: how orders reach workers. */
/* Everybody may work; deadline_ns: of the run, absolute, 0: none. */
void order_run(struct supervisor *supervisor, uint64_t deadline_ns);
/* To drain, or to cancel. */
void order_stop(struct supervisor *supervisor, enum rung rung, const char *who);
/* The order to drain is taken back. */
void order_go_on(struct supervisor *supervisor);
void order_query(struct supervisor *supervisor);
/* When a worker's grace ends: absolute; 0: no end was ordered. */
void order_grace(struct supervisor *supervisor, uint64_t at_ns);
/* A worker sits down: it is told what the others were told. */
void seat_greet(const struct seat *seat);

/* seat_order.c */
/* This worker alone is to end; who: for its log; term_ns: when SIGTERM comes. An order that stands already keeps its cause. */
void seat_order_cancel(const struct seat *seat, enum cause cause, const char *who, uint64_t term_ns);
/* Before the next generation. */
void seat_order_take_back(const struct seat *seat);

/* end.c */
void supervisor_stop_timers(struct supervisor *supervisor);
void supervisor_report_suppressed(struct supervisor *supervisor);

/* memory.c */
int memory_open(struct supervisor *supervisor, struct text *why);
void memory_close(struct supervisor *supervisor);
/* Before somebody sits down there for the first time: 0, or -ENOMEM, -ENOSPC, -errno and nothing has changed that anybody can see. */
int seat_give_pages(struct seat *seat);
void doorbells_ring_all(struct supervisor *supervisor);

/* leave_estate.c */
/* A run begins: makes the estate. Returns 0 or -errno. */
int estate_leave(struct supervisor *supervisor);
/* Notes what has been decided, before it is done. Fine without an estate. */
void estate_note_decisions(struct supervisor *supervisor);

/* predecessors.c: proves that nobody of the last supervisor's lives, and that we are the only one that goes on. Waits, 10 s at most. */
int predecessors_end(struct supervisor *supervisor, struct text *why);

/* adopt.c */
/* Of a run that goes on: the lanes of the seat had their pages. */
bool seat_inherits_pages(const struct seat *seat);
/* Whether the seat's memory is another supervisor's: then *ret_fd is it, -1 if it is missing. */
bool seat_inherits(const struct seat *seat, enum estate_kind kind, uint32_t number, int *ret_fd);
/* The board that was left. The outcomes of board_create(). */
int board_inherit(struct supervisor *supervisor);
/* Everything is mapped: repairs what dead workers have left, and takes over what was decided. `why` gets a sentence. */
int adopt(struct supervisor *supervisor, struct text *why);
/* seat NULL: the board. Returns SUPERVISOR_E_SENSELESS. */
int adopt_senseless(const struct seat *seat, struct text *why);

/* scope_cancel.c: the table of the board that was left: each gets its time anew. Returns 0 or -ENOMEM. */
int scope_cancels_adopt(struct supervisor *supervisor);

/* spawn.c: fills the seat with its next generation. Returns 0 or -errno with nothing changed but the log. */
int seat_spawn(struct seat *seat);

/* spawn.c: forks a worker for the seat, by that plan, that waits at the gate. Returns 0 or -errno, and then nobody. */
int newborn_fork(struct seat *seat, const struct plan *plan, int gate_fd, struct newborn *ret_born);
/* Kills it, and waits until it is gone. */
void newborn_end(struct newborn *born);
void newborn_close(struct newborn *born);

/* canary.c: where the first new worker of a stage begins; how those are judged, as an answer. */
void canary_begin(struct seat *seat);
void canaries_judge(struct supervisor *supervisor, bool is_over);

/* newcomer.c */
/* Makes one for the seat; what becomes of it is an event. */
void newcomer_rehearse(struct seat *seat);
/* If one waits for this seat: it gets the document, and is the caller's. false: none does. */
bool newcomer_admit(struct seat *seat, int document_fd, struct newborn *ret_born);
void newcomers_dismiss(struct supervisor *supervisor);
bool newcomers_have(const struct supervisor *supervisor, pid_t pid);
/* Waits for the end of all. */
void newcomers_close(struct supervisor *supervisor);

/* reload.c: actions of a reload that are about no seat, or end one. */
void reload_perform(struct supervisor *supervisor, const struct action *action);

/* watch.c: the present generation's event sources; unwatch closes its descriptors, too. */
int seat_watch(struct seat *seat);
void seat_unwatch(struct seat *seat);

/* listen.c */
/* Hears the worker's stderr from now on. Returns 0 or -errno. */
int seat_listen(struct seat *seat);
/* Reads what is in the pipe, at most so many bytes. Closes it at its end. */
void seat_read_stderr(struct seat *seat, size_t bytes_max);
void seat_close_stderr(struct seat *seat);

/*
 * watch.c: the worker is dead. Its last word that it had seen an order may be lost with it, or be on its way: the status line has it.
 * Counts and logs it if it has not been heard yet.
 */
void seat_hear_last_order(struct seat *seat);

/* reap.c */
/* The pidfd says dead: from waitid to the event. */
void seat_reap(struct seat *seat);
/* A digest of what it has counted and of its stage's cursor: the same as before, so nothing has come of it. */
uint64_t seat_books(const struct seat *seat);
/* mend.c, and the attempt log; answers. */
void seat_repair(struct seat *seat);
/* What the memory of the dead says. */
struct memory_facts seat_memory_facts(const struct seat *seat);
/* Kills and reaps what dead workers have left behind; answers. */
void supervisor_sweep(struct supervisor *supervisor);

/* repair_room.c: a place in the address space for one repair. Returns 0 or -ENOMEM. */
int repair_room_open(struct supervisor *supervisor);
/* Fine if it was never opened. */
void repair_room_close(struct supervisor *supervisor);
/*
 * Maps the control pages of a seat for writing, in that place; for a worker that the kernel has proved dead, one at a time. Returns 0,
 * REPAIR_E_CORRUPT or -errno; after 0 seat_close_after_repair() takes them away.
 */
int seat_open_for_repair(const struct seat *seat, struct segment *segment);
void seat_close_after_repair(const struct seat *seat, struct segment *segment);

/* mend.c: finishes the dead worker's turn and notes the suspect. Returns 0 or REPAIR_E_CORRUPT. */
int seat_mend(struct seat *seat);
void seat_ring_neighbours(const struct seat *seat);
/* The dead worker was mended and gets no successor: its lanes close as lost, its readers are rung. */
void seat_close_lost(struct seat *seat);

/* Whether what lay there has been taken: a letter, too. */
bool mend_is_behind(const struct segment *segment, uint32_t lane, uint64_t position);

/* suspects.c: who kills while another suspect waits. */
/* The present suspect is set aside, with its story. Returns how many lives this one had cost when it was; 0: it never was. */
uint32_t seat_exchange_suspect(struct seat *seat, uint32_t lane, uint64_t position);
/* Those that have been taken since. */
void seat_forget_behind(struct seat *seat, const struct segment *segment);
void seat_forget_aside(struct seat *seat);

/* attempts.c */
/* After the repair: one more life that the suspect has cost, or none any more. */
void seat_note_attempt(struct seat *seat);
/* Copies the story for the next generation. Returns 0 or -ENOMEM; what is there is the heritage's either way. */
int seat_fill_attempts(const struct seat *seat, struct heritage *heritage);
/* Of the present suspect and of all that are set aside. */
void seat_forget_attempts(struct seat *seat);
/* Becomes the story of the present suspect, instead of the one that was; takes what it is given. */
void seat_take_up_attempts(struct seat *seat, struct heritage_death *deaths, uint32_t n);

/* backtrace.c */
/* Asks where it stands (SIGQUIT); the answer comes by its stderr, if one does. */
void seat_ask_backtrace(const struct seat *seat);
/* The same, and SIGTERM at once: nothing of its stage's goes on between the two. A stopped worker goes on to die. */
void seat_terminate(const struct seat *seat);
/* Such an answer. Returns whether it is another one than the last of this generation. */
bool seat_hear_backtrace(struct seat *seat, const char *line);
/* Appends "; backtrace: ..." of the present generation, if it has left one. */
void seat_add_backtrace(const struct seat *seat, struct text *text);
void seat_forget_backtrace(struct seat *seat);

/* record.c: into the supervisor's own flight recorder, now. seat RECORDER_NOWHERE: all. */
void supervisor_record(struct supervisor *supervisor, enum recorder_kind kind, uint32_t seat, uint32_t count,
		       uint64_t first, uint64_t second);
void seat_record(const struct seat *seat, enum recorder_kind kind, uint32_t count, uint64_t first, uint64_t second);
/* record.c: the worker is dead: copies its last events into seat->death. None without a recorder. */
void seat_keep_last_events(struct seat *seat);
/* record.c: a line for each of them that is this generation's. */
void seat_say_last_events(const struct seat *seat, enum weir_log_level level);
/* Appends the last three of them: "; last events: process ... 3 ms before its death, ...". Nothing if there are none. */
void seat_add_last_events(const struct seat *seat, struct text *text);

/* obituary.c: how it died, "was killed by SIGSEGV". */
void seat_add_manner(const struct seat *seat, struct text *text);
/* obituary.c: one paragraph about a death. next: what follows, e.g. "restart in 10 ms". */
void seat_obituary(const struct seat *seat, enum weir_log_level level, const char *next);

/*
 * retire.c: closes its outputs, and has its producers move what waits for it. Returns 0, or what stood in the way: then nothing has
 * changed.
 */
int seat_retire(struct seat *seat);

/* retire.c: closes its lanes as at the end of a stream; nobody sits there. Returns 0, REPAIR_E_CORRUPT, -errno. */
int seat_close_outputs(const struct seat *seat);

/* scale.c: stages that grow and shrink; of: any seat of the stage. */
/* Says to the producers of the stage that there is news of that. */
void seat_announce_dealing(const struct seat *of);
/* Answers. */
void seat_look(struct seat *of);
/* Nothing lies in its input lanes, and none of their room is held. */
bool seat_is_done_with_all(const struct seat *seat);
/* It waits for an item and nothing else, and has begun and kept nothing. */
bool seat_only_waits(const struct seat *seat);
/* DEAL, ANNOUNCE, LOOK, CLOSE. */
void scale_perform(struct seat *seat, const struct action *action);
void seat_say_scale(const struct seat *seat, const struct action *action);

/* load_watch.c: stages whose number of workers goes by their load */
void loads_open(struct supervisor *supervisor);
/* Looks at them from now on, until all is at rest. Fine at any time. */
void loads_wake(struct supervisor *supervisor);
void loads_stop(struct supervisor *supervisor);
/* Fine if it is not open. */
void loads_close(struct supervisor *supervisor);

/* scope_cancel.c */
#define SCOPE_CANCEL_FOR_NS (600 * NS_PER_S) /* a scope stays cancelled so long, unless it is said */
void scope_cancels_stop(struct supervisor *supervisor);
/* Fine if none was ever cancelled. */
void scope_cancels_close(struct supervisor *supervisor);
/* A worker says so. */
void seat_scopes_seen(struct seat *seat, uint64_t epoch);
void seat_wants_scope_cancelled(struct seat *seat, uint64_t scope, uint64_t cause);
/* Appends {"stage", "index", "pid"}, behind n_before others. */
void seat_format_json(const struct seat *seat, uint32_t n_before, struct text *text);

/* waiting.c: appends who is still there: "write#0 pid 4711 wait-ext 2.3 s, ..."; "nobody". */
void waiting_for(const struct supervisor *supervisor, uint64_t now_ns, struct text *text);

/* replay.c: the number of the last mark whose letter this slot has taken; LETTER_TAKEN_UNKNOWN if its memory makes no sense. */
uint64_t seat_taken(const struct seat *seat);
/*
 * replay.c: after the last death. What workers had taken and did not live to remove leaves the store; what nobody has taken stays there
 * unmarked. Adds to the ledger in outcome what that came to. Blocks on the disk; on who writes there for two seconds at most.
 */
void letters_settle(struct supervisor *supervisor, struct outcome *outcome);

/* stall_watch.c */
/* The timer of the next look; NULL: none is due. */
sd_event_source *stalls_timer(const struct supervisor *supervisor);
void stalls_open(struct supervisor *supervisor);
/* Fine if it is not open. */
void stalls_close(struct supervisor *supervisor);
/* Looks for stalls from now on, until all is at rest. Call when somebody may have begun to work. Fine at any time. */
void stalls_wake(struct supervisor *supervisor);
void stalls_stop(struct supervisor *supervisor);
/* STALL_FINDINGS_MAX of them, owned by the watch; NULL: it is not open. */
const struct stall_episode *stalls_episodes(const struct supervisor *supervisor);

/* metrics_keep.c: one call where something has happened that is counted */
/* Returns 0 or -ENOMEM; metrics_close() is fine in either case, and if it was never opened. */
int metrics_open(struct supervisor *supervisor);
void metrics_close(struct supervisor *supervisor);
/* Counts an action that is about to be done: orders, restarts, time-outs. */
void metrics_perform(struct supervisor *supervisor, const struct action *action);
/* Something less than the whole run was cancelled. metrics_perform() counts that one itself. */
void metrics_cancelled(struct supervisor *supervisor, enum cause cause);
/* seat NULL: of the pipeline as a whole. */
void metrics_timed_out(struct supervisor *supervisor, const struct seat *seat, enum timeout_level level);
/* The worker says that it has seen an order, and when. */
void metrics_seen(struct seat *seat, uint64_t order, uint64_t seen_ns);
/* It is dead: seat->death says how. */
void metrics_exited(struct seat *seat);
/* Of the dead: a name of restart_reason.def; static. */
const char *metrics_restart_reason(const struct seat *seat);
/* An episode has begun (it is open) or is over. */
void metrics_stalled(struct supervisor *supervisor, const struct stall_episode *episode, uint64_t now_ns);

/* history_keep.c: what has happened, for `weir history`. cause: a word; "": none. Do not wait. */
/* Returns 0 or -ENOMEM. */
int history_begin(struct supervisor *supervisor);
void history_note(struct supervisor *supervisor, enum history_kind kind, const char *cause, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void history_note_stage(struct supervisor *supervisor, uint32_t stage, enum history_kind kind, const char *cause,
			const char *format, ...) __attribute__((format(printf, 5, 6)));
void history_note_seat(const struct seat *seat, enum history_kind kind, const char *cause, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* An action that has just been done. */
void history_perform(struct supervisor *supervisor, const struct action *action);
/* An episode has begun (it is open) or is over. */
void history_stalled(struct supervisor *supervisor, const struct stall_episode *episode, const char *sentence);

/* deadline_watch.c */
void deadlines_open(struct supervisor *supervisor);
/* Looks for overruns from now on, until all is at rest. Fine at any time. */
void deadlines_wake(struct supervisor *supervisor);
/* Items wait for this worker, and a signal has stopped it, since then: if that is longer than its stage's deadline it is ended. */
void overrun_stopped(struct seat *seat, uint64_t since_ns, uint64_t now_ns);
/* The worker is being ended for the item that was seen last: says so, and asks it where it stands if it runs. */
void overrun_say(struct seat *seat);
/* After the repair: if this worker was ended for an overrun, that item and no other is the suspect. */
void overrun_blame(struct seat *seat, const struct segment *segment, struct repair_report *report);
/* For the obituary and the attempt log: "; item 17 had overrun its deadline of 500 ms, by 2.01 s at the end". Nothing if it was none. */
void overrun_describe(const struct seat *seat, struct text *text);
/* Before the next generation. */
void overrun_forget(struct seat *seat);

/* census.c: counts what is left and sums the ledger, after the last death. */
void supervisor_count(struct supervisor *supervisor, struct outcome *ret_counted);
/* Of one slot, as it stands; zeroes if it can't be read. */
void seat_ledger(const struct seat *seat, uint64_t ret_ledger[LEDGER_COUNT]);
/* Sum over all slots, as they stand. */
void supervisor_sum_ledger(const struct supervisor *supervisor, uint64_t ret_ledger[LEDGER_COUNT]);
