/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running pipeline: what weir ps, drain, stop and cancel do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

enum { CONTROL_E_NOT_RUNNING = 1, CONTROL_E_NO_ANSWER = 2 };

/*
 * Called every 100 ms or so while there is no answer. Returns whether to wait on.
 */
typedef bool control_waiting_fn(void *data, uint64_t waited_ns);

/*
 * Sends one request (verb: "status", "drain", "stop", "cancel"; argument: e.g. a stage; NULL: none) to the pipeline whose
 * run directory is run_dir, waits for the reply at most wait_ns. Returns 0, the reply's status and its JSON body;
 * CONTROL_E_NOT_RUNNING; CONTROL_E_NO_ANSWER: it may still do what was asked for; -errno. Blocks. waiting: NULL, or asked whether to go on.
 */
struct control_question {
	const char *run_dir, *verb, *argument;
	uint64_t timeout_ns, wait_ns;
	control_waiting_fn *waiting;
	void *data;
};
int control_ask(const struct control_question *question, int *ret_status, struct text *ret_body);
int control_request(const char *run_dir, const char *verb, const char *argument, uint64_t timeout_ns, uint64_t wait_ns,
		    int *ret_status, struct text *ret_body);
