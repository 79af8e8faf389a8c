/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dead letter is given to its stage again.
 *
 *      weir dlq replay            this worker                                        store             own segment
 *      mark it for this slot                                                         letter, mark
 *      board.replays + 1  [B4]
 *      ring                  -->  reads the marks above `letter`
 *                                 process(item), as any other
 *                                 "is being taken"                                   letter, mark
 *                                 commit: outputs, ledger, letter := number          letter, mark      letter = number
 *                                 remove what is marked up to `letter`                                 letter = number
 *
 * Killed before the commit: nothing has happened, and the next generation finds the mark. Killed after it: the next generation removes
 * letter and mark before it reads any. So the letter is in the store until the stage has taken it, and no longer, and it is taken once. It
 * is no other's: a mark names one slot of one run. The segment dies with the run. So SIGTERM, with which the kernel tells that the
 * supervisor has died, waits from "is being taken" until the letter is out of the store; and if both are killed in between, that word keeps a
 * later run from giving the letter a second time.
 *
 * If the stage fails again the letter is replaced and its mark removed in one transaction, before the commit; as in burial.c, a kill
 * between the two leaves a letter that is kept and a ledger that does not count what came to nothing.
 *
 * An ordered stage emits into the run of an item. So there a letter joins the run that comes next, before its first item, and waits for
 * one. Elsewhere it comes between two turns. Its bytes lie in no lane: who forwards them copies them.
 */
#include "worker/replay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/must.h"
#include "common/store/letter_replay.h"
#include "worker/baggage.h"
#include "worker/burial.h"
#include "worker/input.h"
#include "worker/leave.h"
#include "worker/output.h"
#include "worker/postpone.h"
#include "worker/take.h"
#include "worker/turn_priv.h"
#include "worker/window.h"

enum { DEATHS_KEPT = 200 }; /* of the story; the count is never cut */

struct replay {
	struct letter_mark *marks; /* owned; of this slot, ascending */
	size_t n_marks, next;
	uint64_t complete, committed; /* numbers: taken, and taken by a commit */
	bool settled;                 /* what an earlier generation has taken is out of the store */
	uint64_t *taken;              /* ids of the letters between the two; owned */
	size_t n_taken, n_taken_room;

	bool loaded; /* marks[next] is this letter */
	bool in_hand;
	struct letter_copy copy; /* payload in `bytes` */
	char *bytes;
	void *payload; /* aligned as in a lane */
	uint32_t input;
	uint64_t begun_ns; /* from when its run counts; monotonic */
	unsigned char brought[ITEM_EXTENSION_SIZE_MAX];

	sigset_t mask_before;
	bool masked, failed;
};

/* ---- the store ---- */

static int fail(struct worker *worker, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (r == LETTER_REPLAY_E_ELSEWHERE)
		text_add(&why, "they have been marked for a later run of this pipeline");
	else
		letter_store_explain(worker->heritage.dead_letter_store, r, &why);
	snprintf(worker->reason, sizeof(worker->reason), "cannot give dead letters again: %s", text_get(&why));
	return WEIR_FAILED;
}

/* A letter with the story that belongs to it, out of the transaction that it was read in. */
struct loading {
	char *bytes;
	size_t size_bytes;
	uint64_t id;
};

static int load(void *data, const struct dead_letter *letter)
{
	struct loading *loading = data;

	loading->id = letter->id;
	return letter_encode(letter, &loading->bytes, &loading->size_bytes);
}

static void unload(struct replay *replay)
{
	if (!replay->loaded)
		return;
	letter_copy_deinit(&replay->copy);
	free(replay->bytes);
	free(replay->payload);
	replay->bytes = NULL;
	replay->payload = NULL;
	replay->loaded = replay->in_hand = false;
}

/* What was taken by an earlier generation that did not live to remove it. */
static int settle_first(struct worker *worker, struct letter_store *store)
{
	struct replay *replay = worker->replay;
	int r;

	if (replay->settled)
		return 0;
	replay->committed = replay->complete = load_relaxed(&worker->segment.cursor_switch->letter);
	r = replay->committed ?
		    letter_store_taken(store, worker->heritage.run, worker->heritage.slot, replay->committed) :
		    0;
	replay->settled = r == 0;
	return r;
}

