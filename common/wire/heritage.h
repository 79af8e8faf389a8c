/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker inherits: one document in a sealed memfd, and file descriptors by number. Everything that a worker knows about
 * its place in the pipeline stands here; nothing comes by name or through the environment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HERITAGE_VERSION 10u
#define HERITAGE_FD 3 /* where the document is found; argv[1] of weir-worker names it again */
#define HERITAGE_TOKEN_SIZE 16u
#define HERITAGE_IN_FLIGHT_MAX 4096u

enum heritage_value_type { HERITAGE_NUMBER = 1, HERITAGE_STRING = 2, HERITAGE_LIST = 3 };

/* An option that was given or defaulted, already checked and in base units. */
struct heritage_option {
	char *name;
	uint32_t type; /* enum heritage_value_type */
	int64_t number;
	char *string;
	char **list; /* NULL-terminated; COMMAND given as a string: {"sh", "-c", string} */
	uint32_t n_list;
	uint32_t line, column; /* in the spec; 0: a default */
};

/* Another slot that shares a lane with this one. */
struct heritage_peer {
	uint32_t slot;
	int32_t segment_fd; /* read-only */
	int32_t doorbell_fd;
	uint64_t segment_size;
	uint32_t n_readers, n_writers;
	uint64_t off_readers, off_writers, off_record, off_data, control_size;
	uint64_t off_done_bits; /* 0: none */
};

struct heritage_lane {
	uint32_t peer;       /* index into peers */
	uint32_t own_index;  /* writer index (outputs) or reader index (inputs) in the own segment */
	uint32_t peer_index; /* reader index (outputs) or writer index (inputs) in the peer's segment */
	uint64_t off_data;   /* in the producer's segment */
	uint64_t capacity_bytes;
	uint64_t off_hold; /* inputs, full: drop-old: where the record in work lies, in the own segment; else 0 */
};

/* One output lane of an origin. */
struct heritage_origin_lane {
	uint64_t off_data; /* in the origin's segment */
	uint64_t capacity_bytes;
};

/* A slot upstream whose lanes hold payloads that items of this worker may refer to. */
struct heritage_origin {
	uint32_t slot;
	int32_t segment_fd; /* read-only; stays open: lanes are mapped when the first reference into them comes */
	uint64_t segment_size, off_data;
	struct heritage_origin_lane *lanes; /* by writer index: all of the slot's */
	uint32_t n_lanes;
};

/* A lane of the loop whose head this slot is, its own lanes too. */
#define HERITAGE_SELF UINT32_MAX
struct heritage_loop_lane {
	uint32_t producer, consumer; /* index into peers, or HERITAGE_SELF */
	uint32_t writer_index, reader_index;
	uint64_t capacity_bytes;
};

/* How runs (contiguous pieces of the stream) travel over an edge. */
enum heritage_order {
	HERITAGE_ORDER_NONE = 0, /* items are dealt out as they come */
	HERITAGE_ORDER_DEAL = 1, /* this producer cuts the stream into numbered runs, each for one lane */
	HERITAGE_ORDER_KEEP = 2, /* this producer passes on the runs' numbers; lane = ticket modulo lanes */
};
enum heritage_balance { HERITAGE_LEAST_LOADED = 0, HERITAGE_ROUND_ROBIN = 1, HERITAGE_BALANCE_KEY = 2 };

/* What becomes of an item that finds its lane full. */
enum heritage_full {
	HERITAGE_FULL_BLOCK = 0,    /* the producer waits */
	HERITAGE_FULL_REJECT = 1,   /* it is refused: counted, and kept as a dead letter */
	HERITAGE_FULL_DROP_NEW = 2, /* it is dropped, counted */
	HERITAGE_FULL_DROP_OLD = 3, /* the oldest one that waits is dropped for it, counted */
};

struct heritage_edge {
	char *peer_stage; /* name of the stage at the other end */
	uint32_t order;   /* enum heritage_order */
	uint32_t balance; /* enum heritage_balance; outputs */
	uint32_t full;    /* enum heritage_full */
	uint32_t credit;  /* feedback: items of one producer that may lie on the edge, over all its lanes; else 0 */
	bool rendezvous;  /* the producer goes on when the consumer has committed what it was sent */
	bool feedback;    /* leads back to a stage before the producer */
	bool movable; /* outputs: a slot of the consumer may be retired, and what lies in its lane moves to the others */
	char *balance_key;  /* HERITAGE_BALANCE_KEY: EXPR of key(EXPR), see common/stage/key_expression.h; else NULL */
	uint64_t run_bytes; /* outputs, DEAL: a run ends at so many payload bytes; 0: with the turn */
	uint32_t run_records; /* outputs, DEAL: ... or so many items; 0: no limit */
	uint64_t run_wait_ns; /* outputs, DEAL: ... or when it has been open so long; 0: no limit */
	bool merge;           /* inputs: take runs in the order of their tickets, first_ticket, + ticket_step, ... */
	bool references;      /* items may come, or go, as references into lanes of the readers' origins */
	uint64_t first_ticket, ticket_step;
	uint64_t names; /* outputs with names: bit i: it is read by the i-th; else 0 */
	struct heritage_lane *lanes;
	uint32_t n_lanes;
};

