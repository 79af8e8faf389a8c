/* SPDX-License-Identifier: Apache-2.0 */
/* Line mode: the program itself. Starting it, talking to it through two pipes, losing it, ending it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/exec/line_priv.h"

#define ATTEMPTS_MAX 3u
#define BACKOFF_NS (100 * NS_PER_MS)

static void line_release_pipes(struct line *line)
{
	line->in = fd_close(line->in);
	line->out = fd_close(line->out);
	splitter_reset(&line->answers);
	line->has_answer = false;
	line->sent = line->head;
}

void line_stop(struct line *line, struct weir_context *context)
{
	weir_watch(context, -1, 0, 0);
	child_stop(&line->child);
	line_release_pipes(line);
}

static int set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) ? error_origin(-errno) : 0;
}

int line_start(struct line *line, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int child_in = -1, child_out = -1;
	int in[2], out[2], r;

	if (pipe2(in, O_CLOEXEC))
		return error_origin(-errno);
	child_in = in[0];
	line->in = in[1];
	if (pipe2(out, O_CLOEXEC))
		return error_origin(-errno);
	child_out = out[1];
	line->out = out[0];
	r = set_nonblocking(line->in);
	if (!r)
		r = set_nonblocking(line->out);
	if (!r)
		r = child_spawn(&line->child, &line->program, child_in, child_out, &why);
	if (r == CHILD_E_BAD) {
		weir_fail(context, "%s", text_get(&why));
		return WEIR_FAILED;
	}
	line->ended = false;
	line->progress_ns = clock_now_ns();
	return r;
}

/* The program is of no more use, for the reason in `why`: start it again, or give up. Returns 0 if it runs again. */
static int line_lost(struct line *line, struct weir_context *context, const char *why)
{
	int r;

	line_stop(line, context);
	if (++line->attempt >= ATTEMPTS_MAX) {
		weir_fail(context, "%s", why);
		return WEIR_FAILED;
	}
	weir_log(WEIR_LOG_WARNING, "%s (attempt %u of %u: it is started again)", why, line->attempt, ATTEMPTS_MAX);
	r = weir_wait(context, NULL, 0, clock_now_ns() + (BACKOFF_NS << (line->attempt - 1)));
	if (r != WEIR_EXPIRED)
		return r == WEIR_OK ? error_origin(-EPROTO) : r;
	return line_start(line, context);
}

/* The letter of a line brings along what the line has brought. Returns WEIR_EXPIRED, or what went wrong. */
static int line_take_up(struct line *line, struct weir_context *context)
{
	int r = bags_unpack(&line->bags, context, line->cursor->n_passed);

	return r == 0 ? WEIR_EXPIRED : r;
}

int line_overrun(struct line *line, struct weir_context *context)
{
	char deadline[QUANTITY_TEXT_SIZE];
	int r = timeout_overrun(&line->timeout, context, &line->child, line->program.title, "a line",
				line->progress_ns);

	if (r == WEIR_EXPIRED)
		r = line_take_up(line, context);
	if (r == WEIR_EXPIRED) {
		r = weir_give_up(context, 1, line->queue.data + line->head, line_head_bytes(line) - 1,
				 "'%s' has overrun the deadline of %s on this line, in each of %u attempts",
				 line->program.title, quantity_format_duration(line->timeout.deadline_ns, deadline),
				 line->timeout.attempts);
		if (r == 0)
			line_pass_head(line);
	}
	line_stop(line, context); /* what has not been answered, and not given up, is unsent again */
	return r ? r : line_start(line, context);
}

/* Bytes that lie in its stdin, not read yet; 0 if that can't be known. */
static int unread_bytes(const struct line *line)
{
	int n = 0;

	return line->in >= 0 && ioctl(line->in, FIONREAD, &n) == 0 && n > 0 ? n : 0;
}

static void advise_unbuffered(const struct program *program, struct text *text)
{
	static const struct {
		const char *name, *advice;
	} known[] = {
#define UNBUFFERED(name_, advice_) { name_, advice_ },
#include "worker/exec/unbuffered.def"
	};
	const char *slash = strrchr(program->argv[0], '/'), *name = slash ? slash + 1 : program->argv[0];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0) {
			text_printf(text, "%s does that unless told otherwise: %s", name, known[i].advice);
			return;
		}
	text_add(
		text,
		"start it with 'stdbuf -oL', or make it flush after each line (awk: fflush(), python: -u, grep: --line-buffered, sed: -u)");
}

/* Who has read the line and says nothing most likely has the answer in a buffer; who has not read it does something else. */
int line_lost_silent(struct line *line, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	char within[QUANTITY_TEXT_SIZE];
	int n_unread = unread_bytes(line);

	text_printf(&text, "'%s' has not answered a line within %s", line->program.title,
		    quantity_format_duration(line->answer_within_ns, within));
	if (n_unread || line->sent < line->stored) {
		text_printf(
			&text,
			", and has not read all that it was sent (%d bytes lie in its stdin): it is busy, or waits for something else",
			n_unread);
	} else {
		text_add(&text, " though it has read it; most likely it keeps its answers in a buffer: ");
		advise_unbuffered(&line->program, &text);
	}
	text_add(&text, "; if it is slow, raise answer_within:");
	return line_lost(line, context, text_get(&text));
}

