/* SPDX-License-Identifier: Apache-2.0 */
/* A jq expression that says which items are shown, in a child (`weir-worker --sieve`): it is foreign text, and may loop, or crash libjq. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/text.h"
#include "common/record/sieve.h"

struct tap_sieve;

/*
 * Starts it and waits until the expression has compiled, 15 s at most. Returns 0; TAP_SIEVE_E_BAD: it does not compile, `why` says
 * where; -errno and why: it can't be started, or does not answer.
 */
enum { TAP_SIEVE_E_BAD = 1 };
int tap_sieve_new(const char *expression, struct tap_sieve **ret_sieve, struct text *why);
/* Kills it, if it does not end by itself. Fine on NULL. */
struct tap_sieve *tap_sieve_free(struct tap_sieve *sieve);

/*
 * Whether the item passes. Returns an enum sieve_verdict, of SIEVE_FAILED with the reason; -ETIMEDOUT: no answer within 5 s;
 * -EPIPE: it has died; -errno. After an error nothing more can be asked. Blocks.
 */
int tap_sieve_ask(struct tap_sieve *sieve, bool structured, const void *bytes, size_t size_bytes, struct text *reason);
