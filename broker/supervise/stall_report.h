/* SPDX-License-Identifier: Apache-2.0 */
/* Findings and waits in words, for the log and `weir why`. Pure. */
#pragma once

#include "broker/supervise/stall.h"
#include "common/base/text.h"

/* "cycle", ...; static. */
const char *stall_kind_name(enum stall_kind kind);
bool stall_kind_is_deadlock(enum stall_kind kind);
/* What to do about it; static. */
const char *stall_kind_advice(enum stall_kind kind);

/* One sentence without an end: who, since when, on which item, who waits for it. */
void stall_describe(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
		    const struct stall_finding *finding, uint64_t now_ns, struct text *text);
/* "parse#0"; of that worker. */
void stall_name(const struct stall_topology *topology, uint32_t worker, struct text *text);

/* What a worker waits for: "read#0 waits for room at write#0"; of one that is being ended, who waits for that, and until when. */
void stall_describe_wait(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t worker,
			 uint64_t now_ns, struct text *text);

/* What it does, whatever that is: "waits for room at write#0", "is in its stage, on item 17 from 'read' (position 4096)". */
void stall_describe_doing(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t worker,
			  uint64_t now_ns, struct text *text);
/* The kernel's letter in a word: "asleep"; static. */
const char *stall_kernel_words(char kernel);

/* A JSON object with the findings and with all that wait now: docs/control-protocol.md. */
void stall_format_json(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
		       const struct stall_finding *findings, size_t n_findings, const char *pipeline, uint64_t now_ns,
		       struct text *text);
