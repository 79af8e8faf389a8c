/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/span_sender.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/cli/otlp.h"
#include "broker/trace/otlp_spans.h"
#include "broker/trace/otlp_text.h"
#include "common/base/must.h"

#define SPANS_MAX 512u /* of a request */

struct span_sender {
	struct otlp *otlp;
	const struct trace_names *names;
	double share;
	struct text body, why;
	uint32_t n_open;
	uint64_t n_sent;
	bool failed;
};

int span_sender_open(const char *url, double share, uint64_t for_ns, struct span_sender **ret_sender, struct text *why)
{
	struct otlp *otlp;
	int r = otlp_open(url, "/v1/traces", for_ns, &otlp, why);

	if (r != 0)
		return r;
	*ret_sender = calloc(1, sizeof(**ret_sender));
	must(*ret_sender);
	**ret_sender = (struct span_sender){ .otlp = otlp, .share = share };
	return 0;
}

static void begin_request(struct span_sender *sender)
{
	text_clear(&sender->body);
	text_add(&sender->body, "{\"resourceSpans\":[{");
	otlp_text_add_resource(&sender->body, sender->names->pipeline);
	text_add(&sender->body, ",\"scopeSpans\":[{");
	otlp_text_add_scope(&sender->body);
	text_add(&sender->body, ",\"spans\":[");
}

static void send_request(struct span_sender *sender)
{
	if (!sender->n_open || sender->failed)
		return;
	text_add(&sender->body, "]}]}]}");
	sender->failed = otlp_send(sender->otlp, text_get(&sender->body), sender->body.length, &sender->why) != 0;
	sender->n_sent += sender->failed ? 0 : sender->n_open;
	sender->n_open = 0;
}

static void add(void *context, const struct timeline_slice *slice)
{
	struct span_sender *sender = context;

	if (slice->kind != TIMELINE_ITEM || sender->failed || !otlp_span_is_wanted(sender->names, slice, sender->share))
		return;
	if (!sender->n_open)
		begin_request(sender);
	else
		text_add_char(&sender->body, ',');
	otlp_span_add(&sender->body, sender->names, slice);
	if (++sender->n_open == SPANS_MAX)
		send_request(sender);
}

struct timeline_writer span_sender_writer(struct span_sender *sender, const struct trace_names *names)
{
	sender->names = names;
	return (struct timeline_writer){ .context = sender, .slice = add };
}

bool span_sender_has_failed(const struct span_sender *sender)
{
	return sender->failed;
}

int span_sender_close(struct span_sender *sender, struct text *what)
{
	const char *refusal;
	uint64_t n_refused;
	int r;

	if (!sender)
		return 0;
	send_request(sender);
	n_refused = otlp_refused(sender->otlp, &refusal);
	text_printf(what, "%" PRIu64 " spans were sent", sender->n_sent);
	if (n_refused || *refusal)
		text_printf(what, ", of which the collector has refused %" PRIu64 ": '%s'", n_refused, refusal);
	if (sender->failed)
		text_printf(what, "; the rest was not: %s", text_get(&sender->why));
	r = sender->failed ? OTLP_E_FAILED : 0;
	otlp_close(sender->otlp);
	text_deinit(&sender->body);
	text_deinit(&sender->why);
	free(sender);
	return r;
}
