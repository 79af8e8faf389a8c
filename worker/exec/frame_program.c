/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      worker                                        program
 *        in   ---- hello, item, cancel, end ---->    WEIR_FRAME_IN  (3)
 *        out  <--- ready, answer, ... bye -------    WEIR_FRAME_OUT (4)
 *      stderr <------- what people read ---------    1, 2              into the log, with stage and pid
 *                                                    0 is /dev/null
 *
 * Neither side of this process blocks, so a program that does not read can't keep its answers from being read. One epoll stands for all
 * that may happen, for a stage has one thing to watch.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/exec/frame.h"

#define EXIT_PATIENCE_NS NS_PER_S

#define READ_BYTES ((size_t)64 * 1024)
#define PUSH_BYTES ((size_t)16 * 1024)

static int watch(const struct frame *frame, int operation, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(frame->events, operation, fd, &event) ? error_origin(-errno) : 0;
}

static int open_pipe(int *ret_ours, int *ret_theirs, bool we_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return error_origin(-errno);
	*ret_ours = fds[we_write];
	*ret_theirs = fds[!we_write];
	return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) ? error_origin(-errno) : 0;
}

static int say_hello(struct frame *frame, struct weir_context *context, const void *position, size_t position_bytes)
{
	const struct frame_hello hello = {
		.stage = weir_stage_name(context),
		.role = frame->role,
		.worker = weir_worker_index(context),
		.at_once = frame->in_flight,
		.values = frame->values,
		.size_max_bytes = frame->frame_max_bytes,
		.output_max_bytes = weir_outputs(context) ? weir_item_size_max(context) : 0,
		.position = position,
		.position_bytes = position_bytes,
	};
	int r = frame_write_hello(&frame->to, &hello);

	return r ? r : frame_push(frame);
}

static int watch_all(struct frame *frame)
{
	int r = watch(frame, EPOLL_CTL_ADD, frame->out, EPOLLIN);

	if (!r)
		r = watch(frame, EPOLL_CTL_ADD, frame->in, 0); /* errors come unasked */
	return r ? r : watch(frame, EPOLL_CTL_ADD, frame->child.pidfd, EPOLLIN);
}

int frame_start(struct frame *frame, struct weir_context *context, const void *position, size_t position_bytes)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int child_in = -1, child_out = -1;
	struct child_fds fds = { .in = -1, .out = STDERR_FILENO };
	int r = open_pipe(&frame->in, &child_in, true);

	if (!r)
		r = open_pipe(&frame->out, &child_out, false);
	fds.frames_in = child_in;
	fds.frames_out = child_out;
	if (!r)
		r = child_spawn_with(&frame->child, &frame->program, &fds, &why);
	if (r == CHILD_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		return WEIR_FAILED;
	}
	if (!r)
		r = watch_all(frame);
	if (r)
		return r;
	frame->phase = FRAME_STARTING;
	frame->until_ns = clock_now_ns() + frame->ready_within_ns;
	frame->exited = false;
	frame->n_heard = 0;
	return say_hello(frame, context, position, position_bytes);
}

static void empty(struct buffer *buffer, size_t *head)
{
	buffer->length = *head = 0;
}

void frame_release(struct frame *frame)
{
	child_stop(&frame->child); /* closes its pidfd, which leaves the epoll so; as do the pipes */
	frame->in = fd_close(frame->in);
	frame->out = fd_close(frame->out);
	frame->in_is_watched = frame->has_more = false;
	empty(&frame->to, &frame->to_head);
	empty(&frame->from, &frame->from_head);
	frame->phase = FRAME_DOWN;
}

/* What is done with goes, now and then. */
static void compact(struct buffer *buffer, size_t *head)
{
	if (*head < buffer->length && *head < READ_BYTES)
		return;
	buffer_drop(buffer, *head);
	*head = 0;
}

static int watch_in(struct frame *frame, bool watched)
{
	if (frame->in < 0 || frame->in_is_watched == watched)
		return 0;
	frame->in_is_watched = watched;
	return watch(frame, EPOLL_CTL_MOD, frame->in, watched ? EPOLLOUT : 0);
}

