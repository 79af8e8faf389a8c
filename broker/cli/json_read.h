/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into the JSON that a running pipeline answers. What is missing, or of another kind, reads as nothing. */
#pragma once

#include <libfyaml.h>
#include <string.h>

/* NULL: not JSON. fy_document_destroy() ends it. */
struct fy_document *json_parse(const char *json);

/* The value of that key; NULL: `map` is no mapping, or has no such key. */
static inline struct fy_node *json_get(struct fy_node *map, const char *key)
{
	return map && fy_node_is_mapping(map) ? fy_node_mapping_lookup_value_by_simple_key(map, key, strlen(key)) :
						NULL;
}

/* The same as a string, which belongs to the document; "": there is none. */
static inline const char *json_string(struct fy_node *map, const char *key)
{
	struct fy_node *node = json_get(map, key);
	const char *value = node && fy_node_is_scalar(node) ? fy_node_get_scalar0(node) : NULL;

	return value ? value : "";
}
