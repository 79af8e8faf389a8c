/* SPDX-License-Identifier: Apache-2.0 */
/* Exit coordinators, seen from the runtime: the worker's own. Part of libweir: see include/weir/exit.h. */
#pragma once

#include <weir/exit.h>

/* One that stages can neither run nor free. Returns 0 and the coordinator, or -ENOMEM. */
int weir_coordinator_root_new(struct weir_coordinator **ret_coordinator);
/* As weir_coordinator_run() and weir_coordinator_free(), for that one. */
int weir_coordinator_root_run(struct weir_coordinator *coordinator, enum weir_cause cause,
			      struct weir_exit_report *ret_report);
struct weir_coordinator *weir_coordinator_root_free(struct weir_coordinator *coordinator);
