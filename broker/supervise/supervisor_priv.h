/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's own structures and the verbs on them. For this folder only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "broker/supervise/ladder.h"
#include "broker/supervise/last_words.h"
#include "broker/supervise/outcome.h"
#include "broker/supervise/pipeline_state.h"
#include "broker/supervise/restart.h"
#include "broker/supervise/seat_state.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view.h"
#include "common/flow/repair.h"
#include "common/memory/board.h"
#include "common/memory/segment.h"
#include "common/wire/message.h"

#define START_TIMEOUT_DEFAULT_NS (30 * NS_PER_S)
#define LAST_WORDS_WAIT_NS (200 * NS_PER_MS) /* for a goodbye that is still on its way when its sender is reaped */
#define ORPHANS_BUDGET_NS (50 * NS_PER_MS)   /* one sweep may take so long */
#define ORPHANS_AGAIN_NS (100 * NS_PER_MS)
#define UNKILLABLE_NS (5 * NS_PER_S) /* after SIGKILL: then a process counts as stuck in the kernel */
#define STAGE_LINES_PER_S 200u
#define STAGE_SPOOLS_MAX 2u

/* Handlers of what people and the clock want come before those of deaths (a goodbye first), and those before chatter. */
#define PRIORITY_TIMER 0
#define PRIORITY_DEATH 10
#define PRIORITY_STDERR 50

/* What one worker said when it left. */
struct goodbye {
	bool said;
	uint64_t status;       /* enum weir_status */
	char *reason, *option; /* owned; NULL: none */
};

/* How the kernel says that it ended. */
struct death {
	bool exited;           /* else killed by a signal */
	int status;            /* exit code or signal */
	int exec_errno;        /* not 0: weir-worker never ran */
	bool ended;            /* its status line said ENDED */
	bool hung;             /* it said goodbye, did not exit, and was killed for that */
	unsigned worker_state; /* what the status line said last */
	bool stopped;          /* we killed it, because a sibling died */
	bool progressed;       /* committed at least one turn, or was killed from outside while it waited */
	struct repair_report report;
	uint64_t when_ns;
};

struct seat {
	struct supervisor *supervisor;
	const struct plan_stage *stage;
	uint32_t slot, stage_number, worker_index;
	enum seat_state state;

	/* for all generations */
	int segment_fd;      /* read-write: the worker's, and repair's */
	int segment_read_fd; /* peers' and views' */
	int doorbell_fd;
	int cancel_fd; /* eventfd: rung once, with the order to cancel, and never read */
	int spool_fds[STAGE_SPOOLS_MAX];
	struct segment segment; /* control pages, read-only */
	uint32_t restarts;
	uint32_t failures;               /* deaths in a row without progress */
	struct restart_history history;  /* on_failure: degrade counts for each seat; else the stage does */
	struct heritage_death *attempts; /* that the present suspect has cost: attempts.c */
	uint32_t n_attempts;
	uint64_t restart_ns; /* when its back-off is over, absolute */
	bool waits;          /* it is over, but siblings are still being stopped */
	bool quarantined;    /* its memory makes no sense: nothing in it is counted or repaired any more */

	/* of the present generation */
	uint32_t generation; /* of the next one while nobody sits here */
	uint8_t token[HERITAGE_TOKEN_SIZE];
	pid_t pid;      /* 0: nobody */
	pid_t last_pid; /* the same, but stays for the log after the death */
	bool own_group; /* its pid is a process group, too */
	int pidfd;
	int exec_fd; /* read end: errno of a failed exec; -1 once it has said hello */
	int stderr_fd;
	uint64_t spawned_ns;
	struct last_words words;
	struct goodbye goodbye;
	struct death death;
	bool was_ready; /* its stage was open */
	bool stands_in; /* for its stage, which has failed for good */
	bool hung;      /* told to end because it did not exit after its goodbye */
	sd_event_source *pidfd_source, *stderr_source, *timer;
};

struct stage_watch {
	struct restart_history history;
	struct restart_policy policy;
	struct line_limit limit;
	sd_event_source *limit_timer;
	bool abandoned; /* it has failed for good, and stand-ins discard what comes to it */
	uint32_t number;
	struct supervisor *supervisor;
};

struct stall_watch;

#define SUPERVISOR_MAGIC 0x57525355u
struct supervisor {
	unsigned magic;
	const struct plan *plan;
	sd_event *event;
	char *worker_path, *endpoint;
	char *dead_letter_store; /* folder; NULL: stages without a file of their own can't keep any */
	uint64_t run;            /* CLOCK_REALTIME of the start, in ns */
	uint64_t start_timeout_ns;
	struct supervisor_callbacks callbacks;
	pid_t pid;
	int subreaper_before;
	struct rlimit files_before;     /* RLIMIT_NOFILE as it was */
	struct rlimit files_of_workers; /* ... and what workers get */

