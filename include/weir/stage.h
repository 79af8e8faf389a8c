/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage ABI: how a source, an operator or a sink is written in C. Every built-in stage goes through it too.
 *
 * A stage kind is one `struct weir_stage`: a descriptor (name, options) and callbacks. A worker process runs one
 * stage, single-threaded, and calls back in turns:
 *
 *     open -> ( process* | produce )* -> flush -> [commit by the runtime] -> ... -> finish -> close
 *
 * or, with a loop of the stage's own (weir/channel.h): open -> run -> close.
 *
 * What a turn consumed, emitted and put into the cursor takes effect in one atomic commit. If the process dies
 * before it, nothing happened and the next process does the turn again; if it dies after it, nothing is repeated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/emit.h>
#include <weir/item.h>
#include <weir/log.h>
#include <weir/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_STAGE_ABI 2u         /* bumped with any incompatible change of this header */
#define WEIR_CURSOR_SIZE_MAX 256u /* bytes of stage cursor */
#define WEIR_SPOOLS_MAX 2u

enum weir_role { WEIR_SOURCE = 1, WEIR_OPERATOR = 2, WEIR_SINK = 3 };

enum weir_option_type {
	WEIR_TYPE_STRING = 1,
	WEIR_TYPE_INTEGER, /* 64 bit; accepts 10k, 5M (powers of 1000) */
	WEIR_TYPE_BOOLEAN,
	WEIR_TYPE_SIZE,     /* bytes; accepts 64KiB, 1MiB, 10MB */
	WEIR_TYPE_DURATION, /* nanoseconds; accepts 500ms, 30s, 5m, 1h */
	WEIR_TYPE_RATE,     /* items per second as integer; accepts 1000, 1000/s, 60/m */
	WEIR_TYPE_CHOICE,   /* one word of `choices` */
	WEIR_TYPE_LIST,     /* list of strings; a single string is a list of one */
	WEIR_TYPE_COMMAND,  /* a list is argv; a string goes to `sh -c` */
	WEIR_TYPE_PATH,     /* a string; a relative path is taken from the folder weir was started in */
	WEIR_TYPE_SHARE,    /* billionths of the whole as integer; accepts 10%, 0.25 */
	WEIR_TYPE_MAP,      /* names with strings, in their order; as a list: a name, its string, the next name ... */
	WEIR_TYPE_KEY,      /* a string: EXPR as in key(EXPR), see weir/key.h */
};

/* One option of a stage kind. Names, defaults, documentation and checks are all derived from it. */
struct weir_option {
	const char *name; /* as in the spec */
	enum weir_option_type type;
	bool required;
	const char *fallback;     /* default, in the spec's own notation; NULL: none */
	const char *choices;      /* CHOICE: words parted by '|', e.g. "lines|stanzas" */
	int64_t minimum, maximum; /* INTEGER, SIZE, DURATION, RATE, SHARE; both 0: no bounds */
	const char *summary;      /* one line */
	const char *example;      /* value in the spec's notation */
};

/*
 * The stage calls weir_forward(): whoever reads from it maps the lanes that its items lie in, and large ones are passed
 * on without a copy. Without the flag weir_forward() copies.
 */
#define WEIR_STAGE_FORWARDS 1u
/* The stage has keyed state: weir/state.h. Without the flag its calls say -EPERM, and it costs nothing. */
#define WEIR_STAGE_STATE 2u
/* The stage has check(). */
#define WEIR_STAGE_CHECKS 4u
/*
 * Its outputs have names, at most 64, and whoever reads from it says which: `from: stage.name`. They are the names in its option `routes`
 * (WEIR_TYPE_MAP), and the word of its option `default`; or, always the same, the words of `outputs`.
 */
#define WEIR_STAGE_NAMES_OUTPUTS 8u
/* The stage has keyed state where the spec gives it some (`state: 64MiB`), and none where it does not. */
#define WEIR_STAGE_STATE_IF_GIVEN 16u
/* It puts its items aside, weir_defer(): in_flight is 1000 unless the spec says how many. */
#define WEIR_STAGE_DEFERS 32u
/*
 * Beside its output it has one for what it can do nothing with, unchanged: `from: stage.errors`, or another name, which `outputs` says.
 * Nobody need read that; then the stage refuses such items, weir_reject(). Not together with WEIR_STAGE_NAMES_OUTPUTS.
 */
