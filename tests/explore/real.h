/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of programs that run the turns and sleeps of worker/. */
#pragma once

void real_reset(void);
/* A source in slot 0 and a sink in slot 1. */
void real_produce(unsigned slot);
void real_consume(unsigned slot);
/* Repairs, rings the neighbour, starts the next generation. */
void real_supervise(unsigned thread);
/* Notes items in hand, one over the other; and whom the repair then suspects. */
void real_note(unsigned slot);
void real_judge_note(unsigned thread);
