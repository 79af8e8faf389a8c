/* SPDX-License-Identifier: Apache-2.0 */
/* The dead letters of a pipeline's store, without their payloads. */
#pragma once

#include "common/base/text.h"

#define LETTERS_SHOWN 50u

/*
 * Appends {"letters": [the newest LETTERS_SHOWN, the newest first], "n": all that there are, "error": a sentence, if there is one}. store:
 * the folder. Reads the disk; waits for nobody who writes.
 */
void letters_format(const char *store, struct text *text);