/* Returns 0, REPLAY_E_NONE: no letter is marked for this slot; WEIR_FAILED. */
static int read_marks(struct worker *worker)
{
	uint32_t news = load_acquire(&worker->board->replays); /* [B4] mate: supervisor_replay */
	struct replay *replay = worker->replay;
	struct letter_store *store;
	int r = burial_open(worker, &store);

	if (r == 0)
		r = settle_first(worker, store);
	free(replay->marks);
	replay->marks = NULL;
	replay->n_marks = replay->next = 0;
	if (r == 0)
		r = letter_store_marks(store, worker->heritage.run, worker->heritage.slot, replay->complete,
				       &replay->marks, &replay->n_marks);
	if (r != 0)
		return fail(worker, r);
	if (replay->n_marks)
		return 0;
	worker->replays_seen = news;
	if (worker->suspect_lane == HAND_LETTER)
		worker->suspect_attempts = 0; /* purged */
	return REPLAY_E_NONE;
}

/* ---- the next letter ---- */

/* What a full lane has refused is meant for whoever reads that lane. */
static const char *origin_of(const struct dead_letter *letter)
{
	bool at_full_lane = letter->part >> 62 == DEAD_LETTER_AT_FULL_LANE && !*letter->input;

	return at_full_lane ? letter->stage : letter->input;
}

static bool find_input(const struct worker *worker, const char *stage, uint32_t *ret_input)
{
	for (*ret_input = 0; *ret_input < worker->n_inputs; ++*ret_input)
		if (strcmp(worker->inputs[*ret_input].heritage->peer_stage, stage) == 0)
			return !leave_has_left(worker, *ret_input);
	return false;
}

/* It is not for this stage any more: it stays a letter. Returns REPLAY_E_NONE or WEIR_FAILED. */
static int refuse(struct worker *worker, struct letter_store *store)
{
	struct replay *replay = worker->replay;
	int r;

	weir_log(WEIR_LOG_WARNING,
		 "dead letter %llu is not given again: it came from '%s', which this stage does not read (any more)",
		 (unsigned long long)replay->copy.letter.id, origin_of(&replay->copy.letter));
	r = letter_store_unmark(store, replay->copy.letter.id);
	unload(replay);
	replay->next++;
	return r ? fail(worker, r) : REPLAY_E_NONE;
}

/* The letter of the next mark. Returns 0; REPLAY_E_NONE: it is none any more, look at the next one; WEIR_FAILED. */
static int load_next(struct worker *worker)
{
	struct replay *replay = worker->replay;
	struct loading loading = { 0 };
	struct letter_store *store;
	int r = burial_open(worker, &store);

	if (r == 0)
		r = letter_store_get(store, replay->marks[replay->next].id, load, &loading);
	if (r == LETTER_STORE_E_NONE) {
		replay->next++;
		return REPLAY_E_NONE;
	}
	if (r == 0)
		r = letter_decode(loading.bytes, loading.size_bytes, &replay->copy);
	if (r != 0) {
		free(loading.bytes);
		return fail(worker, r);
	}
	replay->bytes = loading.bytes;
	replay->copy.letter.id = loading.id;
	replay->payload = malloc(replay->copy.letter.size_bytes ? replay->copy.letter.size_bytes : 1);
	must(replay->payload);
	if (replay->copy.letter.size_bytes)
		memcpy(replay->payload, replay->copy.letter.data, replay->copy.letter.size_bytes);
	replay->copy.letter.data = replay->payload;
	replay->loaded = true;
	return find_input(worker, origin_of(&replay->copy.letter), &replay->input) ? 0 : refuse(worker, store);
}

static bool may_take(const struct worker *worker)
{
	return worker->n_inputs && worker->heritage.dead_letter_store && !worker->heritage.stands_in;
}

