/* SPDX-License-Identifier: Apache-2.0 */
/* libweir: the public calls, each a step through the host's table; so a plugin needs no symbol of the worker. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/channel.h>
#include <weir/identity.h>
#include <weir/stage.h>
#include <weir/version.h>

#include "common/stage/host.h"
#include "common/wire/heritage.h"

#define API __attribute__((visibility("default")))
#define REASON_SIZE 1000

API const char *weir_version(void)
{
	return WEIR_VERSION;
}

API const char *weir_status_name(int status)
{
	static const char *const names[] = {
#define STATUS(id_, name_) [WEIR_##id_] = name_,
#include "common/stage/status.def"
#undef STATUS
	};

	if (status < 0) {
		const char *name = strerrorname_np(-status);

		return name ? name : "unknown errno";
	}
	return (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown status";
}

/* The thread that is called back knows which item is in hand; all others log without. */
static _Thread_local const struct weir_context *logged;

API void weir_host_log_for(const struct weir_context *context)
{
	logged = context;
}

#define LOG_HEAD_SIZE (LOG_ITEM_TRACE_SIZE + 80)

static int write_head(char *head, enum weir_log_level level)
{
	char sequence[24] = "";
	struct log_item item;

	if (!logged || !logged->host->log_item(logged, &item))
		return snprintf(head, LOG_HEAD_SIZE, "<%d>", (int)level & 7);
	if (item.has_sequence)
		snprintf(sequence, sizeof(sequence), "%llu", (unsigned long long)item.sequence);
	return snprintf(head, LOG_HEAD_SIZE, "<%d>%c%s%c%llu%c%s%c%llu%c", (int)level & 7, LOG_ITEM_MARK, item.trace_id,
			LOG_ITEM_SEPARATOR, (unsigned long long)item.scope, LOG_ITEM_SEPARATOR, sequence,
			LOG_ITEM_SEPARATOR, (unsigned long long)item.monotonic_ns, LOG_ITEM_MARK);
}

