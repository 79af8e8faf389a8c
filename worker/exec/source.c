/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec source: a program's stdout, cut into items. The program can't be asked to go on where a killed worker
 * stopped, so the cursor remembers how many bytes were committed and a digest of them, and by default (resume: rerun)
 * the program is run again:
 *
 *     first run     | committed: bytes, digest | taken, not committed | not yet read
 *     run again     | skipped, digest compared | emitted ............................
 *
 * A program that tells something else the second time is found out at the end of the skipped part, before anything
 * wrong leaves. The digest runs over records, so it does not depend on how the pipe cut the stream.
 *
 * The program is over when its leader ends (whatever it left behind is killed, so the pipe ends too) or when it
 * closes its stdout (then it has five seconds to end). Its exit status is judged last: all its output leaves first.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weir/record.h>
#include <weir/stage.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/base/quantity.h"
#include "worker/builtin.h"
#include "worker/exec/child.h"
#include "worker/exec/options.h"

#define PIPE_BYTES (1024 * 1024)
#define RECORDS_MAX 256u /* emitted by one produce() */
#define SKIPS_MAX 16384u /* skipped by one produce() */
#define END_PATIENCE_NS (5 * NS_PER_S)

enum resume { RESUME_RERUN, RESUME_NONE, RESUME_FAIL };
enum too_long { TOO_LONG_REJECT, TOO_LONG_CUT, TOO_LONG_FAIL };

/* The stage cursor. All zero: the program has never run. */
struct source_cursor {
	uint64_t started; /* 1: it has been run */
	uint64_t ended;   /* 1: it has ended, and well */
	uint64_t bytes;   /* of its output, dealt with */
	uint64_t records;
	uint64_t digest; /* of those records */
};

