/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state is a script's whole world: of the standard libraries it has those that reach nothing outside, and no door to compile or to load.
 *
 *      every 1000 instructions a hook looks:  time over? cancelled? too many?  -> an error at this instruction, and at each one behind it
 *
 * An error that a script could catch would not end it: `while true do pcall(f) end` catches all of them. Once the bound is passed the hook
 * comes at every instruction, also at those outside of the innermost pcall(), which no pcall() around them survives either. (There is
 * no xpcall(): its handler would be called from within the hook, where there are no hooks.) What has no instructions (a pattern that
 * backtracks) is the guard's business. Finalisers, for which hooks do not come, there are none (lua_metatable).
 *
 * Memory is counted by the allocator. What it refuses is an error of the script's, after Lua has collected what it could; nothing dies
 * of it.
 */
#include "worker/script/lua_program.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/script/lua_keyed.h"
#include "worker/script/lua_metatable.h"
#include "worker/script/lua_value.h"

#define LOOK_INSTRUCTIONS 1000
#define LOAD_NS (10 * NS_PER_S)
#define FRAMES_MAX 8

struct lua_program {
	lua_State *L;
	struct guard *guard;
	uint64_t memory_bytes, used_bytes;
	uint64_t n_instructions, n_instructions_max;
	uint64_t load_deadline_ns; /* 0: it is loaded */
	bool over;                 /* a bound is passed */
	int process;               /* in the registry */
	struct weir_context *context;
	struct lua_keyed keyed;
	/* of the item at work; NULL: none */
	const struct weir_item *item;
	struct results *results;
	bool structured;
};

static struct lua_program *program_of(lua_State *L)
{
	return *(struct lua_program **)lua_getextraspace(L);
}

/* ---- bounds ---- */

static void *allocate(void *data, void *block, size_t old_bytes, size_t new_bytes)
{
	struct lua_program *program = data;
	size_t before = block ? old_bytes : 0; /* without a block it is the kind of what will be there */
	void *moved;

	if (!new_bytes) {
		free(block);
		program->used_bytes -= before;
		return NULL;
	}
	if (new_bytes > before && program->used_bytes + (new_bytes - before) > program->memory_bytes)
		return NULL;
	moved = realloc(block, new_bytes);
	if (moved)
		program->used_bytes += new_bytes - before;
	return moved;
}

static bool is_over(struct lua_program *program)
{
	if (program->load_deadline_ns)
		return clock_now_ns() >= program->load_deadline_ns;
	if (program->n_instructions_max && program->n_instructions > program->n_instructions_max)
		return true;
	return program->guard && guard_look(program->guard) != GUARD_NONE;
}

static void look(lua_State *L, lua_Debug *debug)
{
	struct lua_program *program = program_of(L);

	(void)debug;
	program->n_instructions += (uint64_t)lua_gethookcount(L);
	program->over = program->over || is_over(program);
	if (!program->over) {
		if (lua_gethookcount(L) != LOOK_INSTRUCTIONS) /* a coroutine that was stopped with an earlier item */
			lua_sethook(L, look, LUA_MASKCOUNT, LOOK_INSTRUCTIONS);
		return;
	}
	lua_sethook(L, look, LUA_MASKCOUNT, 1);
	lua_sethook(program->L, look, LUA_MASKCOUNT, 1);
	lua_pushliteral(L, "it is out of bounds");
	lua_error(L);
}

/* ---- what a script finds ---- */

static int emit(lua_State *L)
{
	struct lua_program *program = program_of(L);

	luaL_checkany(L, 1);
	if (!program->results)
		return luaL_error(L, "emit() is for process(): there is no item yet");
	if (lua_isnil(L, 1))
		return luaL_error(L, "emit(nil) emits nothing: say null if that is meant");
	lua_value_append(L, 1, results_are_text(program->results, program->structured), &program->results->values);
	if (results_are_too_many(program->results))
		return luaL_error(L,
				  "what it emits does not fit a lane: give the stage behind this one a larger lane:");
	return 0;
}

/* To the log, as a line. */
static int print(lua_State *L)
{
	luaL_Buffer line;
	int n = lua_gettop(L);

	luaL_buffinit(L, &line);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&line, ' ');
		luaL_tolstring(L, i, NULL);
		luaL_addvalue(&line);
	}
	luaL_pushresult(&line);
	weir_log(WEIR_LOG_INFO, "%s", lua_tostring(L, -1));
	return 0;
}

