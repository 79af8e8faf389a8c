/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an item leaves a stage: copied, or built in place.
 *
 * A stage with one output, plain or ordered, writes straight into the lane, through a window that the runtime opens for each turn:
 *
 *      context.next            context.limit
 *        v                       v
 *   -----+-----------------------+------     room for whole records; what does not fit asks the runtime, which
 *        | header | payload |            |    finds more room, ends the turn, waits, or says why not
 *
 * Nothing that is written there can be seen by the next stage before the runtime commits the turn.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <weir/item.h>
#include <weir/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_host;

/* One per worker; owned by the runtime. Stages hand it on and leave what is in it alone: it is here for the inline calls. */
struct weir_context {
	const struct weir_host *host;
	unsigned char *next;  /* where the next record begins */
	unsigned char *limit; /* records end here at the latest; equal to next: the window is shut, or full */
	uint64_t sequence;    /* number of the next item */
	uint64_t accepted_ns; /* of what is emitted now */
	uint64_t size_bytes;  /* of the payloads in the window */
	uint64_t ticket;      /* of the run that the window's items belong to; 0 where there are no runs */
};

#define WEIR_ALL_OUTPUTS UINT32_MAX

/* The runtime's own doors, which the inline calls below fall back on; for languages that can't read this header they do all of it. */
int weir_emit_asking(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes);
int weir_reserve_asking(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload);
int weir_push_asking(struct weir_context *context, uint32_t output, size_t size_bytes);

/* The first or only output, or all of them: what a window can stand for. */
static inline int weir_window_serves(const struct weir_context *context, uint32_t output, size_t size_bytes)
{
	return (uint32_t)(output + 1) <= 1 && size_bytes <= UINT32_MAX &&
	       size_bytes + sizeof(struct weir_record) <= (size_t)(context->limit - context->next);
}

/*
 * Asks for as many lines as the record just built has, some way behind it, unless they lie behind the window: the consumer may be
 * reading those. They are most likely in its cache, and a record's own stores can't keep enough such requests on their way.
 */
#define WEIR_LINE_BYTES 64
#define WEIR_WINDOW_AHEAD_BYTES 448
#define WEIR_WINDOW_LINES_MAX 17
#define WEIR_SHORT_RECORD_BYTES (2 * WEIR_LINE_BYTES)
static inline void weir_line_fetch(const unsigned char *line)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" ::"m"(*line));
#else
	__builtin_prefetch(line, 1);
#endif
}

/* left_bytes: of the window, from the next record on; or a few bytes less. */
static inline void weir_window_fetch(const unsigned char *next, ptrdiff_t left_bytes, size_t record_size_bytes)
{
	const unsigned char *ahead = next + WEIR_WINDOW_AHEAD_BYTES;
	size_t n, i;

	if (record_size_bytes <= WEIR_SHORT_RECORD_BYTES) { /* without a loop: most records are short */
		if (left_bytes >= WEIR_WINDOW_AHEAD_BYTES + WEIR_SHORT_RECORD_BYTES) {
			weir_line_fetch(ahead);
			weir_line_fetch(ahead + WEIR_LINE_BYTES);
		}
		return;
	}
	n = record_size_bytes / WEIR_LINE_BYTES + 1;
	n = n < WEIR_WINDOW_LINES_MAX ? n : WEIR_WINDOW_LINES_MAX;
	if (left_bytes < (ptrdiff_t)(WEIR_WINDOW_AHEAD_BYTES + n * WEIR_LINE_BYTES))
		return;
	for (i = 0; i < n; i++, ahead += WEIR_LINE_BYTES)
		weir_line_fetch(ahead);
}

/* Short payloads, in two or four steps that may overlap: a call would cost more than the copy. */
#define WEIR_COPY_STEP_BYTES 16
#define WEIR_COPY_MIN_BYTES 8
#define WEIR_COPY_MAX_BYTES (4 * WEIR_COPY_STEP_BYTES)
static inline int weir_copy_is_short(size_t size_bytes)
{
	return size_bytes - WEIR_COPY_MIN_BYTES <= WEIR_COPY_MAX_BYTES - WEIR_COPY_MIN_BYTES;
}

