/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From libfyaml's events to our tree. Events, not its documents: they come one by one without recursion, so a spec of ten thousand
 * levels is refused at level 65 and a "billion laughs" at the first alias too many, before either has cost anything.
 * Positions come with the events; a quoted word's mark stands behind its quote and is moved back onto it.
 */
#include <errno.h>
#include <libfyaml.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/yaml.h"
#include "broker/spec/yaml_error.h"
#include "common/base/error.h"

struct anchor {
	char *name;
	const struct yaml_node *node; /* NULL: still being built */
};

/* An open list or map, and what it waits for. */
struct level {
	struct yaml_node *node;
	struct yaml_node *key; /* map: has its key, waits for the value */
	size_t anchor;         /* index + 1 of its anchor; 0: none */
	bool in_brackets;
};

struct builder {
	struct yaml_tree *tree;
	struct diagnostics *diagnostics;
	const struct spec_position *fixed;
	struct level levels[YAML_DEPTH_MAX];
	size_t n_levels;
	struct anchor *anchors;
	size_t n_anchors, n_aliases;
	unsigned n_documents;
	struct spec_position last; /* of the last event that had one */
	bool stop;                 /* over a bound: no sense in going on */
};

#define report(builder_, position_, ...) \
	diagnostics_add((builder_)->diagnostics, DIAGNOSTIC_ERROR, (position_), NULL, __VA_ARGS__)
#define give_up(builder_, position_, ...)                     \
	do {                                                  \
		report((builder_), (position_), __VA_ARGS__); \
		(builder_)->stop = true;                      \
	} while (0)

static void drop_output(struct fy_diag *diag, void *user, const char *bytes, size_t size)
{
	(void)diag, (void)user, (void)bytes, (void)size;
}

