/* SPDX-License-Identifier: Apache-2.0 */
/* A gather in a bottle, that joins 'split', 'a' and 'b'. */
#pragma once

#include "tests/unit/worker/fake_host.h"

#define WITHIN_NS (100 * NS_PER_MS)
#define START_NS NS_PER_S /* less than any machine has been up for */

void gather_begin(struct fake_host *host, const char *partial, const char *late, int64_t n_open);
/* What is given next has this mark, of the run at work. */
void gather_set_mark(struct fake_host *host, uint64_t number, uint64_t stamp_ns);
/* Returns what process() says of it. */
int gather_answer(struct fake_host *host, uint64_t number, uint32_t input, const char *text);
/* What the runtime does when the time comes that the stage watches. */
void gather_pass_time(struct fake_host *host, uint64_t ms);
