/* SPDX-License-Identifier: Apache-2.0 */
/* Frame mode's state, for frame.c and its parts: frame_program.c (the program), frame_answer.c (what it says), frame_loss.c (its end). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

#include "common/base/clock.h"
#include "worker/exec/buffer.h"
#include "worker/exec/child.h"
#include "worker/exec/frame_message.h"
#include "worker/exec/frame_talk.h"

enum frame_phase {
	FRAME_DOWN = 0, /* no program runs; it is started at start_ns */
	FRAME_STARTING, /* it has not said ready */
	FRAME_UP,
	FRAME_LEAVING, /* it has said bye, or was told the end: it may exit */
};

struct frame {
	struct program program;
	struct child child;
	int in, out; /* our ends: items go into `in`, answers come out of `out`; -1: closed */
	int events;  /* epoll: out, in while something is to be written, the pidfd */
	bool in_is_watched;
	struct buffer to, from;
	size_t to_head, from_head; /* of them is done with */
	bool has_more; /* others have had their turn, and something may lie in `from` that no descriptor tells of */

	enum frame_phase phase;
	uint64_t start_ns, until_ns; /* DOWN: when it is started; STARTING, LEAVING: when patience ends */
	struct talk talk;
	bool exited; /* and `end` says how */
	struct program_end end;
	bool finishing; /* no item will come */

	/* from the spec */
	enum frame_role role;
	bool values;
	uint32_t in_flight;
	uint64_t deadline_ns, grace_ns, answer_within_ns, ready_within_ns, frame_max_bytes;
	const char *const *keys;

	/* time: what this process spends in waiting for room is not the program's fault */
	uint64_t held_ns;
	uint64_t
		heard_ns; /* last word of the program, or when it was given something to speak of; on the clock of frame_now_ns() */

	uint32_t n_unready, n_losses; /* programs in a row that were lost before ready; without an answer */
	uint32_t n_scoped;            /* items that have a scope */
	uint64_t n_heard;             /* words of this program about its items */
	uint64_t ready_ns;            /* when it said so */
	uint64_t said_ns;             /* when an error of the program was last logged */
	uint64_t n_unsaid;

	/* in_flight: 1: the item in hand, and whether it has ended */
	const struct weir_item *alone_item;
	bool alone_done;
	int alone_status;
};

enum {
	FRAME_E_LOST = 100, /* the program was lost and will be started again: nothing more can be done now */
	FRAME_E_END,        /* it has closed its end, and all that it said was heard */
};

/* The clock of items: stands still while this process waits for room. Not 0. */
static inline uint64_t frame_now_ns(const struct frame *frame)
{
	return clock_now_ns() - frame->held_ns;
}

/* Programs in a row that did not get ready end the stage; so do so many more that were of no use. */
#define FRAME_UNREADY_MAX 3u
#define FRAME_LOSSES_MAX 10u
#define FRAME_STEADY_NS (10 * NS_PER_S) /* who has lasted so long was of use */

/* How long after the n-th loss in a row the next one is started: 20 ms after the first, up to 10 s. */
static inline uint64_t frame_backoff_ns(uint32_t n)
{
	return 10 * NS_PER_MS << (n > 10 ? 10 : n);
}

/*
 * ---- frame_program.c: the program, and bytes in and out. Nothing here blocks but the start of a program, for about a millisecond ----
 */

/* What all roles read alike, and the program. Returns 0; WEIR_FAILED after weir_fail(); -errno. frame_deinit() is due in each case. */
int frame_init(struct frame *frame, struct weir_context *context, enum frame_role role);
/* frame_release(), and frees what lies in it. */
void frame_deinit(struct frame *frame);
/* Starts it and says hello; a source's is told the position, one msgpack value, unless it has no bytes. Returns as frame_init(). */
int frame_start(struct frame *frame, struct weir_context *context, const void *position, size_t position_bytes);
/* Ends it if it runs (as child_stop()), and closes what leads to it. */
void frame_release(struct frame *frame);
/* What was written for it goes out when this process next has nothing better to do; or now, if it is much. Returns 0 or -errno. */
int frame_push_soon(struct frame *frame);
/* Writes what the pipe takes. Returns 0 or -errno. That the program does not read any more is seen in frame->in < 0. */
int frame_push(struct frame *frame);
/* Reads what there is. Returns 0: something; FRAME_PULL_NOTHING; FRAME_PULL_END: the program has closed its end; -errno. */
enum { FRAME_PULL_NOTHING = 102, FRAME_PULL_END };
int frame_pull(struct frame *frame);
/*
 * The message that has been pulled and not yet heard, good until the next pull; whoever hears it moves from_head by *ret_size_bytes.
 * Returns 0; FRAME_E_MORE: no whole one lies there; what frame_find() and frame_read() return, and why.
 */
