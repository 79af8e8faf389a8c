/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that the decisions are made of. For this folder only. Each may add actions and move states; none does anything else. */
#pragma once

#include "broker/lifecycle/lifecycle.h"
#include "broker/lifecycle/verdict.h"

static inline uint32_t life_number(const struct lifecycle *lifecycle, const struct life *life)
{
	return (uint32_t)(life - lifecycle->lives);
}

static inline const struct plan_stage *life_stage(const struct lifecycle *lifecycle, const struct life *life)
{
	return &lifecycle->plan->stages[life->stage];
}

/* lifecycle.c */
struct action *act(struct lifecycle *lifecycle, enum action_kind kind, const struct life *life);
/* The only place that assigns a seat's state. false: the table has no move. */
bool life_move(struct lifecycle *lifecycle, struct life *life, enum seat_event event);
/* For our own decisions: no move is a bug. */
void life_must_move(struct lifecycle *lifecycle, struct life *life, enum seat_event event);
/* The only place that assigns the pipeline's state. */
void pipeline_move(struct lifecycle *lifecycle, enum pipeline_event event, uint32_t holding);

/* start.c */
void start_begin(struct lifecycle *lifecycle, uint64_t now_ns);
/* legacy.c: the same for a run that goes on. */
void legacy_begin(struct lifecycle *lifecycle, uint64_t now_ns);
/* Everybody who is missed has sat down: it runs. Fine at any time. */
void legacy_check_ready(struct lifecycle *lifecycle);
/* Fills the seat with its next generation. */
void life_spawn(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);
void start_spawned(struct lifecycle *lifecycle, uint32_t seat, uint64_t now_ns);
void start_spawn_failed(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns);
/* The pipeline never gets to run: stops everything. Only the first reason counts. life NULL: none in particular. */
void start_fail(struct lifecycle *lifecycle, struct life *life, enum reason reason, bool spec_matter, uint64_t now_ns);

/* voice.c: what workers say. false: refused. */
bool voice_hello(struct lifecycle *lifecycle, struct life *life);
bool voice_ready(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);
bool voice_bye(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns);
/* Its wait is over. */
void voice_due(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);

/* seat_ladder.c */
/* Its worker starts or runs, and is to end while others go on: it is told now, and seat_ladder_climb() is due if it does not. */
void seat_ladder_begin(struct lifecycle *lifecycle, struct life *life, enum cause cause, const char *who,
		       uint64_t now_ns);
/* The same, because of an overrun: it has the rest of the time until term_ns, absolute, to go by itself. */
void seat_ladder_begin_late(struct lifecycle *lifecycle, struct life *life, uint64_t term_ns);
/* Its wait is over: the next rung. */
void seat_ladder_climb(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);

/* overrun.c: an item that had to be done at due_ns, absolute, still is not. false: refused, nobody has deadlines to keep there. */
bool overrun_end(struct lifecycle *lifecycle, struct life *life, uint64_t due_ns);

/* death.c */
void death_exited(struct lifecycle *lifecycle, struct life *life, const struct death_facts *facts);
void death_repaired(struct lifecycle *lifecycle, struct life *life, enum repair repair, uint64_t now_ns);
void death_examined(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns);

/* succession.c: the next generation, or none. */
void succession_restart(struct lifecycle *lifecycle, struct life *life, const struct event *event, bool progressed,
			uint64_t now_ns);
/* Into the back-off that ends at life->restart_ns. */
void succession_back_off(struct lifecycle *lifecycle, struct life *life);
void succession_back_off_over(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);
/* Nobody sits here any more: its stage goes on without the seat, or has failed. */
void succession_give_up(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory,
			enum reason reason, uint64_t now_ns);
void succession_retired(struct lifecycle *lifecycle, struct life *life, bool done, uint64_t now_ns);
/* No sibling is being stopped any more: fills the seats that have waited for that, in the order of the start. */
void succession_release(struct lifecycle *lifecycle, uint64_t now_ns);

