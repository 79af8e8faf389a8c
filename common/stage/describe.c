/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One msgpack array:
 *
 *   [ version, abi, role, cursor size, spools, flags, name, summary, description, outputs, [ option, ... ] ]
 *   option: [ name, type, required, fallback, choices, minimum, maximum, summary, example ]
 *
 * Read from front to back with common/wire/reader, for the bytes come from a process with foreign code in it. One allocation holds all
 * strings, as large as the bytes: each string costs at least one byte of header there, which pays for its NUL here.
 */
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/stage/describe.h"
#include "common/stage/registry.h"
#include "common/wire/reader.h"

#define DESCRIPTION_VERSION 3u
#define OPTIONS_MAX 256u
#define STAGE_FIELDS 11u
#define OPTION_FIELDS 9u

static bool name_is_fine(const char *name)
{
	return name && name[0] >= 'a' && name[0] <= 'z' && strlen(name) < 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

static bool option_is_fine(const struct weir_option *option)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (!name_is_fine(option->name) || option->type < WEIR_TYPE_STRING || option->type > WEIR_TYPE_KEY)
		return false;
	if (option->type == WEIR_TYPE_CHOICE && (!option->choices || !option->choices[0]))
		return false;
	if (option->minimum > option->maximum)
		return false;
	return !option->fallback || stage_option_check(option, option->fallback, NULL, &why) == 0;
}

static bool stage_is_fine(const struct weir_stage *stage)
{
	if (!name_is_fine(stage->name) || stage->role < WEIR_SOURCE || stage->role > WEIR_SINK)
		return false;
	if (stage->cursor_size_bytes > WEIR_CURSOR_SIZE_MAX || stage->n_spools > WEIR_SPOOLS_MAX ||
	    stage->n_options > OPTIONS_MAX || stage->flags & ~WEIR_STAGE_FLAGS)
		return false;
	if (stage->n_options && !stage->options)
		return false;
	if (stage->flags & WEIR_STAGE_NAMES_OUTPUTS && stage->flags & WEIR_STAGE_ERRORS_OUTPUT)
		return false;
	if (stage->outputs &&
	    strspn(stage->outputs, "abcdefghijklmnopqrstuvwxyz0123456789_-|") != strlen(stage->outputs))
		return false;
	if (stage->outputs && stage->flags & WEIR_STAGE_ERRORS_OUTPUT &&
	    (!stage->outputs[0] || strchr(stage->outputs, '|')))
		return false;
	for (size_t i = 0; i < stage->n_options; i++)
		if (!option_is_fine(&stage->options[i]))
			return false;
	return true;
}

static void pack_string(msgpack_packer *packer, const char *string)
{
	if (!string)
		msgpack_pack_nil(packer);
	else
		msgpack_pack_str_with_body(packer, string, strlen(string));
}

static void pack_option(msgpack_packer *packer, const struct weir_option *option)
{
	msgpack_pack_array(packer, OPTION_FIELDS);
	pack_string(packer, option->name);
	msgpack_pack_uint32(packer, (uint32_t)option->type);
	msgpack_pack_uint32(packer, option->required);
	pack_string(packer, option->fallback);
	pack_string(packer, option->choices);
	msgpack_pack_int64(packer, option->minimum);
	msgpack_pack_int64(packer, option->maximum);
	pack_string(packer, option->summary);
	pack_string(packer, option->example);
}

int stage_description_write(const struct weir_stage *stage, char **ret_bytes, size_t *ret_size)
{
	msgpack_sbuffer buffer;
	msgpack_packer packer;

	if (!stage_is_fine(stage))
		return STAGE_E_BAD_DESCRIPTION;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	msgpack_pack_array(&packer, STAGE_FIELDS);
	msgpack_pack_uint32(&packer, DESCRIPTION_VERSION);
	msgpack_pack_uint32(&packer, stage->abi);
	msgpack_pack_uint32(&packer, (uint32_t)stage->role);
	msgpack_pack_uint32(&packer, stage->cursor_size_bytes);
	msgpack_pack_uint32(&packer, stage->n_spools);
	msgpack_pack_uint32(&packer, stage->flags);
	pack_string(&packer, stage->name);
	pack_string(&packer, stage->summary);
	pack_string(&packer, stage->description);
	pack_string(&packer, stage->outputs);
	msgpack_pack_array(&packer, stage->n_options);
	for (size_t i = 0; i < stage->n_options; i++)
		pack_option(&packer, &stage->options[i]);
	if (!buffer.data)
		return error_origin(-ENOMEM);
	if (buffer.size > STAGE_DESCRIPTION_SIZE_MAX) {
		msgpack_sbuffer_destroy(&buffer);
		return STAGE_E_BAD_DESCRIPTION;
	}
	*ret_size = buffer.size;
	*ret_bytes = msgpack_sbuffer_release(&buffer);
	return 0;
}

