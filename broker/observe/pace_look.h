/* SPDX-License-Identifier: Apache-2.0 */
/* What an observer sees of the pace of a pipeline: looks at what everybody does, and at the books. Nothing here waits. */
#pragma once

#include "broker/observe/observer.h"
#include "broker/observe/pace.h"

/* One look more: what each worker that counts does, and what lies in the lanes. now_ns: of clock_now_ns(). */
void pace_look(const struct observer *observer, struct pace_view *view, uint64_t now_ns);
/* What the books, the histograms and the lanes say now. A ledger that is being written stays as it was. */
void pace_count(const struct observer *observer, struct pace_view *view, uint64_t now_ns);