static bool is_quoted(enum fy_scalar_style style)
{
	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static struct spec_position event_position(const struct builder *builder, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct fy_token *token = event->type == FYET_SCALAR ? event->scalar.value : NULL;
	struct spec_position position = { 0, 0 };

	if (builder->fixed)
		return *builder->fixed;
	if (mark) {
		position = (struct spec_position){ (uint32_t)mark->line + 1, (uint32_t)mark->column + 1 };
		if ((event->type == FYET_ALIAS || (token && is_quoted(fy_token_scalar_style(token)))) &&
		    position.column > 1)
			position.column--;
	} else if (builder->n_levels) {
		const struct level *level = &builder->levels[builder->n_levels - 1];

		position = level->key ? level->key->position : level->node->position;
	} else {
		position = builder->last;
	}
	return position;
}

static char *token_text(struct fy_token *token, size_t *ret_size)
{
	const char *bytes = token ? fy_token_get_text(token, ret_size) : NULL;
	char *copy;

	if (!bytes)
		*ret_size = 0;
	copy = spec_alloc(*ret_size + 1, 1);
	if (bytes)
		memcpy(copy, bytes, *ret_size);
	return copy;
}

/* Puts a finished node where it belongs: into the open list or map, or as the root. */
static void place(struct builder *builder, struct yaml_node *node)
{
	struct level *level = builder->n_levels ? &builder->levels[builder->n_levels - 1] : NULL;

	if (!level) {
		builder->tree->root = node;
	} else if (level->node->kind == YAML_LIST) {
		yaml_list_add(level->node, node);
	} else if (!level->key) {
		if (node->kind != YAML_SCALAR) {
			report(builder, node->position, "a key must be a word, not %s", yaml_kind_name(node->kind));
			node = yaml_node_new(builder->tree, YAML_SCALAR, node->position);
			node->value = spec_strdup("");
			node->wrong = true;
		}
		level->key = node;
	} else if (level->node->n >= YAML_PAIRS_MAX) {
		give_up(builder, level->key->position, "more than %u keys in one map", YAML_PAIRS_MAX);
	} else {
		yaml_map_add(level->node, level->key, node);
		level->key = NULL;
	}
}

static size_t remember_anchor(struct builder *builder, struct fy_token *token, const struct yaml_node *node)
{
	size_t size;

	if (!token)
		return 0;
	builder->anchors = spec_grow(builder->anchors, builder->n_anchors, sizeof(*builder->anchors));
	builder->anchors[builder->n_anchors++] = (struct anchor){ token_text(token, &size), node };
	return builder->n_anchors;
}

static struct yaml_node *copy_node(struct builder *builder, const struct yaml_node *from)
{
	struct yaml_node *node;

	if (builder->tree->n_nodes >= YAML_NODES_MAX) {
		builder->stop = true;
		return NULL;
	}
	node = yaml_node_new(builder->tree, from->kind, from->position);
	node->plain = from->plain;
	node->wrong = from->wrong;
	if (from->value)
		node->value = spec_strdup(from->value);
	for (uint32_t i = 0; i < from->n && !builder->stop; i++) {
		struct yaml_node *key = from->kind == YAML_MAP ? copy_node(builder, from->pairs[i].key) : NULL;
		struct yaml_node *value =
			copy_node(builder, from->kind == YAML_MAP ? from->pairs[i].value : from->items[i]);

		if (!value)
			break;
		if (key)
			yaml_map_add(node, key, value);
		else
			yaml_list_add(node, value);
	}
	return node;
}

static void on_alias(struct builder *builder, struct fy_event *event)
{
	struct spec_position position = event_position(builder, event);
	size_t size, i = builder->n_anchors;
	char *name = token_text(event->alias.anchor, &size);
	struct yaml_node *copy = NULL;

	while (i > 0 && strcmp(builder->anchors[i - 1].name, name) != 0)
		i--;
	if (++builder->n_aliases > YAML_ALIASES_MAX)
		give_up(builder, position, "more than %u aliases", YAML_ALIASES_MAX);
	else if (i == 0)
		diagnostics_add(builder->diagnostics, DIAGNOSTIC_ERROR, position,
				"if the * is part of the value, put quotes around it",
				"alias *%s, but there is no anchor &%s before it", name, name);
	else if (!builder->anchors[i - 1].node)
		report(builder, position, "alias *%s stands inside of what it names", name);
	else if (builder->n_levels + builder->anchors[i - 1].node->height >= YAML_DEPTH_MAX)
		give_up(builder, position, "aliases nest deeper than %u levels", YAML_DEPTH_MAX);
	else if (!(copy = copy_node(builder, builder->anchors[i - 1].node)) || builder->stop)
		report(builder, position, "aliases expand to more than %u values", YAML_NODES_MAX);
	if (!copy) {
		copy = yaml_node_new(builder->tree, YAML_SCALAR, position);
		copy->value = spec_strdup("");
		copy->wrong = true;
	}
	free(name);
	if (!builder->stop)
		place(builder, copy);
}

static void on_scalar(struct builder *builder, struct fy_event *event)
{
	struct yaml_node *node = yaml_node_new(builder->tree, YAML_SCALAR, event_position(builder, event));
	size_t size;

	node->value = token_text(event->scalar.value, &size);
	node->plain = !event->scalar.value || fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
	if (event->scalar.tag || strlen(node->value) != size)
		node->wrong = true;
	if (strlen(node->value) != size)
		report(builder, node->position, "a NUL character can't stand in a value");
	remember_anchor(builder, event->scalar.anchor, node);
	place(builder, node);
}

static void on_open(struct builder *builder, struct fy_event *event, enum yaml_kind kind, struct fy_token *anchor)
{
	struct spec_position position = event_position(builder, event);
	struct level *level = &builder->levels[builder->n_levels];

	if (builder->n_levels >= YAML_DEPTH_MAX) {
		give_up(builder, position, "nested deeper than %u levels", YAML_DEPTH_MAX);
		return;
	}
	*level = (struct level){ yaml_node_new(builder->tree, kind, position), NULL,
				 remember_anchor(builder, anchor, NULL), fy_event_get_node_style(event) == FYNS_FLOW };
	builder->n_levels++;
}

static void check_duplicates(struct builder *builder, const struct yaml_node *map)
{
	for (uint32_t i = 1; i < map->n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(map->pairs[i].key->value, map->pairs[j].key->value) == 0) {
				report(builder, map->pairs[i].key->position,
				       "duplicate key '%s'; the first is on line %u", map->pairs[i].key->value,
				       map->pairs[j].key->position.line);
				break;
			}
}

/* "<<: *defaults": keys that the map itself does not have are taken from there. */
static void merge_from(struct builder *builder, struct yaml_node *map, const struct yaml_node *from)
{
	if (from->kind == YAML_LIST) {
		for (uint32_t i = 0; i < from->n && from->items[i]->kind == YAML_MAP; i++)
			merge_from(builder, map, from->items[i]);
	} else if (from->kind != YAML_MAP) {
		report(builder, from->position, "'<<' wants a map, found %s", yaml_kind_name(from->kind));
	} else {
		for (uint32_t i = 0; i < from->n && map->n < YAML_PAIRS_MAX; i++)
			if (!yaml_find(map, from->pairs[i].key->value))
				yaml_map_add(map, from->pairs[i].key, from->pairs[i].value);
	}
}

static void on_close(struct builder *builder)
{
	struct level *level = &builder->levels[--builder->n_levels];
	struct yaml_pair *merge;

	if (level->node->kind == YAML_MAP) {
		check_duplicates(builder, level->node);
		merge = yaml_find(level->node, "<<");
		if (merge && merge->key->plain) {
			const struct yaml_node *from = merge->value;

			*merge = level->node->pairs[--level->node->n];
			merge_from(builder, level->node, from);
		}
	}
	if (level->anchor)
		builder->anchors[level->anchor - 1].node = level->node;
	place(builder, level->node);
}

static void check_tag(struct builder *builder, struct fy_event *event, struct fy_token *tag)
{
	if (tag)
		report(builder, event_position(builder, event), "tags such as !name have no meaning in a spec");
}

static void on_event(struct builder *builder, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);

	if (mark)
		builder->last = (struct spec_position){ (uint32_t)mark->line + 1, (uint32_t)mark->column + 1 };
	if (builder->n_documents > 1 && event->type != FYET_DOCUMENT_END && event->type != FYET_DOCUMENT_START) {
		give_up(builder, event_position(builder, event),
			"a second document begins here; a spec is one document");
		return;
	}
	if (builder->tree->n_nodes >= YAML_NODES_MAX) {
		give_up(builder, event_position(builder, event), "more than %u values", YAML_NODES_MAX);
		return;
	}
	switch (event->type) {
	case FYET_DOCUMENT_START:
		builder->n_documents++;
		break;
	case FYET_SCALAR:
		check_tag(builder, event, event->scalar.tag);
		on_scalar(builder, event);
		break;
	case FYET_ALIAS:
		on_alias(builder, event);
		break;
	case FYET_MAPPING_START:
		check_tag(builder, event, event->mapping_start.tag);
		on_open(builder, event, YAML_MAP, event->mapping_start.anchor);
		break;
	case FYET_SEQUENCE_START:
		check_tag(builder, event, event->sequence_start.tag);
		on_open(builder, event, YAML_LIST, event->sequence_start.anchor);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		on_close(builder);
		break;
	default:
		break;
	}
}

