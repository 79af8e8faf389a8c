/* SPDX-License-Identifier: Apache-2.0 */
/* The global `state` of a script: keyed state as a table (own folder only). Worker process. */
#pragma once

#include <lua.h>
#include <stdbool.h>

struct weir_context;

struct lua_keyed {
	struct weir_context *context; /* NULL while no item is at work */
	bool failed;                  /* the state can't be read or written: the stage has to fail */
};

/* Once a state of Lua's. keyed must outlive it. Raises errors of Lua's. */
void lua_keyed_open(lua_State *L, struct lua_keyed *keyed);
