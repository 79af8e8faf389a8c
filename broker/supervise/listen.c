/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's stderr: its own log lines and whatever its programs print. It is always read, for a worker must not block on a
 * full pipe; but in small portions, at the lowest priority, so that a flood delays neither a death nor an order; and it
 * is printed at a bounded rate for each stage, with the number of lines that were not.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define LISTEN_BUFFER_SIZE 16384u
#define LISTEN_BYTES_PER_DISPATCH (4u * LISTEN_BUFFER_SIZE)

static int on_window_end(sd_event_source *source, uint64_t at_us, void *data)
{
	struct stage_watch *watch = data;
	uint64_t suppressed = line_limit_take(&watch->limit);

	(void)source;
	(void)at_us;
	timer_stop(&watch->limit_timer);
	stage_log(watch, WEIR_LOG_WARNING, "%llu more lines on stderr, not shown", (unsigned long long)suppressed);
	return 0;
}

static void on_line(void *data, enum weir_log_level level, const char *line)
{
	struct seat *seat = data;
	struct stage_watch *watch = &seat->supervisor->stages[seat->stage_number];

	if (line_limit_pass(&watch->limit, clock_now_ns()))
		seat_pass_on(seat, level, line);
	else if (!watch->limit_timer)
		timer_set(seat->supervisor, &watch->limit_timer, line_limit_report_ns(&watch->limit), on_window_end,
			  watch);
}

static void on_backtrace(void *data, enum weir_log_level level, const char *line)
{
	if (seat_hear_backtrace(data, line))
		on_line(data, level, line);
}

void seat_close_stderr(struct seat *seat)
{
	if (seat->stderr_fd < 0)
		return;
	last_words_end(&seat->words, on_line, seat);
	seat->stderr_source = sd_event_source_disable_unref(seat->stderr_source);
	seat->stderr_fd = fd_close(seat->stderr_fd);
}

void seat_read_stderr(struct seat *seat, size_t bytes_max)
{
	char buffer[LISTEN_BUFFER_SIZE];

	while (bytes_max > 0 && seat->stderr_fd >= 0) {
		ssize_t n = read(seat->stderr_fd, buffer, sizeof(buffer) < bytes_max ? sizeof(buffer) : bytes_max);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			seat_close_stderr(seat);
			return;
		}
		last_words_feed(&seat->words, buffer, (size_t)n, on_line, seat);
		bytes_max -= (size_t)n;
	}
}

static int on_stderr(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	seat_read_stderr(data, LISTEN_BYTES_PER_DISPATCH);
	return 0;
}

int seat_listen(struct seat *seat)
{
	int r = sd_event_add_io(seat->supervisor->event, &seat->stderr_source, seat->stderr_fd, EPOLLIN, on_stderr,
				seat);

	seat->words.on_backtrace = on_backtrace;
	if (r >= 0)
		r = sd_event_source_set_priority(seat->stderr_source, PRIORITY_STDERR);
	return r < 0 ? error_origin(r) : 0;
}