/* The innermost list or map in brackets that is open. */
static struct yaml_open open_bracket(const struct builder *builder)
{
	for (size_t i = builder->n_levels; i > 0; i--)
		if (builder->levels[i - 1].in_brackets)
			return (struct yaml_open){ true, builder->levels[i - 1].node->kind == YAML_MAP,
						   builder->levels[i - 1].node->position };
	return (struct yaml_open){ 0 };
}

/* libfyaml's own findings become ours. It says nothing about a %YAML of a version that it does not know. */
static void take_errors(struct builder *builder, struct fy_diag *diag, const char *source, size_t size)
{
	struct yaml_open open = open_bracket(builder);
	struct fy_diag_error *error;
	void *iterator = NULL;
	size_t before = builder->diagnostics->n_errors;

	while ((error = fy_diag_errors_iterate(diag, &iterator)))
		yaml_error_report(builder->diagnostics, source, size, error->msg,
				  (struct spec_position){ (uint32_t)error->line, (uint32_t)error->column }, &open,
				  builder->fixed);
	if (builder->diagnostics->n_errors == before)
		yaml_error_report(builder->diagnostics, source, size, "directive",
				  builder->last.line ? builder->last : (struct spec_position){ 1, 1 }, &open,
				  builder->fixed);
	builder->stop = true;
}

static int build(struct builder *builder, const char *source, size_t size)
{
	struct fy_diag_cfg diag_settings;
	struct fy_parse_cfg settings = { .flags = FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS | FYPCF_JSON_NONE };
	struct fy_parser *parser;
	struct fy_event *event;

	fy_diag_cfg_default(&diag_settings);
	diag_settings.fp = NULL;
	diag_settings.output_fn = drop_output;
	diag_settings.colorize = false;
	settings.diag = fy_diag_create(&diag_settings);
	if (!settings.diag)
		return error_origin(-ENOMEM);
	fy_diag_set_collect_errors(settings.diag, true);
	parser = fy_parser_create(&settings);
	if (!parser || fy_parser_set_string(parser, source, size) != 0) {
		fy_parser_destroy(parser);
		fy_diag_destroy(settings.diag);
		return error_origin(-ENOMEM);
	}
	while (!builder->stop && (event = fy_parser_parse(parser))) {
		on_event(builder, event);
		fy_parser_event_free(parser, event);
	}
	if (!builder->stop && fy_parser_get_stream_error(parser))
		take_errors(builder, settings.diag, source, size);
	fy_parser_destroy(parser);
	fy_diag_destroy(settings.diag);
	return 0;
}

int yaml_parse(const char *source, size_t size, const struct spec_position *fixed, struct diagnostics *diagnostics,
	       struct yaml_tree *ret_tree)
{
	struct builder *builder = spec_alloc(1, sizeof(*builder));
	int r;

	*builder = (struct builder){ .tree = ret_tree, .diagnostics = diagnostics, .fixed = fixed };
	r = build(builder, source, size);
	if (r == 0 && builder->stop)
		r = SPEC_E_INVALID;
	for (size_t i = 0; i < builder->n_anchors; i++)
		free(builder->anchors[i].name);
	free(builder->anchors);
	free(builder);
	return r;
}
