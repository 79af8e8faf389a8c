/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the steps from the tree to the plan share (own folder only). Each step reports all that it finds and goes on with what
 * makes sense; a stage whose kind is unknown takes no part in the checks that would only repeat that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/spec/keys.h"
#include "broker/spec/spec.h"
#include "broker/spec/yaml.h"
#include "common/stage/describe.h"

#define STAGES_MAX 4096u
#define SLOTS_MAX 4096u /* the board's */
#define LANES_MAX 65536u
#define FEEDBACK_MAX 64u /* edges that lead back, in a pipeline */
#define INPUTS_MAX 16u   /* edges into, and out of, one stage: the cursor's */

/* One value as it was read. Strings belong to the reading until they are moved into the plan. */
struct spec_value {
	const struct yaml_node *key, *node; /* NULL: not in the file */
	struct heritage_option option;      /* name NULL: no value, not even a default */
	bool wrong;                         /* was reported */
};

/* One edge that a stage asks for. */
struct reading_input {
	uint32_t from;   /* stage */
	uint32_t credit; /* of a feedback edge; 0: none */
	uint64_t names;  /* of outputs that have some */
	struct spec_position position;
};

struct stage_reading {
	const struct yaml_node *map;
	struct spec_value values[KEYS_MAX];    /* by STAGE_KEY_* */
	const struct weir_stage *descriptor;   /* NULL: the kind is unknown, which was reported */
	struct stage_description *description; /* of a plugin; owned */
	const struct yaml_node *kind_node;
	struct reading_input *inputs;
	uint32_t n_inputs;
	bool inputs_wrong;       /* an input is missing that was asked for, reported */
	bool options_wrong;      /* of its kind; reported */
	uint64_t names_consumed; /* of its outputs */
	bool consumed;           /* somebody reads from it, or probably meant to */
};

struct reading {
	struct diagnostics *diagnostics;
	struct plan *plan; /* stages[i] belongs to stages[i] below */
	const struct yaml_node *root;
	bool sandbox_wrong;        /* of the top; reported */
	struct plan_stage restart; /* only its restart fields: what the top of the file says */
	struct stage_reading *stages;
	uint32_t n_stages;
};

#define reading_error(reading_, position_, hint_, ...) \
	diagnostics_add((reading_)->diagnostics, DIAGNOSTIC_ERROR, (position_), (hint_), __VA_ARGS__)
#define reading_warning(reading_, position_, hint_, ...) \
	diagnostics_add((reading_)->diagnostics, DIAGNOSTIC_WARNING, (position_), (hint_), __VA_ARGS__)

/* values.c */
/* Whether it is a name, as of stages; false and the end of a sentence that begins with it, if why is no NULL. */
bool name_check(const char *value, struct text *why);
/* Reads one value by its option. Returns true and the value, or false when it was reported as wrong. */
bool value_read(struct reading *reading, const struct weir_option *option, const struct yaml_node *node,
		struct heritage_option *ret);
/* The default; false if the option has none. */
bool value_default(const struct weir_option *option, struct heritage_option *ret);
void value_deinit(struct heritage_option *option);
/*
 * Reads a map by its table into values[table->n]: types, defaults, missing keys. Keys that are not in the table are reported, with
 * their nearest, and missing ones, unless leave_unknown: then both are the caller's business. where: what the map belongs to, for
 * messages ("stage 'a'"); NULL: the table's owner.
 */
void values_read(struct reading *reading, const struct key_table *table, const struct yaml_node *map, const char *where,
		 bool leave_unknown, struct spec_value *values);
void values_deinit(struct spec_value *values, size_t n);
/* The number of a value, or otherwise if there is none. */
int64_t value_number(const struct spec_value *value, int64_t otherwise);
/* Where a value stands; the place of `otherwise` when it is a default. */
struct spec_position value_position(const struct spec_value *value, struct spec_position otherwise);

/* pipeline.c: the top of the file, and all stages through stage.c. */
void reading_pipeline(struct reading *reading);
/* stage.c: one stage's map: its keys, its kind, its kind's options. defaults: the top's values. */
void reading_stage(struct reading *reading, uint32_t index, const struct spec_value *top);
/* restart: keys of the map under `value`, over those of `base` (NULL: the table's defaults). */
void reading_restart(struct reading *reading, const struct spec_value *value, const struct plan_stage *base,
		     struct plan_stage *ret);