/* Makes the next letter known. Returns 0, REPLAY_E_NONE, WEIR_FAILED. */
static int prepare(struct worker *worker)
{
	int r = 0;

	if (!may_take(worker)) {
		worker->replays_seen = load_relaxed(&worker->board->replays);
		return REPLAY_E_NONE;
	}
	if (!worker->replay) {
		worker->replay = calloc(1, sizeof(*worker->replay));
		must(worker->replay);
	}
	while (!worker->replay->loaded) {
		r = worker->replay->next < worker->replay->n_marks ? 0 : read_marks(worker);
		if (r == 0)
			r = load_next(worker);
		else
			return r;
		if (r != 0 && r != REPLAY_E_NONE)
			return r;
	}
	return 0;
}

/* See above: into the run that is about to be taken. */
static bool has_run(struct worker *worker)
{
	struct input next;

	if (!worker->ordered)
		return true;
	if (input_next(worker, &next) != 0)
		return false;
	if (worker->cursor.expected[next.edge] != next.header.ticket)
		window_shut(worker);
	worker->cursor.expected[next.edge] = next.header.ticket;
	return true;
}

bool replay_has(struct worker *worker, uint32_t input)
{
	int r;

	if (!replay_is_due(worker))
		return false;
	r = prepare(worker);
	if (r == REPLAY_E_NONE)
		return false;
	return r != 0 || ((input == WEIR_ANY_INPUT || input == worker->replay->input) && has_run(worker));
}

/* Monotonic, of a time of day; a letter of an earlier boot is as old as this one. */
static uint64_t monotonic_of(uint64_t realtime_ns)
{
	uint64_t now_ns = clock_now_ns(), realtime_now_ns = clock_realtime_ns(), age_ns;

	if (!realtime_ns || realtime_ns > realtime_now_ns)
		return now_ns;
	age_ns = realtime_now_ns - realtime_ns;
	return age_ns < now_ns ? now_ns - age_ns : 1;
}

uint32_t replay_attempts(const struct worker *worker)
{
	const struct replay *replay = worker->replay;

	return worker->suspect_attempts && worker->suspect_lane == HAND_LETTER &&
			       worker->suspect_position == replay->marks[replay->next].number ?
		       worker->suspect_attempts :
		       0;
}

uint32_t replay_overruns(const struct worker *worker)
{
	const struct dead_letter *letter = replay_in_hand(worker) ? &worker->replay->copy.letter : NULL;

	return letter && letter->cause == DEAD_LETTER_DEADLINE ? letter->attempts : 0;
}

/*
 * What it had brought along, if that makes sense. But no deadline of its own: whoever gives it again knows how old it is and wants it
 * done, and where items expire by the spec its run begins anew as well.
 */
static int take_baggage(struct worker *worker, const struct dead_letter *letter)
{
	struct extension extension;
	uint32_t n_words = 0;

	if (dead_letter_extension(letter, &extension)) {
		extension.deadline_ns = 0;
		n_words = extension_words(&extension);
		if (n_words)
			extension_write(&extension, n_words, worker->replay->brought);
	}
	return baggage_begin_with(worker, worker->replay->brought, n_words);
}

int replay_take(struct worker *worker, uint32_t input, struct weir_item *ret_item)
{
	const struct dead_letter *letter;
	int r = replay_is_due(worker) ? prepare(worker) : REPLAY_E_NONE;

	if (r != 0)
		return r;
	if ((input != WEIR_ANY_INPUT && input != worker->replay->input) || !has_run(worker))
		return REPLAY_E_NONE;
	letter = &worker->replay->copy.letter;
	*ret_item = (struct weir_item){
		.data = letter->data,
		.size_bytes = letter->size_bytes,
		.sequence = letter->sequence,
		.accepted_ns = monotonic_of(letter->accepted_ns),
		.input = worker->replay->input,
		.attempt = letter->attempts + replay_attempts(worker),
	};
	worker->replay->in_hand = true;
	/* Where items expire its run begins anew: else it would have expired long ago. */
	worker->replay->begun_ns = worker->heritage.expires_ns ? clock_now_ns() : ret_item->accepted_ns;
	return take_baggage(worker, letter);
}

uint64_t replay_begun_ns(const struct worker *worker)
{
	return worker->replay->begun_ns;
}

bool replay_in_hand(const struct worker *worker)
{
	return worker->replay && worker->replay->in_hand;
}

