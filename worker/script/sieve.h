/* SPDX-License-Identifier: Apache-2.0 */
/* `weir-worker --sieve EXPR`: says of each item that comes by standard input whether a jq expression lets it pass. A child of weir tap. */
#pragma once

/* Until the end of standard input. Returns the exit code: 0; 1 and a line on standard error. Blocks. */
int sieve_items(const char *expression);