/* workers.c: how many there may be, are at first, and can't be fewer than. */
void reading_workers(struct reading *reading, const struct spec_value *value, struct plan_stage *planned);
/* workers.c: whose number can't change while the pipeline runs, and why. After the lanes are laid out. */
void reading_scale_rules(struct reading *reading);
/* canary_keys.c: `canary` of a stage into the plan; the stage's role is known. */
void reading_canary(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned);
/* record_keys.c: `decode` and `encode` of a stage, into options of the plan. */
void reading_records(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned);
/* resource_keys.c: `resources` of a stage into the plan; what it puts aside is known. */
void reading_resources(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned);
/* sandbox_keys.c: `sandbox` of the top: whether it makes sense, once for all stages. */
void reading_sandbox_of_all(struct reading *reading, const struct spec_value *value);
/* sandbox_keys.c: `sandbox` of a stage, or of the top where the stage says nothing, into options of the plan. */
void reading_sandbox(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned,
		     const struct spec_value *top);
/* record_rules.c: who may decode and encode, and who would read items that are not for it. After the edges are known. */
void reading_record_rules(struct reading *reading);
/* outputs.c: the names that the stage's kind says, into the plan. */
void reading_outputs(struct plan_stage *planned, const char *words);
/* outputs.c: outputs with names. Which one a word behind the dot means: its bit; 0 and a message: none. */
uint64_t reading_output_named(struct reading *reading, uint32_t from, const char *name, struct spec_position position);
/* All that the stage has. */
uint64_t reading_output_all(const struct reading *reading, uint32_t from);
/* "split.errors, split.rest" */
void reading_output_list(const struct reading *reading, uint32_t from, struct text *text);
/* Those that nobody reads from. */
void reading_check_names_consumed(struct reading *reading);
/* connect.c: `from` into inputs; unknown, self, sinks, cycles, unconsumed outputs. */
void reading_connect(struct reading *reading);
/* feedback.c: edges that lead back: that each closes a cycle, and what can't lie on one. */
void reading_feedback(struct reading *reading);
/* rules.c: what concerns more than one value: order, workers, files, programs. */
void reading_rules(struct reading *reading);
/* exec_rules.c: an exec stage's program, mode and surroundings. Part of reading_rules(). */
void reading_exec_rules(struct reading *reading, uint32_t index);
/* Is it an exec stage in frame mode? */
bool plan_is_frame(const struct plan_stage *stage);
/* admission_rules.c: which of order, balance, full, capacity, in_flight and on_failure go together. Part of reading_rules(). */
void reading_admission_rules(struct reading *reading, uint32_t index);
/* deadline_rules.c: deadlines that could never come. */
void reading_deadline_rules(struct reading *reading, uint32_t index);
/* state_rules.c: who may remember what. */
void reading_state_rules(struct reading *reading, uint32_t index);
/* Whether it has keyed state. The stage has a descriptor. */
bool reading_keeps_state(const struct stage_reading *stage);
/* mark_rules.c: where what a gather joins, or a breaker hears, comes from. */
void reading_mark_rules(struct reading *reading, uint32_t index);
/* question.c: what the stage itself says of its options. Asks a child; 15 s at most. */
void reading_ask_stage(struct reading *reading, uint32_t index);
/* table_rules.c: who may write a table. */
void reading_table_rules(struct reading *reading, uint32_t index);
/* privilege_rules.c: which capabilities the workers of a stage need for what it is told to do. */
void reading_privilege_rules(struct reading *reading, uint32_t index);
/* credential_rules.c: where a secret may stand. */
void reading_credential_rules(struct reading *reading, uint32_t index);
/* file_rules.c, socket_rules.c: what the options of one source or sink mean together. */
void reading_file_rules(struct reading *reading, uint32_t index);
void reading_socket_rules(struct reading *reading, uint32_t index);
/* layout.c: slots, edges, lanes, geometry, memory bound. Nothing but limits can be wrong any more. */
void reading_lay_out(struct reading *reading);
/* Most that all spools of one worker can hold. */
uint64_t plan_spools_bytes(const struct plan_stage *stage);
/* origins.c: which edges carry references, and whose lanes their consumers then have to map. After the edges are laid. */
void plan_find_origins(struct plan *plan);

/* One more option of the stage, which takes over what belongs to it. */
void plan_add_option(struct plan_stage *planned, struct heritage_option *option);
/* The stage's option of that name in the plan; NULL if it has none. */
const struct heritage_option *plan_option(const struct plan_stage *stage, const char *name);