const struct dead_letter *replay_letter(const struct worker *worker)
{
	return &worker->replay->copy.letter;
}

void replay_note_hand(struct worker *worker, const struct weir_item *item)
{
	struct segment_hand *hand = worker->segment.hand;

	store_relaxed(&hand->busy, 0); /* [S2] first: a note half overwritten names nobody */
	fence_release();               /* [S2] */
	store_relaxed(&hand->position, worker->replay->marks[worker->replay->next].number);
	store_relaxed(&hand->sequence, item->sequence);
	store_relaxed(&hand->lane, HAND_LETTER);
	store_release(&hand->busy, 1); /* [S2] mate: find_suspect */
}

static void note_taken(struct replay *replay, uint64_t id)
{
	if (replay->n_taken == replay->n_taken_room) {
		replay->n_taken_room = replay->n_taken_room ? 2 * replay->n_taken_room : 64;
		replay->taken = reallocarray(replay->taken, replay->n_taken_room, sizeof(*replay->taken));
		must(replay->taken);
	}
	replay->taken[replay->n_taken++] = id;
}

void replay_end(struct worker *worker)
{
	struct replay *replay = worker->replay;

	if (replay_attempts(worker))
		worker->suspect_attempts = 0; /* it is behind us */
	worker->cursor.ledger[LEDGER_REPLAYED]++;
	worker->changed = true;
	note_taken(replay, replay->marks[replay->next].id);
	replay->complete = replay->marks[replay->next++].number;
	unload(replay);
}

void replay_drop(struct worker *worker)
{
	if (worker->replay)
		worker->replay->in_hand = false;
}

/* ---- the commit ---- */

static void unmask(struct replay *replay)
{
	if (replay->masked)
		sigprocmask(SIG_SETMASK, &replay->mask_before, NULL);
	replay->masked = false;
}

int replay_prepare(struct worker *worker)
{
	struct replay *replay = worker->replay;
	struct letter_store *store;
	sigset_t terminating;
	int r;

	if (replay->complete == replay->committed)
		return 0;
	r = burial_open(worker, &store);
	sigemptyset(&terminating);
	sigaddset(&terminating, SIGTERM);
	replay->masked = sigprocmask(SIG_BLOCK, &terminating, &replay->mask_before) == 0;
	if (r == 0)
		r = letter_store_taking(store, worker->heritage.run, worker->heritage.slot, replay->taken,
					replay->n_taken);
	if (r == 0)
		return 0;
	unmask(replay);
	return fail(worker, r);
}

void replay_must_prepare(struct worker *worker)
{
	if (replay_prepare(worker) == 0)
		return;
	weir_log(WEIR_LOG_ERROR, "%s", worker->reason);
	store_relaxed(&worker->segment.hand->busy, 0); /* no item is to blame */
	_exit(EXIT_FAILURE);
}

void replay_collect(struct worker *worker)
{
	struct replay *replay = worker->replay;

	if (replay->complete != replay->committed)
		commit_add_letter(&worker->commit, replay->complete);
}

void replay_settle(struct worker *worker)
{
	struct replay *replay = worker->replay;
	struct letter_store *store;
	int r;

	if (replay->complete == replay->committed)
		return;
	replay->committed = replay->complete;
	replay->n_taken = 0;
	r = burial_open(worker, &store);
	if (r == 0)
		r = letter_store_taken(store, worker->heritage.run, worker->heritage.slot, replay->committed);
	if (r != 0)
		fail(worker, r);
	replay->failed = replay->failed || r != 0;
	unmask(replay);
}

int replay_failure(struct worker *worker)
{
	return worker->replay->failed ? WEIR_FAILED : 0;
}

/* ---- once more a letter ---- */

static void add_death(struct dead_letter_death *deaths, uint32_t *n, struct dead_letter_death death)
{
	if (*n == DEATHS_KEPT) { /* the oldest goes */
		memmove(deaths, deaths + 1, (DEATHS_KEPT - 1) * sizeof(*deaths));
		--*n;
	}
	deaths[(*n)++] = death;
}

