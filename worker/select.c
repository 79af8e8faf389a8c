/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Select: which of several things is ready, fairly, and sleeping until one is.
 *
 *      cases:        0 RECV a    1 RECV b    2 SEND c    3 FD
 *      last time:                   X
 *      first look:                           ^ -> 3 -> 0 -> 1        so a case that stays ready waits for n - 1 others at most
 *
 * Lanes are looked at by loads, descriptors by poll(2): so those have their look when no lane is ready, and else every
 * SELECTS_UNPOLLED calls; then they come first. A look changes nothing but the case that it chooses, so the same look
 * serves the sleeper, before and after it has armed.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/scope/scope.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/channel_priv.h"
#include "worker/leave.h"
#include "worker/output.h"
#include "worker/retire.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"

#define SELECTS_UNPOLLED 64u

struct cases {
	struct weir_case *cases;
	size_t n_cases;
	bool in_step;
	bool meeting; /* the next step waits for the readers at a rendezvous */
	const struct until *until;
};

static bool never_fits(const struct worker *worker, const struct weir_case *one)
{
	bool fits = true;

	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (one->index == i || (one->index == WEIR_ALL_OUTPUTS && !worker->outputs[i].closed))
			fits = fits &&
			       one->size_bytes <= lane_payload_max(worker->outputs[i].lanes[0].lane.capacity_bytes);
	return !fits;
}

/* Asks the outputs about a payload of that size. */
static void ask_room(struct worker *worker, const struct weir_case *one)
{
	worker->need_output = one->index;
	worker->need_bytes = item_record_size(baggage_size(worker) + one->size_bytes);
}

static bool case_is_ready(struct worker *worker, const struct weir_case *one)
{
	switch (one->kind) {
	case WEIR_CASE_RECV:
		return channel_has(worker, one->index);
	case WEIR_CASE_SEND:
		if (channel_is_closed(worker, one->index) || never_fits(worker, one))
			return true;
		ask_room(worker, one);
		return output_room(worker, worker->need_bytes) || !output_possible(worker, worker->need_bytes);
	case WEIR_CASE_FD:
		return one->revents != 0;
	default:
		return false;
	}
}

/* The case is ready: carries it out. */
static int case_take(struct worker *worker, struct weir_case *one)
{
	int r;

	if (one->kind == WEIR_CASE_FD)
		return 0;
	if (one->kind == WEIR_CASE_RECV) {
		r = channel_take(worker, one->index);
		if (r == 0)
			one->item = worker->step.item;
		return r;
	}
	if (channel_is_closed(worker, one->index))
		return WEIR_CLOSED;
	if (never_fits(worker, one))
		return WEIR_TOO_LARGE;
	ask_room(worker, one);
	return output_room(worker, worker->need_bytes) ? 0 : WEIR_FULL;
}

/* Asks poll(2) about the descriptors, without waiting. Returns whether one is ready, or -errno. */
static int poll_now(struct weir_case *cases, size_t n_cases)
{
	struct pollfd fds[WEIR_CASES_MAX];
	nfds_t n_fds = 0;
	int r;

	for (size_t i = 0; i < n_cases; i++)
		if (cases[i].kind == WEIR_CASE_FD)
			fds[n_fds++] = (struct pollfd){ .fd = cases[i].fd, .events = cases[i].events };
	if (!n_fds)
		return 0;
	r = poll(fds, n_fds, 0);
	if (r < 0)
		return errno == EINTR ? 0 : error_origin(-errno);
	for (size_t i = n_cases; i-- > 0;)
		if (cases[i].kind == WEIR_CASE_FD)
			cases[i].revents = fds[--n_fds].revents;
	return r > 0;
}

/* Takes the first ready case from where the last one was; `polled`: a descriptor is ready and has waited long. */
static int look(struct worker *worker, struct weir_case *cases, size_t n_cases, bool polled, size_t *ret_case)
{
	struct step *step = &worker->step;

	for (size_t i = 0; i < n_cases; i++) {
		size_t number = (step->next_case + i) % n_cases;
		int r;

		if ((polled && cases[number].kind != WEIR_CASE_FD) || !case_is_ready(worker, &cases[number]))
			continue;
		r = case_take(worker, &cases[number]);
		if (r == CHANNEL_NOTHING) /* items that were given up, and nothing behind them */
			continue;
		*ret_case = step->over ? WEIR_NO_CASE : number;
		step->next_case = number + 1;
		return r;
	}
	return CHANNEL_NOTHING;
}