#define WEIR_STAGE_ERRORS_OUTPUT 64u
/* A source with people at its door: while the pipeline drains its produce() is called, too, and weir_draining() says so. */
#define WEIR_STAGE_ANSWERS 128u
/*
 * A source that others wait for after its end, for what becomes of what it gave: when its stream is over, and its outputs are closed,
 * produce() is called on, as while draining, until it says WEIR_CLOSED, or everything is cancelled.
 */
#define WEIR_STAGE_STAYS 256u
#define WEIR_STAGE_FLAGS                                                                                 \
	(WEIR_STAGE_FORWARDS | WEIR_STAGE_STATE | WEIR_STAGE_CHECKS | WEIR_STAGE_NAMES_OUTPUTS |         \
	 WEIR_STAGE_STATE_IF_GIVEN | WEIR_STAGE_DEFERS | WEIR_STAGE_ERRORS_OUTPUT | WEIR_STAGE_ANSWERS | \
	 WEIR_STAGE_STAYS)

struct weir_stage {
	uint32_t abi;        /* WEIR_STAGE_ABI */
	uint32_t size_bytes; /* sizeof(struct weir_stage) as the plugin was compiled */
	enum weir_role role;
	uint32_t cursor_size_bytes; /* of the stage's cursor, <= WEIR_CURSOR_SIZE_MAX */
	uint32_t n_spools;          /* slot-owned files it needs, <= WEIR_SPOOLS_MAX */
	uint32_t flags;             /* WEIR_STAGE_* */
	const char *name;
	const char *summary;     /* one line */
	const char *description; /* paragraphs */
	const struct weir_option *options;
	size_t n_options;

	/*
	 * Prepares the stage; reads options and the cursor (all zero the first time). Stores its state. What it puts into the
	 * cursor is committed before the first turn; effects outside wait until then: the start may still be given up.
	 * Returns 0; WEIR_FAILED after weir_fail(): wrong options or missing input, the start is given up;
	 * negative errno: tried again by a new worker. Owns what it opens until close().
	 */
	int (*open)(struct weir_context *context, void **ret_state);

	/*
	 * Operators and sinks: one item. Effects outside must wait for flush(), or come after the last emit.
	 * Returns 0, WEIR_MORE, WEIR_HELD, WEIR_REJECTED (after weir_reject()), WEIR_PENDING (after weir_defer()), WEIR_WAIT (after
	 * weir_postpone()), WEIR_CANCELLED, WEIR_FAILED, negative errno. Also, for a stage that has itself tried the item as often as it
	 * may, after weir_reject(): WEIR_EXPIRED (it took too long), WEIR_PEER_LOST (who was to do it has died of it): a dead letter.
	 */
	int (*process)(struct weir_context *context, void *state, const struct weir_item *item);

	/*
	 * Sources, and operators that have answered WEIR_MORE: emit some, each time moving the cursor along; when weir_emit
	 * says WEIR_FULL return WEIR_MORE at once, with the cursor behind the last item that was emitted. Sources that have others to
	 * look after meanwhile return WEIR_WAIT: they are called again when there is room, or what they watch is ready.
	 * Returns WEIR_MORE (call me again), 0 (operators: done, next item please), WEIR_WAIT (sources), WEIR_CLOSED (sources:
	 * end of stream), WEIR_CANCELLED, WEIR_FAILED, negative errno. Never waits by itself except in weir_wait().
	 */
	int (*produce)(struct weir_context *context, void *state);

	/*
	 * The runtime is about to commit: make the turn's effects as durable as the stage promises and move the cursor.
	 * May be NULL. Returns 0, WEIR_FAILED, WEIR_CANCELLED, negative errno.
	 */
	int (*flush)(struct weir_context *context, void *state);

	/*
	 * Ordered stages: the last item of a run of items has been given; emit what belongs to it. May be NULL.
	 * Returns 0, WEIR_MORE, WEIR_CANCELLED, WEIR_FAILED, negative errno.
	 */
	int (*end_run)(struct weir_context *context, void *state);

