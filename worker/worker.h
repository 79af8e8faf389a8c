/* SPDX-License-Identifier: Apache-2.0 */
/* One worker process: what it holds, and the nouns that work on it. Single-threaded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "common/base/clock.h"
#include "common/flow/commit.h"
#include "common/flow/extension.h"
#include "common/flow/hold.h"
#include "common/flow/lane.h"
#include "common/memory/board.h"
#include "common/memory/doorbell.h"
#include "common/memory/segment.h"
#include "common/observe/counters.h"
#include "common/observe/ledger.h"
#include "common/observe/recorder.h"
#include "common/observe/worker_state.h"
#include "common/scope/cause.h"
#include "common/stage/host.h"
#include "common/wire/heritage.h"
#include "worker/client.h"
#include "worker/meter.h"
#include "worker/patience.h"
#include "worker/sleeper.h"
#include "worker/spin.h"

/* Another slot that shares a lane with this one. */
struct peer {
	struct segment segment; /* control pages, read-only */
	struct doorbell_peer doorbell;
	bool touched;         /* by this turn: look whether it sleeps */
	uint32_t wake_events; /* ARM_* that this turn brought about */
	uint64_t wake_room_bytes;
};

struct input_lane {
	struct lane_in lane;
	struct peer *peer;
	struct hold hold; /* full: drop-old; else its record is NULL */
	bool touched;     /* something was taken in this turn */
	bool postponed;   /* its first item's time has not come: worker/postpone.h */
	uint64_t noted;   /* done, as the recorder has it */
};

struct input_edge {
	const struct heritage_edge *heritage;
	struct input_lane *lanes;
	uint32_t n_lanes;
	bool plain;       /* items are taken as they come: worker/take.c */
	uint32_t current; /* lane that the next look starts with */
	bool in_run;      /* merge: `current` holds the expected run */
};

struct output_lane {
	struct lane_out lane;
	struct peer *peer;
	bool touched;
	uint64_t mark;                                  /* end of what complete items have built ... */
	uint64_t mark_item;                             /* ... if this is the number of the item now in hand */
	uint64_t hidden_end;                            /* turn_commit_complete(): built end meanwhile */
	uint64_t ordinal, mark_ordinal, hidden_ordinal; /* full: drop-old: records up to built, mark, hidden_end */
	uint64_t noted;                                 /* tail, as the recorder has it */
};

struct output_edge {
	const struct heritage_edge *heritage;
	struct output_lane *lanes;
	uint32_t n_lanes;
	uint32_t n_retired; /* lanes behind those: of slots that were given up, ... */
	uint32_t n_closed;  /* ... and behind those: of slots that nothing is dealt to: worker/dealing.c */
	bool held;          /* nothing is dealt to any, for now */
	uint64_t
		retire_need_bytes; /* of the next record to be moved out of those, for want of room; 0: nothing waits */
	bool plain;                /* the stage may write into its lane: worker/window.c */
	bool closed;               /* by weir_close(): in the step at work, or before */
	uint32_t next;             /* round-robin */
	uint32_t turn_lane;        /* order none: lane of this turn; NO_LANE: not chosen yet */
	uint64_t run_opened_ns;
	uint32_t first_index; /* of its lanes' writers */
	uint32_t run_lane; /* order deal, a run is open: where in `lanes` it goes. The cursor has its place among all */
	uint32_t item_records; /* of the item in hand, not yet counted */
	uint64_t item_bytes;
	uint32_t item_lane;        /* where they went */
	uint32_t item_skipped;     /* of the item in hand: neither in a lane nor waiting, see admission.h */
	uint64_t skipped, said_ns; /* by this process; when that was last said */
	struct key *key;           /* balance: key; else NULL */
	uint32_t key_lane;         /* of the last item that was to be pushed */
	struct credit *credit;     /* feedback: for each lane; NULL: no limit */
};

#define NO_LANE UINT32_MAX

struct in_flight;
struct replay;
struct stamp;
struct decode;
struct encode;
struct keyed;

/* Which callback is running: it decides what weir_emit may do. */
enum phase { PHASE_NONE, PHASE_OPEN, PHASE_PROCESS, PHASE_FINISH, PHASE_PRODUCE, PHASE_FLUSH, PHASE_RUN };

/* What worker/window.c knows of the window in the context. */
struct window {
	bool is_open;
	uint32_t lane;            /* of the one output */
	unsigned char *begin;     /* where the books end */
	unsigned char *item_next; /* where the records of the item in hand begin */
};

/* Room that weir_reserve() has given outside the window. */
struct reserved {
	uint32_t output; /* NO_LANE: none */
	uint32_t lane;   /* NO_LANE: the room is `scratch`, as the payload decides where it goes, or it goes nowhere */
	size_t size_bytes;
	void *scratch; /* owned */
	size_t scratch_bytes;
};

struct watch {
	int fd; /* -1: none */
	short events;
	uint64_t wake_ns; /* 0: none */
};

/* A record that comes next: worker/input.h. */
struct input {
	uint32_t edge, lane;
	struct item_header header;
	const void *payload;
	uint32_t size_bytes;   /* of the payload */
	const void *extension; /* header.flags words; in the lane, before the payload */
};