/* A worker that died with the present suspect in hand. */
#define HERITAGE_DEATHS_MAX 100u /* as many as `attempts` may be */
struct heritage_death {
	uint64_t when_ns; /* CLOCK_REALTIME */
	int32_t pid;
	uint32_t generation;
	char *how;    /* "was killed by SIGSEGV" */
	bool overrun; /* because the item had overrun its deadline */
};

struct heritage {
	char *pipeline, *stage, *kind;
	char *plugin;  /* path of the shared object; NULL: built in */
	char *spec;    /* path of the spec, for messages */
	uint32_t role; /* enum weir_role */
	uint32_t slot; /* number in the pipeline */
	uint32_t worker_index, n_workers;
	uint32_t n_slots; /* in the pipeline: size of the board */
	uint32_t generation;
	int32_t supervisor_pid;
	uint8_t token[HERITAGE_TOKEN_SIZE];
	char *control_endpoint; /* ipc://... */
	int32_t segment_fd;     /* own, read-write; the worker closes it after mapping */
	int32_t board_fd;       /* read-only */
	int32_t doorbell_fd;    /* own */
	int32_t lifeline_fd;    /* end of file: the supervisor is gone */
	int32_t cancel_fd;      /* eventfd, readable once this slot is to cancel; nobody reads it */
	int32_t scopes_fd;      /* eventfd, readable when scopes of items have been cancelled; -1: none */
	int32_t spool_fds[2];   /* -1: none */
	int32_t state_fd;       /* memory of a stage with keyed state, which outlives the worker; -1: none */
	int32_t socket_fd;      /* listening socket that weir was started with for this stage; -1: none */
	uint64_t segment_size;
	uint32_t n_readers, n_writers;
	uint64_t off_readers, off_writers, off_record, off_data, control_size;
	uint64_t off_done_bits;  /* 0: none, and in_flight is 1 */
	bool ordered;            /* several workers, order: fifo: run ends are passed on */
	bool forwards;           /* the readers of its outputs have its inputs' lanes among their origins */
	bool stands_in;          /* its stage has failed for good, on_failure: drop_branch: this worker discards */
	uint32_t batch;          /* items a turn takes at most */
	uint32_t in_flight;      /* items that may be begun and not completed, 1..HERITAGE_IN_FLIGHT_MAX */
	uint64_t deadline_ns;    /* for one attempt at an item, relative; 0: none */
	uint64_t expires_ns;     /* for an item, from its source on, relative; 0: never */
	char *expires;           /* sources: each item's own deadline, see common/stage/expiry_rule.h; NULL: none */
	uint64_t admission_ns;   /* sources: for an item that finds no room, relative; 0: it waits */
	uint32_t attempts;       /* workers that an item may cost before it is given up */
	char *dead_letter_path;  /* file that given-up and rejected items are appended to; NULL: the store takes them */
	char *dead_letter_store; /* folder of the pipeline's store; NULL: the file takes them */
	char *state_path;        /* folder of this slot's keyed state; NULL: none */
	uint64_t state_bytes;    /* most that it may hold */
	uint64_t run;            /* CLOCK_REALTIME of the run's start, in ns */
	struct heritage_death *deaths; /* of the item that the slot suspects */
	uint32_t n_deaths;
	struct heritage_option *options;
	uint32_t n_options;
	struct heritage_peer *peers;
	uint32_t n_peers;
	struct heritage_origin *origins; /* in the order of their slot numbers */
	uint32_t n_origins;
	struct heritage_edge *inputs, *outputs;
	uint32_t n_inputs, n_outputs;
	struct heritage_loop_lane
		*loop_lanes; /* head of a loop: in the order in which items go round, the ways back last */
	uint32_t n_loop_lanes;
};

/* What `weir-worker --check` is asked: do these options make sense to a stage of this kind? */
struct heritage_question {
	char *kind;
	char *plugin;  /* path of the shared object; NULL: built in */
	uint32_t role; /* enum weir_role */
	struct heritage_option *options;
	uint32_t n_options;
};

/* Supervisor: writes the document into a new sealed memfd. Returns 0 and the fd (the caller's), or -errno. */
int heritage_write(const struct heritage *heritage, int *ret_fd);

/*
 * The document's bytes, to be compared with others: they need not make sense, descriptors may be missing. Returns 0 and
 * bytes that the caller frees, or -errno.
 */
int heritage_bytes(const struct heritage *heritage, char **ret_bytes, size_t *ret_size_bytes);

enum { HERITAGE_E_BAD = 1 }; /* another version, truncated, or senseless */

/* Worker: reads and checks the document. Returns 0; HERITAGE_E_BAD; -errno. heritage_deinit() frees all of it. */
int heritage_read(int fd, struct heritage *ret_heritage);
void heritage_deinit(struct heritage *heritage);

/* The same of a question, which any process that reads a spec asks. */
int heritage_question_write(const struct heritage_question *question, int *ret_fd);
int heritage_question_read(int fd, struct heritage_question *ret_question);
void heritage_question_deinit(struct heritage_question *question);
