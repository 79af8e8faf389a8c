/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source that was told to drain gives nothing more. But it does not close its lanes as long as its readers still have something of it to
 * do: what is closed stays closed, what only rests can go on.
 *
 *      RUN ----> DRAIN: rests ---- its lanes are empty, or nothing moves for two seconds, or half of the time is gone ----> closes, ends
 *       ^          |
 *       '-- RUN ---'  weir resume: it acknowledges the order, and that is its word that it goes on
 *
 * The drain takes no longer for it: readers see the end behind the last item either way. Runs are ended first, so that nobody waits for
 * the rest of one. Once it has made up its mind to end it acknowledges no order to run any more (worker->parted).
 *
 * One that has people at its door (WEIR_STAGE_ANSWERS) is called meanwhile, to tell them: at the beginning, and when what it watches is
 * ready. What it emits then goes nowhere. One that others wait for (WEIR_STAGE_STAYS) is called so behind its end, too, until it says that
 * it is over; a worker that is killed then is followed by one that finds its stream ended, and stays in its turn.
 */
#include "worker/rest.h"

#include "common/base/clock.h"
#include "worker/outcome.h"
#include "worker/output.h"
#include "worker/retire.h"
#include "worker/turn.h"
#include "worker/wait.h"

#define REST_LOOK_NS (5 * NS_PER_MS) /* a reader that holds room back rings late */

/* Bytes that readers have still to take. */
static uint64_t left_bytes(const struct worker *worker)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		const struct output_edge *edge = &worker->outputs[i];

		for (uint32_t j = 0; j < edge->n_lanes + edge->n_retired + edge->n_closed; j++)
			bytes += edge->lanes[j].lane.tail -
				 load_acquire(&edge->lanes[j].lane.peer->done); /* [L4] mate: commit_store */
	}
	return bytes;
}

static bool is_taken(struct worker *worker, const void *data)
{
	(void)data;
	return !left_bytes(worker) || retire_is_due(worker);
}

void rest_begin(struct rest *rest, uint64_t now_ns, uint64_t term_ns, uint64_t patience_ns, uint64_t left_bytes)
{
	*rest = (struct rest){
		.until_ns = term_ns > now_ns ? now_ns + (term_ns - now_ns) / 2 : now_ns,
		.patience_ns = patience_ns,
		.moved_ns = now_ns,
		.left_bytes = left_bytes,
	};
}

bool rest_goes_on(struct rest *rest, uint64_t now_ns, uint64_t left_bytes)
{
	if (left_bytes != rest->left_bytes)
		rest->moved_ns = now_ns;
	rest->left_bytes = left_bytes;
	return left_bytes && now_ns < rest->until_ns && now_ns - rest->moved_ns < rest->patience_ns;
}

/* Returns what produce() says: WEIR_OK, WEIR_MORE, WEIR_WAIT, WEIR_CLOSED, WEIR_CANCELLED, WEIR_FAILED, -errno. */
static int call(struct worker *worker)
{
	int r;

	worker->watch = (struct watch){ .fd = -1 };
	worker->now_ns = 0;
	worker->resting = true;
	worker->phase = PHASE_PRODUCE;
	r = worker->stage.produce(&worker->context, worker->state);
	worker->resting = false;
	return outcome_check(worker, "produce",
			     OUTCOMES_ENDING | OUTCOME(WEIR_MORE) | OUTCOME(WEIR_WAIT) | OUTCOME(WEIR_CLOSED), r);
}

/* Returns 0, WEIR_FAILED, -errno. */
static int answer(struct worker *worker)
{
	int r = worker->stage.flags & WEIR_STAGE_ANSWERS ? call(worker) : 0;

	return r == WEIR_FAILED || r < 0 ? r : 0;
}

static int rest_once(struct worker *worker, uint64_t now_ns)
{
	struct pollfd watch = { .fd = worker->watch.fd, .events = worker->watch.events };
	const struct wait_request request = {
		.events = ARM_SPACE,
		.need_bytes = UINT64_MAX,
		.is_over = is_taken,
		.fds = &watch,
		.n_fds = watch.fd >= 0 && worker->stage.flags & WEIR_STAGE_ANSWERS,
		.wake_ns = now_ns + REST_LOOK_NS,
	};
	int r;

	worker->lingering = true; /* for people: it waits for its readers */
	r = wait_for_request(worker, &request);
	worker->lingering = false;
	if (r == 0)
		r = retire_check(worker);
	if (r == 0 && (watch.revents || (worker->watch.wake_ns && clock_now_ns() >= worker->watch.wake_ns)))
		r = answer(worker);
	return r == 0 ? wait_check_order(worker) : r;
}

int rest_for(struct worker *worker, uint64_t patience_ns)
{
	uint64_t now_ns = clock_now_ns(), left = left_bytes(worker);
	struct rest rest;
	int r = 0;

	rest_begin(&rest, now_ns, load_relaxed(&worker->board->term_deadline_ns), patience_ns, left);
	if (left) {
		output_end_runs(worker, OUTPUT_RUNS_ALL);
		worker->changed = true;
		r = turn_commit(worker);
	}
	if (r == 0)
		r = answer(worker);
	while (r == 0 && worker->order_seen == BOARD_DRAIN && rest_goes_on(&rest, now_ns, left)) {
		r = rest_once(worker, now_ns);
		now_ns = clock_now_ns();
		left = left_bytes(worker);
	}
	if (r != 0)
		return r;
	if (worker->order_seen == BOARD_RUN)
		return 0;
	worker->parted = true;
	return REST_E_OVER;
}

/* ---- behind the end ---- */

static bool is_never_over(struct worker *worker, const void *data)
{
	(void)worker, (void)data;
	return false;
}

static int stay_once(struct worker *worker)
{
	struct pollfd watch = { .fd = worker->watch.fd, .events = worker->watch.events };
	const struct wait_request request = {
		.is_over = is_never_over,
		.fds = &watch,
		.n_fds = watch.fd >= 0,
		.wake_ns = worker->watch.wake_ns,
	};

	return wait_for_request(worker, &request);
}

int rest_stay(struct worker *worker)
{
	int r = 0;

	while (r == 0 && worker->stage.flags & WEIR_STAGE_STAYS) {
		int said = call(worker);

		if (said == WEIR_CLOSED)
			break;
		if (said == WEIR_FAILED || said == WEIR_CANCELLED || said < 0)
			return said;
		r = said == WEIR_WAIT ? stay_once(worker) : wait_check_order(worker);
	}
	return r;
}
