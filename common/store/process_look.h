/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told of another process. Reads /proc; never waits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Its words, with a space between two, and nothing that could move a cursor; "": not known. */
void process_look_command(pid_t pid, char *ret_command, size_t size_bytes);
/* By a signal: it goes on when it is told to. */
bool process_look_stopped(pid_t pid);