/* All that it has cost, in its order: what stood in the letter, that it was refused if it was, the workers since then. */
static uint32_t tell_story(const struct worker *worker, const char *refused,
			   struct dead_letter_death deaths[DEATHS_KEPT])
{
	const struct dead_letter *before = &worker->replay->copy.letter;
	uint32_t n = 0;

	for (uint32_t i = 0; i < before->n_deaths; i++)
		add_death(deaths, &n, before->deaths[i]);
	if (before->cause == DEAD_LETTER_REJECTED)
		add_death(deaths, &n, (struct dead_letter_death){ .when_ns = before->time_ns, .how = refused });
	for (uint32_t i = 0; i < worker->heritage.n_deaths && replay_attempts(worker); i++) {
		const struct heritage_death *death = &worker->heritage.deaths[i];

		add_death(deaths, &n,
			  (struct dead_letter_death){ death->when_ns, death->pid, death->generation, death->how });
	}
	return n;
}

int replay_bury(struct worker *worker, enum dead_letter_cause cause, const char *reason, uint32_t n_attempts)
{
	const struct dead_letter *before = &worker->replay->copy.letter;
	_cleanup_(text_deinit) struct text refused = TEXT_NULL;
	struct dead_letter_death deaths[DEATHS_KEPT];
	struct dead_letter letter = *before;
	struct letter_store *store;
	int r;

	text_printf(&refused, "was refused: %s", before->reason);
	letter.input = origin_of(before);
	letter.stage = worker->heritage.stage;
	letter.worker_index = worker->heritage.worker_index;
	letter.cause = cause;
	letter.reason = reason;
	letter.attempts = n_attempts;
	letter.time_ns = clock_realtime_ns();
	letter.last_run = worker->heritage.run;
	letter.deaths = deaths;
	letter.n_deaths = tell_story(worker, text_get(&refused), deaths);
	r = burial_open(worker, &store);
	if (r == 0)
		r = letter_store_return(store, &letter);
	return r ? fail(worker, r) : 0;
}

/* ---- a turn ---- */

/* It came from a pipeline with larger lanes: no reason to end this one, as it is for an item that the spec should have provided for. */
static int give(struct worker *worker, const struct weir_item *item)
{
	int status = worker->stage.process(&worker->context, worker->state, item);

	if (worker->emit_refused != WEIR_TOO_LARGE)
		return status;
	worker->emit_refused = 0;
	snprintf(worker->reason, sizeof(worker->reason),
		 "given again, what came of it did not fit a lane; give the stage behind this one a larger `lane:`");
	return WEIR_REJECTED;
}

static int replay_item(struct worker *worker)
{
	struct weir_item item;
	int r = replay_take(worker, WEIR_ANY_INPUT, &item);

	if (r != 0)
		return r;
	if (replay_attempts(worker) >= worker->heritage.attempts) {
		r = turn_give_up(worker, &item);
	} else {
		replay_note_hand(worker, &item);
		memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
		worker->context.accepted_ns = replay_begun_ns(worker);
		window_open(worker);
		window_item_begin(worker);
		worker->emit_refused = 0;
		worker->reason[0] = '\0';
		worker->phase = PHASE_PROCESS;
		r = turn_conclude(worker, &item, give(worker, &item));
	}
	if (r == 0) {
		replay_end(worker);
		return 0;
	}
	if (r == WEIR_WAIT) {
		postpone(worker, NULL);
		r = REPLAY_E_NONE;
	}
	replay_drop(worker);
	return r;
}

int replay_turn(struct worker *worker)
{
	uint32_t batch = turn_batch(worker);
	int r = 0, committed;

	for (uint32_t n = 0; n < batch && r == 0 && !worker->produce_wanted && !worker->leaving; n++)
		r = worker_cancelled(worker) ? WEIR_CANCELLED : replay_item(worker);
	committed = turn_commit(worker);
	return r == 0 || r == REPLAY_E_NONE ? committed : r;
}

void replay_detach(struct worker *worker)
{
	struct replay *replay = worker->replay;

	if (!replay)
		return;
	unload(replay);
	free(replay->marks);
	free(replay->taken);
	free(replay);
	worker->replay = NULL;
}