	/*
	 * All inputs are closed and empty: emit what is left. May be NULL. With 0 that and the end take effect at once. After
	 * WEIR_MORE produce() goes on; then a next process calls finish() again, and it has to go by the cursor.
	 * Returns 0, WEIR_MORE, WEIR_CANCELLED, WEIR_FAILED, negative errno.
	 */
	int (*finish)(struct weir_context *context, void *state);

	/* Frees the state. Called once, also after a failure; never after a kill. */
	void (*close)(struct weir_context *context, void *state);

	/*
	 * Instead of process(), produce(), end_run() and finish(): the stage's own loop, with the calls of weir/channel.h. Called
	 * once a worker, begins where the cursor says. flush() is called as with process(). Returns WEIR_OK or WEIR_CLOSED: the end of the
	 * stream, the outputs close, the inputs are left (weir_leave()); WEIR_CANCELLED; WEIR_PEER_LOST or
	 * WEIR_FAILED: the stage has failed; negative errno: a new worker goes on behind the last committed step.
	 */
	int (*run)(struct weir_context *context, void *state);

	/*
	 * With WEIR_STAGE_CHECKS: what is wrong with the options beyond their types, such as an expression that does not compile. Asked
	 * by `weir check`, and before each start, in a process of its own with 15 s of time, without a pipeline: it may call
	 * weir_option_*() and weir_complain() and nothing else. Returns 0: nothing; WEIR_FAILED after weir_complain(); negative errno.
	 */
	int (*check)(struct weir_context *context);

	/*
	 * With WEIR_STAGE_NAMES_OUTPUTS: the names, parted by '|', e.g. "done|failed"; NULL: options say them. With
	 * WEIR_STAGE_ERRORS_OUTPUT: the one of that output, e.g. "late"; NULL: "errors".
	 */
	const char *outputs;
};

/* What a plugin exports, once: WEIR_STAGE_EXPORT(my_stage) */
#define WEIR_STAGE_SYMBOL "weir_stage_entry"
#define WEIR_STAGE_EXPORT(stage_)                                                               \
	__attribute__((visibility("default"))) const struct weir_stage *weir_stage_entry(void); \
	const struct weir_stage *weir_stage_entry(void)                                         \
	{                                                                                       \
		return &(stage_);                                                               \
	}

/* ---- calls for the callbacks; worker process, the thread that was called back ---- */

/* Number of output edges; the largest payload that fits every one of them, in bytes. */
uint32_t weir_outputs(const struct weir_context *context);
size_t weir_item_size_max(const struct weir_context *context);

/*
 * Name of the stage that an input edge comes from (item->input counts them, in the order of `from`), until close(); NULL: there is no such
 * input.
 */
const char *weir_input_name(const struct weir_context *context, uint32_t input);

/*
 * WEIR_STAGE_NAMES_OUTPUTS: which names this output edge stands for: bit i for the i-th name in `routes`, the next one for `default` if
 * that is none of them, or for the i-th word of `outputs`. WEIR_STAGE_ERRORS_OUTPUT: WEIR_OUTPUT_ITEMS, WEIR_OUTPUT_ERRORS, or both.
 * 0: the stage's outputs have no names.
 */
#define WEIR_OUTPUT_ITEMS UINT64_C(1)
#define WEIR_OUTPUT_ERRORS UINT64_C(2)
uint64_t weir_output_names(const struct weir_context *context, uint32_t output);

/* The stage's private cursor (cursor_size_bytes, 8-byte aligned): it is committed with the turn. Owned by the runtime. */
void *weir_cursor(struct weir_context *context);

/* A slot-owned file (memfd) that outlives this process, index < n_spools. Returns the fd, owned by the runtime. */
int weir_spool(struct weir_context *context, uint32_t index);

/*
 * Counting. weir_accept: a source took in an item that it did not emit because it is unfit; the reason is logged
 * (rate-limited), the item kept as a dead letter. weir_reject: names the reason before process() returns WEIR_REJECTED, or
 * gives the item up.
 * weir_settle: n items that were WEIR_HELD have now ended: delivered (sinks) or consumed (operators).
 * weir_give_up: n of them, in produce() or finish(), can't be ended within the stage's deadline: what is left of them is kept as one dead
 * letter (cause deadline), and they are counted. Returns 0; WEIR_FAILED: it could not be kept, return that.
 * weir_overran: an attempt at an item, or at several at once, took longer than the stage's deadline, and the stage has ended it
 * itself (exec
 * stages do, whose programs die in the place of the worker): one more in `weir ps` and `weir metrics`.
 */
