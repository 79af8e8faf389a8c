/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a stage with run(). */
#pragma once

#include "worker/worker.h"

/*
 * Calls run() and ends the stream: turn_loop() for such a stage, with the same returns. Blocks as long as the stage lives.
 */
int run_loop(struct worker *worker);