/* worker/baggage.h */
struct baggage {
	uint32_t n_words;     /* of `now`; 0: what is emitted brings nothing along, and the rest is undefined */
	uint32_t n_brought;   /* words that the item in hand has brought along ... */
	const void *brought;  /* ... in its lane */
	uint64_t scope;       /* ... the scope among them; 0: none */
	uint64_t deadline_ns; /* ... when its run is over; 0: it brings no such thing */
	struct extension now;
	struct extension scratch; /* what a stage has been shown lies here */
};

/* Items that were taken the short way and that the books have still to be told of: worker/take.c. */
struct take {
	struct input_lane *from;
	uint32_t n_left, n_left_told; /* that this look may still take; the same when the books were told last */
	uint32_t n_quiet, n_held;     /* of those between the two: have emitted nothing, are held */
};

/* run(): what the stage does from one receive to the next. */
struct step {
	struct input input; /* the item in hand */
	struct weir_item item;
	bool has_item;
	int fate; /* of the item: WEIR_OK, WEIR_HELD, WEIR_REJECTED */
	int over; /* what every call says from now on: WEIR_CANCELLED, WEIR_FAILED, negative errno; 0: go on */
	uint32_t n_complete; /* steps since the last commit */
	uint32_t batch;      /* ... at which there is another */
	uint64_t closing;    /* outputs that weir_close() closes with this step */
	uint64_t closed;     /* ... has closed, for all that is committed */
	size_t next_case;    /* of a select: the first to be looked at */
	uint32_t n_unpolled; /* selects since its descriptors were looked at */
};
struct loop;

/* worker/group.h */
struct group {
	bool is_open;
	int status;         /* the first that an emit said and that was not 0 */
	uint64_t bytes_out; /* as the counter was, and the ledger, when it began */
	uint64_t ledger[LEDGER_MAX];
	char fault[256]; /* of the last record that can't be decoded; "": none */
};

/* worker/postpone.h */
struct postponed {
	uint64_t asked_ns; /* by the callback at work, of the item in hand; 0: it has not asked */
	uint64_t until_ns; /* the earliest time of all that is postponed; 0: nothing is */
	bool letter;       /* a dead letter that is given again is */
};

/* What worker/attempt.c has said of an item. */
struct attempt {
	uint32_t lane;
	uint64_t position;
	uint64_t deadline_ns; /* 0: nothing */
};

/* worker/recording.h */
struct recording {
	struct recorder recorder;
	uint32_t turns_left, stride; /* until turns are noted; at a time. 0: nothing is recorded */
	bool each_item;              /* items take long: each is noted */
	uint32_t waits_for;          /* as noted before the sleep */
	uint64_t noted_ns;           /* when turns were noted last */
	uint64_t busy_since_ns;      /* the stage has been at work since; 0: unknown */
	uint64_t taken, emitted;     /* of the ledger, as noted */
};

struct worker {
	struct weir_context context; /* first */
	struct heritage heritage;
	struct weir_stage stage;
	void *state; /* the stage's */

	struct segment segment; /* own */
	const struct board *board;
	struct client *client;
	struct peer *peers;
	uint32_t n_peers;
	struct input_edge *inputs;
	uint32_t n_inputs, next_input;
	struct output_edge *outputs;
	uint32_t n_outputs;
	struct loop *loop;         /* this slot is the head of one; NULL: it is not */
	bool ordered;              /* pass run ends on */
	bool deals_runs;           /* some output edge is cut into them */
	bool plain_input;          /* all input edges are plain */
	bool runs_input;           /* one input edge, and it brings runs, which are else plain: worker/take.c */
	bool plain_output;         /* one output edge, and it is plain */
	bool rendezvous;           /* some output edge has capacity: 0 */
	bool handing_over;         /* asleep until the readers of those have committed */
	enum cause unwanted_cause; /* what an item of an input that was left is cancelled for; NONE: it is unwanted */
	enum ledger ledger_done,
		ledger_quiet;    /* what an item is that the stage took and emitted something for, or nothing */
	struct pins *pins;       /* NULL: no output edge carries references */
	struct origins *origins; /* NULL: no input brings any */

	struct in_flight *in_flight; /* NULL: each item ends in its callback */
	struct stamp *stamp;         /* of a source that says `expires`; NULL: nothing is stamped */
	struct decode *decode;       /* of a source that says `decode`; NULL: items are what it emits */
	struct encode *encode;       /* of a sink that says `encode`; NULL: it is given items as they are */

	struct keyed *keyed; /* of a stage with keyed state; NULL: it has none */
	bool keyed_full;     /* ... which has changed so much that the turn ends */

	struct weir_scope *scope; /* worker/scopes.h; made before open() */
	struct weir_coordinator *coordinator;

