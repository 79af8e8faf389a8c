/* SPDX-License-Identifier: Apache-2.0 */
/* A plan and two views of it a second apart, made by hand: 100 looks at each worker, and whatever a test says of them. */
#pragma once

#include <weir/stage.h>

#include "broker/observe/pace.h"

#define MADE_MAX 64u
#define MADE_LOOKS 100u
#define MADE_LANE_BYTES 65536u

struct made {
	struct catalog catalog;
	struct catalog_head head;
	struct catalog_stage stages[MADE_MAX];
	struct catalog_edge edges[MADE_MAX];
	struct catalog_lane lanes[MADE_MAX];
	struct catalog_slot slots[MADE_MAX];
	char strings[4096];
	struct pace_view before, after;
	struct pace_finding findings[PACE_FINDINGS_MAX];
	size_t n_findings;
};

void made_init(struct made *made);
/* Both return its number. All stages come first, then all edges, then made_views(). */
uint32_t made_stage(struct made *made, const char *name, const char *kind, enum weir_role role, uint32_t workers);
uint32_t made_edge(struct made *made, uint32_t from, uint32_t to);
void made_views(struct made *made);
void made_deinit(struct made *made);

struct pace_worker *made_worker(struct made *made, uint32_t stage, uint32_t index);
struct pace_lane *made_lane(struct made *made, uint32_t edge, uint32_t producer, uint32_t consumer);
/* So many of the looks have found it doing that instead of wanting an item. */
void made_does(struct made *made, uint32_t stage, uint32_t index, enum pace_doing doing, uint32_t percent);
/* ... waiting for room in that lane. */
void made_wants_room(struct made *made, uint32_t edge, uint32_t producer, uint32_t consumer, uint32_t percent);
/* It was through with so many items, and each took it so long. */
void made_items(struct made *made, uint32_t stage, uint32_t index, uint64_t n, uint64_t each_ns);
void made_event(struct made *made, enum pace_event_kind kind, uint32_t stage, int64_t ago_ms, uint64_t number);

/* Asks. */
void made_find(struct made *made);
/* There is one finding, of that kind, at that stage; returns it. */
const struct pace_finding *made_one(struct made *made, enum pace_kind kind, uint32_t stage);
/* ... the first of several. */
const struct pace_finding *made_first(struct made *made, enum pace_kind kind, uint32_t stage);

/* read -> work (so many workers) -> out */
enum { READ, WORK, OUT };
enum { READ_WORK, WORK_OUT };
void made_line(struct made *made, const char *kind, uint32_t workers);

/* The test fails unless these words are in the finding's sentence. */
void made_words(const struct made *made, const struct pace_finding *finding, const char *words);
