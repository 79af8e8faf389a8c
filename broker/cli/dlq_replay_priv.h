/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of `weir dlq replay` share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/store/letter_replay.h"

struct fy_document;
struct fy_node;

/* What the pipeline says of a stage. */
struct target {
	char *stage;                /* owned */
	struct fy_document *answer; /* points into `body` */
	struct text body;
	struct fy_node *root;
};

struct replaying {
	const struct dlq_replay *request;
	struct target *targets;
	size_t n_targets;
	struct letter_mark *marks;
	size_t n_marks, n_left_out;
	uint64_t *doubtful; /* ids, ascending */
	size_t n_doubtful;
	uint64_t run;
	int supervisor_fd;
};

/* A member of an answer as a number. Pure. */
uint64_t dlq_number_of(struct fy_node *map, const char *key);
/* The slot of the worker with that index; another one if that is over. Returns false: the stage is over. Pure. */
bool dlq_choose_slot(const struct target *target, uint32_t index, uint32_t *ret_slot);
/* Says why a letter is not given, and counts it as such. */
void dlq_leave_out(struct replaying *replaying, uint64_t id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Gives up the marks of all slots that are over, then marks those letters. Waits for its turn to write. Returns 0 or what the store says.
 */
int dlq_put_marks(const struct replaying *replaying, const struct letter_mark *marks, size_t n);
/* Workers look, and which of them are over is heard again. Blocks. Returns 0, or the exit code; what was heard before holds then. */
int dlq_tell(struct replaying *replaying, bool says);
/* For bsearch() and qsort(). */
int letter_mark_by_id(const void *a, const void *b);
/*
 * dlq_strays.c: by what was heard last, gives to others what is marked for slots that are over; what nobody can have is said, counted and
 * no longer among the marks. Waits for its turn to write. Returns 0 or what the store says.
 */
int dlq_give_on(struct replaying *replaying);
