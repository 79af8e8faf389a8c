/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is heard of a worker while it lives.
 *
 *      worker ---- hello (token) --> SPAWNED -> OPENING
 *             ---- ready ----------> OPENING -> READY      all seats ready: the board says RUN
 *             ---- bye (why) ------> READY -> LEAVING      it gets the grace to exit, then SIGTERM, then SIGKILL
 *      kernel ---- pidfd ----------> reap.c
 *
 * A worker is not trusted: what it says out of turn is refused. Every state in which we wait for it is bounded: until
 * everybody is ready by the start's own timer, later generations and those that leave by the seat's.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <weir/status.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/observe/worker_state.h"

/* ---- time is up ---- */

static int on_kill_due(sd_event_source *source, uint64_t at_us, void *data)
{
	struct seat *seat = data;

	(void)source;
	(void)at_us;
	timer_stop(&seat->timer);
	seat_log(seat, WEIR_LOG_WARNING, "is told to end by SIGKILL");
	pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0);
	return 0;
}

static int on_leave_due(sd_event_source *source, uint64_t at_us, void *data)
{
	struct seat *seat = data;

	(void)source;
	(void)at_us;
	seat_log(seat, WEIR_LOG_WARNING, "said goodbye but does not exit; it is told to end by SIGTERM");
	seat->hung = true;
	pidfd_send_signal(seat->pidfd, SIGTERM, NULL, 0);
	timer_set(seat->supervisor, &seat->timer, clock_now_ns() + seat->stage->grace_ns, on_kill_due, seat);
	return 0;
}

static int on_open_due(sd_event_source *source, uint64_t at_us, void *data)
{
	struct seat *seat = data;

	(void)source;
	(void)at_us;
	seat_log(seat, WEIR_LOG_WARNING, "is not ready after %.1f s (%s)",
		 (double)(clock_now_ns() - seat->spawned_ns) / (double)NS_PER_S, seat_state_name(seat->state));
	pidfd_send_signal(seat->pidfd, SIGTERM, NULL, 0);
	timer_set(seat->supervisor, &seat->timer, clock_now_ns() + seat->stage->grace_ns, on_kill_due, seat);
	return 0;
}

/* ---- event sources ---- */

static int on_pidfd(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	seat_reap(data);
	return 0;
}

int seat_watch(struct seat *seat)
{
	struct supervisor *supervisor = seat->supervisor;
	int r = sd_event_add_io(supervisor->event, &seat->pidfd_source, seat->pidfd, EPOLLIN, on_pidfd, seat);

	if (r >= 0)
		r = sd_event_source_set_priority(seat->pidfd_source, PRIORITY_DEATH);
	if (r < 0)
		return error_origin(r);
	if (supervisor->state != PIPELINE_STARTING)
		timer_set(supervisor, &seat->timer, clock_now_ns() + supervisor->start_timeout_ns, on_open_due, seat);
	return error_trace(seat_listen(seat));
}

void seat_unwatch(struct seat *seat)
{
	timer_stop(&seat->timer);
	seat->pidfd_source = sd_event_source_disable_unref(seat->pidfd_source);
	seat->pidfd = fd_close(seat->pidfd);
	seat->exec_fd = fd_close(seat->exec_fd);
	seat_close_stderr(seat);
}

/* ---- messages ---- */

/* The token says that it was invited. */
static bool has_token(const struct seat *seat, const struct message_hello *hello)
{
	return seat->last_pid > 0 && hello->pid == (uint64_t)seat->last_pid &&
	       hello->token.size_bytes == sizeof(seat->token) &&
	       memcmp(hello->token.data, seat->token, sizeof(seat->token)) == 0;
}

bool supervisor_hello(struct supervisor *supervisor, const struct message *message)
{
	const struct message_hello *hello = &message->hello;
	struct seat *seat;

	if (message->type != MESSAGE_HELLO || hello->slot >= supervisor->plan->n_slots)
		return false;
	seat = &supervisor->seats[hello->slot];
	if (!has_token(seat, hello))
		return false;
	/* Its death was faster than its words: a goodbye that says why may follow. */
	if (!seat_state_alive(seat->state))
		return true;
	if (hello->generation != seat->generation || !seat_move(seat, SEAT_EVENT_HELLO))
		return false;
	seat->exec_fd = fd_close(seat->exec_fd); /* it runs, so its exec did not fail */
	return true;
}

static void take_ready(struct seat *seat)
{
	if (!seat_move(seat, SEAT_EVENT_READY))
		return;
	seat->was_ready = true;
	timer_stop(&seat->timer);
	seat_tell_deadline(seat);
	ladder_tell(seat);
	supervisor_check_ready(seat->supervisor);
	stalls_wake(seat->supervisor);
}

static char *copy_bytes(struct message_bytes bytes)
{
	return bytes.size_bytes ? strndup(bytes.data, bytes.size_bytes) : NULL;
}

static void take_bye(struct seat *seat, const struct message_bye *bye)
{
	enum seat_state before = seat->state;

	if (seat->goodbye.said || !seat_move(seat, SEAT_EVENT_BYE))
		return;
	seat->goodbye = (struct goodbye){ .said = true,
					  .status = bye->status,
					  .reason = copy_bytes(bye->reason),
					  .option = copy_bytes(bye->option) };
	if (before == SEAT_DEAD)
		seat_conclude(seat);
	else
		timer_set(seat->supervisor, &seat->timer, clock_now_ns() + seat->stage->grace_ns, on_leave_due, seat);
}

static void take_status(const struct seat *seat, const struct message_status *status)
{
	stalls_wake(seat->supervisor); /* nobody has asked: it says that it has woken up */
	seat_log(seat, WEIR_LOG_DEBUG, "says: %.*s %.*s", (int)status->state.size_bytes, status->state.data,
		 (int)status->detail.size_bytes, status->detail.data);
}

void supervisor_message(struct supervisor *supervisor, uint32_t slot, const struct message *message)
{
	struct seat *seat = slot < supervisor->plan->n_slots ? &supervisor->seats[slot] : NULL;

	if (!seat || supervisor->finished)
		return;
	switch (message->type) {
	case MESSAGE_READY:
		if (message->ready.slot == slot)
			take_ready(seat);
		return;
	case MESSAGE_BYE:
		if (message->bye.slot == slot)
			take_bye(seat, &message->bye);
		return;
	case MESSAGE_STATUS:
		if (message->status.slot == slot)
			take_status(seat, &message->status);
		return;
	case MESSAGE_ACK:
		seat_log(seat, WEIR_LOG_DEBUG, "has seen order %llu", (unsigned long long)message->ack.order);
		return;
	default:
		return; /* not for the supervisor; the control server counts what it refuses */
	}
}
