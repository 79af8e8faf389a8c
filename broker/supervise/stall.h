/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for whom, and who is to blame. Pure: what was seen and the time come as arguments. stall_history.c compares two looks, stall.c
 * is the graph, stall_report.c puts findings into words.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STALL_NONE UINT32_MAX /* no such worker, no lane in particular */
#define STALL_CHAIN_MAX 16u
#define STALL_FINDINGS_MAX 16u

/* How long nothing may move before it is worth a word. A deadlock or a stopped process is certain as soon as two looks agree. */
#define STALL_CERTAIN_NS UINT64_C(1000000000)
#define STALL_STOPPED_NS UINT64_C(500000000) /* one look at a worker that somebody stops for a moment says nothing */
#define STALL_PATIENCE_NS UINT64_C(5000000000)
#define STALL_PATIENCE_MAX_NS (120 * STALL_PATIENCE_NS)
#define STALL_PATIENCE_GROWTH 4u
#define STALL_LATE_NS UINT64_C(1000000000) /* the looker itself got no processor, or was stopped */

/* ---- what never changes ---- */

struct stall_seat {
	const char *stage; /* owned by the plan */
	uint32_t index;    /* in its stage */
	bool source;
};
struct stall_lane {
	uint32_t producer, consumer; /* workers */
	uint32_t edge;
	uint64_t capacity_bytes;
};
struct stall_topology {
	uint32_t n_workers, n_lanes;
	struct stall_seat *seats;
	struct stall_lane *lanes;
	uint32_t *out_first, *out; /* lanes that worker w writes: out[out_first[w]] ... out[out_first[w + 1] - 1] */
	uint32_t *in_first, *in;   /* ... and reads */
};

/* Copies both lists. */
void stall_topology_init(struct stall_topology *topology, const struct stall_seat *seats, uint32_t n_workers,
			 const struct stall_lane *lanes, uint32_t n_lanes);
void stall_topology_deinit(struct stall_topology *topology);

/* ---- what was seen at one time ---- */

enum stall_doing {
	STALL_OVER,    /* has ended, or nobody will ever sit there again */
	STALL_ABSENT,  /* between two generations */
	STALL_OPENING, /* not ready yet */
	STALL_BUSY,
	STALL_WAITS, /* asleep in weir; waits_for says for what */
};

/* It was told to end, or has said goodbye, and is still there. That is no stall as long as it has its grace: its end has a time. */
struct stall_ending {
	uint64_t since_ns;       /* 0: it is not being ended */
	uint64_t next_ns;        /* when that comes: */
	const char *next;        /* "SIGTERM", "SIGKILL", "left behind"; static */
	uint64_t signalled_ns;   /* when that was sent: */
	const char *signal;      /* NULL: it still has its grace; static */
	const char *who, *cause; /* who: "": nobody in particular; borrowed */
	bool late, says_goodbye; /* else it was told by a cancel */
	uint32_t n_held_back;    /* workers that come back only when it has ended */
};

struct stall_worker {
	enum stall_doing doing;
	uint32_t waits_for;    /* WAIT_FOR_* */
	uint32_t lane;         /* ... in the topology; STALL_NONE: none in particular */
	uint32_t store_holder; /* WAIT_FOR_STORE: the worker whose turn it is; STALL_NONE: none of this pipeline */
	pid_t store_pid;       /* ... its process; 0: it has just ended */
	bool asked_to_end;     /* a source that should take nothing more in */
	bool held_back;        /* ABSENT until others have ended */
	struct stall_ending ending;
	pid_t pid;
	uint32_t generation;
	uint64_t since_ns; /* it is doing that */
	uint64_t moved;    /* a digest of all that changes when its work goes on */
	uint64_t n_pending, n_held;
	bool has_hand; /* an item is in hand: */
	uint32_t hand_lane;
	uint64_t hand_position, hand_sequence;
	/* By the kernel's word; asked only for who does not move. */
	char kernel;         /* 'R', 'S', 'D', 'T'; 0: not known */
	uint64_t starved_ns; /* it was ready to run and got no processor, all told */
	/* Asked only for culprits. */
	char where[32]; /* the kernel's function that it sleeps in; "": not known */
	pid_t program;  /* its first child; 0: none */
	char program_kernel, program_name[64];
};
struct stall_level {
	uint64_t tail, done, free;
	bool closed;
};
struct stall_snapshot {
	struct stall_worker *workers; /* topology->n_workers */
	struct stall_level *levels;   /* topology->n_lanes */
};

