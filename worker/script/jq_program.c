/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libjq's interpreter looks at each instruction whether it has been halted, for the sake of its builtin `halt`. jq_halt() only stores three
 * words, so a signal handler may call it: that is how the guard stops a loop. When memory is out libjq calls back and then aborts; nothing
 * can be unwound there, so the guard ends the process.
 *
 * What an expression can do beyond its value: `input` and `inputs` find nothing, `debug` is a line in the log, `import` finds no module.
 */
#include "worker/script/jq_program.h"

#include <errno.h>
#include <jq.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"

#define PREFIX "jq: error: "
#define PLACE " at <top-level>, line "
#define QUOTING " (Unix shell quoting issues?)"

struct jq_program {
	jq_state *jq;
	struct guard *guard;
	char error[400];
};

/* Keeps the first message: "jq: error: WHAT at <top-level>, line N:" and the source again. */
static void take_message(void *data, jv message)
{
	struct jq_fault *fault = data;
	const char *text, *place;
	char *quoting;

	message = jq_format_error(message);
	text = jv_string_value(message);
	if (!fault->why[0]) {
		text += strncmp(text, PREFIX, strlen(PREFIX)) == 0 ? strlen(PREFIX) : 0;
		place = strstr(text, PLACE);
		fault->line = place ? (uint32_t)strtoul(place + strlen(PLACE), NULL, 10) : 1;
		snprintf(fault->why, sizeof(fault->why), "%.*s",
			 (int)(place ? (size_t)(place - text) : strcspn(text, "\n")), text);
		quoting = strstr(fault->why, QUOTING);
		if (quoting)
			memmove(quoting, quoting + strlen(QUOTING), strlen(quoting + strlen(QUOTING)) + 1);
	}
	jv_free(message);
}

/* At runtime jq hands its errors over as values; what comes here is for nobody. */
static void ignore_message(void *data, jv message)
{
	(void)data;
	jv_free(message);
}

static jv refuse_input(jq_state *jq, void *data)
{
	(void)jq;
	(void)data;
	return jv_invalid_with_msg(jv_string("there is no other input: each item is worked on by itself"));
}

static void log_debug(void *data, jv message)
{
	(void)data;
	message = jv_dump_string(message, 0);
	weir_log(WEIR_LOG_INFO, "%s", jv_string_value(message));
	jv_free(message);
}

int jq_program_new(const char *source, struct jq_program **ret_program, struct jq_fault *fault)
{
	struct jq_program *program = calloc(1, sizeof(*program));

	*fault = (struct jq_fault){ 0 };
	if (!program)
		return error_origin(-ENOMEM);
	program->jq = jq_init();
	if (!program->jq) {
		free(program);
		return error_origin(-ENOMEM);
	}
	jq_set_attr(program->jq, jv_string("JQ_LIBRARY_PATH"), jv_array()); /* else `import` is an assertion */
	jq_set_error_cb(program->jq, take_message, fault);
	if (!jq_compile(program->jq, source)) {
		jq_program_free(program);
		if (!fault->why[0])
			snprintf(fault->why, sizeof(fault->why), "jq can't compile it, and does not say why");
		return -EINVAL;
	}
	jq_set_error_cb(program->jq, ignore_message, NULL);
	jq_set_input_cb(program->jq, refuse_input, NULL);
	jq_set_debug_cb(program->jq, log_debug, NULL);
	*ret_program = program;
	return 0;
}

void jq_program_free(struct jq_program *program)
{
	if (!program)
		return;
	guard_close(program->guard);
	jq_teardown(&program->jq);
	free(program);
}

/* In the middle of anything. */
static void halt(void *data)
{
	struct jq_program *program = data;

	if (!jq_halted(program->jq))
		jq_halt(program->jq, jv_invalid(), jv_invalid());
}

int jq_program_guard(struct jq_program *program, struct weir_context *context, uint64_t memory_bytes)
{
	const struct guard_settings settings = { .memory_bytes = memory_bytes, .stop = halt, .data = program };
	int r = guard_open(context, &settings, &program->guard);

	if (r == 0)
		jq_set_nomem_handler(program->jq, guard_out_of_memory, program->guard);
	return r;
}

struct guard *jq_program_guard_of(const struct jq_program *program)
{
	return program->guard;
}

void jq_program_start(struct jq_program *program, jv input)
{
	program->error[0] = '\0';
	jq_start(program->jq, input, 0);
}

/* It has called `halt` or `halt_error` itself. */
static int explain_halt(struct jq_program *program)
{
	jv message = jq_get_error_message(program->jq);

	if (jv_get_kind(message) == JV_KIND_STRING)
		snprintf(program->error, sizeof(program->error), "halt_error: %s", jv_string_value(message));
	else
		snprintf(program->error, sizeof(program->error), "it called halt");
	jv_free(message);
	return JQ_E_ERROR;
}

/* Consumes it. */
static int explain(struct jq_program *program, jv message)
{
	if (jv_get_kind(message) == JV_KIND_STRING) {
		snprintf(program->error, sizeof(program->error), "%s", jv_string_value(message));
	} else {
		message = jv_dump_string(message, 0);
		snprintf(program->error, sizeof(program->error), "%s (not a string)", jv_string_value(message));
	}
	jv_free(message);
	return JQ_E_ERROR;
}

int jq_program_next(struct jq_program *program, jv *ret_value)
{
	jv value = jq_next(program->jq);

	if (jv_is_valid(value)) {
		*ret_value = value;
		return 0;
	}
	if (jv_invalid_has_msg(jv_copy(value)))
		return explain(program, jv_invalid_get_msg(value));
	jv_free(value);
	if (jq_halted(program->jq) && guard_verdict(program->guard) == GUARD_NONE)
		return explain_halt(program);
	return JQ_E_END;
}

/*
 * libjq 1.6 frees what `halt_error` was given at the next start, and at each one after it, unless it has been halted again since. The tick
 * that may halt it must not come in between, for halting twice is an assertion.
 */
void jq_program_drop(struct jq_program *program)
{
	sigset_t tick, before;

	sigemptyset(&tick);
	sigaddset(&tick, GUARD_SIGNAL);
	sigprocmask(SIG_BLOCK, &tick, &before);
	jq_start(program->jq, jv_null(), 0);
	jq_halt(program->jq, jv_invalid(), jv_invalid());
	sigprocmask(SIG_SETMASK, &before, NULL);
}

const char *jq_program_error(const struct jq_program *program)
{
	return program->error;
}
