/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of include/weir/stage.h: the table that the public calls go through. Implemented by the worker, and by tests. */
#pragma once

#include <stdarg.h>
#include <weir/baggage.h>
#include <weir/channel.h>
#include <weir/exit.h>
#include <weir/identity.h>
#include <weir/key.h>
#include <weir/record.h>
#include <weir/stage.h>
#include <weir/state.h>

#include "common/observe/log_item.h"

struct pollfd;

/* Options that the plan gives to a stage, by names that no spec can write. */
#define HOST_OPTION_FORM "from.form" /* operators, sinks: enum weir_form */

/* What this thread logs from now on is about the item that the context has in hand. NULL: about none. Other threads are not meant. */
void weir_host_log_for(const struct weir_context *context);

struct weir_host {
	int (*emit)(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes);
	int (*reserve)(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload);
	int (*push)(struct weir_context *context, uint32_t output, size_t size_bytes);
	int (*forward)(struct weir_context *context, uint32_t output, const struct weir_item *item);
	int (*group_begin)(struct weir_context *context);
	int (*group_end)(struct weir_context *context);
	void (*group_drop)(struct weir_context *context);
	const char *(*group_fault)(const struct weir_context *context);
	uint32_t (*outputs)(const struct weir_context *context);
	size_t (*item_size_max)(const struct weir_context *context);
	const char *(*input_name)(const struct weir_context *context, uint32_t input);
	uint64_t (*output_names)(const struct weir_context *context, uint32_t output);
	void *(*cursor)(struct weir_context *context);
	int (*spool)(struct weir_context *context, uint32_t index);
	int (*accept_rejected)(struct weir_context *context, const void *data, size_t size_bytes, const char *reason);
	void (*reject)(struct weir_context *context, const char *reason);
	void (*settle)(struct weir_context *context, uint64_t n_items);
	int (*give_up)(struct weir_context *context, uint64_t n_items, const void *data, size_t size_bytes,
		       const char *reason);
	void (*overran)(struct weir_context *context);
	void (*fail)(struct weir_context *context, const char *reason);
	void (*complain)(struct weir_context *context, const char *option, uint32_t line, const char *reason);
	void (*progress)(struct weir_context *context, uint64_t position, uint64_t total);
	int (*wait)(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns);
	void (*watch)(struct weir_context *context, int fd, short events, uint64_t wake_ns);
	int (*leave)(struct weir_context *context, uint32_t input);
	void (*produce_next)(struct weir_context *context);
	int (*postpone)(struct weir_context *context, uint64_t until_ns);
	uint32_t (*in_flight)(const struct weir_context *context);
	bool (*has_all)(struct weir_context *context);
	uint64_t (*defer)(struct weir_context *context);
	int (*resume)(struct weir_context *context, uint64_t token, const struct weir_item **ret_item);
	int (*complete)(struct weir_context *context, uint64_t token, int status);
	bool (*cancelled)(const struct weir_context *context);
	bool (*draining)(const struct weir_context *context);
	uint64_t (*now_ns)(const struct weir_context *context);
	const char *(*stage_name)(const struct weir_context *context);
	uint32_t (*worker_index)(const struct weir_context *context);
	uint32_t (*generation)(const struct weir_context *context);
	bool (*has_run)(const struct weir_context
				*context); /* for built-in stages: everybody was ready, and work could begin */
	/* weir/channel.h */
	uint32_t (*inputs)(const struct weir_context *context);
	int (*recv)(struct weir_context *context, uint32_t input, uint64_t deadline_ns, struct weir_item *ret_item);
	int (*send)(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		    uint64_t deadline_ns);
	int (*select)(struct weir_context *context, struct weir_case *cases, size_t n_cases, uint64_t deadline_ns,
		      size_t *ret_case);
	int (*close)(struct weir_context *context, uint32_t output);
	void (*hold)(struct weir_context *context);
	int (*recv_in)(struct weir_context *context, uint32_t input, struct weir_scope *scope,
		       const struct weir_budget *budget, struct weir_item *ret_item);
	int (*send_in)(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		       struct weir_scope *scope, const struct weir_budget *budget);
	int (*select_in)(struct weir_context *context, struct weir_case *cases, size_t n_cases,
			 struct weir_scope *scope, const struct weir_budget *budget, size_t *ret_case);
	/* weir/scope.h, weir/budget.h, weir/exit.h */
	struct weir_scope *(*scope)(struct weir_context *context);
	struct weir_budget (*budget)(const struct weir_context *context);
	int (*exit_point)(struct weir_context *context, struct weir_exit *ret_exit);
	struct weir_coordinator *(*coordinator)(struct weir_context *context);
	/* weir/baggage.h, and the scopes of items */
	int (*baggage_set)(struct weir_context *context, const char *key, const void *value, size_t size_bytes);
	int (*baggage_get)(const struct weir_context *context, const char *key, const void **ret_value,
			   size_t *ret_size_bytes);
	int (*baggage_clear)(struct weir_context *context);
	size_t (*baggage_pack)(const struct weir_context *context, void *packed);
	int (*baggage_unpack)(struct weir_context *context, const void *packed, size_t size_bytes);
	uint64_t (*scope_id)(const struct weir_context *context);
	int (*scope_enter)(struct weir_context *context, uint64_t id);
	int (*scope_cancel)(struct weir_context *context, uint64_t id, enum weir_cause cause);
	struct weir_scope *(*scope_of_item)(struct weir_context *context);
	int (*expire_at)(struct weir_context *context, uint64_t deadline_ns);
	/* weir/record.h */
	bool (*decodes)(const struct weir_context *context);
	enum weir_cutting (*cutting)(const struct weir_context *context);
	int (*cut)(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
		   size_t *ret_record, size_t *ret_used);
	void (*cut_short)(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
			  size_t *ret_used);
	void (*place)(struct weir_context *context, const char *name, uint64_t line);
	bool (*ends_lines)(const struct weir_context *context);
	/* weir/state.h; seek: the first entry with that prefix, or the next one behind *entry */
	int (*state_get)(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
			 size_t *ret_size_bytes);
	int (*state_put)(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
			 size_t size_bytes);
	int (*state_delete)(struct weir_context *context, const void *key, size_t key_size_bytes);
	int (*state_seek)(struct weir_context *context, const void *prefix, size_t prefix_size_bytes, bool next,
			  struct weir_state_entry *entry);
	int (*state_usage)(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes);
	/* weir/key.h */
	int (*key_new)(struct weir_context *context, const char *expression, struct weir_key **ret_key);
	void (*key_free)(struct weir_key *key);
	int (*key_bytes)(struct weir_key *key, const struct weir_item *item, const void **ret_bytes,
			 size_t *ret_size_bytes);
	int (*key_number)(struct weir_key *key, const struct weir_item *item, double *ret_number);
	int (*key_integer)(struct weir_key *key, const struct weir_item *item, int64_t *ret_integer);
	int (*key_time)(struct weir_key *key, const struct weir_item *item, uint64_t unit_ns, uint64_t *ret_ns);
	/* weir/identity.h */
	int (*identify)(const struct weir_context *context, struct weir_identity *ret_identity);
	const char *(*pipeline_name)(const struct weir_context *context);
	uint64_t (*run)(const struct weir_context *context);
	const char *(*run_folder)(const struct weir_context *context);
	int (*listen_fd)(const struct weir_context *context);
	/* For log lines: which item is in hand. Returns false: none that has a trace id or a scope. */
	bool (*log_item)(const struct weir_context *context, struct log_item *ret_item);
	/* The option's value, NULL if it is not given. */
	const struct heritage_option *(*option)(const struct weir_context *context, const char *name);
};
