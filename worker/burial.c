/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A letter is kept before the turn that says so in the ledger commits.
 *
 *      letter durable in the store  ->  turn commits: DEAD_LETTERED or REJECTED, input taken
 *                                   ^
 *      killed here: the item is still in its lane. The next generation comes to the same end and writes the letter again, under the same
 *      identity (run, producing slot, its number for the item, stage): one letter. In a file it is a second line.
 *
 * When a letter can't be kept the worker fails, so the item is never lost for want of room: it waits in its lane until there is
 * some, or until the stage is given up.
 */
#include "worker/burial.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/store/letter_store.h"
#include "worker/blocked.h"
#include "worker/dead_letter.h"
#include "worker/replay.h"

/* Open from the first letter to the end of the process; no child uses it. */
static struct letter_store *burial_store;

/* Reader's index of a lane -> the slot at its other end. */
static uint32_t producer_of(const struct worker *worker, uint32_t lane)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			if (worker->inputs[i].lanes[j].lane.index == lane && worker->heritage.peers)
				return worker->heritage.peers[worker->inputs[i].heritage->lanes[j].peer].slot;
	return UINT32_MAX;
}

/* Monotonic to the time of day. */
static uint64_t time_of_day(uint64_t monotonic_ns, uint64_t now_ns)
{
	uint64_t monotonic_now_ns = clock_now_ns();

	return monotonic_ns && monotonic_ns <= monotonic_now_ns ? now_ns - (monotonic_now_ns - monotonic_ns) : 0;
}

/* And what is to come; 0 stays 0, and what is past the end of time. */
static uint64_t future_time_of_day(uint64_t monotonic_ns, uint64_t now_ns)
{
	uint64_t monotonic_now_ns = clock_now_ns();

	if (monotonic_ns <= monotonic_now_ns)
		return time_of_day(monotonic_ns, now_ns);
	return monotonic_ns - monotonic_now_ns < UINT64_MAX - now_ns ? now_ns + (monotonic_ns - monotonic_now_ns) :
								       UINT64_MAX;
}

/* A letter outlives the boot by whose clock its item had a deadline. */
static void date_deadline(struct dead_letter *letter, unsigned char *words)
{
	struct extension extension;

	if (!dead_letter_extension(letter, &extension) || !extension.deadline_ns)
		return;
	extension.deadline_ns = future_time_of_day(extension.deadline_ns, letter->time_ns);
	extension_write(&extension, extension_words(&extension), words);
	letter->baggage = words;
}

/* Somebody else writes letters, and may be stopped at that: whoever looks shall see who waits, and that it is not its item's fault. */
static void on_wait(void *data, bool waits)
{
	if (waits)
		blocked_note_store(data, clock_now_ns());
	else
		blocked_store_over(data, clock_now_ns());
}

int burial_open(struct worker *worker, struct letter_store **ret_store)
{
	const char *path = worker->heritage.dead_letter_store;
	int r;

	letter_store_watch(on_wait, worker);
	r = burial_store ? 0 :
	    path         ? letter_store_open(path, LETTER_STORE_WRITE, 0, &burial_store) :
			   LETTER_STORE_E_NONE;

	*ret_store = burial_store;
	return r;
}

static int keep_in_store(struct worker *worker, const struct dead_letter *letter)
{
	const char *path = worker->heritage.dead_letter_store;
	struct text why = TEXT_NULL;
	struct letter_store *store;
	int r = burial_open(worker, &store);

	if (r == 0)
		r = letter_store_put(store, letter, NULL);
	if (r == 0)
		return 0;
	burial_store = letter_store_close(burial_store);
	letter_store_explain(path, r, &why);
	snprintf(worker->reason, sizeof(worker->reason), "cannot keep a dead letter: %s", text_get(&why));
	text_deinit(&why);
	return WEIR_FAILED;
}

