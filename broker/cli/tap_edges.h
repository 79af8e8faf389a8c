/* SPDX-License-Identifier: Apache-2.0 */
/* Which edges somebody means, as they are written everywhere: `read:price`, `split.slow:store`, or a stage, with all edges at it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/observe/catalog.h"
#include "common/base/text.h"

/* Whether the words mean that edge of the catalog; NULL means all. */
bool tap_edge_is_meant(const struct catalog *catalog, uint32_t edge, const char *words);
/* How many they mean. */
uint32_t tap_edges_meant(const struct catalog *catalog, const char *words);
/* Appends "there is no edge 'x'; there are read:price, price:write", with the nearest one first. */
void tap_edges_explain(const struct catalog *catalog, const char *words, struct text *why);
/* Appends "split.slow", or the name of the stage that the edge comes from, if it says no more. */
void tap_edge_from(const struct catalog *catalog, uint32_t edge, struct text *text);