int frame_take(struct frame *frame, struct frame_message *ret_message, size_t *ret_size_bytes,
	       struct record_fault *fault);
/* Whoever closes a pipe is about to end, mostly: waits a second. Returns 0: it has, or does not; WEIR_CANCELLED, -errno. */
int frame_await_exit(struct frame *frame, struct weir_context *context);
/* What it has done, as the beginning of a sentence: ended, and how, or closed a descriptor; and `lacking`, if it was ready. */
void frame_describe_end(const struct frame *frame, const char *lacking, struct text *text);
/* How many in a row, for the last word on them; `lacking` as in "without an item". */
void frame_describe_count(uint32_t n, bool unready, const char *lacking, struct text *text);
static inline size_t frame_unwritten(const struct frame *frame)
{
	return frame->to.length - frame->to_head;
}
/* As much is put together for a program at a time; then it is its turn to read. */
#define FRAME_UNWRITTEN_BYTES ((size_t)64 * 1024)
static inline bool frame_has_room(const struct frame *frame)
{
	return frame_unwritten(frame) < FRAME_UNWRITTEN_BYTES;
}
/* Has the program ended (frame->exited, and how), has it stopped reading (frame->in < 0)? Returns 0 or -errno. */
int frame_look(struct frame *frame);

/*
 * ---- frame_answer.c: items to the program, and what it says of them ----
 */

/* The item in hand is written for the program, which it is given to. Returns 0 or -ENOMEM. */
int frame_give(struct frame *frame, struct weir_context *context, struct talk_item *entry,
	       const struct weir_item *item);
/* As many of those that wait as there is room for. Returns 0, WEIR_*, -errno. */
int frame_give_waiting(struct frame *frame, struct weir_context *context);
/* What has come from the program: all of it, or has_more is set. Returns 0; FRAME_E_END; FRAME_E_LOST; WEIR_*; -errno. */
int frame_hear(struct frame *frame, struct weir_context *context);
/* Ends the item, which is in hand, with that status. Returns 0, WEIR_CANCELLED, WEIR_FAILED. */
int frame_conclude(struct frame *frame, struct weir_context *context, struct talk_item *entry, int status);
/* Has the item in hand. Returns 0 or what weir_resume() says. */
int frame_take_up(struct frame *frame, struct weir_context *context, const struct talk_item *entry,
		  const struct weir_item **ret_item);
/* Items whose scope is cancelled. Returns 0, WEIR_*, -errno. */
int frame_drop_cancelled(struct frame *frame, struct weir_context *context);

/*
 * ---- frame_loss.c: when the program is of no more use ----
 */

enum frame_blame {
	FRAME_BLAME_NOBODY, /* what it had is sent again, and that was it */
	FRAME_BLAME_ITEMS,  /* it may have died of what it had */
	FRAME_BLAME_TIME,   /* it was ended because some of what it had took too long, and those are counted already */
};
/*
 * Ends it, takes back what it had, gives up what has cost too many attempts, lets it be started again after a while. Returns FRAME_E_LOST;
 * WEIR_FAILED after weir_fail(): that was once too often; WEIR_CANCELLED; -errno.
 */
int frame_lose(struct frame *frame, struct weir_context *context, enum frame_blame blame, const char *why, ...)
	__attribute__((format(printf, 4, 5)));
/* It has closed an end of its pipes, or has ended. Returns 0: it was about to, and something is still to come; and as frame_lose(). */
int frame_hear_end(struct frame *frame, struct weir_context *context);
/* It takes its leave: what it has goes to the next one. Returns 0; WEIR_FAILED after weir_fail(): too many came for nothing. */
int frame_hear_bye(struct frame *frame, struct weir_context *context);
/* No item will come: tells the program, and waits until it has ended. In finish(). Returns 0, WEIR_FAILED, WEIR_CANCELLED, -errno. */
int frame_finish(struct frame *frame, struct weir_context *context);
/* The program that is up is told the end. Returns 0 or -errno. */
int frame_leave(struct frame *frame);
/* Looks at all that has a time. Returns 0, and what frame_lose() returns. */
int frame_check_time(struct frame *frame, struct weir_context *context);
/* When frame_check_time() has to be called next; 0: no need. On CLOCK_MONOTONIC. */
uint64_t frame_wake_ns(const struct frame *frame);
/* An attempt at an item has failed while the program goes on: again, or given up. Returns 0, WEIR_*, -errno. */
int frame_retry(struct frame *frame, struct weir_context *context, struct talk_item *entry, const char *why, ...)
	__attribute__((format(printf, 4, 5)));
