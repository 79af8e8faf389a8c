/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as Lua has them, from structured items and back (own folder only). Each of these may raise an error of Lua's: they are for
 * functions that Lua calls.
 */
#pragma once

#include <lua.h>
#include <msgpack/sbuffer.h>
#include <stdbool.h>
#include <stddef.h>

/* Once a state: the metatables, and the globals null, array(), map(), bytes(). */
void lua_value_open(lua_State *L);

/* Pushes the value that these bytes are, all of them. */
void lua_value_push(lua_State *L, const void *data, size_t size_bytes);

/*
 * Appends the value on the stack as msgpack. loose: a string may hold any bytes, if it is no part of anything. After an error the buffer
 * ends anywhere.
 */
void lua_value_append(lua_State *L, int index, bool loose, msgpack_sbuffer *buffer);
