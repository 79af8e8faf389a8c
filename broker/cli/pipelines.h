/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that talk to a running pipeline share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/cli/view_read.h"
#include "broker/control/client.h"
#include "common/base/text.h"

/* Exit codes of ps, drain, stop and cancel beside EXIT_DONE and EXIT_USAGE; also in docs/exit-codes.md. */
enum { EXIT_NOT_RUNNING = 3, EXIT_STILL_THERE = 4 };

#define PIPELINE_NAME_MAX 64 /* bytes; a stage's, too */
/* A pipeline's name as the spec allows it: nothing that could lead out of the run folder. */
bool pipeline_name_valid(const char *name);

/*
 * One request to the pipeline of that name. After two seconds a line on stderr says what its process does instead of answering, and it is
 * waited for up to 30 s, unless it is stopped. Returns 0 and the reply's body, or an exit code after
 * one line on stderr: EXIT_NOT_RUNNING, EXIT_USAGE (it has no such stage), EXIT_TRY_AGAIN (no answer, or refused). Blocks.
 */
int pipeline_ask(const char *name, const char *verb, const char *argument, uint64_t timeout_ns, struct text *ret_body);
/*
 * The same without a word, and two seconds at most: *ret_status is the reply's status, if there is one. Returns 0,
 * CONTROL_E_* (broker/control/client.h), -errno.
 * And the words for what it returned: an exit code, 0 if all is well.
 */
int pipeline_try(const char *name, const char *verb, const char *argument, uint64_t timeout_ns, int *ret_status,
		 struct text *ret_body);
int pipeline_explain(const char *name, const char *verb, int r, int status, const char *body);
/* pipeline_try(), as long as waiting(data, how long) wants to wait on; it is asked every 100 ms or so. */
int pipeline_try_while(const char *name, const char *verb, const char *argument, control_waiting_fn *waiting,
		       void *data, int *ret_status, struct text *ret_body);
/*
 * Appends who has the name of a pipeline that somebody wants to start, and what to do; nothing, if that can't be found out.
 * Returns false if it
 * has ended meanwhile. Waits two seconds at most.
 */
bool pipeline_explain_taken(const char *name, pid_t pid, struct text *why);
/* Asks "status" and reads the answer. Returns as pipeline_ask(). */
int pipeline_view(const char *name, struct view_copy *ret_copy, struct text *ret_body);
