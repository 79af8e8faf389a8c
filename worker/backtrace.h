/* SPDX-License-Identifier: Apache-2.0 */
/* Where the worker stands, told on its stderr when somebody asks (SIGQUIT), and before it dies of a fault. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

/*
 * Sets the handlers and a signal stack for this thread: the main one, before any other is there. Keeps stderr as it is now under a
 * number of its own. Call from main(): what called it is not shown. A program built with a sanitizer leaves faults to that.
 */
void backtrace_begin(void);
/* Whoever called one of these callbacks is not shown. Not owned: stays until the end. */
void backtrace_know_stage(const struct weir_stage *stage);
