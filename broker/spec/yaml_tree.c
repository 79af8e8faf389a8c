/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/yaml.h"

void yaml_tree_deinit(struct yaml_tree *tree)
{
	for (size_t i = 0; i < tree->n_nodes; i++) {
		free(tree->nodes[i]->value);
		free(tree->nodes[i]->items);
		free(tree->nodes[i]->pairs);
		free(tree->nodes[i]);
	}
	free(tree->nodes);
	*tree = (struct yaml_tree)YAML_TREE_NULL;
}

struct yaml_node *yaml_node_new(struct yaml_tree *tree, enum yaml_kind kind, struct spec_position position)
{
	struct yaml_node *node = spec_alloc(1, sizeof(*node));

	node->kind = kind;
	node->position = position;
	tree->nodes = spec_grow(tree->nodes, tree->n_nodes, sizeof(*tree->nodes));
	tree->nodes[tree->n_nodes++] = node;
	return node;
}

static void raise(struct yaml_node *parent, const struct yaml_node *child)
{
	if (parent->height < child->height + 1)
		parent->height = child->height + 1;
}

void yaml_map_add(struct yaml_node *map, struct yaml_node *key, struct yaml_node *value)
{
	map->pairs = spec_grow(map->pairs, map->n, sizeof(*map->pairs));
	map->pairs[map->n++] = (struct yaml_pair){ key, value };
	raise(map, value);
}

void yaml_list_add(struct yaml_node *list, struct yaml_node *item)
{
	list->items = spec_grow(list->items, list->n, sizeof(struct yaml_node *));
	list->items[list->n++] = item;
	raise(list, item);
}

struct yaml_pair *yaml_find(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->n; i++)
		if (strcmp(map->pairs[i].key->value, key) == 0)
			return &map->pairs[i];
	return NULL;
}

const char *yaml_kind_name(enum yaml_kind kind)
{
	return kind == YAML_MAP ? "a map" : kind == YAML_LIST ? "a list" : "a single value";
}
