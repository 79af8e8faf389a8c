/* SPDX-License-Identifier: Apache-2.0 */
/* A Lua script: a state of its own, without a way out of it, run item by item within bounds. Worker process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/script/guard.h"
#include "worker/script/results.h"

struct lua_program;

struct lua_fault {
	uint32_t line; /* of the script, from 1; 0: of no line */
	char why[900];
};

struct lua_settings {
	const char *text; /* NUL-terminated */
	const char *name; /* "=script", or "@" and the path of a file: as Lua wants it */
	uint64_t memory_bytes;
	uint64_t n_instructions_max; /* for one item; 0: no bound */
};

/* Whether it compiles; nothing is run. Returns 0; -EINVAL and why; -ENOMEM. */
int lua_program_check(const struct lua_settings *settings, struct lua_fault *fault);

/* Compiles it and runs its own text, which takes 10 s at most, and has to define process(). Returns as above. */
int lua_program_new(const struct lua_settings *settings, struct lua_program **ret_program, struct lua_fault *fault);
void lua_program_free(struct lua_program *program);
/* With a guard in context, which is the program's, and the keyed state of context. Returns 0 or -errno. */
int lua_program_guard(struct lua_program *program, struct weir_context *context);

/*
 * Calls process(item), within guard_begin() and guard_end(). What it emits and returns is in results. structured: the item is a value,
 * else a string. Returns 0; LUA_E_ERROR and why; LUA_E_STATE: keyed state can't be reached, the stage fails.
 */
enum { LUA_E_ERROR = 1, LUA_E_STATE };
int lua_program_run(struct lua_program *program, const struct weir_item *item, bool structured, struct results *results,
		    struct lua_fault *fault);
struct guard *lua_program_guard_of(const struct lua_program *program);
