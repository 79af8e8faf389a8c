/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/override.h"
#include "broker/spec/source.h"

#define WORD_SIZE 128u

static struct yaml_node *scalar(struct yaml_tree *tree, const char *value, struct spec_position position)
{
	struct yaml_node *node = yaml_node_new(tree, YAML_SCALAR, position);

	node->value = spec_strdup(value);
	return node;
}

/* Lists and maps are written as in the file; everything else is the word itself. NULL: reported. */
static struct yaml_node *value_node(struct yaml_tree *tree, const char *value, struct spec_position position,
				    struct diagnostics *diagnostics)
{
	struct yaml_tree part = YAML_TREE_NULL;
	struct yaml_node *root;
	int r;

	if (value[0] != '[' && value[0] != '{')
		return scalar(tree, value, position);
	r = yaml_parse(value, strlen(value), &position, diagnostics, &part);
	root = r == 0 ? part.root : NULL;
	for (size_t i = 0; i < part.n_nodes; i++) {
		tree->nodes = spec_grow(tree->nodes, tree->n_nodes, sizeof(*tree->nodes));
		tree->nodes[tree->n_nodes++] = part.nodes[i];
	}
	free(part.nodes);
	return root;
}

/* The stage of that name in the list; NULL: reported. */
static struct yaml_node *find_stage(const struct yaml_node *stages, const char *name, struct spec_position position,
				    struct diagnostics *diagnostics)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	struct nearest nearest = NEAREST(name);

	for (uint32_t i = 0; i < stages->n; i++) {
		const struct yaml_pair *pair = yaml_find(stages->items[i], "name");

		if (!pair || pair->value->kind != YAML_SCALAR)
			continue;
		if (strcmp(pair->value->value, name) == 0)
			return stages->items[i];
		nearest_offer(&nearest, pair->value->value);
	}
	diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, nearest_hint(&nearest, &hint),
			"there is no stage '%s'", name);
	return NULL;
}

/* The map in which the last word of the path is a key; maps on the way are made. NULL: reported. */
static struct yaml_node *walk(struct yaml_tree *tree, const char **path, struct spec_position position,
			      struct diagnostics *diagnostics)
{
	struct yaml_node *at = tree->root;
	const char *dot;

	for (; (dot = strchr(*path, '.')); *path = dot + 1) {
		char word[WORD_SIZE];
		struct yaml_pair *pair;

		snprintf(word, sizeof(word), "%.*s", (int)(dot - *path), *path);
		if (at->kind == YAML_LIST) {
			at = find_stage(at, word, position, diagnostics);
			if (!at)
				return NULL;
			continue;
		}
		pair = yaml_find(at, word);
		if (!pair && at->kind == YAML_MAP && strcmp(word, "stages") != 0) {
			struct yaml_node *made = yaml_node_new(tree, YAML_MAP, position);

			yaml_map_add(at, scalar(tree, word, position), made);
			at = made;
			continue;
		}
		if (!pair || pair->value->kind == YAML_SCALAR) {
			diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, NULL,
					"'%s' holds nothing that could be set by name", word);
			return NULL;
		}
		at = pair->value;
	}
	if (at->kind == YAML_MAP)
		return at;
	diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, "stages.NAME.KEY=VALUE",
			"a stage's name and a key are missing in the path");
	return NULL;
}

static void apply(struct yaml_tree *tree, const struct spec_override *override, struct spec_position position,
		  struct diagnostics *diagnostics)
{
	const char *path = override->path;
	struct yaml_node *map, *value;
	struct yaml_pair *pair;

	if (!path[0] || path[0] == '.' || strstr(path, "..") || path[strlen(path) - 1] == '.' ||
	    strlen(path) >= WORD_SIZE) {
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, NULL,
				"expected a path such as deadline or stages.NAME.workers");
		return;
	}
	for (const char *at = override->value; *at; at += source_character(at, strlen(at)))
		if (!source_character(at, strlen(at))) {
			diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, NULL,
					"this is not UTF-8; a spec is UTF-8 text");
			return;
		}
	map = walk(tree, &path, position, diagnostics);
	value = map ? value_node(tree, override->value, position, diagnostics) : NULL;
	if (!value)
		return;
	pair = yaml_find(map, path);
	if (pair)
		*pair = (struct yaml_pair){ scalar(tree, path, position), value };
	else
		yaml_map_add(map, scalar(tree, path, position), value);
}

void overrides_apply(struct yaml_tree *tree, const struct spec_override *overrides, size_t n_overrides,
		     struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < n_overrides; i++) {
		struct text setting = TEXT_NULL;

		text_printf(&setting, "%s=%s", overrides[i].path, overrides[i].value);
		diagnostics->settings = spec_grow(diagnostics->settings, diagnostics->n_settings, sizeof(char *));
		diagnostics->settings[diagnostics->n_settings++] = text_steal(&setting);
		if (tree->root && tree->root->kind == YAML_MAP)
			apply(tree, &overrides[i], (struct spec_position){ 0, (uint32_t)i + 1 }, diagnostics);
	}
}
