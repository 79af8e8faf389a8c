/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going down from value to value, each path is as far as the names above it have come:
 *
 *      .user.name      {"id": 7, "user": {"name": "Ann", "tags": ["name"]}}
 *                        0         1 of 2    2 of 2: ***
 *
 * so one number for each path and level is all there is to know. Bytes that stay are copied as they stand.
 */
#include "common/record/redact.h"

#include <string.h>

#include "common/record/value.h"

#define MARK_BYTES (sizeof(REDACT_MARK) - 1)
#define OFF_THE_PATH 0xffu

/* ---- paths ---- */

static int add_name(struct redact_path *path, const char *name, size_t size_bytes, struct record_fault *fault)
{
	if (!size_bytes)
		return record_fault(fault, "a name is missing");
	if (size_bytes > REDACT_NAME_MAX || path->n_names == REDACT_DEPTH_MAX)
		return record_fault(fault, "at most %u names of %u bytes each", REDACT_DEPTH_MAX, REDACT_NAME_MAX);
	memcpy(path->names[path->n_names], name, size_bytes);
	path->names[path->n_names++][size_bytes] = '\0';
	return 0;
}

static int add_path(struct redact_path *path, const char *text, size_t size_bytes, struct record_fault *fault)
{
	const char *end = text + size_bytes;
	int r = 0;

	*path = (struct redact_path){ .anywhere = size_bytes >= 2 && text[0] == '.' && text[1] == '.' };
	text += path->anywhere ? 2 : size_bytes && *text == '.' ? 1 : 0;
	do {
		const char *dot = memchr(text, '.', (size_t)(end - text));
		const char *until = dot ? dot : end;

		r = add_name(path, text, (size_t)(until - text), fault);
		text = until + 1;
	} while (r == 0 && text <= end);
	if (r == 0 && path->anywhere && path->n_names > 1)
		return record_fault(fault, "behind '..' stands one name");
	return r;
}

int redact_add(struct redact *redact, const char *paths, struct record_fault *fault)
{
	for (;;) {
		size_t size_bytes = strcspn(paths, ",");
		struct record_fault why;

		if (redact->n_paths == REDACT_PATHS_MAX)
			return record_fault(fault, "at most %u paths", REDACT_PATHS_MAX);
		if (add_path(&redact->paths[redact->n_paths], paths, size_bytes, &why) != 0)
			return record_fault(fault, "'%.*s': %s", size_bytes < 60 ? (int)size_bytes : 60, paths,
					    why.why);
		redact->n_paths++;
		if (!paths[size_bytes])
			return 0;
		paths += size_bytes + 1;
	}
}

/* ---- items ---- */

struct writing {
	const struct redact *redact;
	struct value_reader reader;
	unsigned char *next;
	uint8_t at[RECORD_DEPTH_MAX + 1][REDACT_PATHS_MAX]; /* by level: how far each path has come; OFF_THE_PATH */
	struct record_fault *fault;
};

static int no_item(struct writing *writing)
{
	return record_fault(writing->fault, "it is no msgpack: is what comes here decoded?");
}

static void copy(struct writing *writing, const unsigned char *from)
{
	size_t size_bytes = (size_t)(writing->reader.next - from);

	memcpy(writing->next, from, size_bytes);
	writing->next += size_bytes;
}

static bool is_named(const char *wanted, const struct value *name)
{
	size_t size_bytes = strlen(wanted);

	return strcmp(wanted, "*") == 0 || (size_bytes == name->n && memcmp(wanted, name->data, size_bytes) == 0);
}

/* Behind this name: how far each path is then, on the level below. Returns whether one of them ends here. */
static bool step(struct writing *writing, unsigned level, const struct value *name)
{
	bool ends = false;

	for (uint32_t i = 0; i < writing->redact->n_paths; i++) {
		const struct redact_path *path = &writing->redact->paths[i];
		uint8_t before = path->anywhere ? 0 : writing->at[level][i], after = OFF_THE_PATH;

		if (before != OFF_THE_PATH && name->type == VALUE_STRING && is_named(path->names[before], name))
			after = (uint8_t)(before + 1);
		ends = ends || after == path->n_names;
		writing->at[level + 1][i] = after;
	}
	return ends;
}

static int element(struct writing *writing, unsigned level);

static int hide(struct writing *writing)
{
	if (value_skip(&writing->reader) != 0)
		return no_item(writing);
	*writing->next++ = 0xa0 | MARK_BYTES;
	memcpy(writing->next, REDACT_MARK, MARK_BYTES);
	writing->next += MARK_BYTES;
	return 0;
}

/* A name that is no string is copied, whatever it is. */
static int pair(struct writing *writing, unsigned level)
{
	struct value_reader name_reader = writing->reader;
	const unsigned char *from = writing->reader.next;
	struct value name;

	if (value_next(&name_reader, &name) != 0 || value_skip(&writing->reader) != 0)
		return no_item(writing);
	copy(writing, from);
	return step(writing, level, &name) ? hide(writing) : element(writing, level + 1);
}

static int elements(struct writing *writing, const struct value *value, unsigned level)
{
	int r = 0;

	if (level >= RECORD_DEPTH_MAX)
		return record_fault(writing->fault, "deeper than %u levels", RECORD_DEPTH_MAX);
	for (uint32_t i = 0; r == 0 && i < value->n; i++) {
		if (value->type == VALUE_MAP) {
			r = pair(writing, level);
			continue;
		}
		memcpy(writing->at[level + 1], writing->at[level], sizeof(writing->at[level]));
		r = element(writing, level + 1);
	}
	return r;
}

static int element(struct writing *writing, unsigned level)
{
	const unsigned char *from = writing->reader.next;
	struct value value;

	if (value_next(&writing->reader, &value) != 0)
		return no_item(writing);
	copy(writing, from);
	return value.type == VALUE_ARRAY || value.type == VALUE_MAP ? elements(writing, &value, level) : 0;
}

int redact_write(const struct redact *redact, const void *item, size_t size_bytes, void *room, size_t *ret_size_bytes,
		 struct record_fault *fault)
{
	struct writing writing = { .redact = redact, .next = room, .fault = fault };
	int r;

	value_reader_init(&writing.reader, item, size_bytes);
	r = element(&writing, 0);
	if (r == 0 && writing.reader.next != writing.reader.end)
		return no_item(&writing);
	*ret_size_bytes = (size_t)(writing.next - (unsigned char *)room);
	return r;
}
