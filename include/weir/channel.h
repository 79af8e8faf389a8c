/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: for stages that write their own loop, run() in struct weir_stage.
 *
 *     while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK)
 *             (void)weir_send(context, 0, item.data, item.size_bytes, WEIR_FOREVER);
 *     return r;
 *
 * Steps. What a stage with inputs sends, closes and puts into its cursor from one receive to the next is one step: it takes
 * effect together with the received item, all of it or nothing. A receive is weir_recv(), or weir_select() with a WEIR_CASE_RECV; it
 * ends the step before it, also when it brings no item. What is done while no item is in hand (after a deadline, after the end of an
 * input) is a step too. A source's step ends where its next weir_send() or weir_select() begins: send, then move the cursor.
 * With capacity: 0 behind it a step begins only once the readers have committed what the last one sent: until then nothing is ready.
 * The runtime commits whole steps only: when a batch of them is full, when nothing is ready, and before it waits.
 *
 * A failed send (WEIR_FULL, WEIR_TOO_LARGE, WEIR_CANCELLED) can not be overlooked: the step fails or is dropped with the next receive,
 * unless weir_reject() has given the item up. After WEIR_CANCELLED or WEIR_FAILED every call says the same again: return it.
 *
 * deadline_ns is absolute, CLOCK_MONOTONIC: WEIR_NOW tries (WEIR_WOULD_BLOCK), WEIR_FOREVER waits, anything else waits until then
 * (WEIR_EXPIRED). What is ready is given whatever the deadline: the clock is read only before a sleep. All calls: worker process, the
 * thread that runs run(), and nowhere but in run(): elsewhere -EPERM. An index that is none, a senseless case: -EINVAL. Any call may
 * also return another negative errno of a failed system call; the stage returns it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <weir/budget.h>
#include <weir/scope.h>
#include <weir/stage.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_ANY_INPUT UINT32_MAX
#define WEIR_CASES_MAX 64u

#define WEIR_MUST_CHECK __attribute__((warn_unused_result))

/* Number of input edges. */
uint32_t weir_inputs(const struct weir_context *context);

/*
 * The next item of an input, or of any of them, fairly. The item is in hand until the next receive, and *ret_item valid so long.
 * With order: fifo items come in order, and runs are kept together for the stage; it sees nothing of them. May wait. An input that was
 * left (weir_leave(), or because every reader of this operator has left) gives nothing but its end.
 * Returns WEIR_OK; WEIR_CLOSED: these inputs have ended, and everything was received; WEIR_PEER_LOST: the same, but at least
 * one of their producers was given up, so something may be missing: return it (a pipeline that loses a stage is cancelled, and a
 * reader hears that first unless it looks in between; a worker whose siblings do its items, on_failure: degrade, ends cleanly);
 * WEIR_WOULD_BLOCK; WEIR_EXPIRED; WEIR_CANCELLED; WEIR_FAILED.
 */
WEIR_MUST_CHECK int weir_recv(struct weir_context *context, uint32_t input, uint64_t deadline_ns,
			      struct weir_item *ret_item);

/*
 * Copies an item into an output, or into each that is open (WEIR_ALL_OUTPUTS): all or none. It becomes visible with its step. May
 * wait for room; complete steps are committed before that.
 * Returns WEIR_OK; WEIR_WOULD_BLOCK, WEIR_EXPIRED: no room, nothing was sent; WEIR_TOO_LARGE: never fits, see
 * weir_item_size_max(); WEIR_FULL: the lane is full of what this step has sent, so no waiting would help; WEIR_CLOSED: weir_close()
 * was called, or (sources) the pipeline drains or every reader has left: all that was sent before is committed, return from run();
 * WEIR_REJECTED (sources): every edge refused it, full: reject, or there was no room within admission:; it is counted, go on with the next;
 * WEIR_CANCELLED; WEIR_FAILED.
 */
WEIR_MUST_CHECK int weir_send(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
			      uint64_t deadline_ns);

