/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      state[key]            weir_state_get(), the value made anew each time: to change it, assign it
 *      state[key] = value    weir_state_put(); nil: weir_state_delete()
 *      pairs(state)          weir_state_first() and weir_state_next(), in the order of the keys' bytes
 *
 * Values are kept as msgpack. What an item changes takes effect with the item or not at all, as it does for every stage, so a script that
 * ends with an error need not take anything back.
 */
#include "worker/script/lua_keyed.h"

#include <errno.h>
#include <lauxlib.h>
#include <msgpack/sbuffer.h>
#include <weir/stage.h>
#include <weir/state.h>

#include "worker/script/lua_value.h"

#define BUFFER "weir.state.buffer"

static struct lua_keyed *keyed_of(lua_State *L)
{
	struct lua_keyed *keyed = lua_touserdata(L, lua_upvalueindex(1));

	if (!keyed->context)
		luaL_error(L, "state is for process(): there is no item yet");
	return keyed;
}

/* Raises an error for all that is neither done nor -ENOENT. */
static int judge(lua_State *L, struct lua_keyed *keyed, int r)
{
	if (r == WEIR_OK || r == -ENOENT)
		return r;
	if (r == WEIR_FULL)
		return luaL_error(L, "state is full: give the stage a larger 'state', or forget something");
	if (r == WEIR_TOO_LARGE)
		return luaL_error(L, "a value of state has at most 1 MiB, and an item changes at most 16 MiB of it");
	if (r == -EPERM)
		return luaL_error(L,
				  "the stage remembers nothing: say in the spec how much it may, such as state: 64MiB");
	keyed->failed = true;
	return luaL_error(L, "state can't be reached");
}

static const char *check_key(lua_State *L, int index, size_t *ret_size_bytes)
{
	const char *key;

	if (lua_type(L, index) != LUA_TSTRING)
		luaL_error(L, "a key of state is a string, and this is a %s: tostring() makes one",
			   luaL_typename(L, index));
	key = lua_tolstring(L, index, ret_size_bytes);
	if (!*ret_size_bytes || *ret_size_bytes > WEIR_STATE_KEY_SIZE_MAX)
		luaL_error(L, "a key of state has 1 to %d bytes, and this has %I", (int)WEIR_STATE_KEY_SIZE_MAX,
			   (lua_Integer)*ret_size_bytes);
	return key;
}

static int get(lua_State *L)
{
	struct lua_keyed *keyed = keyed_of(L);
	size_t key_size_bytes, size_bytes;
	const char *key = check_key(L, 2, &key_size_bytes);
	const void *value;

	if (judge(L, keyed, weir_state_get(keyed->context, key, key_size_bytes, &value, &size_bytes)) == WEIR_OK)
		lua_value_push(L, value, size_bytes);
	else
		lua_pushnil(L);
	return 1;
}

static int put(lua_State *L)
{
	struct lua_keyed *keyed = keyed_of(L);
	msgpack_sbuffer *buffer;
	size_t key_size_bytes;
	const char *key = check_key(L, 2, &key_size_bytes);

	if (lua_isnil(L, 3)) {
		judge(L, keyed, weir_state_delete(keyed->context, key, key_size_bytes));
		return 0;
	}
	lua_getfield(L, LUA_REGISTRYINDEX, BUFFER);
	buffer = lua_touserdata(L, -1);
	msgpack_sbuffer_clear(buffer);
	lua_value_append(L, 3, false, buffer);
	judge(L, keyed, weir_state_put(keyed->context, key, key_size_bytes, buffer->data, buffer->size));
	return 0;
}

/* The state, the key before or nil; the place in the order lies in the second upvalue. */
static int next_entry(lua_State *L)
{
	struct lua_keyed *keyed = keyed_of(L);
	struct weir_state_entry *entry = lua_touserdata(L, lua_upvalueindex(2));
	int r = lua_isnil(L, 2) ? weir_state_first(keyed->context, "", 0, entry) :
				  weir_state_next(keyed->context, "", 0, entry);

	if (judge(L, keyed, r) != WEIR_OK)
		return 0;
	lua_pushlstring(L, (const char *)entry->key, entry->key_size_bytes);
	lua_value_push(L, entry->value, entry->size_bytes);
	return 2;
}

static int pairs(lua_State *L)
{
	lua_pushlightuserdata(L, keyed_of(L));
	lua_newuserdatauv(L, sizeof(struct weir_state_entry), 0);
	lua_pushcclosure(L, next_entry, 2);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int free_buffer(lua_State *L)
{
	msgpack_sbuffer_destroy(lua_touserdata(L, 1));
	return 0;
}

static void open_buffer(lua_State *L)
{
	msgpack_sbuffer_init(lua_newuserdatauv(L, sizeof(msgpack_sbuffer), 0));
	lua_newtable(L);
	lua_pushcfunction(L, free_buffer);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_setfield(L, LUA_REGISTRYINDEX, BUFFER);
}

void lua_keyed_open(lua_State *L, struct lua_keyed *keyed)
{
	static const luaL_Reg events[] = {
		{ "__index", get }, { "__newindex", put }, { "__pairs", pairs }, { NULL, NULL }
	};

	open_buffer(L);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushlightuserdata(L, keyed);
	luaL_setfuncs(L, events, 1);
	lua_pushliteral(L, "state");
	lua_setfield(L, -2, "__metatable"); /* no script puts another one there */
	lua_setmetatable(L, -2);
	lua_setglobal(L, "state");
}