int weir_accept_rejected(struct weir_context *context, const void *data, size_t size_bytes, const char *reason, ...)
	__attribute__((format(printf, 4, 5)));
void weir_reject(struct weir_context *context, const char *reason, ...) __attribute__((format(printf, 2, 3)));
void weir_settle(struct weir_context *context, uint64_t n_items);
int weir_give_up(struct weir_context *context, uint64_t n_items, const void *data, size_t size_bytes,
		 const char *reason, ...) __attribute__((format(printf, 5, 6)));
void weir_overran(struct weir_context *context);

/*
 * check(): what is wrong with this option, for people, who are shown its place in the spec. line: within its text, from 1; 0: all of it.
 * May be called for several. Elsewhere it is weir_fail().
 */
void weir_complain(struct weir_context *context, const char *option, uint32_t line, const char *reason, ...)
	__attribute__((format(printf, 4, 5)));

/* Says why the stage can not go on, before WEIR_FAILED: what, where, what to do. One sentence. */
void weir_fail(struct weir_context *context, const char *reason, ...) __attribute__((format(printf, 2, 3)));

/* Position and size of finite input, for the progress bar; in bytes or items, total 0 = unknown. */
void weir_progress(struct weir_context *context, uint64_t position, uint64_t total);

/*
 * Waits until one of n file descriptors is ready, until deadline_ns (CLOCK_MONOTONIC; 0: no deadline), or until the
 * supervisor wants the stage to stop. `events` as in poll(2). For stages that wait in a callback; the control plane
 * is served meanwhile. In run() it is a weir_select() over descriptors, and says WEIR_CLOSED to a source that has to drain. Returns
 * WEIR_OK with the revents set, WEIR_EXPIRED, WEIR_CANCELLED, -errno.
 */
struct pollfd;
int weir_wait(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns);

/*
 * What calls produce() while there is nothing else to do: a descriptor that gets ready (fd -1: none), a time that comes
 * (wake_ns, CLOCK_MONOTONIC; 0: none). Stands until it fires or is replaced. Sources need one before WEIR_WAIT.
 */
void weir_watch(struct weir_context *context, int fd, short events, uint64_t wake_ns);

/*
 * The stage wants nothing more of this input, or of all of them: from the commit of this turn on what still comes is discarded for
 * it (and counted), until the input closes. Producers that nobody listens to any more stop; sources end as if drained. An
 * item that is dropped takes its weir_leave() with it. Again is a no-op. Returns 0, or -EINVAL if there is no such input.
 */
int weir_leave(struct weir_context *context, uint32_t input);
#define WEIR_ALL_INPUTS UINT32_MAX

/* From process(): commit after this item, then call produce() until it says 0, before the next item. As WEIR_MORE, but for WEIR_HELD. */
void weir_produce_next(struct weir_context *context);

/*
 * process(): the time of the item in hand has not come: return what this returns. Nothing has happened to it, whatever process() has
 * emitted and put into the cursor: it stays in its lane, before all that is behind it there, and is given again at until_ns
 * (CLOCK_MONOTONIC), or a little later, or when it expires. Meanwhile it is in nobody's hand: no deadline of the stage runs, a cancel is
 * seen at once, and items of other lanes are given. It may also be given again earlier, if those have other times. Not for asynchronous
 * stages, which defer. Returns WEIR_WAIT; WEIR_FAILED: in_flight is not 1; -EPERM: not in process().
 */
int weir_postpone(struct weir_context *context, uint64_t until_ns);

/*
 * ---- asynchronous stages: many slow calls at a time, in one process ----
 *
 * With `in_flight: n` in the spec a stage may put up to n items aside and complete them later, in any order:
 *
 *     process(item):   start the call; token = weir_defer(context); remember both; return WEIR_PENDING
 *     produce():       for each call that has come back: weir_resume(context, token, &item); weir_emit(...);
 *                      weir_complete(context, token, WEIR_OK); then weir_watch() for the next; return 0
 *
 * produce() is called when the watch fires (weir_watch: an epoll, a timerfd, a socket), also while the inputs are empty or n items are
 * pending. Each completion takes effect with the turn's commit, and a kill at any time leaves exactly the others to be done
 * again, in order. At the end of the stream, and at a drain, the runtime waits for what is pending before finish(); at a
 * cancel it is dropped, and not counted. Outputs leave in the order of completion.
 */

