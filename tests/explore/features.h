/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of programs about one feature each: setup()s prepare memory, the others are threads, *_end judges. */
#pragma once

/* dropping.c: full: drop-old. A producer that overwrites, a reader with a hold. */
void drop_produce(unsigned slot);
/* The same, to be killed only when it has given up room and is not done with filling it. */
void drop_produce_into_room(unsigned slot);
void drop_consume(unsigned slot);
void drop_supervise(unsigned thread);
const char *drop_end(void);

/* retiring.c: slot 1 has died with a turn in its record, slot 0 moves what it left to slot 2. */
void retire_prepare(void);
void retire_supervise(unsigned thread);
void retire_produce(unsigned slot);
const char *retire_end(void);
/* The same, done with already, while slot 2 sleeps. */
void retire_prepare_asleep(void);
void retire_consume(unsigned slot);
/* The same inside a loop, whose head looks meanwhile. */
void retire_prepare_loop(void);
void retire_look(unsigned thread);
/* Sums slot 0's lanes, the one that items are taken back from first. */
void retire_sum(unsigned thread);

/* passing.c: 0 -> 1 -> 2, and 1 passes references on. */
void pass_relay(unsigned slot);
void pass_consume(unsigned slot);
/* The same with real sleeps. */
void pass_relay_asleep(unsigned slot);
void pass_consume_asleep(unsigned slot);
void pass_supervise(unsigned thread);
const char *pass_end(void);

/* asynchronous.c: items that end in any order. */
void async_run(unsigned slot);
void async_supervise(unsigned thread);
void async_supervise_again(unsigned thread);
const char *async_end(void);

/* notes.c: the item in hand, noted in each of three ways, and whom the repair then suspects. */
void note_turns(unsigned slot);
void note_takes(unsigned slot);
void note_in_flight(unsigned slot);
void note_judge(unsigned thread);

/* waiting.c: a sender that waits for its reader; a reader that leaves; a loop's head beside a stage that commits twice. */
void meet_produce(unsigned slot);
void meet_consume(unsigned slot);
void leave_produce(unsigned slot);
void leave_consume(unsigned slot);
void leave_supervise(unsigned thread);
const char *leave_end(void);
void loop_prepare(void);
void loop_stage(unsigned slot);
void loop_look(unsigned thread);