static inline void weir_copy(unsigned char *to, const void *data, size_t size_bytes)
{
	const size_t step = WEIR_COPY_STEP_BYTES, half = WEIR_COPY_MIN_BYTES;
	const unsigned char *from = (const unsigned char *)data;

	if (__builtin_constant_p(size_bytes) || !weir_copy_is_short(size_bytes)) {
		if (size_bytes)
			memcpy(to, from, size_bytes);
	} else if (size_bytes > 2 * step) {
		memcpy(to, from, WEIR_COPY_STEP_BYTES);
		memcpy(to + step, from + step, WEIR_COPY_STEP_BYTES);
		memcpy(to + size_bytes - 2 * step, from + size_bytes - 2 * step, WEIR_COPY_STEP_BYTES);
		memcpy(to + size_bytes - step, from + size_bytes - step, WEIR_COPY_STEP_BYTES);
	} else if (size_bytes > step) {
		memcpy(to, from, WEIR_COPY_STEP_BYTES);
		memcpy(to + size_bytes - step, from + size_bytes - step, WEIR_COPY_STEP_BYTES);
	} else {
		memcpy(to, from, WEIR_COPY_MIN_BYTES);
		memcpy(to + size_bytes - half, from + size_bytes - half, WEIR_COPY_MIN_BYTES);
	}
}

/*
 * The record at the window's beginning, whose payload is there, gets its header. The stores of a payload may be stores into the context,
 * for all that a compiler knows; so whoever has looked there before says what it saw.
 */
static inline void weir_window_put(struct weir_context *context, unsigned char *record, ptrdiff_t left_bytes,
				   size_t size_bytes)
{
	const uint32_t size = (uint32_t)size_bytes;
	const uint16_t kind[2] = { WEIR_RECORD_DATA, 0 }; /* and no flags */
	const uint64_t sequence = context->sequence;
	const size_t record_size_bytes = sizeof(struct weir_record) + ((size_bytes + 7) & ~(size_t)7);

	/* Field by field: a header that is put together elsewhere and then copied waits for its own stores. */
	memcpy(record + offsetof(struct weir_record, size_bytes), &size, sizeof(size));
	memcpy(record + offsetof(struct weir_record, kind), kind, sizeof(kind));
	memcpy(record + offsetof(struct weir_record, sequence), &sequence, sizeof(sequence));
	memcpy(record + offsetof(struct weir_record, ticket), &context->ticket, sizeof(context->ticket));
	memcpy(record + offsetof(struct weir_record, accepted_ns), &context->accepted_ns, sizeof(context->accepted_ns));
	context->sequence = sequence + 1;
	context->size_bytes += size_bytes;
	context->next = record + record_size_bytes;
	weir_window_fetch(context->next,
			  left_bytes - (ptrdiff_t)(record_size_bytes <= WEIR_SHORT_RECORD_BYTES ?
							   WEIR_SHORT_RECORD_BYTES :
							   record_size_bytes),
			  record_size_bytes);
}

static inline void weir_window_push(struct weir_context *context, size_t size_bytes)
{
	weir_window_put(context, context->next, context->limit - context->next, size_bytes);
}

/* Any payload. Apart from short ones, whose way has no call in it and so needs no frame. */
#ifdef __OPTIMIZE__
#define WEIR_APART static __attribute__((noinline, unused))
#else
#define WEIR_APART static inline
#endif
WEIR_APART int weir_emit_any(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	if (!weir_window_serves(context, output, size_bytes))
		return weir_emit_asking(context, output, data, size_bytes);
	weir_copy(context->next + sizeof(struct weir_record), data, size_bytes);
	weir_window_push(context, size_bytes);
	return WEIR_OK;
}

/*
 * Copies an item into an output. `output` is an index below weir_outputs(), or WEIR_ALL_OUTPUTS: an item of 4 KiB
 * and more is written once for all of them.
 * Returns 0; WEIR_FULL (only in produce(): return WEIR_MORE); WEIR_TOO_LARGE (never fits); WEIR_CANCELLED; WEIR_REJECTED (only to
 * sources: every lane is full, and the stages behind say full: reject, or it has waited for as long as admission: allows; it is counted, go
 * on with the next). In process(),
 * end_run() and finish() it waits for room, committing the complete items before this one first; not if the stage has a
 * flush(): then the outputs of one item may take three quarters of a lane. More than that: WEIR_MORE and produce(). In run() it
 * is weir_send() with WEIR_FOREVER, and says what that says (weir/channel.h). -EINVAL: there is no such output; outside run() the
 * stage fails then, whatever it returns.
 */
