/* SPDX-License-Identifier: Apache-2.0 */
/* Line mode's state, and the program's side of it (line_program.c), for line.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/exec/bags.h"
#include "worker/exec/buffer.h"
#include "worker/exec/child.h"
#include "worker/exec/timeout.h"
#include "worker/exec/program.h"
#include "worker/split.h"

/* The stage cursor. All zero: nothing is waiting. */
struct line_cursor {
	uint64_t start, end; /* lines in spool 0 whose answers are not out yet */
	uint64_t n_items;    /* of them */
	uint64_t n_answered;
	uint64_t n_passed; /* lines that are over, answered or not: the number of the oldest one that is not */
	struct bags_cursor bags;
};

struct line {
	struct program program;
	struct child child;
	struct line_cursor *cursor;   /* the runtime's */
	struct line_cursor committed; /* as of the last flush */
	struct buffer queue;
	size_t head, sent, stored; /* offsets in queue: see above */
	int spool_fd;
	struct bags bags; /* what they have brought along */
	int in, out;      /* our ends of the program's stdin and stdout; -1: closed */
	struct splitter answers;
	struct split_record answer; /* cut, not yet emitted */
	bool has_answer;
	struct program_end end; /* once the program has ended by itself */
	bool ended;
	uint64_t progress_ns; /* last answer, or when there began to be something to answer */
	uint64_t answer_within_ns;
	struct timeout timeout; /* with the program, over the oldest line */
	uint32_t attempt;       /* times the program was lost since the last answer */
	bool window_full, run_ending, finishing;
};

enum {
	LINE_E_NONE = 100, /* no whole answer now */
	LINE_E_END,        /* ... and none will come: the program's stdout is at its end */
	LINE_E_DONE,
};

/* Bytes of the oldest line, its newline included. */
size_t line_head_bytes(const struct line *line);
/* The oldest line is over, answered or not. */
void line_pass_head(struct line *line);

static inline bool line_is_idle(const struct line *line)
{
	return line->head == line->queue.length;
}

/* Starts the program. Returns 0; WEIR_FAILED after weir_fail(); -errno. line_stop() is due in each case. */
int line_start(struct line *line, struct weir_context *context);
/* Ends it and forgets what was under way: all lines are unsent again. Fine if none runs. */
void line_stop(struct line *line, struct weir_context *context);

/* Writes what the pipe takes of the stored lines. Does not block. Returns 0 or -errno. */
int line_send(struct line *line);
/*
 * A whole answer into line->answer; a last one without newline is none. Does not block. Returns 0, LINE_E_NONE,
 * LINE_E_END, -errno.
 */
int line_next_answer(struct line *line);

/*
 * The program is of no more use: the oldest line has overrun the stage's deadline, and is given up if that was often enough;
 * it has not answered in time; its stdout is at its end though answers are due. It is
 * started again, or, the third time in a row, given up. Returns 0 if it runs again; WEIR_FAILED after weir_fail();
 * WEIR_CANCELLED; -errno.
 */
int line_overrun(struct line *line, struct weir_context *context);
int line_lost_silent(struct line *line, struct weir_context *context);
int line_lost_ended(struct line *line, struct weir_context *context);
/* It has written a line that answers nothing: stops it. Returns WEIR_FAILED after weir_fail(). */
int line_fail_extra(struct line *line, struct weir_context *context);

/*
 * All lines are answered: the program gets its end of input and may end. Returns 0, WEIR_FAILED, WEIR_CANCELLED,
 * -errno.
 */
int line_end(struct line *line, struct weir_context *context);
