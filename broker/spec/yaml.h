/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML document as a tree of our own, with a place for every word, bounded in depth and size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/spec/spec.h"

#define YAML_DEPTH_MAX 64u
#define YAML_NODES_MAX 200000u /* after aliases have been expanded */
#define YAML_ALIASES_MAX 1000u
#define YAML_PAIRS_MAX 1000u /* keys in one map */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node;
struct yaml_pair {
	struct yaml_node *key; /* always a scalar */
	struct yaml_node *value;
};

struct yaml_node {
	enum yaml_kind kind;
	struct spec_position position;
	bool plain;               /* scalar: written without quotes */
	bool wrong;               /* was reported: nothing more should be said about it */
	char *value;              /* scalar; "" for nothing at all */
	struct yaml_node **items; /* list */
	struct yaml_pair *pairs;  /* map */
	uint32_t n;               /* of items or pairs */
	uint32_t height;          /* levels below */
};

struct yaml_tree {
	struct yaml_node *root;
	struct yaml_node **nodes; /* all of them, for freeing */
	size_t n_nodes;
};
#define YAML_TREE_NULL        \
	{                     \
		NULL, NULL, 0 \
	}

/*
 * Parses one document of size bytes. Aliases are expanded into copies, merge keys (<<) into the map. Reports syntax errors, further
 * documents, duplicate keys, tags, keys that are no words, and everything over a bound. With fixed != NULL every node gets
 * that position. Returns 0 and the tree (complete but for what was reported, so that the rest can be checked too; root
 * NULL for an empty document), or SPEC_E_INVALID if there is no sense in going on. yaml_tree_deinit() frees, in both cases.
 */
int yaml_parse(const char *source, size_t size, const struct spec_position *fixed, struct diagnostics *diagnostics,
	       struct yaml_tree *ret_tree);
void yaml_tree_deinit(struct yaml_tree *tree);
static inline void yaml_tree_deinit_cleanup(struct yaml_tree *tree)
{
	yaml_tree_deinit(tree);
}

/* A new node in the tree. */
struct yaml_node *yaml_node_new(struct yaml_tree *tree, enum yaml_kind kind, struct spec_position position);
void yaml_map_add(struct yaml_node *map, struct yaml_node *key, struct yaml_node *value);
void yaml_list_add(struct yaml_node *list, struct yaml_node *item);

/* The pair with that key; NULL if map is no map (or NULL) or has none. */
struct yaml_pair *yaml_find(const struct yaml_node *map, const char *key);
/* "a map", "a list", "a single value": for messages. */
const char *yaml_kind_name(enum yaml_kind kind);
/* True for a value that is not there: "key:" with nothing behind it. */
static inline bool yaml_is_nothing(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->plain && !node->value[0];
}