enum weir_case_kind {
	WEIR_CASE_NONE = 0, /* never ready: to take a case out of the set */
	WEIR_CASE_RECV = 1, /* an input has an item, which is received, or has ended */
	WEIR_CASE_SEND = 2, /* an output has room for size_bytes: the next weir_send() of that size does not wait */
	WEIR_CASE_FD = 3,   /* poll(2) says so */
};

/* One case of a select. The runtime writes the lower part. */
struct weir_case {
	enum weir_case_kind kind;
	uint32_t index;    /* RECV: input or WEIR_ANY_INPUT; SEND: output or WEIR_ALL_OUTPUTS */
	size_t size_bytes; /* SEND: payload */
	int fd;            /* FD: borrowed */
	short events;      /* FD: as in poll(2) */

	short revents;         /* FD: what is ready */
	struct weir_item item; /* RECV: the item, valid until the next receive */
};
#define WEIR_NO_CASE SIZE_MAX

/*
 * Waits for one of at most WEIR_CASES_MAX cases and carries it out. Fair: the first look goes to the case behind the one that
 * came last, so of n cases that stay ready each comes once in n calls. Descriptors cost a system call, so while lanes are
 * ready they are looked at once in 64 calls. Without cases it waits for the deadline.
 * Returns WEIR_OK with *ret_case; WEIR_CLOSED or WEIR_PEER_LOST (RECV: this input has ended; SEND: weir_close() was called),
 * WEIR_TOO_LARGE or WEIR_FULL (SEND: no waiting would help), each with *ret_case: make that case WEIR_CASE_NONE, or leave;
 * and with WEIR_NO_CASE: WEIR_WOULD_BLOCK, WEIR_EXPIRED, WEIR_CLOSED (sources: the pipeline drains, or every reader has left),
 * WEIR_CANCELLED, WEIR_FAILED.
 */
WEIR_MUST_CHECK int weir_select(struct weir_context *context, struct weir_case *cases, size_t n_cases,
				uint64_t deadline_ns, size_t *ret_case);

/*
 * The same three, watching a scope (NULL: the worker's own, as above) and within a budget (NULL: they wait for ever): for work that can
 * be cancelled, or run out of time, by itself. The scope is looked at first, and again after each sleep, which it ends: two loads; and
 * the clock only before a sleep. Two more outcomes, or rather two more reasons for them, that leave the stage as WEIR_WOULD_BLOCK
 * does, so that it goes on with something else:
 *   WEIR_CANCELLED while weir_cancelled() is false: the scope is done, see weir_scope_cause(); nothing was received or sent. If the
 *   scope has a deadline of its own and that has passed, this, too.
 *   WEIR_EXPIRED: the budget has run out, and nothing was ready; its expiry has been called. What is ready is given all the same.
 */
WEIR_MUST_CHECK int weir_recv_in(struct weir_context *context, uint32_t input, struct weir_scope *scope,
				 const struct weir_budget *budget, struct weir_item *ret_item);
WEIR_MUST_CHECK int weir_send_in(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
				 struct weir_scope *scope, const struct weir_budget *budget);
WEIR_MUST_CHECK int weir_select_in(struct weir_context *context, struct weir_case *cases, size_t n_cases,
				   struct weir_scope *scope, const struct weir_budget *budget, size_t *ret_case);

/*
 * Nothing more will be sent to this output (WEIR_ALL_OUTPUTS: to any). Its readers see the end once they have received what was
 * sent. Takes effect with its step, and for every later worker of this seat, too; again is a no-op. Returning from run() closes
 * all. Never waits. Returns WEIR_OK; WEIR_FAILED: a stage with order: fifo and several workers can not close early; WEIR_CANCELLED.
 */
WEIR_MUST_CHECK int weir_close(struct weir_context *context, uint32_t output);

/*
 * The item in hand is kept in state that the stage commits: it counts as held until weir_settle(). (weir_reject() gives it up: with
 * the next receive it is a dead letter, and what the step has sent, closed and put into the cursor is undone.)
 */
void weir_hold(struct weir_context *context);

#ifdef __cplusplus
}
#endif
