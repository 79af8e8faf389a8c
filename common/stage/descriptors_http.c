/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that speak HTTP, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))
#define STAGE_HEAD .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(struct weir_stage)

static const struct weir_option source_options[] = {
	{ .name = "baggage",
	  .type = WEIR_TYPE_LIST,
	  .summary = "headers of a request that go along with its items, as baggage, by their names in small letters",
	  .example = "[Idempotency-Key, Traceparent]" },
	{ .name = "buffer",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "16MiB",
	  .minimum = 4096,
	  .maximum = INT64_MAX,
	  .summary = "memory for the bodies of all requests under way; who finds none is answered with 429",
	  .example = "64MiB" },
	{ .name = "connections",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1000",
	  .minimum = 1,
	  .maximum = 50000,
	  .summary = "so many at a time; who comes beyond that is answered with 503",
	  .example = "5000" },
	{ .name = "items",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "lines",
	  .choices = "lines|body",
	  .summary =
		  "what an item is: each line of a request's body (NDJSON; with decode: each record), or the body as a whole",
	  .example = "body" },
	{ .name = "listen",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "HOST:PORT to listen at; * stands for every address of this host",
	  .example = "127.0.0.1:8080" },
	{ .name = "path",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "/",
	  .summary = "the path of the URL that items are sent to; all others are answered with 404",
	  .example = "/events" },
	{ .name = "request",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "1MiB",
	  .minimum = 1,
	  .maximum = INT64_C(1073741824),
	  .summary = "largest body of a request; a larger one is answered with 413",
	  .example = "64KiB" },
	{ .name = "retry_after",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "1s",
	  .minimum = INT64_C(1000000000),
	  .maximum = INT64_C(86400000000000),
	  .summary = "what answers 429 and 503 say in Retry-After, in whole seconds",
	  .example = "5s" },
	{ .name = "timeout",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "30s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary =
		  "how long headers, a body, taking an answer, and the pause before the next request may take, each; then the connection is closed",
	  .example = "10s" },
	{ .name = "wait",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "5s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "how long a request may wait for room in the lanes; then it is answered with 429",
	  .example = "200ms" },
};

const struct weir_stage descriptor_source_http = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.flags = WEIR_STAGE_CHECKS | WEIR_STAGE_ANSWERS,
	.name = "http",
	.summary = "items that others POST over HTTP",
	.description =
		"Each request is all or nothing: the lines of its body are items, and take effect with one commit. It is answered with 202 when that has "
		"happened; with 429 and Retry-After when there is no room for it in time, 503 while the pipeline drains, 400 with line and reason when a "
		"record can't be decoded, 413 when it is too large for the lane (give the stage behind this one a larger one) or for `request`. Who gets "
		"no answer, since a worker was killed, does not know whether it was taken in. The stream has no end but a drain.",
	.options = source_options,
	.n_options = COUNT(source_options),
};