static bool cases_are_fine(const struct worker *worker, struct weir_case *cases, size_t n_cases, bool *ret_receives)
{
	*ret_receives = false;
	if (n_cases > WEIR_CASES_MAX)
		return false;
	for (size_t i = 0; i < n_cases; i++) {
		struct weir_case *one = &cases[i];
		uint32_t n = one->kind == WEIR_CASE_RECV ? worker->n_inputs : worker->n_outputs;

		one->revents = 0;
		*ret_receives = *ret_receives || one->kind == WEIR_CASE_RECV;
		if (one->kind == WEIR_CASE_NONE || one->kind == WEIR_CASE_FD)
			continue;
		if ((one->kind != WEIR_CASE_RECV && one->kind != WEIR_CASE_SEND) || !n ||
		    (one->index >= n && one->index != WEIR_ANY_INPUT))
			return false;
	}
	return true;
}

static bool any_is_ready(struct worker *worker, const void *data)
{
	const struct cases *all = data;

	if (until_is_cancelled(all->until))
		return true;
	if (retire_may_advance(worker) || step_may_close(worker) || (!all->in_step && leave_has_work(worker)))
		return true;
	if (all->meeting)
		return admission_handed_over(worker);
	for (size_t i = 0; i < all->n_cases; i++)
		if (all->cases[i].kind != WEIR_CASE_FD && case_is_ready(worker, &all->cases[i]))
			return true;
	return false;
}

static void request_room(struct wait_request *request, uint64_t need_bytes)
{
	if (!(request->events & ARM_SPACE) || need_bytes < request->need_bytes)
		request->need_bytes = need_bytes;
	request->events |= ARM_SPACE;
}

/* What the neighbours have to ring for: the smallest room that would help. */
static void request_lanes(struct worker *worker, const struct cases *all, struct wait_request *request)
{
	if (all->meeting)
		request_room(request, 1);
	for (size_t i = 0; !all->meeting && i < all->n_cases; i++) {
		const struct weir_case *one = &all->cases[i];
		uint64_t need = one->kind == WEIR_CASE_SEND ? item_record_size(one->size_bytes) : item_record_size(0);

		if (one->kind == WEIR_CASE_RECV)
			request->events |= ARM_DATA;
		/* An ordered stage may wait for room for the end of a run. */
		if (one->kind == WEIR_CASE_SEND || (one->kind == WEIR_CASE_RECV && worker->ordered))
			request_room(request, need);
	}
	if (worker->cursor.inputs_left && !all->in_step)
		request->events |= ARM_DATA;
	if (retire_need_bytes(worker))
		request_room(request, retire_need_bytes(worker));
	if (worker->step.closed != worker->outputs_ended) /* put off until every lane is empty */
		request_room(request, worker->outputs[0].lanes[0].lane.capacity_bytes);
}

/*
 * May it sleep, and until when? A scope that another thread cancels wakes it by a descriptor, which is put behind the others; the
 * supervisor's order does by the doorbell. Returns 0, WEIR_WOULD_BLOCK, WEIR_EXPIRED, CHANNEL_SCOPE_DONE, -errno.
 */
static int request_until(const struct until *until, struct wait_request *request, struct pollfd *ret_fd)
{
	uint64_t deadline_ns = until->deadline_ns;

	if (until->scope && weir_scope_check(until->scope) != WEIR_OK)
		return CHANNEL_SCOPE_DONE;
	if (deadline_ns == WEIR_NOW)
		return WEIR_WOULD_BLOCK;
	if (deadline_ns != WEIR_FOREVER && clock_now_ns() >= deadline_ns)
		return WEIR_EXPIRED;
	*ret_fd = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (until->scope) {
		uint64_t scope_ns = weir_scope_budget(until->scope).deadline_ns;

		deadline_ns = scope_ns < deadline_ns ? scope_ns : deadline_ns;
		ret_fd->fd = weir_scope_event_fd(until->scope);
		if (ret_fd->fd < 0)
			return error_origin(ret_fd->fd);
	}
	request->wake_ns = deadline_ns == WEIR_FOREVER ? 0 : deadline_ns;
	return 0;
}

