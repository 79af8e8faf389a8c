/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in options: "${cred:NAME}" stands for what is in the file NAME of the folder $CREDENTIALS_DIRECTORY, without a line's end at its
 * end. Only the worker that opens the stage puts it in, so no other process, message or file ever has it. In a worker; reads files.
 */
#pragma once

#include <stdint.h>

#include "common/base/text.h"
#include "common/wire/heritage.h"

/*
 * Puts them in, in all options that are strings. Returns 0; CREDENTIALS_E_NONE: there is no such folder, and an option wants one;
 * CREDENTIALS_E_MISSING: one can't be had. Then *ret_option names the option, and `why` says what to do.
 */
enum { CREDENTIALS_E_NONE = 1, CREDENTIALS_E_MISSING = 2 };
int credentials_resolve(struct heritage_option *options, uint32_t n_options, const char **ret_option, struct text *why);
/* Puts '*' over each of those that have been put in, wherever one stands in the text: for what a stage says. */
void credentials_hide(char *text);
