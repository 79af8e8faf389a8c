/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: file. Each item and a newline, exactly once (writer.c has the how). Where files are finished (rotation, compression), see parts.c.
 *
 * open() decides, once, where this run's bytes begin: at 0 (replace, refuse) or at the file's end (append), and changes nothing of
 * the file yet: the start may still be given up because of another stage.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/stage/host.h"
#include "worker/builtin.h"
#include "worker/sinks/parts.h"
#include "worker/sinks/writer.h"

#define WORKER_MARK "{worker}"
#define READER_WAIT_NS (100 * NS_PER_MS)

static_assert(sizeof(struct writer_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct file_sink {
	struct writer writer;
	struct text path;
	struct parts *parts; /* where files are finished: they do it all */
	bool created;        /* by this generation */
};

static void file_close(struct weir_context *context, void *data)
{
	struct file_sink *state = data;

	if (!state)
		return;
	if (state->parts)
		parts_close(state->parts);
	/* Only if the pipeline never ran: else the next generation looks for it, or the person who cancelled. */
	if (state->created && !context->host->has_run(context) && weir_generation(context) == 0)
		(void)unlink(text_get(&state->path));
	if (!state->parts)
		writer_deinit(&state->writer);
	text_deinit(&state->path);
	free(state);
}

/* {worker} becomes the worker's number. */
static void file_path(struct text *path, struct weir_context *context)
{
	const char *at = weir_option_string(context, "path"), *mark;

	while ((mark = strstr(at, WORKER_MARK))) {
		text_add_bytes(path, at, (size_t)(mark - at));
		text_printf(path, "%u", weir_worker_index(context));
		at = mark + strlen(WORKER_MARK);
	}
	text_add(path, at);
}

/* These names mean the worker's own descriptors, which are not the ones of the person who wrote them. */
static bool is_standard_stream(const char *path)
{
	return !strcmp(path, "/dev/stdout") || !strcmp(path, "/dev/stderr") || !strncmp(path, "/dev/fd/", 8) ||
	       !strncmp(path, "/proc/self/", 11);
}

static const char *open_advice(int error)
{
	switch (error) {
	case ENOENT:
		return "create its folder first";
	case EISDIR:
		return "name a file in it";
	case EACCES:
	case EPERM:
		return "give the user who runs weir the right to write there, or choose another path";
	case EROFS:
		return "choose a path on a file system that can be written";
	default:
		return "choose another path";
	}
}

/* Opens the path; waits for somebody to read a FIFO, as `cat > fifo` would. */
static int file_open_path(struct weir_context *context, const char *path, bool create, int *ret_fd, bool *ret_created)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	for (bool said = false;; said = true) {
		int fd = open(path, flags), r;

		if (fd < 0 && errno == ENOENT && create) {
			fd = open(path, flags | O_CREAT, 0666);
			*ret_created = fd >= 0;
		}
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno == EINTR)
			continue;
		if (errno != ENXIO) {
			if (errno == ENOENT && !create)
				weir_fail(
					context,
					"%s has been removed while the pipeline ran; what was written is gone with it; start again",
					path);
			else
				weir_fail(context, "cannot write to %s: %s; %s", path, strerror(errno),
					  open_advice(errno));
			return WEIR_FAILED;
		}
		if (!said)
			weir_log(WEIR_LOG_NOTICE, "waiting for somebody to read the FIFO %s", path);
		r = weir_wait(context, NULL, 0, clock_now_ns() + READER_WAIT_NS);
		if (r != WEIR_EXPIRED && r != WEIR_OK)
			return r;
	}
}

static bool ends_with_newline(const char *path, off_t size)
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char last;

	return fd < 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

/* The first generation: where do our bytes begin? */
static int file_start(struct weir_context *context, const char *path, const struct stat *st)
{
	const char *existing = weir_option_string(context, "existing");
	struct writer_cursor *cursor = weir_cursor(context);

	*cursor = (struct writer_cursor){ .started = 1, .device = st->st_dev, .inode = st->st_ino, .cut = 1 };
	if (!S_ISREG(st->st_mode) || !st->st_size || !existing)
		return 0;
	if (!strcmp(existing, "refuse")) {
		weir_fail(context, "%s exists and is not empty; move it away, or set `existing: replace` or `append`",
			  path);
		*cursor = (struct writer_cursor){ 0 };
		return WEIR_FAILED;
	}
	if (!strcmp(existing, "append")) {
		cursor->committed = (uint64_t)st->st_size;
		cursor->newline_due = !ends_with_newline(path, st->st_size);
	}
	return 0;
}

static int file_open_writer(struct file_sink *state, struct weir_context *context)
{
	const struct writer_cursor *cursor = weir_cursor(context);
	const char *path = text_get(&state->path), *on_full = weir_option_string(context, "on_full");
	bool first = !cursor->started;
	struct stat st;
	int fd, r;

	r = file_open_path(context, path, first, &fd, &state->created);
	if (r != 0)
		return r;
	r = fstat(fd, &st) ? error_origin(-errno) : first ? file_start(context, path, &st) : 0;
	if (r != 0) {
		fd_close(fd);
		return r;
	}
	r = writer_init(&state->writer, context, path, fd, S_ISREG(st.st_mode));
	state->writer.wait_when_full = on_full && !strcmp(on_full, "wait");
	return r == 0 && !first ? writer_resume(&state->writer, &st) : r;
}

static int file_open(struct weir_context *context, void **ret_state)
{
	struct file_sink *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->writer.fd = -1;
	file_path(&state->path, context);
	if (is_standard_stream(text_get(&state->path))) {
		weir_fail(context, "%s is not what it seems in a worker process; use `sink: stdout`",
			  text_get(&state->path));
		r = WEIR_FAILED;
	} else {
		r = parts_are_wanted(context, text_get(&state->path)) ?
			    parts_open(context, text_get(&state->path), &state->parts) :
			    file_open_writer(state, context);
	}
	if (r != 0) {
		writer_abandon(&state->writer);
		text_deinit(&state->path);
		free(state);
		return r;
	}
	*ret_state = state;
	return 0;
}

static int file_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct file_sink *state = data;

	(void)context;
	return state->parts ? parts_process(state->parts, item) :
			      writer_add(&state->writer, item->data, item->size_bytes);
}

static int file_produce(struct weir_context *context, void *data)
{
	struct file_sink *state = data;

	(void)context;
	return state->parts ? parts_produce(state->parts) : 0;
}

static int file_flush(struct weir_context *context, void *data)
{
	struct file_sink *state = data;

	(void)context;
	return state->parts ? parts_flush(state->parts) : writer_flush(&state->writer);
}

static int file_finish(struct weir_context *context, void *data)
{
	struct file_sink *state = data;

	(void)context;
	return state->parts ? parts_finish(state->parts) : writer_finish(&state->writer);
}

const struct weir_stage file_sink_callbacks = {
	.open = file_open,
	.process = file_process,
	.produce = file_produce,
	.flush = file_flush,
	.finish = file_finish,
	.close = file_close,
};
