/* SPDX-License-Identifier: Apache-2.0 */
/* weir top on a terminal: looks, draws, hears keys, until somebody quits or the pipeline has ended. */
#pragma once

#include "broker/cli/top_look.h"

/* `state` says how it begins. Returns 0, or -errno if the terminal can not be had; it is as it was in any case. */
int top_watch(struct top_look *look, struct top_state *state, uint64_t interval_ns);