/* ---- what is remembered from look to look ---- */

struct stall_history {
	bool known;
	uint32_t generation;
	uint64_t moved;
	uint64_t still_ns;   /* since when nothing of it has moved */
	uint64_t starved_ns; /* ... as it was when the kernel was first asked since then */
	bool starved_known;
	uint32_t n_looks;    /* that have found it so */
	bool had_work;       /* at the last look */
	bool was_working;    /* at the last look: a pause of its own, not one that others or a signal have caused */
	uint64_t longest_ns; /* pause in its work that ended by itself */
	uint64_t stopped_ns; /* since when each look has found it stopped by a signal; 0: the last one has not */
};

/* Compares with the last look, at last_ns (0: there was none). histories: topology->n_workers. */
void stall_remember(const struct stall_topology *topology, struct stall_history *histories,
		    const struct stall_snapshot *snapshot, uint64_t last_ns, uint64_t now_ns);
/*
 * By how much a look is too late that was due at due_ns (0: at no time in particular). Time before the last look has been seen, or was
 * forgiven then: somebody who asks may come between the time and its timer. 0: it is not.
 */
uint64_t stall_late_ns(uint64_t last_ns, uint64_t due_ns, uint64_t now_ns);
/*
 * Before that: the looker itself came too late by so much, and so may everybody else: that time does not count. Returns what last_ns is
 * then.
 */
uint64_t stall_forgive(const struct stall_topology *topology, struct stall_history *histories, uint64_t last_ns,
		       uint64_t late_ns);
/* After that, when the snapshot has been completed by what the kernel says of the suspects. */
void stall_hear_kernel(const struct stall_topology *topology, struct stall_history *histories,
		       const struct stall_snapshot *snapshot, uint64_t now_ns);
/* How long it has not moved though it could have: without the time in which it got no processor. */
uint64_t stall_still_ns(const struct stall_history *history, const struct stall_worker *worker, uint64_t now_ns);
/*
 * Since when it may be to blame for that: who is awake now has not been in its stage before it woke up. To look round it needs a moment,
 * and on a full machine that moment may be seen, after a long sleep that was nobody's fault.
 */
uint64_t stall_stuck_since_ns(const struct stall_history *history, const struct stall_worker *worker);
/* Since when it is doing what it does: who sleeps wakes up now and then to look, and that does not count. */
uint64_t stall_since_ns(const struct stall_history *history, const struct stall_worker *worker);
/* How long it may take over its work. Grows with what it was seen to take: a slow stage is named once and not again. */
uint64_t stall_patience_ns(const struct stall_history *history);
/* Something is there for it to do, or it keeps something that others wait for. */
bool stall_has_work(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t worker);
/* It has not moved though it has work, or might be the reason that others have none: ask the kernel about it. */
bool stall_is_suspect(const struct stall_topology *topology, const struct stall_history *histories,
		      const struct stall_snapshot *snapshot, uint32_t worker);
/* Nobody works and nothing waits: no look is needed before somebody wakes up. */
bool stall_is_idle(const struct stall_topology *topology, const struct stall_history *histories,
		   const struct stall_snapshot *snapshot);

/* ---- the graph ---- */

enum stall_kind {
#define STALL_KIND(id_, name_, deadlock_, advice_) STALL_KIND_##id_,
#include "broker/supervise/stall_kind.def"
#undef STALL_KIND
	STALL_KIND_COUNT
};

struct stall_finding {
	enum stall_kind kind;
	uint32_t culprit;   /* CYCLE: the first of it */
	uint64_t since_ns;  /* it has not moved */
	uint32_t n_waiting; /* workers that wait for it, the culprit (the cycle) itself not counted */
	uint32_t n_chain;   /* CYCLE: who waits for whom, round; else the longest chain of waiters, the culprit last */
	uint32_t chain[STALL_CHAIN_MAX];
};

/*
 * What keeps the pipeline from moving, deadlocks first. Returns how many findings there are, STALL_FINDINGS_MAX at most. After
 * stall_hear_kernel() with the same snapshot.
 */
size_t stall_find(const struct stall_topology *topology, const struct stall_history *histories,
		  const struct stall_snapshot *snapshot, uint64_t now_ns,
		  struct stall_finding ret_findings[static STALL_FINDINGS_MAX]);
