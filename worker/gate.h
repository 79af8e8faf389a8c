/* SPDX-License-Identifier: Apache-2.0 */
/* Before a worker has a seat: it waits until the one who sits there is gone. broker/supervise/newcomer.c is the other side. */
#pragma once

#include "worker/worker.h"

/*
 * Finds the worker's stage by the document that it has, says so, and waits to be let in: then it has the document of its generation.
 * why_not: what keeps it from being a worker at all, which is then what it says; NULL: nothing. Returns 0, or the exit code with which the
 * process is to end: it is not wanted, or can't be what it should, which it has said. Blocks.
 */
int gate_wait(struct worker *worker, int gate_fd, const char *why_not);