int channel_sleep(struct worker *worker, struct weir_case *cases, size_t n_cases, bool in_step,
		  const struct until *until)
{
	struct cases all = { cases, n_cases, in_step, !in_step && !admission_has_met(worker), until };
	struct pollfd fds[WEIR_CASES_MAX + 1], scope_fd;
	struct wait_request request = { .is_over = any_is_ready, .data = &all, .fds = fds };
	size_t n_fds = 0;
	int r = request_until(until, &request, &scope_fd);

	if (r != 0)
		return r;
	/* In the middle of a step nobody could end a run: waking up for it would be a busy loop. */
	if (!in_step)
		request.wake_ns = deadline_earlier(request.wake_ns, output_runs_due_ns(worker));
	request_lanes(worker, &all, &request);
	if (n_cases == 1 && cases[0].kind == WEIR_CASE_RECV && cases[0].index < worker->n_inputs)
		request.input_number = cases[0].index + 1;
	for (size_t i = 0; !all.meeting && i < n_cases; i++)
		if (cases[i].kind == WEIR_CASE_FD)
			fds[n_fds++] = (struct pollfd){ .fd = cases[i].fd, .events = cases[i].events };
	request.n_fds = n_fds;
	if (scope_fd.fd >= 0)
		fds[request.n_fds++] = scope_fd;
	r = wait_for_request(worker, &request);
	for (size_t i = n_cases; n_fds && i-- > 0;)
		if (cases[i].kind == WEIR_CASE_FD)
			cases[i].revents = fds[--n_fds].revents;
	return r;
}

/* Nothing was ready at the first look. Returns 0: look again. */
static int select_wait(struct worker *worker, struct cases *all, bool in_step)
{
	int r = channel_pause(worker, in_step);

	if (r != 0)
		return r;
	r = in_step || admission_has_met(worker) ? poll_now(all->cases, all->n_cases) : 0;
	if (r != 0)
		return r > 0 ? 0 : channel_over(worker, r);
	r = channel_sleep(worker, all->cases, all->n_cases, in_step, all->until);
	if (r == WEIR_CANCELLED && in_step) {
		worker->emit_refused = WEIR_CANCELLED; /* the step at work will not be finished */
		return r;
	}
	return r < 0 || r == WEIR_CANCELLED ? channel_over(worker, r) : r;
}

static int select_until(struct worker *worker, struct weir_case *cases, size_t n_cases, const struct until *until,
			size_t *ret_case)
{
	struct cases all = { .cases = cases, .n_cases = n_cases, .until = until };
	bool receives, in_step, polled = false;
	int r = channel_enter(worker);

	*ret_case = WEIR_NO_CASE;
	if (r != 0)
		return r;
	if (!cases_are_fine(worker, cases, n_cases, &receives))
		return error_origin(-EINVAL);
	in_step = !receives && worker->stage.role != WEIR_SOURCE;
	if (++worker->step.n_unpolled >= SELECTS_UNPOLLED) {
		worker->step.n_unpolled = 0;
		polled = poll_now(cases, n_cases) > 0;
	}
	if (!in_step)
		r = channel_step(worker);
	else if (worker_cancelled(worker))
		r = worker->emit_refused = WEIR_CANCELLED;
	while (r == 0) {
		if (until_is_cancelled(until))
			return CHANNEL_SCOPE_DONE;
		r = in_step || admission_has_met(worker) ? look(worker, cases, n_cases, polled, ret_case) :
							   CHANNEL_NOTHING;
		if (r != CHANNEL_NOTHING)
			return r;
		r = select_wait(worker, &all, in_step);
		if (r == 0 && !in_step)
			step_turn(worker);
		if (r == 0 && worker->stage.role == WEIR_SOURCE)
			r = channel_step(worker); /* it may have to drain by now */
	}
	return r;
}

int channel_select(struct weir_context *context, struct weir_case *cases, size_t n_cases, uint64_t deadline_ns,
		   size_t *ret_case)
{
	const struct until until = { .deadline_ns = deadline_ns };

	return select_until(worker_of(context), cases, n_cases, &until, ret_case);
}

int channel_select_in(struct weir_context *context, struct weir_case *cases, size_t n_cases, struct weir_scope *scope,
		      const struct weir_budget *budget, size_t *ret_case)
{
	const struct until until = until_of(worker_of(context), scope, budget);

	return until_outcome(&until, select_until(worker_of(context), cases, n_cases, &until, ret_case));
}

int channel_wait(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns)
{
	struct weir_case cases[WEIR_CASES_MAX] = { { 0 } };
	size_t number;
	int r;

	if (n_fds > WEIR_CASES_MAX)
		return error_origin(-EINVAL);
	for (size_t i = 0; i < n_fds; i++)
		cases[i] = (struct weir_case){ .kind = WEIR_CASE_FD, .fd = fds[i].fd, .events = fds[i].events };
	r = channel_select(context, cases, n_fds, deadline_ns ? deadline_ns : WEIR_FOREVER, &number);
	for (size_t i = 0; i < n_fds; i++)
		fds[i].revents = cases[i].revents;
	return r;
}