static inline int weir_emit(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	unsigned char *record = context->next;
	ptrdiff_t left_bytes = context->limit - record;

	if (!__builtin_constant_p(size_bytes) && !weir_copy_is_short(size_bytes))
		return weir_emit_any(context, output, data, size_bytes);
	if (!weir_window_serves(context, output, size_bytes))
		return weir_emit_asking(context, output, data, size_bytes);
	weir_copy(record + sizeof(struct weir_record), data, size_bytes);
	weir_window_put(context, record, left_bytes, size_bytes);
	return WEIR_OK;
}

/*
 * The same without a copy: room for an item of at most size_bytes in one output (WEIR_ALL_OUTPUTS: only if there is one) at
 * *ret_payload, 8-byte aligned, contiguous, the stage's to fill until weir_push(), the next emit or the callback's end (in run():
 * the end of its step, or weir_close()).
 * Nothing is emitted before weir_push(), which takes what was filled: size_bytes may be smaller, 0 too. Returns as weir_emit();
 * weir_push() returns 0, WEIR_REJECTED (as above), WEIR_FAILED, or -EINVAL if nothing that large is reserved in this output, and then
 * the stage fails. (Where one plain output has room, that is not checked: what is pushed then is whatever lies there.)
 */
static inline int weir_reserve(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload)
{
	if (!weir_window_serves(context, output, size_bytes))
		return weir_reserve_asking(context, output, size_bytes, ret_payload);
	*ret_payload = context->next + sizeof(struct weir_record);
	return WEIR_OK;
}

static inline int weir_push(struct weir_context *context, uint32_t output, size_t size_bytes)
{
	if (!weir_window_serves(context, output, size_bytes))
		return weir_push_asking(context, output, size_bytes);
	weir_window_push(context, size_bytes);
	return WEIR_OK;
}

/*
 * What is emitted from here on was taken in by its source at that time (CLOCK_MONOTONIC, as item->accepted_ns), until the callback returns
 * or the next item is in hand: for stages that hold items and emit what they made of them in produce() or finish(), where it is else as old
 * as the last item that the worker was given.
 */
static inline void weir_accepted_at(struct weir_context *context, uint64_t accepted_ns)
{
	context->accepted_ns = accepted_ns;
}

/*
 * Passes on, unchanged, the item that process() was given. From 4 KiB on nothing is copied, over any number of such stages (if
 * the stage has WEIR_STAGE_FORWARDS): its bytes stay in the lane that they were first written to until the last reader is
 * done with them. To several outputs, and more than once, if you like. Below 4 KiB, and for any other item, it is
 * weir_emit() of the bytes. Returns what weir_emit() does.
 */
int weir_forward(struct weir_context *context, uint32_t output, const struct weir_item *item);

/*
 * A source, in produce(): several items that somebody has handed over as one, and is told one answer for.
 *
 *      weir_group_begin()   weir_emit()   weir_emit()  ...   weir_group_end()     all of them take effect with one commit
 *                                            |
 *                               WEIR_FULL, WEIR_REJECTED ... weir_group_drop()    nothing has happened, and nothing was counted
 *
 * They must find room in the lanes at once: an emit says WEIR_TOO_LARGE when no room would ever be enough, WEIR_FULL when there is too
 * little now (drop the group, and return WEIR_WAIT or WEIR_MORE). A record that can't be decoded makes no dead letter: weir_emit() says
 * WEIR_REJECTED, and weir_group_fault() what is wrong with it. begin returns 0; -EPERM: not here, or in a group already. end returns 0;
 * what an emit of the group said that was not 0: the group has been dropped; -EPERM: there is none. A group that is open when produce()
 * returns is dropped.
 */
int weir_group_begin(struct weir_context *context);
int weir_group_end(struct weir_context *context);
void weir_group_drop(struct weir_context *context);
/* Why the last emit of the group said WEIR_REJECTED, until the group ends. NULL: not for the item's sake; it may not wait for room. */
const char *weir_group_fault(const struct weir_context *context);

#ifdef __cplusplus
}
#endif
