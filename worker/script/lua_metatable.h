/* SPDX-License-Identifier: Apache-2.0 */
/* What a script may do with metatables: all but give a value a finaliser. Worker process. */
#pragma once

#include <lua.h>

/* setmetatable() as scripts have it, behind the library's own. Raises an error without memory. */
void lua_metatable_open(lua_State *L);

/* No script gets at the metatable on top of the stack, so none puts a __gc into it; a table that has it may be given another one. */
void lua_metatable_seal(lua_State *L);