int line_lost_ended(struct line *line, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (!line->ended) {
		struct pollfd fd = { .fd = line->child.pidfd, .events = POLLIN };
		int r = weir_wait(context, &fd, 1, clock_now_ns() + NS_PER_S);

		if (r == WEIR_EXPIRED) {
			text_printf(
				&text,
				"'%s' has closed its stdout, but lines are still to be answered; in line mode it must answer until its stdin ends",
				line->program.title);
			return line_lost(line, context, text_get(&text));
		}
		if (r)
			return r;
		child_finish(&line->child, &line->end);
		line->ended = true;
	}
	text_printf(&text, "'%s' has ended (", line->program.title);
	program_end_describe(&line->end, &text);
	text_printf(&text, ") after %llu answers, but lines are still to be answered",
		    (unsigned long long)line->cursor->n_answered);
	if (!program_end_is_ok(&line->program, &line->end)) {
		program_end_advise(&line->program, &line->end, false, &text);
		return line_lost(line, context, text_get(&text));
	}
	weir_fail(
		context,
		"%s; in line mode it must answer each line until its stdin ends (for other programs there is mode: block)",
		text_get(&text));
	line_stop(line, context);
	return WEIR_FAILED;
}

int line_fail_extra(struct line *line, struct weir_context *context)
{
	weir_fail(
		context,
		"'%s' wrote a line that answers nothing, after %llu answers; in line mode it must write exactly one line for each line "
		"it reads (for other programs there is mode: block)",
		line->program.title, (unsigned long long)line->cursor->n_answered);
	line_stop(line, context);
	return WEIR_FAILED;
}

/* ---- lines out, answers in; nothing here blocks ---- */

int line_send(struct line *line)
{
	while (line->in >= 0 && line->sent < line->stored) {
		ssize_t n = write(line->in, line->queue.data + line->sent, line->stored - line->sent);

		if (n > 0)
			line->sent += (size_t)n;
		else if (errno == EPIPE)
			line->in = fd_close(line->in); /* why, its stdout and exit status will tell */
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return error_origin(-errno);
	}
	return 0;
}

/* Returns 0: got some; LINE_E_NONE; LINE_E_END; -errno. */
static int line_read(struct line *line)
{
	unsigned char *at;
	size_t room;
	ssize_t n;

	if (line->out < 0)
		return LINE_E_END;
	room = splitter_room(&line->answers, &at);
	do
		n = read(line->out, at, room);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		splitter_fill(&line->answers, (size_t)n);
		return 0;
	}
	if (n < 0)
		return errno == EAGAIN ? LINE_E_NONE : error_origin(-errno);
	line->out = fd_close(line->out);
	return LINE_E_END;
}

int line_next_answer(struct line *line)
{
	int r;

	if (line->has_answer)
		return 0;
	while (splitter_next(&line->answers, false, &line->answer) == SPLIT_E_MORE) {
		r = line_read(line);
		if (r)
			return r;
	}
	line->has_answer = true;
	return 0;
}

/* ---- the end ---- */

/* Until the program has ended: 0, also if it had to be killed; WEIR_FAILED, WEIR_CANCELLED, -errno. */
static int line_await_end(struct line *line, struct weir_context *context)
{
	uint64_t give_up_ns = clock_now_ns() + line->answer_within_ns;

	while (!child_has_ended(&line->child)) {
		struct pollfd fds[2] = { { .fd = line->child.pidfd, .events = POLLIN },
					 { .fd = line->out, .events = POLLIN } };
		int r = weir_wait(context, fds, 2, give_up_ns);

		if (r == WEIR_EXPIRED) {
			weir_log(WEIR_LOG_WARNING,
				 "'%s' did not end after its stdin had ended; it is killed (all lines were answered)",
				 line->program.title);
			line_stop(line, context);
			return 0;
		}
		if (r)
			return r;
		r = line_next_answer(line);
		if (r == 0)
			return line_fail_extra(line, context);
		if (r < 0)
			return r;
	}
	child_finish(&line->child, &line->end);
	line->ended = true;
	return 0;
}

int line_end(struct line *line, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	int r = 0;

	line->in = fd_close(line->in);
	if (child_runs(&line->child))
		r = line_await_end(line, context);
	if (r || !line->ended)
		return r;
	if (line_next_answer(line) == 0)
		return line_fail_extra(line, context);
	line_stop(line, context);
	line->ended = false;
	if (program_end_is_ok(&line->program, &line->end))
		return 0;
	text_printf(&text, "'%s' has answered all lines, but then: ", line->program.title);
	program_end_describe(&line->end, &text);
	program_end_advise(&line->program, &line->end, true, &text);
	weir_fail(context, "%s", text_get(&text));
	return WEIR_FAILED;
}