API void weir_log(enum weir_log_level level, const char *format, ...)
{
	char line[LOG_HEAD_SIZE + REASON_SIZE + 1];
	va_list arguments;
	int head = write_head(line, level), n;
	size_t length;
	ssize_t written;

	va_start(arguments, format);
	n = vsnprintf(line + head, REASON_SIZE, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	length = strlen(line);
	for (size_t i = 0; i < length; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[length++] = '\n';
	written = write(STDERR_FILENO, line, length);
	(void)written; /* nobody left to tell */
}

API int weir_emit_asking(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	return context->host->emit(context, output, data, size_bytes);
}

API int weir_reserve_asking(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload)
{
	return context->host->reserve(context, output, size_bytes, ret_payload);
}

API int weir_push_asking(struct weir_context *context, uint32_t output, size_t size_bytes)
{
	return context->host->push(context, output, size_bytes);
}

API int weir_forward(struct weir_context *context, uint32_t output, const struct weir_item *item)
{
	return context->host->forward(context, output, item);
}

API int weir_group_begin(struct weir_context *context)
{
	return context->host->group_begin(context);
}

API int weir_group_end(struct weir_context *context)
{
	return context->host->group_end(context);
}

API void weir_group_drop(struct weir_context *context)
{
	context->host->group_drop(context);
}

API const char *weir_group_fault(const struct weir_context *context)
{
	return context->host->group_fault(context);
}

API bool weir_decodes(const struct weir_context *context)
{
	return context->host->decodes(context);
}

API enum weir_cutting weir_cutting(const struct weir_context *context)
{
	return context->host->cutting(context);
}

API int weir_cut(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
		 size_t *ret_record, size_t *ret_used)
{
	return context->host->cut(context, cut, data, size_bytes, ret_record, ret_used);
}

API void weir_cut_short(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
			size_t *ret_used)
{
	context->host->cut_short(context, data, size_bytes, ret_record, ret_used);
}

API void weir_place(struct weir_context *context, const char *name, uint64_t line)
{
	context->host->place(context, name, line);
}

API bool weir_ends_lines(const struct weir_context *context)
{
	return context->host->ends_lines(context);
}

API enum weir_form weir_form(const struct weir_context *context)
{
	const struct heritage_option *form = context->host->option(context, HOST_OPTION_FORM);

	return form ? (enum weir_form)form->number : WEIR_FORM_UNKNOWN;
}

API uint32_t weir_outputs(const struct weir_context *context)
{
	return context->host->outputs(context);
}

API size_t weir_item_size_max(const struct weir_context *context)
{
	return context->host->item_size_max(context);
}

API const char *weir_input_name(const struct weir_context *context, uint32_t input)
{
	return context->host->input_name(context, input);
}

API uint64_t weir_output_names(const struct weir_context *context, uint32_t output)
{
	return context->host->output_names(context, output);
}

API void *weir_cursor(struct weir_context *context)
{
	return context->host->cursor(context);
}

API int weir_spool(struct weir_context *context, uint32_t index)
{
	return context->host->spool(context, index);
}

API int weir_accept_rejected(struct weir_context *context, const void *data, size_t size_bytes, const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	return context->host->accept_rejected(context, data, size_bytes, reason);
}

API void weir_reject(struct weir_context *context, const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	context->host->reject(context, reason);
}

API void weir_fail(struct weir_context *context, const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	context->host->fail(context, reason);
}

API void weir_complain(struct weir_context *context, const char *option, uint32_t line, const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	if (context->host->complain)
		context->host->complain(context, option, line, reason);
	else
		context->host->fail(context, reason);
}

API void weir_settle(struct weir_context *context, uint64_t n_items)
{
	context->host->settle(context, n_items);
}

API int weir_give_up(struct weir_context *context, uint64_t n_items, const void *data, size_t size_bytes,
		     const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	return context->host->give_up(context, n_items, data, size_bytes, reason);
}

API void weir_overran(struct weir_context *context)
{
	context->host->overran(context);
}

API void weir_progress(struct weir_context *context, uint64_t position, uint64_t total)
{
	context->host->progress(context, position, total);
}

API int weir_wait(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns)
{
	return context->host->wait(context, fds, n_fds, deadline_ns);
}

API void weir_watch(struct weir_context *context, int fd, short events, uint64_t wake_ns)
{
	context->host->watch(context, fd, events, wake_ns);
}

API int weir_leave(struct weir_context *context, uint32_t input)
{
	return context->host->leave(context, input);
}

API void weir_produce_next(struct weir_context *context)
{
	context->host->produce_next(context);
}

API int weir_postpone(struct weir_context *context, uint64_t until_ns)
{
	return context->host->postpone(context, until_ns);
}

API uint32_t weir_in_flight(const struct weir_context *context)
{
	return context->host->in_flight(context);
}

API bool weir_has_all(struct weir_context *context)
{
	return context->host->has_all(context);
}

API uint64_t weir_defer(struct weir_context *context)
{
	return context->host->defer(context);
}

API int weir_resume(struct weir_context *context, uint64_t token, const struct weir_item **ret_item)
{
	return context->host->resume(context, token, ret_item);
}

API int weir_complete(struct weir_context *context, uint64_t token, int status)
{
	return context->host->complete(context, token, status);
}

API bool weir_cancelled(const struct weir_context *context)
{
	return context->host->cancelled(context);
}

API bool weir_draining(const struct weir_context *context)
{
	return context->host->draining(context);
}

API uint64_t weir_now_ns(const struct weir_context *context)
{
	return context->host->now_ns(context);
}

API const char *weir_stage_name(const struct weir_context *context)
{
	return context->host->stage_name(context);
}

API int weir_identify(const struct weir_context *context, struct weir_identity *ret_identity)
{
	return context->host->identify(context, ret_identity);
}

API const char *weir_pipeline_name(const struct weir_context *context)
{
	return context->host->pipeline_name(context);
}

API uint64_t weir_run(const struct weir_context *context)
{
	return context->host->run(context);
}

API const char *weir_run_folder(const struct weir_context *context)
{
	return context->host->run_folder(context);
}

API int weir_listen_fd(const struct weir_context *context)
{
	return context->host->listen_fd(context);
}

API uint32_t weir_worker_index(const struct weir_context *context)
{
	return context->host->worker_index(context);
}

API uint32_t weir_generation(const struct weir_context *context)
{
	return context->host->generation(context);
}

API uint32_t weir_inputs(const struct weir_context *context)
{
	return context->host->inputs(context);
}

API int weir_recv(struct weir_context *context, uint32_t input, uint64_t deadline_ns, struct weir_item *ret_item)
{
	return context->host->recv(context, input, deadline_ns, ret_item);
}

API int weir_send(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		  uint64_t deadline_ns)
{
	return context->host->send(context, output, data, size_bytes, deadline_ns);
}

API int weir_select(struct weir_context *context, struct weir_case *cases, size_t n_cases, uint64_t deadline_ns,
		    size_t *ret_case)
{
	return context->host->select(context, cases, n_cases, deadline_ns, ret_case);
}

API int weir_close(struct weir_context *context, uint32_t output)
{
	return context->host->close(context, output);
}

API void weir_hold(struct weir_context *context)
{
	context->host->hold(context);
}

API int weir_recv_in(struct weir_context *context, uint32_t input, struct weir_scope *scope,
		     const struct weir_budget *budget, struct weir_item *ret_item)
{
	return context->host->recv_in(context, input, scope, budget, ret_item);
}

API int weir_send_in(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		     struct weir_scope *scope, const struct weir_budget *budget)
{
	return context->host->send_in(context, output, data, size_bytes, scope, budget);
}

API int weir_select_in(struct weir_context *context, struct weir_case *cases, size_t n_cases, struct weir_scope *scope,
		       const struct weir_budget *budget, size_t *ret_case)
{
	return context->host->select_in(context, cases, n_cases, scope, budget, ret_case);
}

API struct weir_scope *weir_scope_of(struct weir_context *context)
{
	return context->host->scope(context);
}

API uint64_t weir_scope_id(const struct weir_context *context)
{
	return context->host->scope_id(context);
}

API int weir_scope_enter(struct weir_context *context, uint64_t id)
{
	return context->host->scope_enter(context, id);
}

API int weir_scope_cancel_id(struct weir_context *context, uint64_t id, enum weir_cause cause)
{
	return context->host->scope_cancel(context, id, cause);
}

API struct weir_scope *weir_scope_of_item(struct weir_context *context)
{
	return context->host->scope_of_item(context);
}

API int weir_baggage_set(struct weir_context *context, const char *key, const void *value, size_t size_bytes)
{
	return context->host->baggage_set(context, key, value, size_bytes);
}

API int weir_baggage_get(const struct weir_context *context, const char *key, const void **ret_value,
			 size_t *ret_size_bytes)
{
	return context->host->baggage_get(context, key, ret_value, ret_size_bytes);
}

API int weir_baggage_clear(struct weir_context *context)
{
	return context->host->baggage_clear(context);
}

API size_t weir_baggage_pack(const struct weir_context *context, void *packed)
{
	return context->host->baggage_pack(context, packed);
}

API int weir_baggage_unpack(struct weir_context *context, const void *packed, size_t size_bytes)
{
	return context->host->baggage_unpack(context, packed, size_bytes);
}

API int weir_expire_at(struct weir_context *context, uint64_t deadline_ns)
{
	return context->host->expire_at(context, deadline_ns);
}

API struct weir_budget weir_budget_of(const struct weir_context *context)
{
	return context->host->budget(context);
}

API int weir_state_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
		       size_t *ret_size_bytes)
{
	return context->host->state_get(context, key, key_size_bytes, ret_value, ret_size_bytes);
}

API int weir_state_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
		       size_t size_bytes)
{
	return context->host->state_put(context, key, key_size_bytes, value, size_bytes);
}