int frame_push(struct frame *frame)
{
	while (frame->in >= 0 && frame_unwritten(frame)) {
		ssize_t n = write(frame->in, frame->to.data + frame->to_head, frame_unwritten(frame));

		if (n > 0)
			frame->to_head += (size_t)n;
		else if (errno == EPIPE)
			frame->in = fd_close(frame->in);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return error_origin(-errno);
	}
	compact(&frame->to, &frame->to_head);
	return watch_in(frame, frame_unwritten(frame));
}

int frame_push_soon(struct frame *frame)
{
	return frame_unwritten(frame) < PUSH_BYTES ? watch_in(frame, true) : frame_push(frame);
}

int frame_pull(struct frame *frame)
{
	ssize_t n;
	int r;

	if (frame->out < 0)
		return FRAME_PULL_END;
	compact(&frame->from, &frame->from_head);
	r = buffer_reserve(&frame->from, READ_BYTES);
	if (r)
		return r;
	do
		n = read(frame->out, frame->from.data + frame->from.length, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		frame->from.length += (size_t)n;
		return 0;
	}
	if (n < 0)
		return errno == EAGAIN ? FRAME_PULL_NOTHING : error_origin(-errno);
	frame->out = fd_close(frame->out);
	return FRAME_PULL_END;
}

int frame_look(struct frame *frame)
{
	struct epoll_event events[3];
	int n = epoll_wait(frame->events, events, 3, 0);

	if (n < 0 && errno != EINTR)
		return error_origin(-errno);
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (child_runs(&frame->child) && fd == frame->child.pidfd) {
			/* what it left behind may hold its end of the pipe: with that dead, the end of file comes */
			child_finish(&frame->child, &frame->end);
			frame->exited = true;
		} else if (fd == frame->in && events[i].events & EPOLLERR) {
			frame->in = fd_close(frame->in);
		}
	}
	return 0;
}

int frame_take(struct frame *frame, struct frame_message *ret_message, size_t *ret_size_bytes,
	       struct record_fault *fault)
{
	const char *at = frame->from.data + frame->from_head;
	int r = frame_find(at, frame->from.length - frame->from_head, frame->frame_max_bytes, ret_size_bytes, fault);

	if (r == 0)
		r = frame_read(at + FRAME_HEAD_BYTES, *ret_size_bytes - FRAME_HEAD_BYTES, frame->role, frame->values,
			       ret_message, fault);
	return r;
}

int frame_await_exit(struct frame *frame, struct weir_context *context)
{
	struct pollfd fd = { .fd = frame->child.pidfd, .events = POLLIN };
	int r;

	if (frame->exited)
		return 0;
	r = weir_wait(context, &fd, 1, clock_now_ns() + EXIT_PATIENCE_NS);
	if (r != WEIR_OK)
		return r == WEIR_EXPIRED ? 0 : r;
	child_finish(&frame->child, &frame->end);
	frame->exited = true;
	return 0;
}

void frame_describe_end(const struct frame *frame, const char *lacking, struct text *text)
{
	if (!frame->exited) {
		text_printf(text, "'%s' has closed its descriptor %d and not ended", frame->program.title,
			    frame->out < 0 ? CHILD_FRAMES_OUT : CHILD_FRAMES_IN);
	} else {
		text_printf(text, "'%s' has ended (", frame->program.title);
		program_end_describe(&frame->end, text);
		text_add(text, ")");
	}
	text_add(text, frame->phase == FRAME_STARTING ?
			       " before it said 'ready'; a program in frame mode speaks the protocol of docs/frame.md" :
			       lacking);
	if (frame->exited && !program_end_is_ok(&frame->program, &frame->end))
		program_end_advise(&frame->program, &frame->end, false, text);
}

void frame_describe_count(uint32_t n, bool unready, const char *lacking, struct text *text)
{
	if (n > 1)
		text_printf(text, " (%u programs in a row %s%s)", n, unready ? "did not get ready" : "were lost ",
			    unready ? "" : lacking);
}