	struct commit commit;
	struct cursor cursor;                     /* working copy */
	uint8_t cursor_before[CURSOR_STAGE_SIZE]; /* the stage's part as it was before the item in hand */
	struct window window;
	struct take take;
	int asked; /* 1: the callback at work has, for something that may end the short way (worker/take.c) */
	struct reserved reserved;
	uint64_t item_number;             /* counts items, to tell marks apart */
	uint32_t item_emitted;            /* records pushed for the item in hand */
	int emit_refused;                 /* what an emit of the item in hand could not do; 0: all well */
	uint64_t taken_bytes, turn_bytes; /* of lane, by this turn in the general way; a turn's share */
	bool changed;                     /* there is something to commit */
	struct step step;
	uint64_t outputs_ended;   /* of step.closed: those whose lanes say so */
	uint64_t leaving;         /* inputs that a callback wants to leave: into the cursor with the next commit */
	uint32_t n_letters;       /* worker/burial.c: written for what the next commit counts, and not yet durable */
	bool letters_failed;      /* ... one of them could not be kept */
	struct replay *replay;    /* worker/replay.c; NULL: no letter was ever marked for this slot */
	uint32_t replays_seen;    /* of the board: none was left in the store then */
	uint32_t dealings_seen;   /* of the board: by which items are dealt, and what was retired has been moved */
	uint32_t holds_seen;      /* ... by which edges are held */
	bool parted;              /* a source that ends, or was told to: no order to run is acknowledged any more */
	bool retiring, lingering; /* worker/retire.c waits for room, for its readers */
	bool settled;             /* nothing is sent any more, and no lane will ever have to move */
	uint32_t turns_to_left;   /* until the next look whether anybody still listens */
	bool unheard;             /* nobody does, and nobody will */

	enum phase phase;
	bool produce_wanted;
	bool full;            /* an emit of this produce() found no room */
	bool produced;        /* ... and one that belongs to no item went out */
	uint64_t need_bytes;  /* ... for a record of this size */
	uint32_t need_output; /* ... in this edge, or WEIR_ALL_OUTPUTS */
	struct watch watch;
	uint64_t now_ns; /* 0: not looked at in this turn; worker_now_ns() looks */
	uint64_t armed_epoch;
	struct spin spin;
	struct patience patience;
	struct meter meter;
	bool look_further;    /* the next turn looks for items in the general way, too */
	bool spun;            /* it has looked for an item already, before the sleep that comes next ... */
	uint32_t spun_rounds; /* ... so often */
	struct sleeper sleeper;
	uint32_t sleep_ms;     /* bound of the next sleep; 0: none has been yet */
	uint32_t backstop_ms;  /* the least bound of a sleep without any end in sight; 0: a second */
	uint32_t n_processors; /* that this pipeline may run on */
	uint32_t order_seen;   /* board order that has been acknowledged */
	bool overran;          /* the stage has ended attempts itself, which is why it gives items up */
	char reason[1024];     /* of weir_fail() or weir_reject() */

	uint32_t suspect_attempts, suspect_lane; /* from the board; attempts 0: none */
	uint64_t suspect_position;
	uint32_t suspect_asks; /* how often it, or what lies before it, was postponed */
	uint32_t attempt;      /* of the item in hand */
	struct attempt attempt_in_hand;
	struct postponed postponed;
	struct group group;
	bool resting; /* a source in produce() while the pipeline drains: it gives nothing */
	struct {
		uint64_t sequence, since_ns; /* since_ns 0: nothing waits */
	} door;                              /* a source's next item, which finds no room: worker/expiry.c */
	struct {
		uint64_t n, said_ns; /* by this process; when that was last said */
	} expired;
	uint64_t begun_end_ns; /* of the items begun since the last commit, the first end of a run; 0: none ends */

	struct recording recording;
	struct baggage baggage;
	struct weir_scope *item_scope; /* of the item in hand, if the stage has asked for it: worker/scopes.c */
	uint32_t scopes_told;          /* epoch of the board's scopes that the supervisor has been told of */
};

#define worker_of(context_) ((struct worker *)(context_))

static inline void counter_add(struct worker *worker, enum counter counter, uint64_t n)
{
	atomic_u64 *value = &worker->segment.counters->values[counter];

	store_relaxed(value, load_relaxed(value) + n);
}

/* The time of this turn: the clock is read once, and only if somebody asks. */
static inline uint64_t worker_now_ns(struct worker *worker)
{
	if (!worker->now_ns)
		worker->now_ns = clock_now_ns();
	return worker->now_ns;
}

/* What a source emits is accepted now; what an operator makes of items that it held is as old as the last of them. */
static inline uint64_t worker_produced_ns(struct worker *worker)
{
	return worker->stage.role == WEIR_SOURCE || !worker->context.accepted_ns ? worker_now_ns(worker) :
										   worker->context.accepted_ns;
}

static inline bool worker_cancelled(const struct worker *worker)
{
	return board_order_of(worker->board, worker->heritage.slot) >= BOARD_CANCEL;
}

/* Enters a state on the status line; takes the clock, so not per item. */
void worker_set_state(struct worker *worker, enum worker_state state, uint32_t lane);
/* The same for who knows the time. */
void worker_set_state_at(struct worker *worker, enum worker_state state, uint32_t lane, uint64_t now_ns);
