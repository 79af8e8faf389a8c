/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up what a process could do beyond its user's rights. Async-signal-safe: it is for children between fork and exec, too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One bit of a set of capabilities. */
#define PRIVILEGE(capability_) (UINT64_C(1) << (capability_))

/*
 * For this thread and whatever it starts from now on, and for good: no program that is executed gains anything (setuid, file
 * capabilities), and no capability is left but those of `keep` that are there now: neither permitted nor inheritable, ambient or in the
 * bounding set. Those that stay are handed on by exec. Returns 0 or -errno.
 */
int privileges_give_up(uint64_t keep);
/* Whether this thread may use that capability now. Async-signal-safe. */
bool privileges_have(int capability);