_Static_assert(sizeof(struct source_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct source {
	struct program program;
	struct child child;
	struct source_cursor *cursor; /* the runtime's */
	struct source_cursor seen;    /* of this run: while it skips it is behind the cursor */
	bool skips;
	bool again; /* the program had been started by a generation before */
	bool runs, has_end, unflushed;
	struct program_end end;
	int out;             /* read end of its stdout; -1: at its end */
	int either;          /* epoll: out, or its end */
	uint64_t give_up_ns; /* stdout closed: when to stop waiting for its end */
	struct splitter splitter;
	struct split_record record; /* cut, not yet dealt with */
	bool has_record;
	enum resume resume;
	enum too_long too_long;
};

enum { SOURCE_E_DRY = 100, SOURCE_E_END };

/* ---- starting ---- */

static int source_watch_both(struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN };

	source->either = epoll_create1(EPOLL_CLOEXEC);
	if (source->either < 0)
		return error_origin(-errno);
	if (epoll_ctl(source->either, EPOLL_CTL_ADD, source->out, &event) ||
	    epoll_ctl(source->either, EPOLL_CTL_ADD, source->child.pidfd, &event))
		return error_origin(-errno);
	return 0;
}

static int source_spawn(struct source *source, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int child_out = -1;
	int out[2], r;

	if (pipe2(out, O_CLOEXEC))
		return error_origin(-errno);
	source->out = out[0];
	child_out = out[1];
	(void)fcntl(source->out, F_SETPIPE_SZ, PIPE_BYTES); /* the usual 64 KiB do as well */
	if (fcntl(source->out, F_SETFL, O_NONBLOCK))
		return error_origin(-errno);
	r = child_spawn(&source->child, &source->program, -1, child_out, &why);
	if (r == CHILD_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		return WEIR_FAILED;
	}
	return r ? r : source_watch_both(source);
}

static int source_start(struct source *source, struct weir_context *context)
{
	char count[QUANTITY_TEXT_SIZE];
	int r;

	if (source->again && source->resume == RESUME_FAIL) {
		weir_fail(
			context,
			"the worker died while '%s' ran, after %s records; resume: fail says not to run it again (rerun would, and skip them)",
			source->program.title, quantity_format_count(source->cursor->records, count));
		return WEIR_FAILED;
	}
	source->skips = source->again && source->resume == RESUME_RERUN && source->cursor->bytes;
	if (source->again)
		weir_log(WEIR_LOG_NOTICE, "'%s' is run again%s", source->program.title,
			 source->skips ? "; what it has told already is skipped" : "");
	r = source_spawn(source, context);
	source->runs = !r;
	return r;
}

/* ---- records ---- */

/* Returns 0: got some, or came to the end; SOURCE_E_DRY; -errno. */
static int source_read(struct source *source)
{
	unsigned char *at;
	size_t room = splitter_room(&source->splitter, &at);
	ssize_t n;

	do
		n = read(source->out, at, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? SOURCE_E_DRY : error_origin(-errno);
	if (n == 0)
		source->out = fd_close(source->out);
	splitter_fill(&source->splitter, (size_t)n);
	return 0;
}

/* The next record into source->record. Returns 0, SOURCE_E_DRY, SOURCE_E_END, -errno. */
static int source_cut(struct source *source)
{
	int r;

	if (source->has_record)
		return 0;
	while ((r = splitter_next(&source->splitter, source->out < 0, &source->record)) == SPLIT_E_MORE) {
		r = source_read(source);
		if (r)
			return r;
	}
	if (r == SPLIT_E_END)
		return SOURCE_E_END;
	source->has_record = true;
	return 0;
}

/* The record in hand is dealt with. */
static void source_count(struct source_cursor *cursor, const struct split_record *record)
{
	cursor->bytes += record->consumed_bytes;
	cursor->records++;
	cursor->digest = hash_mix(hash_bytes(cursor->digest, record->data, record->size_bytes), record->total_bytes);
}

static int source_fail_changed(struct source *source, struct weir_context *context)
{
	char size[QUANTITY_TEXT_SIZE];

	weir_fail(
		context,
		"'%s' gave different output when run again after its worker had died: its first %s are not what they were; "
		"for such a program use resume: none (all of the second run is new) or resume: fail",
		source->program.title, quantity_format_size(source->cursor->bytes, size));
	return WEIR_FAILED;
}

static int source_skip(struct source *source, struct weir_context *context)
{
	source_count(&source->seen, &source->record);
	source->has_record = false;
	if (source->seen.bytes < source->cursor->bytes)
		return 0;
	if (source->seen.bytes > source->cursor->bytes || source->seen.digest != source->cursor->digest)
		return source_fail_changed(source, context);
	source->skips = false;
	return 0;
}

/* A record longer than the lane takes, if it is not to be cut. */
static int source_refuse(struct source *source, struct weir_context *context)
{
	const struct split_record *record = &source->record;

	if (source->too_long == TOO_LONG_REJECT)
		return weir_accept_rejected(
			context, record->data, record->size_bytes,
			"record %llu of '%s' has %llu bytes, the lane takes %zu at most (here is its beginning); raise lane: of the stage behind",
			(unsigned long long)source->cursor->records + 1, source->program.title,
			(unsigned long long)record->total_bytes, record->size_bytes);
	weir_fail(
		context,
		"record %llu of '%s' has %llu bytes, the lane takes %zu at most; raise lane: of the stage behind, or use too_long: cut or reject",
		(unsigned long long)source->cursor->records + 1, source->program.title,
		(unsigned long long)record->total_bytes, record->size_bytes);
	return WEIR_FAILED;
}

static int source_deliver(struct source *source, struct weir_context *context)
{
	const struct split_record *record = &source->record;
	int r;

	if (record->total_bytes > record->size_bytes && source->too_long != TOO_LONG_CUT) {
		r = source_refuse(source, context);
	} else {
		weir_place(context, source->program.title, source->cursor->records + 1);
		r = weir_emit(context, WEIR_ALL_OUTPUTS, record->data, record->size_bytes);
	}
	if (r && r != WEIR_REJECTED)
		return r;
	source_count(source->cursor, record);
	source->has_record = false;
	source->unflushed = true;
	return 0;
}

/* ---- the end ---- */

static int source_judge(struct source *source, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	char count[QUANTITY_TEXT_SIZE];

	if (program_end_is_ok(&source->program, &source->end)) {
		source->cursor->ended = 1;
		return WEIR_CLOSED;
	}
	text_printf(&text, "'%s': ", source->program.title);
	program_end_describe(&source->end, &text);
	text_printf(&text, ", after %s records, which have all been passed on",
		    quantity_format_count(source->cursor->records, count));
	program_end_advise(&source->program, &source->end, true, &text);
	weir_fail(context, "%s", text_get(&text));
	return WEIR_FAILED;
}

/* All output is dealt with. */
static int source_end(struct source *source, struct weir_context *context)
{
	if (source->unflushed)
		return WEIR_MORE; /* a bad end must not take the last records along */
	if (source->skips)
		return source_fail_changed(source, context);
	if (source->has_end)
		return source_judge(source, context);
	if (child_has_ended(&source->child)) {
		child_finish(&source->child, &source->end);
		source->has_end = true;
		return source_judge(source, context);
	}
	if (!source->give_up_ns)
		source->give_up_ns = clock_now_ns() + END_PATIENCE_NS;
	if (clock_now_ns() < source->give_up_ns) {
		weir_watch(context, source->child.pidfd, POLLIN, source->give_up_ns);
		return WEIR_WAIT;
	}
	weir_log(WEIR_LOG_WARNING,
		 "'%s' closed its stdout but did not end within 5 s; it is killed, and what it told counts",
		 source->program.title);
	child_stop(&source->child);
	source->has_end = true;
	source->end = (struct program_end){ 0 };
	source->cursor->ended = 1;
	return WEIR_CLOSED;
}

/* The pipe is empty now. */
static int source_dry(struct source *source, struct weir_context *context)
{
	if (!source->has_end && child_has_ended(&source->child)) {
		child_finish(&source->child, &source->end); /* nobody holds the pipe any more */
		source->has_end = true;
		return WEIR_MORE;
	}
	weir_watch(context, source->either, POLLIN, 0);
	return WEIR_WAIT;
}

/* ---- callbacks ---- */

static void source_close(struct weir_context *context, void *state)
{
	struct source *source = state;

	(void)context;
	source->out = fd_close(source->out);
	child_stop(&source->child);
	source->either = fd_close(source->either);
	splitter_deinit(&source->splitter);
	program_deinit(&source->program);
	free(source);
}

static int source_open(struct weir_context *context, void **ret_state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return error_origin(-ENOMEM);
	*source = (struct source){ .child = CHILD_NULL, .out = -1, .either = -1, .cursor = weir_cursor(context) };
	source->again = source->cursor->started && !source->cursor->ended;
	source->resume = exec_option_is(context, "resume", "none") ? RESUME_NONE :
			 exec_option_is(context, "resume", "fail") ? RESUME_FAIL :
								     RESUME_RERUN;
	source->too_long = exec_option_is(context, "too_long", "cut")  ? TOO_LONG_CUT :
			   exec_option_is(context, "too_long", "fail") ? TOO_LONG_FAIL :
									 TOO_LONG_REJECT;
	r = program_init(&source->program, context, &why);
	if (r == PROGRAM_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		r = WEIR_FAILED;
	}
	if (!r)
		r = splitter_init(&source->splitter, exec_option_mode(context, "split"), weir_item_size_max(context));
	if (r) {
		source_close(context, source);
		return r;
	}
	*ret_state = source;
	return 0;
}

static int source_pass_on(struct source *source, struct weir_context *context)
{
	uint32_t n_records = 0, n_skips = 0;

	while (n_records < RECORDS_MAX && n_skips < SKIPS_MAX) {
		int r = source_cut(source);

		if (r == SOURCE_E_DRY)
			return source_dry(source, context);
		if (r == SOURCE_E_END)
			return source_end(source, context);
		if (r)
			return r;
		if (source->skips) {
			n_skips++;
			r = source_skip(source, context);
		} else {
			n_records++;
			r = source_deliver(source, context);
		}
		if (r)
			return r == WEIR_FULL ? WEIR_MORE : r;
	}
	return WEIR_MORE;
}

static int source_produce(struct weir_context *context, void *state)
{
	struct source *source = state;
	int r;

	if (source->cursor->ended)
		return WEIR_CLOSED;
	if (!source->cursor->started) {
		source->cursor->started = 1;
		return WEIR_MORE; /* committed before it is so */
	}
	if (!source->runs) {
		r = source_start(source, context);
		if (r)
			return r;
	}
	r = source_pass_on(source, context);
	weir_progress(context, source->cursor->bytes, 0);
	return r;
}

static int source_flush(struct weir_context *context, void *state)
{
	struct source *source = state;

	(void)context;
	source->unflushed = false;
	return 0;
}

const struct weir_stage exec_source_callbacks = {
	.open = source_open,
	.produce = source_produce,
	.flush = source_flush,
	.close = source_close,
};
