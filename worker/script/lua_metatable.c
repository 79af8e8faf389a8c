/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script has no finalisers. Lua calls one when it collects garbage: amid another item, whose state and results it would then work on,
 * or when the state is closed, where there is no item and no guard; and without the hook, so one that loops would never end there.
 *
 *      setmetatable(t, {__gc = f})            refused: a value has a finaliser if __gc is there when it is given its metatable
 *      getmetatable(array {}).__gc = f        the next array would have one: what values of our own have is sealed
 */
#include "worker/script/lua_metatable.h"

#include <lauxlib.h>
#include <stdbool.h>

static char seal_place; /* its address is the seal */

static bool is_protected(lua_State *L, int index)
{
	bool is_sealed;

	if (luaL_getmetafield(L, index, "__metatable") == LUA_TNIL)
		return false;
	is_sealed = lua_touserdata(L, -1) == &seal_place;
	lua_pop(L, 1);
	return !is_sealed;
}

static bool has_finaliser(lua_State *L, int index)
{
	bool has;

	if (lua_isnil(L, index))
		return false;
	lua_pushliteral(L, "__gc");
	has = lua_rawget(L, index) != LUA_TNIL;
	lua_pop(L, 1);
	return has;
}

static int set_metatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
	if (is_protected(L, 1))
		return luaL_error(L, "cannot change a protected metatable");
	if (has_finaliser(L, 2))
		return luaL_error(
			L,
			"a script has no finalisers, which nothing could bound: leave __gc out, or say __close and <close>");
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

void lua_metatable_open(lua_State *L)
{
	lua_register(L, "setmetatable", set_metatable);
}

void lua_metatable_seal(lua_State *L)
{
	lua_pushlightuserdata(L, &seal_place);
	lua_setfield(L, -2, "__metatable");
}