	struct seat *seats;         /* plan->n_slots */
	struct stage_watch *stages; /* plan->n_stages */
	bool *behind;               /* plan->n_stages: scratch of siblings.c */
	struct board *board;
	int board_fd, board_read_fd;
	int lifeline_fds[2]; /* only we hold [1]: workers see the end of [0] when we are gone */
	int null_fd;

	enum pipeline_state state;
	bool restarts_off;
	bool signalled; /* a SIGINT or SIGTERM has come */
	uint64_t started_ns;
	struct ladder ladder;
	enum cause cause;
	sd_event_source *ladder_timer, *start_timer, *deadline_timer, *orphans_timer;
	struct stall_watch *stalls;
	struct supervisor_failure failure;
	char *failure_message;
	struct outcome outcome;
	bool finished;
	int exit_code;
};

/* tell.c */
void supervisor_log(struct supervisor *supervisor, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void seat_log(const struct seat *seat, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void stage_log(const struct stage_watch *watch, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* timer.c */
/* Makes the loop open its timerfd now, while running out of descriptors is still an answer. Returns 0 or -errno. */
int timer_prepare(sd_event *event);
/* One-shot timer at an absolute time; replaces the one that was set. */
void timer_set(struct supervisor *supervisor, sd_event_source **timer, uint64_t at_ns, sd_event_time_handler_t handler,
	       void *data);
void timer_stop(sd_event_source **timer);

/* supervisor.c */
/* Lets the pipeline take the event if the table has a move for it; tells the callback. Assigns supervisor->state. */
void supervisor_move(struct supervisor *supervisor, enum pipeline_event event, uint32_t holding);
/* false: the table has no move. The only place that assigns seat->state. */
bool seat_move(struct seat *seat, enum seat_event event);
/* For the supervisor's own events: no move is a bug. */
void seat_must_move(struct seat *seat, enum seat_event event);
/* If every seat is ready for the first time: lets everybody run. */
void supervisor_check_ready(struct supervisor *supervisor);

/* end.c */
/* Ends everything if nobody is left. Call after whatever may have been the last thing. */
void supervisor_check_end(struct supervisor *supervisor);
void supervisor_stop_timers(struct supervisor *supervisor);

/* memory.c */
int memory_open(struct supervisor *supervisor, struct text *why);
void memory_close(struct supervisor *supervisor);
void doorbells_ring_all(struct supervisor *supervisor);

/* spawn.c: fills the seat with its next generation. Returns 0 or -errno with nothing changed but the log. */
int seat_spawn(struct seat *seat);

/* watch.c: the present generation's event sources; unwatch closes its descriptors, too. */
int seat_watch(struct seat *seat);
void seat_unwatch(struct seat *seat);

/* listen.c */
/* Hears the worker's stderr from now on. Returns 0 or -errno. */
int seat_listen(struct seat *seat);
/* Reads what is in the pipe, at most so many bytes. Closes it at its end. */
void seat_read_stderr(struct seat *seat, size_t bytes_max);
void seat_close_stderr(struct seat *seat);

/* reap.c */
/* The pidfd says dead: the whole sequence from waitid to the next step. */
void seat_reap(struct seat *seat);
/* Its goodbye has come after its death, or will not come any more. */
void seat_conclude(struct seat *seat);
/* Kills and reaps what dead workers have left behind; comes back by itself while something is left. */
void supervisor_sweep(struct supervisor *supervisor);

/* mend.c: finishes the dead worker's turn and notes the suspect. Returns 0 or REPAIR_E_CORRUPT. */
int seat_mend(struct seat *seat);
void seat_ring_neighbours(const struct seat *seat);
/* The dead worker was mended and gets no successor: its lanes close as lost, its readers are rung. */
void seat_close_lost(struct seat *seat);

/* attempts.c */
/* After the repair: one more life that the suspect has cost, or none any more. */
void seat_note_attempt(struct seat *seat);
/* Copies the story for the next generation. Returns 0 or -ENOMEM; what is there is the heritage's either way. */
int seat_fill_attempts(const struct seat *seat, struct heritage *heritage);
void seat_forget_attempts(struct seat *seat);

/* obituary.c: how it died, "was killed by SIGSEGV". */
void seat_add_manner(const struct seat *seat, struct text *text);
/* obituary.c: one paragraph about a death. next: what follows, e.g. "restart in 10 ms". */
void seat_obituary(const struct seat *seat, enum weir_log_level level, const char *next);

/* retire.c */
/* Its stage can go on without it: on_failure: degrade, it has run, and a sibling is left. */
bool seat_may_retire(const struct seat *seat);
/*
 * Nobody will sit here again, and the stage goes on: closes its outputs, has its producers move what waits for it. Returns 0, or what
 * stood in the way: then nothing has changed.
 */
int seat_retire(struct seat *seat, const char *why);

/* revive.c */
/* Back-off and then the next generation, with the siblings that the strategy wants; or the end of the stage. */
void seat_restart(struct seat *seat, bool progressed);
/* It was stopped for a sibling's sake: the next generation comes with the sibling's. Nothing is counted. */
void seat_return(struct seat *seat);
/* The back-off is over, and nobody is being stopped: the next generation now. */
void seat_refill(struct seat *seat);
/* Nobody sits here any more, says why: its stage goes on without the seat, or has failed. */
void seat_give_up(struct seat *seat, const char *why);
/* Remembers why it failed, and where the spec is to blame (line 0: nowhere), for whoever asks at the end. Only the first counts. */
void supervisor_note_failure(struct supervisor *supervisor, const struct plan_stage *stage,
			     struct spec_position position, const char *message);
/* The same for a worker that could not open its stage: its goodbye says why and which option. */
void seat_note_failure(const struct seat *seat);
/* The pipeline never gets to run: stops everything. spec_matter: exit 1 instead of 75. stage NULL: none in particular. */
void supervisor_fail_start(struct supervisor *supervisor, const struct plan_stage *stage, bool spec_matter,
			   const char *why);
/* The stage has failed for good: cancels everybody else. */
void seat_fail_stage(struct seat *seat, const char *why);
/* A source has failed, but closed its lanes: the others drain, the exit code says so. */
void seat_fail_source(struct seat *seat, const char *why);
/* Shared memory makes no sense: the same, and exit 5. */
void seat_fail_corrupt(struct seat *seat, const char *why);

/* Into the back-off that ends at seat->restart_ns, for the next generation. */
void seat_back_off(struct seat *seat);

/* abandon.c */
/*
 * The seat's stage has failed for good: if its branch may be dropped, or is part of one, fills all its seats with stand-ins and returns
 * true. Returns false, and has done nothing, if neither is so, the pipeline has not run, or it was a stand-in that failed.
 */
bool seat_abandon(struct seat *seat, const char *why);
/* A stand-in before it has ended: more will not come, and what came is not all. */
bool seat_is_cut_off(const struct seat *seat);

/* siblings.c */
/* Kills a worker that starts or runs; its next generation comes at restart_ns, if its type wants one. */
void seat_stop(struct seat *seat, uint64_t restart_ns);
/* `dead` waits for its restart: stops those whom the strategy restarts with it. */
void siblings_stop(const struct seat *dead);
/* Somebody is being stopped for a sibling's sake, and nobody comes back before the kernel has said that he is dead. */
bool siblings_awaited(const struct supervisor *supervisor);
/* Fills the seats that have waited for that, in the order of the start, if nobody is being stopped any more. */
void siblings_release(struct supervisor *supervisor);

/* waiting.c: appends who is still there: "write#0 pid 4711 wait-ext 2.3 s, ..."; "nobody". */
void waiting_for(const struct supervisor *supervisor, uint64_t now_ns, struct text *text);

/* drain.c */
void ladder_climb(struct supervisor *supervisor, enum rung rung, enum cause cause, const char *who);
/* A worker sits down while we are on the ladder: it is told what the others were told. */
void ladder_tell(struct seat *seat);
/* Not even SIGKILL ends it: says so and gives the seat up; the process is never waited for, and its memory never repaired. */
void seat_leave_behind(struct seat *seat);
/* Tells the worker the run's deadline, if there is one and the pipeline runs: for a later generation too. */
void seat_tell_deadline(struct seat *seat);
int deadline_passed(sd_event_source *source, uint64_t at_us, void *data);

/* stall_watch.c */
void stalls_open(struct supervisor *supervisor);
/* Fine if it is not open. */
void stalls_close(struct supervisor *supervisor);
/* Looks for stalls from now on, until all is at rest. Call when somebody may have begun to work. Fine at any time. */
void stalls_wake(struct supervisor *supervisor);
void stalls_stop(struct supervisor *supervisor);

/* census.c: counts what is left and sums the ledger, after the last death. */
void supervisor_count(struct supervisor *supervisor);
/* Sum over all slots, as they stand. */
void supervisor_sum_ledger(const struct supervisor *supervisor, uint64_t ret_ledger[LEDGER_COUNT]);