static int keep_in_file(struct worker *worker, const struct dead_letter *letter)
{
	const char *path = worker->heritage.dead_letter_path;
	int r = path ? dead_letter_write(path, letter) : -ENOENT;

	if (r == 0)
		return 0;
	snprintf(worker->reason, sizeof(worker->reason),
		 "cannot keep a dead letter in '%s': %s; make room or give the stage another dead_letter: {path: ...}",
		 path ? path : "", strerror(-r));
	return WEIR_FAILED;
}

int burial_keep(struct worker *worker, struct dead_letter *letter)
{
	unsigned char words[ITEM_EXTENSION_SIZE_MAX];

	letter->pipeline = worker->heritage.pipeline;
	letter->stage = worker->heritage.stage;
	letter->worker_index = worker->heritage.worker_index;
	letter->run = letter->last_run = worker->heritage.run;
	letter->time_ns = clock_realtime_ns();
	letter->accepted_ns = time_of_day(letter->accepted_ns, letter->time_ns);
	date_deadline(letter, words);
	return worker->heritage.dead_letter_store ? keep_in_store(worker, letter) : keep_in_file(worker, letter);
}

static int bury(struct worker *worker, const struct weir_item *item, enum dead_letter_cause cause, const char *reason,
		uint32_t lane, uint32_t n_attempts)
{
	struct dead_letter_death deaths[HERITAGE_DEATHS_MAX];
	struct dead_letter letter = {
		.cause = cause,
		.reason = reason,
		.attempts = n_attempts,
		.sequence = item->sequence,
		.input = item->input < worker->n_inputs ? worker->inputs[item->input].heritage->peer_stage : "",
		.data = item->data,
		.size_bytes = item->size_bytes,
		.accepted_ns = item->accepted_ns,
		.producer = producer_of(worker, lane),
		.part = DEAD_LETTER_PART(DEAD_LETTER_FROM_LANE, 0),
		.baggage = worker->baggage.brought,
		.baggage_bytes = worker->baggage.n_brought * ITEM_WORD_BYTES,
		.deaths = deaths,
		.n_deaths = item->attempt ? worker->heritage.n_deaths : 0,
	};

	if (replay_in_hand(worker))
		return replay_bury(worker, cause, reason, n_attempts);
	for (uint32_t i = 0; i < letter.n_deaths; i++) {
		const struct heritage_death *death = &worker->heritage.deaths[i];

		deaths[i] = (struct dead_letter_death){ death->when_ns, death->pid, death->generation, death->how };
	}
	return burial_keep(worker, &letter);
}

int burial_of_item(struct worker *worker, const struct weir_item *item, enum dead_letter_cause cause,
		   const char *reason)
{
	uint32_t lane =
		cause != DEAD_LETTER_REJECTED ? worker->suspect_lane : load_relaxed(&worker->segment.hand->lane);

	return bury(worker, item, cause, reason, lane, item->attempt);
}

int burial_by_stage(struct worker *worker, const struct weir_item *item, int status)
{
	uint32_t lane = load_relaxed(&worker->segment.hand->lane);
	int r;

	if (status == WEIR_REJECTED)
		return bury(worker, item, DEAD_LETTER_REJECTED, worker->reason, lane, item->attempt);
	r = bury(worker, item, status == WEIR_EXPIRED ? DEAD_LETTER_DEADLINE : DEAD_LETTER_ATTEMPTS, worker->reason,
		 lane, item->attempt + worker->heritage.attempts);
	if (r == 0)
		weir_log(WEIR_LOG_ERROR, "item %llu is given up: %s; it lies in %s", (unsigned long long)item->sequence,
			 worker->reason, burial_place(worker));
	return r;
}

const char *burial_place(const struct worker *worker)
{
	static char place[160];

	if (!worker->heritage.dead_letter_store)
		return worker->heritage.dead_letter_path;
	snprintf(place, sizeof(place), "the dead letters: weir dlq ls %s", worker->heritage.pipeline);
	return place;
}
