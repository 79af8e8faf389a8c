/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      msgpack                     Lua
 *      nil                   <->   null, a value of its own: nil in a table is nothing
 *      integer of 64 bits    <->   integer; above 2^63 - 1: refused
 *      float                 <->   float; not finite: refused on the way out
 *      str                   <->   string; no UTF-8: refused on the way out
 *      bin                   <->   bytes: a userdata with tostring() and #
 *      array                 <->   table with the metatable `array`; or the keys 1 .. n and no other, n > 0
 *      map                   <->   any other table; all keys are strings
 *
 * A table does not say whether it is an array once it is empty, so arrays that come in are marked, and array() and map() mark those that a
 * script makes. Names are written in the order of their bytes, for pairs() has another one in each process.
 */
#include "worker/script/lua_value.h"

#include <lauxlib.h>
#include <math.h>
#include <msgpack/pack.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/record/value.h"
#include "worker/script/lua_metatable.h"

#define ARRAY "weir.array"
#define MAP "weir.map"
#define BYTES "weir.bytes"
#define STACK_SLOTS 8

static char null_place; /* its address is `null` */

/* ---- what scripts see ---- */

static int mark(lua_State *L, const char *metatable)
{
	if (lua_isnoneornil(L, 1))
		lua_newtable(L);
	else
		luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_setmetatable(L, metatable);
	return 1;
}

static int make_array(lua_State *L)
{
	return mark(L, ARRAY);
}

static int make_map(lua_State *L)
{
	return mark(L, MAP);
}

static void push_bytes(lua_State *L, const char *data, size_t size_bytes)
{
	void *room = lua_newuserdatauv(L, size_bytes, 0);

	if (size_bytes)
		memcpy(room, data, size_bytes);
	luaL_setmetatable(L, BYTES);
}

static int make_bytes(lua_State *L)
{
	size_t size;
	const char *data = luaL_checklstring(L, 1, &size);

	push_bytes(L, data, size);
	return 1;
}

static int bytes_to_string(lua_State *L)
{
	lua_pushlstring(L, luaL_checkudata(L, 1, BYTES), lua_rawlen(L, 1));
	return 1;
}

static int bytes_length(lua_State *L)
{
	luaL_checkudata(L, 1, BYTES);
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
	return 1;
}

static int bytes_equal(lua_State *L)
{
	const void *a = luaL_testudata(L, 1, BYTES), *b = luaL_testudata(L, 2, BYTES);

	lua_pushboolean(L, a && b && lua_rawlen(L, 1) == lua_rawlen(L, 2) && memcmp(a, b, lua_rawlen(L, 1)) == 0);
	return 1;
}

void lua_value_open(lua_State *L)
{
	static const luaL_Reg of_bytes[] = {
		{ "__tostring", bytes_to_string }, { "__len", bytes_length }, { "__eq", bytes_equal }, { NULL, NULL }
	};

	luaL_newmetatable(L, ARRAY);
	lua_metatable_seal(L);
	luaL_newmetatable(L, MAP);
	lua_metatable_seal(L);
	luaL_newmetatable(L, BYTES);
	lua_metatable_seal(L);
	luaL_setfuncs(L, of_bytes, 0);
	lua_pop(L, 3);
	lua_pushlightuserdata(L, &null_place);
	lua_setglobal(L, "null");
	lua_register(L, "array", make_array);
	lua_register(L, "map", make_map);
	lua_register(L, "bytes", make_bytes);
}

/* ---- from an item ---- */

struct reading {
	struct value_reader reader;
	const unsigned char *begin;
};

static void refuse(lua_State *L, const struct reading *reading, const unsigned char *at, const char *what)
{
	/* Level 0: the item is to blame, no line of the script. */
	lua_pushfstring(L, "it is no value for Lua: byte %I of the item: %s", (lua_Integer)(at - reading->begin) + 1,
			what);
	lua_error(L);
}

static void push_any(lua_State *L, struct reading *reading, unsigned depth);

