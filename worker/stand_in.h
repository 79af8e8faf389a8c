/* SPDX-License-Identifier: Apache-2.0 */
/* on_failure: drop_branch, once the stage has failed for good: what sits in its seats instead of it. */
#pragma once

#include "worker/worker.h"

/* Instead of resolving and opening the stage: leaves every input, and settles what the stage held. */
void stand_in_open(struct worker *worker);
