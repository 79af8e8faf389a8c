/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: lua. The script's process(item) is called for each item; what it emits and what it returns become items, all in one commit.
 *
 * The state is made once a worker, so what a script keeps in its globals lives from item to item, and no longer than the worker does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/script/lua_program.h"

#define FILE_BYTES_MAX (1 << 20)

struct lua {
	struct lua_program *program;
	struct guard *guard;
	struct results results;
};

/* The text, the caller's to free; NULL: weir_complain() has the reason. */
static char *read_file(struct weir_context *context, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(FILE_BYTES_MAX + 1) : NULL;
	size_t n = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;

	if (!text || ferror(file)) {
		weir_complain(context, "file", 0, "'%s' can't be read: %s", path, strerror(errno));
	} else if (n > FILE_BYTES_MAX || memchr(text, '\0', n)) {
		weir_complain(context, "file", 0, "'%s' is no script: it %s", path,
			      n > FILE_BYTES_MAX ? "has more than 1 MiB" : "holds NUL bytes");
	} else {
		text[n] = '\0';
		fclose(file);
		return text;
	}
	if (file)
		fclose(file);
	free(text);
	return NULL;
}

/* ret_owned is the caller's to free. Returns 0; WEIR_FAILED: the reason is given; -ENOMEM. */
static int read_settings(struct weir_context *context, struct lua_settings *ret, char **ret_owned, char **ret_name)
{
	const char *path = weir_option_string(context, "file");

	*ret = (struct lua_settings){ .text = weir_option_string(context, "script"),
				      .name = "=script",
				      .memory_bytes = (uint64_t)weir_option_integer(context, "memory"),
				      .n_instructions_max = (uint64_t)weir_option_integer(context, "instructions") };
	*ret_owned = *ret_name = NULL;
	if (!path)
		return 0;
	if (asprintf(ret_name, "@%s", path) < 0) {
		*ret_name = NULL;
		return error_origin(-ENOMEM);
	}
	ret->name = *ret_name;
	ret->text = *ret_owned = read_file(context, path);
	return ret->text ? 0 : WEIR_FAILED;
}

static const char *option_of(const struct weir_context *context)
{
	return weir_option_given(context, "file") ? "file" : "script";
}

/* Beside each other they are the plan's error. */
static int check_script(struct weir_context *context)
{
	struct lua_settings settings;
	struct lua_fault fault;
	char *text, *name;
	int r = read_settings(context, &settings, &text, &name);

	if (r == 0 && settings.text)
		r = lua_program_check(&settings, &fault);
	if (r == -EINVAL) {
		weir_complain(context, option_of(context), fault.line, "%s", fault.why);
		r = WEIR_FAILED;
	}
	free(text);
	free(name);
	return r;
}

static int begin(struct weir_context *context, struct lua *state)
{
	struct lua_settings settings;
	struct lua_fault fault;
	char *text, *name;
	int r = read_settings(context, &settings, &text, &name);

	if (r == 0)
		r = lua_program_new(&settings, &state->program, &fault);
	free(text);
	free(name);
	if (r == -EINVAL) {
		weir_fail(context, fault.line ? "%s:%u: %s" : "%s%.0u: %s", option_of(context), fault.line, fault.why);
		return WEIR_FAILED;
	}
	if (r == 0)
		r = lua_program_guard(state->program, context);
	return r;
}

static int open_script(struct weir_context *context, void **ret_state)
{
	struct lua *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	r = begin(context, state);
	if (r != 0) {
		lua_program_free(state->program);
		free(state);
		return r;
	}
	state->guard = lua_program_guard_of(state->program);
	results_init(&state->results, context);
	*ret_state = state;
	return 0;
}

static int process_item(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct lua *state = data;
	bool structured = results_item_is_structured(&state->results, item);
	enum guard_verdict verdict;
	struct lua_fault fault;
	int r;

	if (guard_recalls(state->guard, item, "the script"))
		return WEIR_REJECTED;
	results_clear(&state->results);
	guard_begin(state->guard, item);
	r = lua_program_run(state->program, item, structured, &state->results, &fault);
	verdict = guard_end(state->guard);
	if (verdict != GUARD_NONE)
		return guard_answer(state->guard, verdict, "the script");
	if (r == 0)
		return results_emit(&state->results, context, structured);
	if (r == LUA_E_STATE)
		return WEIR_FAILED;
	weir_reject(context, "%s", fault.why);
	return WEIR_REJECTED;
}

static void close_script(struct weir_context *context, void *data)
{
	struct lua *state = data;

	(void)context;
	lua_program_free(state->program);
	results_deinit(&state->results);
	free(state);
}

const struct weir_stage lua_operator_callbacks = {
	.open = open_script,
	.process = process_item,
	.close = close_script,
	.check = check_script,
};
