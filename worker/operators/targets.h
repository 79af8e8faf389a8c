/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a breaker knows of each target, in keyed state: "t" and the target's name -> its switch, and how its calls of the last while ended.
 *
 *      closed: all are called  --share of failures-->  open: none is  --open_for-->  half-open: `probes` are  --all good--> closed
 *                                                       ^-------------- one fails --------------'
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>
#include <weir/state.h>

#define TARGET_NAME_MAX (WEIR_STATE_KEY_SIZE_MAX - 1)

struct targets {
	uint64_t window_ns, open_for_ns;
	uint64_t share;    /* of failures that opens it, in billionths */
	uint32_t at_least; /* calls in the window, for that share to mean something */
	uint32_t probes;
};

enum target_call { TARGET_CALL, TARGET_PROBE, TARGET_NO_CALL };

/* May it be called now? Counts a probe as under way. Returns WEIR_OK, the answer; WEIR_FULL: no room for one more target; WEIR_FAILED. */
int targets_ask(const struct targets *targets, struct weir_context *context, const void *name, size_t name_bytes,
		enum target_call *ret_call);

/* How a call has ended. Logs a change of the switch. Returns WEIR_OK, WEIR_FAILED. */
int targets_note(const struct targets *targets, struct weir_context *context, const void *name, size_t name_bytes,
		 bool was_probe, bool failed);
