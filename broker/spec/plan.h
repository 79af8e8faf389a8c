/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: a spec that has been checked and worked out to the last lane. Built once, then read only. What the
 * supervisor runs, what `weir check` prices and what `weir graph` draws is this one structure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "common/memory/segment.h"
#include "common/wire/heritage.h"

struct spec_position {
	uint32_t line, column; /* from 1; 0: not from the file */
};

/* What a worker with keyed state keeps in memory of what it has changed: worker/keyed_log.h and the pages of a fold. */
#define PLAN_STATE_MEMORY_BYTES (UINT64_C(96) << 20)

enum plan_order { PLAN_ORDER_NONE = 0, PLAN_ORDER_FIFO = 1, PLAN_ORDER_KEY = 2 };

/* Who is restarted with a worker that has died, as in Erlang/OTP. Numbered as the choices in keys.def. */
enum plan_strategy { PLAN_ONE_FOR_ONE = 0, PLAN_REST_FOR_ONE = 1, PLAN_ONE_FOR_ALL = 2 };
/* After which deaths it is restarted itself. */
enum plan_restart { PLAN_TRANSIENT = 0, PLAN_PERMANENT = 1, PLAN_TEMPORARY = 2 };

/* What each worker of a stage may take of the machine. */
struct plan_resources {
	char *cpus;              /* processors, as common/base/processors.h has them; NULL: all */
	bool has_nice;           /* its priority is: */
	int nice;                /* -20 to 19 */
	uint64_t memory_bytes;   /* most memory of its own; 0: no limit */
	uint64_t cpu_billionths; /* most time, of one processor's; 0: no limit */
};

/* One option of a stage, checked. Same values as travel in the heritage. */
struct plan_stage {
	char *name;
	enum weir_role role;
	char *kind;   /* "file", "exec", ...; a plugin's own name for plugins */
	char *plugin; /* absolute path of the shared object; NULL: built in */
	uint32_t cursor_size_bytes, n_spools;
	bool keeps; /* its cursor and first spool outlive a run in which everything has arrived: the next one goes on with them */
	struct heritage_option *options;
	uint32_t n_options;
	uint32_t workers;         /* 1..64: as many slots, whether somebody sits there or not */
	uint32_t workers_min;     /* how many work at least */
	uint32_t workers_resting; /* ... and seats, the last ones, where nobody sits at first */
	uint64_t target_age_ns;   /* its workers become more while items wait longer; 0: not by themselves */
	uint64_t cool_down_ns;    /* ... and fewer when so long fewer would have done */
	const char *unscalable;   /* why their number can't change while it runs; static; NULL: it can */
	enum plan_order order;
	enum heritage_balance balance;
	char *balance_key; /* EXPR of key(EXPR); NULL: another balance */
	enum heritage_full full;
	bool rendezvous;    /* capacity: 0 */
	bool degrade;       /* on_failure: degrade */
	bool drop_branch;   /* on_failure: drop_branch */
	uint32_t in_flight; /* items that a worker may have begun and not completed; 1: none beside the one in hand */
	uint32_t batch;
	uint64_t lane_bytes;  /* capacity of each input lane */
	uint64_t spool_bytes; /* bound of each spool, for the memory bound */
	uint64_t state_bytes; /* of keyed state that each worker may hold; 0: the stage has none */
	uint32_t attempts;
	char *dead_letter_path; /* NULL: the pipeline's store */
	enum plan_restart restart_type;
	uint32_t restart_intensity; /* deaths without progress allowed ... */
	uint64_t restart_period_ns; /* ... within this */
	uint64_t backoff_min_ns, backoff_max_ns;
	/* At a reload, of the worker that goes first; canary_ns 0: all go at once. */
	uint64_t canary_ns, canary_latency_ns;
	uint64_t canary_errors;     /* billionths of its items */
	uint64_t grace_ns;          /* between the rungs of the ladder */
	uint64_t deadline_ns;       /* for one attempt at an item; 0: none */
	bool keeps_deadline;        /* the stage looks after it itself: the supervisor does not, nor does the worker */
	char *expires;              /* sources: each item's own deadline, common/stage/expiry_rule.h; NULL: none */
	uint64_t admission_ns;      /* sources: for an item to be let in; 0: it waits */
	uint32_t first_slot;        /* slots first_slot .. first_slot + workers - 1 */
	uint32_t *inputs, *outputs; /* edge numbers */
	uint32_t n_inputs, n_outputs;
	uint64_t capabilities; /* bits of capabilities(7) that its workers keep, if weir has them */
	bool sandboxed;        /* its options say in what */
	struct plan_resources resources;
	bool names_outputs;  /* WEIR_STAGE_NAMES_OUTPUTS */
	char **output_names; /* their names, where the stage's kind says them; NULL: its options do */
	uint32_t n_output_names;
	bool has_errors;   /* WEIR_STAGE_ERRORS_OUTPUT ... */
	char *errors_name; /* ... and what that output is called */
	bool forwards;     /* passes items on unchanged (WEIR_STAGE_FORWARDS) and has inputs */
	uint32_t *origins; /* stages whose lanes its items may refer to, each once */
	uint32_t n_origins;
	struct spec_position position; /* of the stage's name */
	struct spec_position kind_position;
};