static void open_libraries(lua_State *L)
{
	static const luaL_Reg libraries[] = {
		{ LUA_GNAME, luaopen_base },        { LUA_TABLIBNAME, luaopen_table },
		{ LUA_STRLIBNAME, luaopen_string }, { LUA_MATHLIBNAME, luaopen_math },
		{ LUA_UTF8LIBNAME, luaopen_utf8 },  { LUA_COLIBNAME, luaopen_coroutine },
	};
	static const char *const doors[] = { "dofile", "loadfile", "load", "collectgarbage", "warn", "xpcall" };

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		lua_pushnil(L);
		lua_setglobal(L, doors[i]);
	}
	lua_getglobal(L, LUA_STRLIBNAME);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	lua_pop(L, 1);
	lua_register(L, "emit", emit);
	lua_register(L, "print", print);
	lua_metatable_open(L);
	lua_value_open(L);
	lua_keyed_open(L, &program_of(L)->keyed);
}

/* ---- errors ---- */

/* process() is called by nobody who has a name for it. */
static const char *name_of(const lua_Debug *frame, bool is_process)
{
	if (is_process)
		return "process";
	return frame->name ? frame->name : strcmp(frame->what, "main") == 0 ? "the script itself" : "a function";
}

/* " < process (script:12)" for each function of the script that is at work. The message lies on top of the stack all the while. */
static void add_frames(lua_State *L, luaL_Buffer *message)
{
	lua_Debug frame;
	int n = 0;

	for (int level = 1; n < FRAMES_MAX && lua_getstack(L, level, &frame); level++) {
		bool is_process;

		lua_getinfo(L, "Slnf", &frame);
		lua_rawgeti(L, LUA_REGISTRYINDEX, program_of(L)->process);
		is_process = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (frame.currentline < 0)
			continue; /* C */
		luaL_addstring(message, n++ ? " < " : ", in ");
		lua_pushfstring(L, "%s (%s:%d)", name_of(&frame, is_process), frame.short_src, frame.currentline);
		luaL_addvalue(message);
	}
}

static int explain(lua_State *L)
{
	luaL_Buffer message;

	if (lua_type(L, 1) != LUA_TSTRING && !luaL_getmetafield(L, 1, "__tostring"))
		lua_pushfstring(L, "an error that is no string (a %s)", luaL_typename(L, 1));
	else
		luaL_tolstring(L, 1, NULL);
	lua_replace(L, 1);
	lua_settop(L, 1);
	luaL_buffinit(L, &message);
	lua_pushvalue(L, 1);
	luaL_addvalue(&message);
	add_frames(L, &message);
	luaL_pushresult(&message);
	return 1;
}

/* Takes the message off the stack: "script:12: WHAT". */
static void take_error(struct lua_program *program, int status, struct lua_fault *fault)
{
	const char *message = lua_tostring(program->L, -1);
	char bound[QUANTITY_TEXT_SIZE];

	*fault = (struct lua_fault){ 0 };
	if (status == LUA_ERRMEM)
		snprintf(fault->why, sizeof(fault->why), "the script took more memory than memory: %s allows",
			 quantity_format_size(program->memory_bytes, bound));
	else
		snprintf(fault->why, sizeof(fault->why), "%s", message ? message : "an error without a message");
	lua_settop(program->L, 0);
}

/* Of "script:12: WHAT" the line and WHAT, where a place of its own can be shown. */
static void split_line(struct lua_fault *fault)
{
	static const char prefix[] = "script:";
	char *end;

	if (strncmp(fault->why, prefix, sizeof(prefix) - 1) != 0)
		return;
	fault->line = (uint32_t)strtoul(fault->why + sizeof(prefix) - 1, &end, 10);
	if (end[0] == ':' && end[1] == ' ')
		memmove(fault->why, end + 2, strlen(end + 2) + 1);
}

/* ---- loading ---- */

static int new_state(const struct lua_settings *settings, struct lua_program **ret_program)
{
	struct lua_program *program = calloc(1, sizeof(*program));

	if (!program)
		return error_origin(-ENOMEM);
	program->memory_bytes = settings->memory_bytes;
	program->n_instructions_max = settings->n_instructions_max;
	program->L = lua_newstate(allocate, program);
	if (!program->L) {
		free(program);
		return error_origin(-ENOMEM);
	}
	*(struct lua_program **)lua_getextraspace(program->L) = program; /* coroutines have a copy */
	*ret_program = program;
	return 0;
}