static void push_array(lua_State *L, struct reading *reading, uint32_t n, unsigned depth)
{
	lua_createtable(L, (int)n, 0);
	luaL_setmetatable(L, ARRAY);
	for (uint32_t i = 0; i < n; i++) {
		push_any(L, reading, depth + 1);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_map(lua_State *L, struct reading *reading, uint32_t n, unsigned depth)
{
	lua_createtable(L, 0, (int)n);
	for (uint32_t i = 0; i < n; i++) {
		const unsigned char *at = reading->reader.next;

		push_any(L, reading, depth + 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			refuse(L, reading, at, "a name that is no string");
		push_any(L, reading, depth + 1);
		lua_rawset(L, -3);
	}
}

static void push_any(lua_State *L, struct reading *reading, unsigned depth)
{
	const unsigned char *at = reading->reader.next;
	struct value value;

	if (depth > RECORD_DEPTH_MAX)
		refuse(L, reading, at, "it is nested deeper than 64 levels");
	if (value_next(&reading->reader, &value) != 0)
		refuse(L, reading, at, "no msgpack: is what comes here decoded?");
	luaL_checkstack(L, STACK_SLOTS, NULL);
	switch (value.type) {
	case VALUE_NIL:
		lua_pushlightuserdata(L, &null_place);
		break;
	case VALUE_BOOLEAN:
		lua_pushboolean(L, value.number != 0);
		break;
	case VALUE_UNSIGNED:
		if (value.number > INT64_MAX)
			refuse(L, reading, at, "an integer above 9223372036854775807, which Lua does not have");
		lua_pushinteger(L, (lua_Integer)value.number);
		break;
	case VALUE_NEGATIVE:
		lua_pushinteger(L, (lua_Integer)value.number);
		break;
	case VALUE_DOUBLE:
		lua_pushnumber(L, value.real);
		break;
	case VALUE_STRING:
		lua_pushlstring(L, value.data, value.n);
		break;
	case VALUE_BINARY:
		push_bytes(L, value.data, value.n);
		break;
	case VALUE_ARRAY:
		push_array(L, reading, value.n, depth);
		break;
	case VALUE_MAP:
		push_map(L, reading, value.n, depth);
		break;
	case VALUE_EXTENSION:
		refuse(L, reading, at, "an extension type, which Lua does not have");
		break;
	}
}

void lua_value_push(lua_State *L, const void *data, size_t size_bytes)
{
	struct reading reading = { .begin = data };

	value_reader_init(&reading.reader, data, size_bytes);
	push_any(L, &reading, 0);
	if (reading.reader.next != reading.reader.end)
		refuse(L, &reading, reading.reader.next, "something behind its value: is what comes here decoded?");
}

/* ---- into an item ---- */

struct writing {
	lua_State *L;
	msgpack_packer packer;
};

/* The line is the one that emits, or returns. */
#define REFUSE(writing_, ...) luaL_error((writing_)->L, __VA_ARGS__)

/* Bytes that did not find room: an error like that of Lua's own memory. */
static int append(void *data, const char *bytes, size_t n)
{
	return msgpack_sbuffer_write(data, bytes, n);
}

static void check(const struct writing *writing, int r)
{
	if (r != 0)
		REFUSE(writing, "not enough memory for what it becomes");
}

static void write_any(struct writing *writing, int index, bool loose, unsigned depth);

static bool has_mark(lua_State *L, int index, const char *metatable)
{
	bool same;

	if (!lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, metatable);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

/* Keys of the table, however they are spelled; and whether all are integers from 1 to that number. */
static lua_Integer count(lua_State *L, int index, bool *ret_dense)
{
	lua_Integer n = 0, top = 0;

	*ret_dense = true;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;

		n++;
		*ret_dense = *ret_dense && key > 0;
		top = key > top ? key : top;
		lua_pop(L, 1);
	}
	*ret_dense = *ret_dense && top == n;
	return n;
}

static void write_array(struct writing *writing, int index, lua_Integer n, unsigned depth)
{
	check(writing, msgpack_pack_array(&writing->packer, (size_t)n));
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(writing->L, index, i);
		write_any(writing, lua_gettop(writing->L), false, depth + 1);
		lua_pop(writing->L, 1);
	}
}

struct name {
	const char *data;
	size_t size_bytes;
};

static int compare(const void *a, const void *b)
{
	const struct name *one = a, *other = b;
	size_t n = one->size_bytes < other->size_bytes ? one->size_bytes : other->size_bytes;
	int r = memcmp(one->data, other->data, n);

	return r ? r : (one->size_bytes > other->size_bytes) - (one->size_bytes < other->size_bytes);
}

/* The table's names, sorted; in a userdata that is pushed. The strings live as long as they are keys. */
static struct name *sort_names(struct writing *writing, int index, lua_Integer n)
{
	struct name *names = lua_newuserdatauv(writing->L, (size_t)n * sizeof(*names), 0);
	lua_State *L = writing->L;
	lua_Integer i = 0;

	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			REFUSE(writing,
			       "a table has keys that are no strings, and is no array: the keys of an array are 1 to n");
		names[i].data = lua_tolstring(L, -1, &names[i].size_bytes);
		i++;
	}
	qsort(names, (size_t)n, sizeof(*names), compare);
	return names;
}

static void write_string(struct writing *writing, const char *data, size_t size_bytes, bool loose)
{
	if (!loose && !text_is_utf8(data, size_bytes))
		REFUSE(writing, "a string is no UTF-8: say bytes(s) if it is meant as bytes");
	if (size_bytes > UINT32_MAX)
		REFUSE(writing, "a string is too long for an item");
	check(writing, msgpack_pack_str_with_body(&writing->packer, data, size_bytes));
}

static void write_map(struct writing *writing, int index, lua_Integer n, unsigned depth)
{
	lua_State *L = writing->L;
	const struct name *names;

	check(writing, msgpack_pack_map(&writing->packer, (size_t)n));
	if (!n)
		return;
	names = sort_names(writing, index, n);
	for (lua_Integer i = 0; i < n; i++) {
		write_string(writing, names[i].data, names[i].size_bytes, false);
		lua_pushlstring(L, names[i].data, names[i].size_bytes);
		lua_rawget(L, index);
		write_any(writing, lua_gettop(L), false, depth + 1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void write_table(struct writing *writing, int index, unsigned depth)
{
	bool dense, is_array = has_mark(writing->L, index, ARRAY);
	lua_Integer n = count(writing->L, index, &dense);

	if (is_array && !dense)
		REFUSE(writing, "an array has a hole, or keys besides 1 to n: say null for what is not there");
	if (is_array || (n && dense && !has_mark(writing->L, index, MAP)))
		write_array(writing, index, n, depth);
	else
		write_map(writing, index, n, depth);
}

static void write_number(struct writing *writing, int index)
{
	if (lua_isinteger(writing->L, index))
		check(writing, msgpack_pack_int64(&writing->packer, lua_tointeger(writing->L, index)));
	else if (isfinite(lua_tonumber(writing->L, index)))
		check(writing, msgpack_pack_double(&writing->packer, lua_tonumber(writing->L, index)));
	else
		REFUSE(writing, "a number is not finite, and no item can hold it");
}

static void write_userdata(struct writing *writing, int index)
{
	size_t n = lua_rawlen(writing->L, index);
	const char *data = luaL_testudata(writing->L, index, BYTES);

	if (!data)
		REFUSE(writing, "a value of type userdata is nothing that an item can hold");
	check(writing, msgpack_pack_bin(&writing->packer, n));
	check(writing, n ? msgpack_pack_bin_body(&writing->packer, data, n) : 0);
}

static void write_any(struct writing *writing, int index, bool loose, unsigned depth)
{
	lua_State *L = writing->L;
	const char *data;
	size_t size;

	if (depth > RECORD_DEPTH_MAX)
		REFUSE(writing, "a table is nested deeper than 64 levels, or holds itself");
	luaL_checkstack(L, STACK_SLOTS, NULL);
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		check(writing, lua_toboolean(L, index) ? msgpack_pack_true(&writing->packer) :
							 msgpack_pack_false(&writing->packer));
		break;
	case LUA_TNUMBER:
		write_number(writing, index);
		break;
	case LUA_TSTRING:
		data = lua_tolstring(L, index, &size);
		write_string(writing, data, size, loose);
		break;
	case LUA_TTABLE:
		write_table(writing, index, depth);
		break;
	case LUA_TUSERDATA:
		write_userdata(writing, index);
		break;
	case LUA_TLIGHTUSERDATA:
		check(writing, msgpack_pack_nil(&writing->packer)); /* there is no other */
		break;
	default:
		REFUSE(writing, "a value of type %s is nothing that an item can hold", luaL_typename(L, index));
	}
}

void lua_value_append(lua_State *L, int index, bool loose, msgpack_sbuffer *buffer)
{
	struct writing writing = { .L = L };

	msgpack_packer_init(&writing.packer, buffer, append);
	write_any(&writing, lua_absindex(L, index), loose, 0);
}