struct plan_edge {
	uint32_t from, to; /* stages */
	enum heritage_order order;
	bool merge;      /* the consumer takes runs by ticket */
	bool references; /* items may travel as references into the consumer's origins */
	uint64_t run_bytes;
	uint32_t run_records;
	uint64_t run_wait_ns;
	uint64_t names;  /* of the outputs of `from` that it stands for; 0: they have none */
	bool feedback;   /* leads back: `from` is behind `to` */
	uint32_t credit; /* feedback: items that may lie on it, of all producers; else 0 */
	uint64_t lane_bytes;
	uint32_t first_lane;           /* lanes first_lane + producer index * consumers + consumer index */
	struct spec_position position; /* of the `from` word */
};

struct plan_lane {
	uint32_t edge;
	uint32_t producer, consumer; /* slots */
	uint32_t writer_index;       /* in the producer's segment */
	uint32_t reader_index;       /* in the consumer's segment */
	uint64_t off_data;           /* in the producer's segment */
	uint64_t capacity_bytes;
	uint64_t off_hold; /* full: drop-old: in the consumer's segment; else 0 */
};

struct plan_slot {
	uint32_t stage;
	uint32_t worker_index;
	struct segment_geometry geometry;
};

struct plan {
	char *pipeline;
	char *spec_path;
	uint64_t deadline_ns; /* relative: of the run; 0: none */
	uint64_t expires_ns;  /* relative: of each item, from its source on; 0: never */
	uint64_t drain_ns;    /* relative: from the order to drain to the end */
	enum plan_strategy strategy;
	bool unrecorded; /* recorder: off */
	struct plan_stage *stages;
	struct plan_edge *edges;
	struct plan_lane *lanes;
	struct plan_slot *slots;
	uint32_t n_stages, n_edges, n_lanes, n_slots;
	uint64_t
		memory_bound_bytes; /* segments, board and spools, all full, with as many workers as there may be ... */
	uint64_t memory_start_bytes; /* ... and with those that there are at first */
	bool finite;                 /* every source ends by itself */
};

void plan_free(struct plan *plan);

/*
 * Names of the stage's outputs (WEIR_STAGE_NAMES_OUTPUTS): the i-th, as in enum of bits above; NULL: there are no more. Reads the options
 * `routes` and `default`, unless the stage's kind says the names.
 */
const char *plan_output_name(const struct plan_stage *stage, uint32_t i);

static inline bool plan_rests_at_first(const struct plan_stage *stage, uint32_t worker_index)
{
	return worker_index >= stage->workers - stage->workers_resting;
}

/* Workers, of all stages, that there are when it starts. */
uint32_t plan_workers_at_first(const struct plan *plan);

/* The stage of that name, and its number in *ret_number; NULL, and nothing there, if the plan has none. */
const struct plan_stage *plan_find_stage(const struct plan *plan, const char *name, uint32_t *ret_number);

/* Slots of the stage's origins: descriptors that each of its workers inherits for them. */
uint32_t plan_origin_slots(const struct plan *plan, const struct plan_stage *stage);

/* Marks in ret_behind[n_stages] the stages that what `stage` emits can reach, itself not among them. Ways back do not count. */
void plan_downstream(const struct plan *plan, uint32_t stage, bool *ret_behind);

/*
 * The stages of the loop whose head this stage is, itself not among them, in the order in which items pass them: none if it has no
 * feedback input. Returns 0 and the list, which the caller frees (NULL if it is empty), or -ENOMEM.
 */
int plan_loop(const struct plan *plan, uint32_t head, uint32_t **ret_stages, uint32_t *ret_n);

/*
 * Fills what the supervisor hands to the worker of `slot`: everything but file descriptors, token, pid, endpoint and generation.
 * Peers stand in the order of their slot numbers. Owned strings are copies. Returns 0 or -errno; heritage_deinit() frees.
 */
int plan_heritage(const struct plan *plan, uint32_t slot, struct heritage *ret_heritage);
