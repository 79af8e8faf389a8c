/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items with baggage and a scope. Passes all on, and then, by their first words:
 *
 *      @N TEXT     gets scope N and the baggage trace-id = TEXT
 *      ?           becomes "SCOPE TRACE", of what it has brought along
 *      cancel N    asks the supervisor to cancel scope N
 *      wait        works until its scope is cancelled, and says so: WEIR_CANCELLED
 *      !           is rejected
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define TEXT_MAX 512

static int errand_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	return 0;
}

static int stamp(struct weir_context *context, const char *text)
{
	char *rest;
	int r = weir_scope_enter(context, strtoull(text + 1, &rest, 10));

	rest += *rest == ' ';
	return r ? r : weir_baggage_set(context, "trace-id", rest, strlen(rest));
}

static int answer(struct weir_context *context)
{
	const void *trace = "none";
	size_t size_bytes = 4;
	char text[TEXT_MAX];

	(void)weir_baggage_get(context, "trace-id", &trace, &size_bytes);
	snprintf(text, sizeof(text), "%llu %.*s", (unsigned long long)weir_scope_id(context), (int)size_bytes,
		 (const char *)trace);
	return weir_emit(context, WEIR_ALL_OUTPUTS, text, strlen(text));
}

static int wait_for_cancel(struct weir_context *context)
{
	struct weir_scope *scope = weir_scope_of_item(context);
	struct pollfd pollfd = { .fd = weir_scope_fd(scope), .events = POLLIN };

	if (pollfd.fd < 0)
		return WEIR_FAILED;
	do
		(void)poll(&pollfd, 1, -1);
	while (weir_scope_check(scope) == WEIR_OK);
	weir_log(WEIR_LOG_NOTICE, "the item's scope is cancelled: %s", weir_cause_name(weir_scope_cause(scope)));
	return WEIR_CANCELLED;
}

/* The supervisor may be behind: its queue has room again soon. */
static int ask_to_cancel(struct weir_context *context, uint64_t scope)
{
	int r;

	do
		r = weir_scope_cancel_id(context, scope, WEIR_CAUSE_DOWNSTREAM_GONE);
	while (r == -EAGAIN && weir_wait(context, NULL, 0, weir_now_ns(context) + 1000000) == WEIR_EXPIRED);
	return r;
}

static int errand_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	char text[TEXT_MAX];
	int r = 0;

	(void)state;
	snprintf(text, sizeof(text), "%.*s", (int)item->size_bytes, (const char *)item->data);
	if (*text == '?')
		return answer(context);
	if (*text == '!') {
		weir_reject(context, "it begins with '!'");
		return WEIR_REJECTED;
	}
	if (strcmp(text, "wait") == 0)
		return wait_for_cancel(context);
	if (*text == '@')
		r = stamp(context, text);
	else if (strncmp(text, "cancel ", 7) == 0)
		r = ask_to_cancel(context, strtoull(text + 7, NULL, 10));
	if (r != 0)
		return WEIR_FAILED;
	if (weir_option_given(context, "say") && *text == '@') /* what is stamped goes on as this */
		return weir_emit(context, WEIR_ALL_OUTPUTS, weir_option_string(context, "say"),
				 strlen(weir_option_string(context, "say")));
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static void errand_close(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
}

static const struct weir_option options[] = {
	{ .name = "say",
	  .type = WEIR_TYPE_STRING,
	  .summary = "text of the items that were stamped; without it they keep theirs",
	  .example = "wait" },
};

static const struct weir_stage errand = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "errand",
	.summary = "stamps, asks after and cancels scopes",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = errand_open,
	.process = errand_process,
	.close = errand_close,
};
WEIR_STAGE_EXPORT(errand)