/* How many items the stage may have at a time; 1: weir_defer() can't be used, each item ends in process(). From open() on. */
uint32_t weir_in_flight(const struct weir_context *context);

/*
 * For stages that wait for several items, to do them at once. True: none is given before some of those that are pending have ended: these
 * are as many as the stage may have now (after a death fewer than weir_in_flight()), or one is a dead letter, which is given alone, or the
 * inputs have ended. Outside produce() it is false, for what is in hand is not pending yet. Where it has said false, produce() is called
 * once it would say true.
 */
bool weir_has_all(struct weir_context *context);

/*
 * process(): the item in hand will be completed later; return WEIR_PENDING. What process() put into the cursor is undone, and it must
 * not have emitted: nothing has happened to the item yet. Returns a token, which is good in this process only, until it is
 * completed; 0: refused (twice for one item, not in process(), in_flight: 1).
 */
uint64_t weir_defer(struct weir_context *context);

/*
 * produce(): a pending item is in hand again. *ret_item (may be NULL) shows it as process() had it, in place, until it is completed, or,
 * of a sink with `encode`, until the next call of this. What is emitted and put
 * into the cursor from here on belongs to it, until weir_complete(); what produce() did before may be committed from here on.
 * weir_emit() waits for room as in process(). The next weir_resume() and the end of produce() put an item back that was not
 * completed; if it has emitted, that is a failure. Returns 0; WEIR_FAILED: no such token.
 */
int weir_resume(struct weir_context *context, uint64_t token, const struct weir_item **ret_item);

/*
 * produce(): ends the pending item, resumed or not, with WEIR_OK, WEIR_HELD, WEIR_REJECTED (after weir_reject()), or, once
 * weir_scope_of_item() is done, WEIR_CANCELLED; a resumed one also with WEIR_EXPIRED or WEIR_PEER_LOST, as
 * process() may. Returns 0; WEIR_CANCELLED: an emit was given up, or everything here is, return it;
 * WEIR_FAILED: no such token, or no such end: the stage fails, whatever produce() returns.
 */
int weir_complete(struct weir_context *context, uint64_t token, int status);

/* True once the stage should stop: one load. While draining, sources are simply not called any more. */
bool weir_cancelled(const struct weir_context *context);

/*
 * produce() of a source with WEIR_STAGE_ANSWERS: nothing is taken in any more, and weir_emit() says WEIR_CLOSED. It is called at the
 * beginning of a drain, and when what it watches is ready, until what it gave has been taken; so that it can tell those who come. False
 * again after `weir resume`. Without the flag produce() is not called meanwhile. With WEIR_STAGE_STAYS also after the end.
 */
bool weir_draining(const struct weir_context *context);

/*
 * The listening socket (stream: TCP, or a Unix socket) that weir was started with for this stage, by systemd for example: it is not to bind
 * one of its own. The same for each worker that sits here, so who connects while there is none waits for the next. Owned by the runtime:
 * duplicate it. -1: there is none.
 */
int weir_listen_fd(const struct weir_context *context);

/* CLOCK_MONOTONIC, looked at when it is first asked for in a turn, and after each sleep; without a system call. */
uint64_t weir_now_ns(const struct weir_context *context);

/* Who am I: stage name, worker index (0..n-1), number of workers, how often this seat was filled (0 = first). */
const char *weir_stage_name(const struct weir_context *context);
uint32_t weir_worker_index(const struct weir_context *context);
uint32_t weir_generation(const struct weir_context *context);

/* ---- options: validated before open(), so they are always there when required or defaulted ---- */

const char *weir_option_string(const struct weir_context *context, const char *name); /* NULL: not given */
int64_t weir_option_integer(const struct weir_context *context,
			    const char *name); /* also size, duration (ns), rate, share */
bool weir_option_boolean(const struct weir_context *context, const char *name);
bool weir_option_given(const struct weir_context *context, const char *name); /* in the spec or by default */
const char *const *weir_option_list(const struct weir_context *context,
				    const char *name); /* NULL-terminated; NULL: not given */

#ifdef __cplusplus
}
#endif
