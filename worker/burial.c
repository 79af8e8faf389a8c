/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A letter is durable before the turn that says so in the ledger commits; all letters of a turn become so together, in one transaction.
 *
 *      item refused, item refused  ->  letters durable in the store  ->  turn commits: DEAD_LETTERED or REJECTED, input taken
 *                                 ^                                ^
 *      killed here: no letter, and the items are still in their lanes
 *      killed here: the items are still in their lanes. The next generation comes to the same end and writes the letters again, each under
 *      the same identity (run, producing slot, its number for the item, stage): one letter. In a file it is a second line.
 *
 * When letters can't be kept the worker fails, so no item is lost for want of room: it waits in its lane until there is some, or
 * until the stage is given up. Its neighbours shall not wait with it: where the letters of a turn find no room together this process
 * ends, and the next generation keeps each as it comes. That one fails at the one that finds none, and commits what came before it.
 *
 * Memory is another kind of room: it is this process that has none left, most likely for the item in hand, and the next one begins with
 * all that there may be. So it dies with its item in hand, as of any crash: that is an attempt, and who finds them used up buries the item
 * before its stage has seen it.
 */
#include "worker/burial.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/store/letter_batch.h"
#include "worker/blocked.h"
#include "worker/dead_letter.h"
#include "worker/replay.h"

#define TOGETHER_BYTES_MAX (4u << 20) /* a source that refuses and refuses has no commit in between */

/* Open from the first letter to the end of the worker; no child uses it. */
static struct letter_store *burial_store;
static struct letter_batch batch; /* what this turn keeps, and the store has not */

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

static void explain_store(struct worker *worker, int r)
{
	struct text why = TEXT_NULL;

	burial_store = letter_store_close(burial_store);
	letter_store_explain(worker->heritage.dead_letter_store, r, &why);
	snprintf(worker->reason, sizeof(worker->reason), "cannot keep a dead letter: %s", text_get(&why));
	text_deinit(&why);
}

/* Returns 0, what the store says, -errno. */
static int put_batch(struct worker *worker)
{
	struct letter_store *store;
	int r = burial_open(worker, &store);

	if (r == 0)
		r = letter_store_put_all(store, &batch);
	letter_batch_deinit(&batch);
	return r;
}

/* What goes with them is counted already: there is nothing that could be committed without them. */
static void put_together(struct worker *worker)
{
	int r = put_batch(worker);

	if (r == 0)
		return;
	explain_store(worker, r);
	store_relaxed(&worker->segment.hand->letters_singly, 1);
	weir_log(WEIR_LOG_ERROR, "%s; their turn begins again, and each is kept as it comes", worker->reason);
	store_relaxed(&worker->segment.hand->busy, 0); /* no item is to blame */
	_exit(EXIT_FAILURE);
}

static int keep_in_store(struct worker *worker, const struct dead_letter *letter)
{
	struct letter_store *store;
	int r = burial_open(worker, &store); /* who can't open it fails at this one */

	if (r == 0)
		r = letter_batch_add(&batch, letter);
	if (r == 0 && load_relaxed(&worker->segment.hand->letters_singly))
		r = put_batch(worker);
	else if (r == 0 && batch.size_bytes >= TOGETHER_BYTES_MAX)
		put_together(worker);
	return r;
}

static int fail_in_file(struct worker *worker, int r)
{
	const char *path = worker->heritage.dead_letter_path;

	snprintf(worker->reason, sizeof(worker->reason), "cannot keep a dead letter in '%s': %s; %s", path ? path : "",
		 strerror(-r),
		 r == -ENOMEM ? "give the stage more memory (resources: memory), or less to remember" :
				"make room or give the stage another dead_letter: {path: ...}");
	return WEIR_FAILED;
}

static int keep_in_file(struct worker *worker, const struct dead_letter *letter)
{
	const char *path = worker->heritage.dead_letter_path;

	return path ? dead_letter_write(path, letter) : -ENOENT;
}

/* The item stays in hand: whoever comes next knows of whom this one died. */
static int fail(struct worker *worker, int r)
{
	worker->letters_failed = true;
	if (worker->heritage.dead_letter_store)
		explain_store(worker, r);
	else
		fail_in_file(worker, r);
	if (r != -ENOMEM)
		return WEIR_FAILED;
	weir_log(WEIR_LOG_ERROR, "%s; another worker begins again", worker->reason);
	_exit(EXIT_FAILURE);
}

int burial_settle(struct worker *worker)
{
	struct segment_hand *hand = worker->segment.hand;
	uint32_t busy = load_relaxed(&hand->busy);
	int r = 0;

	store_relaxed(&hand->busy, 0); /* meanwhile no item is to blame, and none overruns [S2] */
	if (batch.n)
		put_together(worker);
	else if (!worker->letters_failed) /* who has failed at one does not know of room for a turn's */
		store_relaxed(&worker->segment.hand->letters_singly, 0);
	if (!worker->heritage.dead_letter_store)
		r = dead_letter_sync();
	if (r != 0)
		return fail_in_file(worker, r);
	store_release(&hand->busy, busy); /* [S2] the rest of the note still stands */
	worker->n_letters = 0;
	return 0;
}

void burial_must_settle(struct worker *worker)
{
	if (burial_settle(worker) == 0)
		return;
	weir_log(WEIR_LOG_ERROR, "%s", worker->reason);
	_exit(EXIT_FAILURE);
}

int burial_keep(struct worker *worker, struct dead_letter *letter)
{
	unsigned char words[ITEM_EXTENSION_SIZE_MAX];
	int r;

	letter->pipeline = worker->heritage.pipeline;
	letter->stage = worker->heritage.stage;
	letter->worker_index = worker->heritage.worker_index;
	letter->run = letter->last_run = worker->heritage.run;
	letter->time_ns = clock_realtime_ns();
	letter->accepted_ns = time_of_day(letter->accepted_ns, letter->time_ns);
	date_deadline(letter, words);
	r = worker->heritage.dead_letter_store ? keep_in_store(worker, letter) : keep_in_file(worker, letter);
	if (r != 0)
		return fail(worker, r);
	worker->n_letters++;
	return 0;
}

void burial_detach(struct worker *worker)
{
	letter_batch_deinit(&batch);
	burial_store = letter_store_close(burial_store);
	worker->n_letters = 0;
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