/* scale.c: stages that grow and shrink. */
void scale_init(struct lifecycle *lifecycle, uint32_t stage);
/* Of a run that goes on: what had been decided about one stage, and one of its seats. */
void scale_inherit(struct lifecycle *lifecycle, uint32_t stage, const struct legacy_stage *legacy);
void scale_inherit_seat(const struct lifecycle *lifecycle, struct life *life, const struct legacy_seat *legacy);
/* Before anybody sits down: what the board says of those who rest; of all, if it is another supervisor's. */
void scale_post(struct lifecycle *lifecycle);
/* false: refused. */
bool scale_begin(struct lifecycle *lifecycle, const struct life *of, uint32_t n);
/* After each event: one step on towards what is wanted; and the end of seats that rest. */
void scale_settle(struct lifecycle *lifecycle, uint64_t now_ns);
uint64_t scale_due_ns(const struct lifecycle *lifecycle);
void scale_due(struct lifecycle *lifecycle, uint64_t due_ns);
void scale_looked(struct lifecycle *lifecycle, const struct life *of, const struct scale_facts *facts, uint64_t now_ns);
/* It is dead, and was to rest: true if nothing is left to do there, and it does. */
bool scale_rests(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory);
/* It is dead, or could not be forked. true: its stage was growing, and that is all that has failed: it is tried again, or rests. */
bool scale_growth_failed(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns);

/* siblings.c */
/* `dead` waits for its restart: stops those whom the strategy restarts with it. */
void siblings_stop(struct lifecycle *lifecycle, const struct life *dead, uint64_t now_ns);

/* failure.c */
/*
 * on_failure: drop_branch. The seat's stage has failed for good: if its branch may be dropped, or is part of one, gives all its seats
 * stand-ins. false: nothing done: neither is so, the pipeline has not run, or it was a stand-in that failed.
 */
bool failure_abandon(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory,
		     enum reason reason, uint64_t now_ns);
/* Somebody wants the same for the stage of this seat. false: it is dropped, the pipeline is being cancelled, or has not run. */
bool failure_cancel_stage(struct lifecycle *lifecycle, const struct life *of, enum cause cause, const char *who,
			  uint64_t now_ns);
/* The stage has failed for good: cancels everybody else. */
void failure_of_stage(struct lifecycle *lifecycle, struct life *life, enum reason reason, uint64_t now_ns);
/* A source has failed, but closed its lanes: the others drain, the exit code says so. */
void failure_of_source(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);
/* Not even SIGKILL ends it. */
void failure_unkillable(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);

/* stop.c: the ladder. */
void stop_climb(struct lifecycle *lifecycle, enum rung rung, enum cause cause, const char *who, uint64_t now_ns);
void stop_drain(struct lifecycle *lifecycle, uint64_t deadline_ns, const char *who, uint64_t now_ns);
void stop_signal(struct lifecycle *lifecycle, int signal_number, const char *who, uint64_t now_ns);
void stop_due(struct lifecycle *lifecycle, uint64_t now_ns);

/* resume.c */
/* false: refused. */
bool resume_begin(struct lifecycle *lifecycle, uint64_t now_ns);
/* It has seen an order: to run, or to drain. closed: a source, and its stream has ended. */
void resume_heard(struct lifecycle *lifecycle, struct life *life, bool runs, bool closed);
/* A source says goodbye, or is dead: if its stream has ended nobody goes on; else a later generation does, for it reads the board. */
void resume_gone(struct lifecycle *lifecycle, struct life *life, bool closed);
/* The next generation of a source sits down meanwhile. */
void resume_spawned(const struct lifecycle *lifecycle, struct life *life);
/* It can't be carried out: draining it stays. */
void resume_roll_back(struct lifecycle *lifecycle, const struct life *culprit);

/* reload.c */
/* false: refused: one is under way, the pipeline does not run, or a stage is abandoned. */
bool reload_begin(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns);
bool reload_at_gate(struct life *life);
void reload_newcomer_gone(struct lifecycle *lifecycle, struct life *life);
/* A newer one is wanted. false: it is too late for that. */
bool reload_abandon(struct lifecycle *lifecycle);
void reload_due(struct lifecycle *lifecycle, uint64_t now_ns);
void reload_judged(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns);
/* The next generation of this seat is made by the new plan ... */
bool reload_renews(const struct lifecycle *lifecycle, const struct life *life);
/* ... and has this long to open its stage, relative. */
uint64_t reload_opening_ns(const struct lifecycle *lifecycle);
/* It has not been ready in its time. false: it is no new worker of a reload that can be taken back. */
bool reload_too_late(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns);
/* The dead worker had failed with the new plan: everybody goes back to the one before, and nothing else follows its death. */
bool reload_blames(struct lifecycle *lifecycle, struct life *life, enum verdict verdict, uint64_t now_ns);
/* After each event. */
void reload_check(struct lifecycle *lifecycle, uint64_t now_ns);

/* end.c */
/* Ends everything if nobody is left. */
void end_check(struct lifecycle *lifecycle);
void end_swept(struct lifecycle *lifecycle, bool done, uint64_t now_ns);
void end_counted(struct lifecycle *lifecycle, const struct outcome *counted);
