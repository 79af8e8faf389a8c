/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's own scope, budget, exit point and coordinator: what weir/scope.h, budget.h and exit.h call in a worker. */
#pragma once

#include <weir/exit.h>
#include <weir/scope.h>

#include "worker/worker.h"

/* Makes both, once; before open(). Returns 0 or -ENOMEM. */
int scopes_open(struct worker *worker);
/* With what stages have left of them. Fine if they were never made. */
void scopes_close(struct worker *worker);

/* Runs the hooks of scopes that the order to cancel has cancelled. For wait_check_order(), when there is one. */
void scopes_ordered(struct worker *worker);

/*
 * Behind the last callback, before close(): runs the hooks that are due, then the cleaners, and logs their faults. *status is what the
 * stage has come to; a cleaner that crashes makes it WEIR_FAILED, with worker->reason. Returns false if one did: close() must not be
 * called.
 */
bool scopes_conclude(struct worker *worker, int *status);

struct weir_scope *scopes_scope(struct weir_context *context);
struct weir_scope *scopes_scope_of_item(struct weir_context *context);
struct weir_budget scopes_budget(const struct weir_context *context);
int scopes_exit_point(struct weir_context *context, struct weir_exit *ret_exit);
struct weir_coordinator *scopes_coordinator(struct weir_context *context);
