/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor tells observers of its plan: one sealed memfd (the catalog), and the packets of the door that hand it out. Writer of
 * every byte: the supervisor, before anybody has the descriptor. Nothing in it ever changes; another plan has another catalog.
 *
 *   head     counts; where everything lies
 *   stages[] edges[] lanes[] slots[]
 *   strings  each ends with NUL, the first one is ""; others name them by where they begin
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "common/memory/segment.h"

#define CATALOG_MAGIC UINT64_C(0x474f4c5441435257) /* "WRCATLOG" */
#define CATALOG_VERSION 2u
#define CATALOG_STAGES_MAX 4096u
#define CATALOG_EDGES_MAX (1u << 20)
#define CATALOG_LANES_MAX (1u << 24)

struct catalog_head {
	uint64_t magic;
	uint32_t version;
	uint32_t generation; /* of the plan: 1, and one more with each reload */
	uint64_t size_bytes; /* of all of it */
	uint32_t n_stages, n_edges, n_lanes, n_slots;
	uint32_t strings_bytes;
	uint32_t geometry_bytes; /* sizeof(struct segment_geometry) of who wrote it */
	uint32_t pipeline, spec; /* strings: its name, the path of its spec */
	int32_t pid;             /* of the supervisor */
	uint32_t reserved;
};

struct catalog_stage {
	uint32_t name, kind; /* strings */
	uint32_t role;       /* enum weir_role */
	uint32_t workers, first_slot;
	uint32_t in_flight, batch;
	uint32_t order;       /* enum plan_order */
	uint64_t deadline_ns; /* for one attempt at an item; 0: none */
	uint32_t balance;     /* enum heritage_balance: how items are dealt to its workers */
	uint32_t rendezvous;  /* 1: capacity: 0 */
};

struct catalog_edge {
	uint32_t from, to;   /* stages */
	uint32_t first_lane; /* lanes first_lane + producer's index * consumers + consumer's index */
	uint32_t full;       /* enum heritage_full of the consumer */
	uint32_t feedback;   /* 1: it leads back */
	uint32_t credit;     /* feedback: items that may lie on it; else 0 */
	uint64_t lane_bytes;
	uint32_t
		outputs; /* string: the names of the outputs of `from` that it stands for, "slow,rest"; "": they have none */
	uint32_t reserved;
};

struct catalog_lane {
	uint32_t edge;
	uint32_t producer, consumer; /* slots */
	uint32_t writer_index;       /* in the producer's segment */
	uint32_t reader_index;       /* in the consumer's segment */
	uint32_t ordinals;           /* 1: full: drop-old: its words of records count */
	uint64_t off_data;           /* in the producer's segment */
	uint64_t capacity_bytes;
};

struct catalog_slot {
	uint32_t stage, worker_index;
	struct segment_geometry geometry;
};

static_assert(sizeof(struct catalog_head) == 64 && offsetof(struct catalog_head, size_bytes) == 16 &&
		      offsetof(struct catalog_head, strings_bytes) == 40,
	      "layout");
static_assert(sizeof(struct catalog_stage) == 48 && sizeof(struct catalog_edge) == 40 &&
		      offsetof(struct catalog_edge, outputs) == 32,
	      "layout");
static_assert(sizeof(struct catalog_lane) == 40 && offsetof(struct catalog_lane, off_data) == 24, "layout");
static_assert(sizeof(struct catalog_slot) % 8 == 0, "layout");

/*
 * The door speaks first, and alone: BEGIN, then SEGMENTS until there is one for each slot; later REPLANNED, ENDED. Magic, version,
 * kind, both layouts and `weir` stay where they are in every version, so that each side can say what the other is.
 */
#define DOOR_MAGIC UINT64_C(0x524f4f4442535257) /* "WRSBDOOR" */
#define DOOR_VERSION 1u
#define DOOR_FDS_MAX 250u /* of one packet; the kernel takes 253 */

enum door_kind {
	DOOR_BEGIN = 1,     /* descriptors: catalog, board */
	DOOR_SEGMENTS = 2,  /* the segments of the slots from first_slot on */
	DOOR_REPLANNED = 3, /* another plan is in force, with the same slots and lanes: its catalog */
	DOOR_ENDED = 4,     /* the run is over */
	DOOR_FULL = 5,      /* there are as many observers as there may be: nothing follows */
};

struct door_packet {
	uint64_t magic;
	uint32_t version;
	uint32_t kind;           /* enum door_kind */
	uint32_t segment_layout; /* SEGMENT_LAYOUT_VERSION, BOARD_LAYOUT_VERSION of who speaks */
	uint32_t board_layout;
	char weir[32]; /* its version, for people */
	uint32_t generation;
	uint32_t n_slots;
	uint32_t first_slot;
	uint32_t n_fds;
};
static_assert(sizeof(struct door_packet) == 72 && offsetof(struct door_packet, weir) == 24, "layout");
