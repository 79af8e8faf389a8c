/* SPDX-License-Identifier: Apache-2.0 */
/* A view as one JSON object on one line: what `weir ps --json` prints, what `weir run --json` writes, what "status" answers. */
#pragma once

#include "broker/supervise/view.h"
#include "common/base/text.h"

/* Appends {"pipeline":...,"stages":[...],...} without a newline. Any process; pure. */
void view_format_json(const struct view *view, struct text *text);
/* Appends {"accepted":N,...}: all lines of a ledger. */
void ledger_format_json(const uint64_t ledger[static LEDGER_COUNT], struct text *text);
