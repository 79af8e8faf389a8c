/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: stdout. Each item and a newline on weir's own standard output.
 *
 * Standard output shares its position with everything else that the shell started with it. Three cases:
 *
 *     a file            reopened, so that `>>` does not overrule our positions; exactly once. At the end the shared position
 *                       moves behind our bytes, for whoever writes next: { weir run ...; echo done; } > file
 *     the same file     weir's messages go to it as well (`> all 2>&1`) and would be overwritten: plain writes
 *     a pipe, terminal  reopened too, so that only our own descriptor is non-blocking; if that can't be (another user's
 *                       terminal, a socket), small pieces whenever it polls ready
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sinks/writer.h"

#define NAME "standard output"
#define SELF "/proc/self/fd/1"

static_assert(sizeof(struct writer_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

/* True if the supervisor's messages go to this file too. */
static bool is_shared_with_messages(const struct stat *st)
{
	char path[64];
	struct stat messages;

	snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)getppid());
	return stat(path, &messages) == 0 && messages.st_dev == st->st_dev && messages.st_ino == st->st_ino;
}

static int stdout_check(struct weir_context *context, struct stat *st)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(STDOUT_FILENO, st) == 0)
		return 0;
	weir_fail(context, NAME " is closed, or not open for writing; give weir an output, or use `sink: file`");
	return WEIR_FAILED;
}

/* The first generation: our bytes begin where the shell's position stands, or at the end for `>>`. */
static int stdout_start(struct weir_context *context, const struct stat *st, bool positioned)
{
	struct writer_cursor *cursor = weir_cursor(context);
	off_t position = 0;

	if (positioned)
		position = fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND ? st->st_size : lseek(STDOUT_FILENO, 0, SEEK_CUR);
	if (position < 0)
		return error_origin(-errno);
	*cursor = (struct writer_cursor){
		.started = 1,
		.device = st->st_dev,
		.inode = st->st_ino,
		.committed = (uint64_t)position,
		.cut = positioned && position >= st->st_size, /* bytes of others behind it stay */
	};
	return 0;
}

static int stdout_open(struct weir_context *context, void **ret_state)
{
	const struct writer_cursor *cursor = weir_cursor(context);
	struct writer *writer;
	bool positioned;
	struct stat st;
	int fd, r = stdout_check(context, &st);

	if (r != 0)
		return r;
	fd = open(SELF, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	positioned = fd >= 0 && S_ISREG(st.st_mode) && !is_shared_with_messages(&st);
	if (fd >= 0 && S_ISREG(st.st_mode) && !positioned)
		fd = fd_close(fd); /* only the shared descriptor knows where others have written */
	writer = calloc(1, sizeof(*writer));
	r = !writer ? error_origin(-ENOMEM) : !cursor->started ? stdout_start(context, &st, positioned) : 0;
	if (r != 0) {
		free(writer);
		fd_close(fd);
		return r;
	}
	r = writer_init(writer, context, NAME, fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), positioned);
	writer->write_small = fd < 0 && !S_ISREG(st.st_mode);
	if (r == 0 && positioned)
		r = writer_resume(writer, &st);
	if (r != 0) {
		writer_abandon(writer);
		free(writer);
		return r;
	}
	*ret_state = writer;
	return 0;
}

static int stdout_process(struct weir_context *context, void *writer, const struct weir_item *item)
{
	(void)context;
	return writer_add(writer, item->data, item->size_bytes);
}

static int stdout_flush(struct weir_context *context, void *writer)
{
	(void)context;
	return writer_flush(writer);
}

static int stdout_finish(struct weir_context *context, void *writer)
{
	(void)context;
	return writer_finish(writer);
}

static void stdout_close(struct weir_context *context, void *data)
{
	const struct writer_cursor *cursor = weir_cursor(context);
	struct writer *writer = data;

	if (!writer)
		return;
	if (writer->positioned && !(fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND))
		(void)lseek(STDOUT_FILENO, (off_t)cursor->committed, SEEK_SET);
	writer_deinit(writer);
	free(writer);
}

const struct weir_stage stdout_sink_callbacks = {
	.open = stdout_open,
	.process = stdout_process,
	.flush = stdout_flush,
	.finish = stdout_finish,
	.close = stdout_close,
};