static int compile(struct lua_program *program, const struct lua_settings *settings, struct lua_fault *fault)
{
	int status = luaL_loadbufferx(program->L, settings->text, strlen(settings->text), settings->name, "t");

	if (status == LUA_OK)
		return 0;
	take_error(program, status, fault);
	split_line(fault);
	return -EINVAL;
}

int lua_program_check(const struct lua_settings *settings, struct lua_fault *fault)
{
	struct lua_program *program;
	int r = new_state(settings, &program);

	if (r != 0)
		return r;
	r = compile(program, settings, fault);
	lua_program_free(program);
	return r;
}

/* Protected: with the chunk on the stack. */
static int load(lua_State *L)
{
	struct lua_program *program = program_of(L);

	open_libraries(L);
	lua_call(L, 0, 0);
	if (lua_getglobal(L, "process") != LUA_TFUNCTION)
		return luaL_error(L, "it has no function process(item), which is given each item");
	program->process = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

int lua_program_new(const struct lua_settings *settings, struct lua_program **ret_program, struct lua_fault *fault)
{
	struct lua_program *program;
	int r = new_state(settings, &program), status;

	if (r != 0)
		return r;
	lua_pushcfunction(program->L, explain);
	lua_pushcfunction(program->L, load);
	r = compile(program, settings, fault);
	if (r == 0) {
		program->load_deadline_ns = clock_now_ns() + LOAD_NS;
		lua_sethook(program->L, look, LUA_MASKCOUNT, LOOK_INSTRUCTIONS);
		status = lua_pcall(program->L, 1, 0, 1);
		if (program->over)
			snprintf(fault->why, sizeof(fault->why), "its own text has not come to its end in 10 s");
		else if (status != LUA_OK)
			take_error(program, status, fault);
		r = status == LUA_OK && !program->over ? 0 : -EINVAL;
		lua_settop(program->L, 0);
	}
	if (r != 0) {
		lua_program_free(program);
		return r;
	}
	program->load_deadline_ns = 0;
	*ret_program = program;
	return 0;
}

void lua_program_free(struct lua_program *program)
{
	if (!program)
		return;
	guard_close(program->guard);
	lua_sethook(program->L, NULL, 0, 0);
	lua_close(program->L);
	free(program);
}

int lua_program_guard(struct lua_program *program, struct weir_context *context)
{
	const struct guard_settings settings = { .memory_bytes = 0 }; /* the allocator counts */

	program->context = context;
	return guard_open(context, &settings, &program->guard);
}

struct guard *lua_program_guard_of(const struct lua_program *program)
{
	return program->guard;
}

/* ---- an item ---- */

/* Protected. */
static int run(lua_State *L)
{
	struct lua_program *program = program_of(L);
	const struct weir_item *item = program->item;

	lua_rawgeti(L, LUA_REGISTRYINDEX, program->process);
	if (program->structured)
		lua_value_push(L, item->data, item->size_bytes);
	else
		lua_pushlstring(L, item->data, item->size_bytes);
	lua_call(L, 1, 1);
	if (lua_isnil(L, -1))
		return 0;
	lua_pushcfunction(L, emit);
	lua_insert(L, -2);
	lua_call(L, 1, 0);
	return 0;
}

int lua_program_run(struct lua_program *program, const struct weir_item *item, bool structured, struct results *results,
		    struct lua_fault *fault)
{
	lua_State *L = program->L;
	int status;

	program->item = item;
	program->results = results;
	program->structured = structured;
	program->keyed = (struct lua_keyed){ .context = program->context };
	program->n_instructions = 0;
	program->over = false;
	lua_sethook(L, look, LUA_MASKCOUNT, LOOK_INSTRUCTIONS);
	lua_pushcfunction(L, explain);
	lua_pushcfunction(L, run);
	status = lua_pcall(L, 0, 0, 1);
	program->item = NULL;
	program->results = NULL;
	program->keyed.context = NULL;
	if (status != LUA_OK)
		take_error(program, status, fault);
	lua_settop(L, 0);
	if (program->over && program->n_instructions_max && program->n_instructions > program->n_instructions_max &&
	    guard_verdict(program->guard) == GUARD_NONE)
		snprintf(fault->why, sizeof(fault->why),
			 "the script has run more instructions than instructions: %llu allows",
			 (unsigned long long)program->n_instructions_max);
	if (program->keyed.failed)
		return LUA_E_STATE;
	return status == LUA_OK && !program->over ? 0 : LUA_E_ERROR;
}
