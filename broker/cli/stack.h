/* SPDX-License-Identifier: Apache-2.0 */
/* weir why --stack */
#pragma once

#include <stdbool.h>

/* Asks the workers of a stage where they are, and prints what they answer within a second. Returns the exit code. */
int stack_show(const char *pipeline, const char *stage, bool json);
