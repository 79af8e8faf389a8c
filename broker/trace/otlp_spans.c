/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/trace/otlp_spans.h"

#include <inttypes.h>
#include <string.h>
#include <weir/status.h>

#include "broker/trace/otlp_text.h"
#include "broker/trace/value_name.h"

#define KIND_INTERNAL 1
#define STATUS_ERROR 2

/* Who it is within its run. */
static uint32_t producer_of(const struct trace_names *names, const struct timeline_slice *item)
{
	return item->lane < names->n_lanes ? names->lanes[item->lane].producer : UINT32_MAX;
}

static const char *stage_of(const struct trace_names *names, const struct timeline_slice *item)
{
	return names->stages[names->seats[item->slot].stage].name;
}

/* Its own, or one made of who it is, and when. */
static struct traceparent trace_of(const struct trace_names *names, const struct timeline_slice *item)
{
	struct traceparent made = { .trace_high = names->offset_ns + item->begin_ns, .trace_low = item->slot };

	if (item->trace.parent)
		return item->trace;
	made.trace_low = traceparent_span(&made, stage_of(names, item), producer_of(names, item), item->sequence);
	made.flags = TRACEPARENT_SAMPLED;
	return made;
}

bool otlp_span_is_wanted(const struct trace_names *names, const struct timeline_slice *item, double share)
{
	struct traceparent trace = trace_of(names, item);

	if (!(trace.flags & TRACEPARENT_SAMPLED))
		return false;
	/* the low 56 bits, which OpenTelemetry's own samplers go by; not as a double, which makes 2^56 of the highest */
	return (trace.trace_low & UINT64_C(0xffffffffffffff)) < (uint64_t)(share * (double)(UINT64_C(1) << 56));
}

static void add_attributes(struct text *text, const struct trace_names *names, const struct timeline_slice *item)
{
	const char *outcome = value_name("outcome", item->outcome);

	text_add(text, ",\"attributes\":[");
	otlp_text_add_string(text, "", "weir.stage", stage_of(names, item));
	otlp_text_add_string(text, ",", "weir.worker", names->seats[item->slot].name);
	otlp_text_add_string(text, ",", "weir.lane",
			     item->lane < names->n_lanes ? names->lanes[item->lane].name : "none");
	otlp_text_add_string(text, ",", "weir.outcome", outcome ? outcome : "unknown");
	otlp_text_add_int(text, ",", "weir.sequence", item->sequence);
	otlp_text_add_int(text, ",", "weir.attempt", item->attempt);
	otlp_text_add_int(text, ",", "weir.waited_ns", item->waited_ns);
	text_add_char(text, ']');
}

/* What a stage says of an item it could not do anything with. */
static bool is_failure(uint32_t outcome)
{
	return outcome == WEIR_REJECTED || outcome == WEIR_FAILED || outcome == WEIR_EXPIRED ||
	       outcome == WEIR_PEER_LOST || outcome == WEIR_CANCELLED || outcome == WEIR_TOO_LARGE;
}

void otlp_span_add(struct text *text, const struct trace_names *names, const struct timeline_slice *item)
{
	struct traceparent trace = trace_of(names, item);

	text_printf(text, "{\"traceId\":\"%016" PRIx64 "%016" PRIx64 "\",\"spanId\":\"%016" PRIx64 "\"",
		    trace.trace_high, trace.trace_low,
		    traceparent_span(&trace, stage_of(names, item), producer_of(names, item), item->sequence));
	if (trace.parent)
		text_printf(text, ",\"parentSpanId\":\"%016" PRIx64 "\"", trace.parent);
	text_add(text, ",\"name\":");
	text_add_json(text, stage_of(names, item), strlen(stage_of(names, item)));
	text_printf(text, ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRIu64 "\",\"endTimeUnixNano\":\"%" PRIu64 "\"",
		    KIND_INTERNAL, names->offset_ns + item->begin_ns, names->offset_ns + item->end_ns);
	add_attributes(text, names, item);
	if (is_failure(item->outcome))
		text_printf(text, ",\"status\":{\"code\":%d,\"message\":\"%s\"}", STATUS_ERROR,
			    value_name("outcome", item->outcome));
	text_add_char(text, '}');
}