/* Reads forward; after the first element that does not fit, everything reads as nothing and `bad` stays set. */
struct taking {
	struct reader reader;
	char *strings;
	bool bad;
};

static int64_t take_integer(struct taking *taking)
{
	int64_t value = 0;

	taking->bad = taking->bad || reader_signed(&taking->reader, &value) != 0;
	return taking->bad ? 0 : value;
}

static uint32_t take_number(struct taking *taking, uint32_t maximum)
{
	int64_t value = take_integer(taking);

	if (value < 0 || value > maximum) {
		taking->bad = true;
		return 0;
	}
	return (uint32_t)value;
}

/* NULL for nil. */
static const char *take_string(struct taking *taking)
{
	char *string = taking->strings;
	const char *data;
	size_t n;

	if (taking->bad || reader_nil(&taking->reader) == 0)
		return NULL;
	if (reader_string(&taking->reader, &data, &n) != 0) {
		taking->bad = true;
		return NULL;
	}
	memcpy(string, data, n);
	string[n] = '\0';
	taking->strings += n + 1;
	return string;
}

static uint32_t take_array(struct taking *taking, uint32_t maximum)
{
	uint32_t n = 0;

	taking->bad = taking->bad || reader_array(&taking->reader, &n) != 0 || n > maximum;
	return taking->bad ? 0 : n;
}

static const char *or_empty(const char *string)
{
	return string ? string : "";
}

static void read_option(struct taking *taking, struct weir_option *option)
{
	taking->bad = taking->bad || take_array(taking, OPTION_FIELDS) != OPTION_FIELDS;
	option->name = take_string(taking);
	option->type = (enum weir_option_type)take_number(taking, WEIR_TYPE_KEY);
	option->required = take_number(taking, 1);
	option->fallback = take_string(taking);
	option->choices = take_string(taking);
	option->minimum = take_integer(taking);
	option->maximum = take_integer(taking);
	option->summary = or_empty(take_string(taking));
	option->example = take_string(taking);
}

static bool read_stage(struct taking *taking, struct stage_description *description)
{
	struct weir_stage *stage = &description->stage;
	uint32_t n;

	if (take_array(taking, STAGE_FIELDS) != STAGE_FIELDS || take_number(taking, UINT32_MAX) != DESCRIPTION_VERSION)
		return false;
	stage->abi = take_number(taking, UINT32_MAX);
	stage->size_bytes = sizeof(*stage);
	stage->role = (enum weir_role)take_number(taking, WEIR_SINK);
	stage->cursor_size_bytes = take_number(taking, WEIR_CURSOR_SIZE_MAX);
	stage->n_spools = take_number(taking, WEIR_SPOOLS_MAX);
	stage->flags = take_number(taking, WEIR_STAGE_FLAGS);
	stage->name = take_string(taking);
	stage->summary = or_empty(take_string(taking));
	stage->description = or_empty(take_string(taking));
	stage->outputs = take_string(taking);
	n = take_array(taking, OPTIONS_MAX);
	for (uint32_t i = 0; i < n && !taking->bad; i++)
		read_option(taking, &description->options[i]);
	if (taking->bad || !reader_at_end(&taking->reader) || stage->abi != WEIR_STAGE_ABI)
		return false;
	stage->options = description->options;
	stage->n_options = n;
	return stage_is_fine(stage);
}

int stage_description_read(const void *bytes, size_t size, struct stage_description **ret_description)
{
	struct stage_description *description;
	struct taking taking = { 0 };

	if (!size || size > STAGE_DESCRIPTION_SIZE_MAX)
		return STAGE_E_BAD_DESCRIPTION;
	description = calloc(1, sizeof(*description));
	if (!description)
		return error_origin(-ENOMEM);
	description->options = calloc(OPTIONS_MAX, sizeof(*description->options));
	description->strings = malloc(size);
	if (!description->options || !description->strings) {
		stage_description_free(description);
		return error_origin(-ENOMEM);
	}
	reader_init(&taking.reader, bytes, size);
	taking.strings = description->strings;
	if (!read_stage(&taking, description)) {
		stage_description_free(description);
		return STAGE_E_BAD_DESCRIPTION;
	}
	*ret_description = description;
	return 0;
}

struct stage_description *stage_description_free(struct stage_description *description)
{
	if (description) {
		free(description->options);
		free(description->strings);
		free(description);
	}
	return NULL;
}
