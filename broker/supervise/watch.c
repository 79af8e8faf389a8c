/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is heard of a worker while it lives: the kernel's word through its pidfd, and its messages, whose token is checked here. What
 * they mean is decided in broker/lifecycle/voice.c and death.c. A worker is not trusted: what it says out of turn is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <weir/status.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

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
	return error_trace(seat_listen(seat));
}

void seat_unwatch(struct seat *seat)
{
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
	if (seat_state_alive(seat->life->state) && hello->generation != seat->generation)
		return false;
	if (!supervisor_post(supervisor, &(struct event){ .kind = EVENT_HELLO, .seat = seat->slot }))
		return supervisor->lifecycle.finished; /* its death was faster than its words */
	seat->exec_fd = fd_close(seat->exec_fd);       /* it runs, so its exec did not fail */
	return true;
}

static char *copy_bytes(struct message_bytes bytes)
{
	return bytes.size_bytes ? strndup(bytes.data, bytes.size_bytes) : NULL;
}

static void goodbye_clear(struct goodbye *goodbye)
{
	free(goodbye->reason);
	free(goodbye->option);
}

static void take_bye(struct seat *seat, const struct message_bye *bye)
{
	struct goodbye before = seat->goodbye;
	struct goodbye words = { .reason = copy_bytes(bye->reason), .option = copy_bytes(bye->option) };

	seat->goodbye = words; /* what is decided now may have to be told in these words */
	if (supervisor_post(seat->supervisor,
			    &(struct event){ .kind = EVENT_BYE,
					     .seat = seat->slot,
					     .failed = bye->status == WEIR_FAILED,
					     .blames_spec = words.option && strcmp(words.option, "plugin") == 0 })) {
		goodbye_clear(&before);
		if (!seat->told.since_ns)
			seat->told.since_ns = clock_now_ns();
		stalls_wake(seat->supervisor);
	} else {
		seat->goodbye = before;
		goodbye_clear(&words);
	}
}

/* Each order is heard once, whoever tells it first: the message, or the status line of the dead. */
static bool hear_order(struct seat *seat, uint64_t order, uint64_t seen_ns)
{
	if (seen_ns <= seat->order_heard_ns)
		return false;
	seat->order_heard_ns = seen_ns;
	metrics_seen(seat, order, seen_ns);
	seat_log(seat, WEIR_LOG_DEBUG, "has seen order %llu", (unsigned long long)order);
	seat->cancel_seen = seat->cancel_seen || order == BOARD_CANCEL;
	return true;
}

void seat_hear_last_order(struct seat *seat)
{
	const struct segment_status *status = seat->segment.status;
	uint64_t seen_ns;

	if (load_acquire(&status->generation) != seat->generation) /* [S1] mate: worker_attach */
		return;
	seen_ns = load_acquire(&status->seen_ns); /* [S5] mate: wait_acknowledge */
	hear_order(seat, load_relaxed(&status->seen_order), seen_ns);
}

static void take_ack(struct seat *seat, uint64_t order, uint64_t seen_ns)
{
	if (!hear_order(seat, order, seen_ns))
		return;
	if (order == BOARD_RUN || order == BOARD_DRAIN)
		supervisor_post(seat->supervisor, &(struct event){ .kind = EVENT_ACKNOWLEDGED,
								   .seat = seat->slot,
								   .runs = order == BOARD_RUN,
								   .closed = seat_memory_facts(seat).closed });
}

static void take_status(const struct seat *seat, const struct message_status *status)
{
	stalls_wake(seat->supervisor); /* nobody has asked: it says that it has woken up */
	deadlines_wake(seat->supervisor);
	loads_wake(seat->supervisor);
	seat_log(seat, WEIR_LOG_DEBUG, "says: %.*s %.*s", (int)status->state.size_bytes, status->state.data,
		 (int)status->detail.size_bytes, status->detail.data);
}

void supervisor_message(struct supervisor *supervisor, uint32_t slot, const struct message *message)
{
	struct seat *seat = slot < supervisor->plan->n_slots ? &supervisor->seats[slot] : NULL;

	if (!seat || supervisor->lifecycle.finished)
		return;
	switch (message->type) {
	case MESSAGE_READY:
		if (message->ready.slot == slot &&
		    !supervisor_post(supervisor, &(struct event){ .kind = EVENT_READY, .seat = slot }))
			seat_log(seat, WEIR_LOG_DEBUG,
				 "says that it is ready, out of turn or behind its SIGKILL: refused");
		return;
	case MESSAGE_BYE:
		if (message->bye.slot == slot)
			take_bye(seat, &message->bye);
		return;
	case MESSAGE_STATUS:
		if (message->status.slot == slot)
			take_status(seat, &message->status);
		return;
	case MESSAGE_SCOPES:
		seat_scopes_seen(seat, message->scopes.epoch);
		return;
	case MESSAGE_SCOPE_CANCEL:
		seat_wants_scope_cancelled(seat, message->scope_cancel.scope, message->scope_cancel.cause);
		return;
	case MESSAGE_ACK:
		if (message->ack.slot == slot)
			take_ack(seat, message->ack.order, message->ack.seen_ns);
		return;
	default:
		return; /* not for the supervisor; the control server counts what it refuses */
	}
}
