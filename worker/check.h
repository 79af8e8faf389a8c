/* SPDX-License-Identifier: Apache-2.0 */
/* `weir-worker --check`: what a stage says of its options, without a pipeline. */
#pragma once

/*
 * Reads a question (common/wire/heritage.h) from standard input, resolves the kind and calls its check(). Standard output: a line for each
 * complaint, OPTION \t LINE \t REASON. Returns the exit status: 0: it was asked; 1: it could not be, and standard error says why.
 */
int check_stage_options(void);
