/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime in a bottle for tests of stages: struct weir_host over memory, with knobs, and with kills.
 *
 * What is committed lies in shared memory and changes with one store, so a test may fork, let the child run the stage, SIGKILL it
 * at any instruction, and go on with what the child had committed. fake_host_kill() does the same within one process.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "common/record/record.h"
#include "common/stage/host.h"
#include "common/wire/heritage.h"
#include "tests/unit/worker/fake_map.h"

#define FAKE_OPTIONS_MAX 16u
#define FAKE_INPUTS_MAX 8u
#define FAKE_SPOOL_COUNT 2u

struct fake_shared;
struct fake_channel;

struct fake_host {
	struct weir_context context; /* first */

	/* knobs: set them between calls */
	uint32_t n_outputs; /* 1; an item is kept once, whatever the number */
	uint64_t output_names[8];
	size_t item_size_max; /* 64 KiB */
	uint64_t room;        /* items that can be emitted before WEIR_FULL; UINT64_MAX: no end */
	uint64_t full_after;  /* room again after each commit; 0: knob not used */
	bool cancelled;
	bool sleepless;         /* weir_wait without descriptors moves now_ns on instead of sleeping */
	uint64_t patience_ns;   /* a weir_wait without a deadline that lasts so long is cancelled; 0: none is */
	uint64_t now_ns;        /* 0: the real clock */
	uint64_t budget_ns;     /* what weir_budget_of() says; 0: there is none */
	uint64_t accepted_ns;   /* of the items given; 0: now */
	bool draining;          /* what weir_draining() says; then nothing can be emitted */
	bool admits_not;        /* no room, and it may not be waited for: WEIR_REJECTED */
	const char *bad_record; /* in a group an item that is this can't be decoded */
	uint32_t worker_index, generation;
	uint64_t run;                             /* 1 */
	const char *run_folder;                   /* /tmp */
	int listen_fd;                            /* -1: none; not closed */
	const char *name;                         /* of the stage; "fake" */
	uint32_t producer;                        /* of the items given: weir_identify() */
	uint32_t attempt;                         /* of the items given */
	uint64_t state_bytes;                     /* of keyed state; 1 MiB */
	enum record_format decode, encode;        /* how records end; nothing is decoded or encoded here */
	char baggage[16];                         /* of the item in hand; "": none */
	bool shows_baggage;                       /* what is emitted becomes "BAGGAGE:DATA" */
	const char *input_names[FAKE_INPUTS_MAX]; /* of the stages that items come from; NULL: no more */
	uint32_t input;                           /* of the items given */
	const char *pair_key;                     /* a pair of the baggage of the item in hand; NULL: none */
	unsigned char pair[64];
	size_t pair_bytes;
	bool never_ran;                                      /* the pipeline does not get so far */
	void (*on_wait)(struct fake_host *host, void *data); /* called at each weir_wait */
	void *on_wait_data;
	struct fake_channel *channel; /* fake_channel_init(): what comes in for run() */

	/* what the stage said */
	char unpacked[16];  /* what is emitted brings along; forgotten before each produce() */
	char set_key[65];   /* of the last weir_baggage_set() with a value ... */
	char unset_key[65]; /* ... and this was taken out of it */
	unsigned char set[64];
	size_t set_bytes;      /* ... and that */
	uint64_t expire_at_ns; /* of the last weir_expire_at() */
	char reason[1024];     /* of weir_fail or weir_reject */
	bool failed;
	uint64_t progress_position, progress_total;
	int watch_fd;
	short watch_events;
	uint64_t watch_wake_ns;
	bool produce_wanted;   /* weir_produce_next() */
	uint64_t postponed_ns; /* weir_postpone() */
	bool left;             /* weir_leave(); a kill does not take it back */
	uint64_t n_waits;
	uint32_t last_output;   /* of the last weir_emit ... */
	uint32_t outputs[1024]; /* ... and of the first items */
	uint64_t place;         /* line of the last weir_place ... */
	uint64_t places[64];    /* ... before each of the first items */
	bool in_group;
	char fault[64];
	uint64_t group_tail, group_items, group_room;

	/* the host's own */
	const struct weir_stage *stage;
	void *state;
	bool producing;
	struct heritage_option options[FAKE_OPTIONS_MAX];
	uint32_t n_options;
	int spool_fds[FAKE_SPOOL_COUNT];
	struct fake_shared *shared;
	uint8_t cursor[WEIR_CURSOR_SIZE_MAX] __attribute__((aligned(8)));
	uint64_t tail, n_items, n_rejected, n_settled, n_taken; /* as built, not yet committed */
	struct fake_map entries, committed; /* keyed state; not for a parent whose child ran the stage */
	char last_rejection[1024];          /* reason of the last weir_accept_rejected */
	uint64_t n_overran;                 /* by weir_overran() */
	uint64_t n_given_up;                /* by weir_give_up() */
	char last_given_up[256];            /* the bytes of the last such call */
	size_t last_rejection_size;         /* payload bytes that came with it */
};

struct fake_item {
	const char *data;
	size_t size_bytes;
};

/* `stage` has callbacks only, as in worker/builtin.h. Everything is zero and endless. */
void fake_host_init(struct fake_host *host, const struct weir_stage *stage);
/* Closes the stage if it is open; frees everything. */
void fake_host_deinit(struct fake_host *host);

/* The option of that name, or NULL. */
const struct heritage_option *fake_host_option(const struct fake_host *host, const char *name);
void fake_host_option_string(struct fake_host *host, const char *name, const char *value);
/* Also for BOOLEAN, SIZE, DURATION, RATE; for CHOICE use the string. */
void fake_host_option_number(struct fake_host *host, const char *name, int64_t value);
/* LIST and COMMAND; `values` ends with NULL and must live on. */
void fake_host_option_list(struct fake_host *host, const char *name, const char *const *values);

/* The callbacks. open() is followed by a commit, as in the worker. */
int fake_host_open(struct fake_host *host);
int fake_host_produce(struct fake_host *host);
int fake_host_process(struct fake_host *host, const void *data, size_t size_bytes);
/* The same, and an item that comes to nothing has changed nothing. */
int fake_host_process_item(struct fake_host *host, const void *data, size_t size_bytes);
int fake_host_end_run(struct fake_host *host);
int fake_host_finish(struct fake_host *host);
int fake_host_flush(struct fake_host *host);
void fake_host_close(struct fake_host *host);
/* Makes everything since the last commit count. */
void fake_host_commit(struct fake_host *host);
/* flush() and, if that went well, commit. Returns what flush() returned. */
int fake_host_turn_end(struct fake_host *host);
/* Source: turns until produce() says something else than WEIR_MORE (waiting for what it watches if wait). Returns that. */
int fake_host_run_source(struct fake_host *host, bool wait);

/* The process is gone: what was not committed never happened; close() is not called. The generation counts up. */
void fake_host_kill(struct fake_host *host);
/* For a parent whose child ran the stage and died: takes up what the child had committed. */
void fake_host_inherit(struct fake_host *host);

/* What was emitted so far, committed or not. */
static inline uint64_t fake_host_items(const struct fake_host *host)
{
	return host->n_items;
}
struct fake_item fake_host_item(const struct fake_host *host, uint64_t index);
/* True if item `index` is this text. */
bool fake_host_item_is(const struct fake_host *host, uint64_t index, const char *text);
/* All items, each followed by a newline, in memory that the caller frees. */
char *fake_host_text(const struct fake_host *host, size_t *ret_size);
