/* SPDX-License-Identifier: Apache-2.0 */
/* weir trace export: a recorded trace as others read it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trace_export {
	const char *dir;               /* as weir trace record has made it */
	const char *perfetto, *folded; /* files to write, "-": standard output; NULL: not wanted */
	const char *otlp;              /* where to send spans; NULL: nowhere */
	double share;                  /* of the traces */
	uint64_t for_ns;               /* how long a request is tried */
	bool quiet;
};

/* Says on standard error what is wrong. Returns the exit code. */
int trace_export(const struct trace_export *export);