API int weir_state_delete(struct weir_context *context, const void *key, size_t key_size_bytes)
{
	return context->host->state_delete(context, key, key_size_bytes);
}

API int weir_state_first(struct weir_context *context, const void *prefix, size_t prefix_size_bytes,
			 struct weir_state_entry *entry)
{
	return context->host->state_seek(context, prefix, prefix_size_bytes, false, entry);
}

API int weir_state_next(struct weir_context *context, const void *prefix, size_t prefix_size_bytes,
			struct weir_state_entry *entry)
{
	return context->host->state_seek(context, prefix, prefix_size_bytes, true, entry);
}

API int weir_state_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes)
{
	return context->host->state_usage(context, ret_used_bytes, ret_size_bytes);
}

API int weir_key_new(struct weir_context *context, const char *expression, struct weir_key **ret_key)
{
	return context->host->key_new(context, expression, ret_key);
}

API void weir_key_free(struct weir_context *context, struct weir_key *key)
{
	context->host->key_free(key);
}

API int weir_key_bytes(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
		       const void **ret_bytes, size_t *ret_size_bytes)
{
	return context->host->key_bytes(key, item, ret_bytes, ret_size_bytes);
}

API int weir_key_number(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
			double *ret_number)
{
	return context->host->key_number(key, item, ret_number);
}

API int weir_key_integer(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
			 int64_t *ret_integer)
{
	return context->host->key_integer(key, item, ret_integer);
}

API int weir_key_time(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
		      uint64_t unit_ns, uint64_t *ret_ns)
{
	return context->host->key_time(key, item, unit_ns, ret_ns);
}

API int weir_exit_point(struct weir_context *context, struct weir_exit *ret_exit)
{
	return context->host->exit_point(context, ret_exit);
}

API struct weir_coordinator *weir_coordinator_of(struct weir_context *context)
{
	return context->host->coordinator(context);
}

API const char *weir_option_string(const struct weir_context *context, const char *name)
{
	const struct heritage_option *option = context->host->option(context, name);

	return option ? option->string : NULL;
}

API int64_t weir_option_integer(const struct weir_context *context, const char *name)
{
	const struct heritage_option *option = context->host->option(context, name);

	return option ? option->number : 0;
}

API bool weir_option_boolean(const struct weir_context *context, const char *name)
{
	return weir_option_integer(context, name) != 0;
}

API bool weir_option_given(const struct weir_context *context, const char *name)
{
	return context->host->option(context, name) != NULL;
}

API const char *const *weir_option_list(const struct weir_context *context, const char *name)
{
	const struct heritage_option *option = context->host->option(context, name);

	return option ? (const char *const *)option->list : NULL;
}
