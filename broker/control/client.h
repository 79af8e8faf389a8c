/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running pipeline: what weir ps, drain, stop and cancel do. */
#pragma once

#include <stdint.h>

#include "common/base/text.h"

enum { CONTROL_E_NOT_RUNNING = 1, CONTROL_E_NO_ANSWER = 2 };

/*
 * Sends one request (verb: "status", "drain", "stop", "cancel"; argument: e.g. a stage; NULL: none) to the pipeline whose
 * run directory is run_dir, waits for the reply at most wait_ns. Returns 0, the reply's status and its JSON body;
 * CONTROL_E_NOT_RUNNING; CONTROL_E_NO_ANSWER; -errno. Blocks.
 */
int control_request(const char *run_dir, const char *verb, const char *argument, uint64_t timeout_ns, uint64_t wait_ns,
		    int *ret_status, struct text *ret_body);
