/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker that completes its items out of order, at every instruction of taking, ending, and committing them with done-bits.
 *
 *      live      the victim is stepped through it               --copy at each instruction that changed it-->
 *      replica   the judge: [peers act] repair, census, next generation with another width and order, every item once
 *      scratch   the same copy, on which a repairer is stepped  --copy at each instruction--> replica: repair again, ...
 *
 * The worker here is small, but made of the real done_bits.c, commit.c, lane.c and repair.c. Each of its generations takes as many records
 * as it is wide, ends them in an order of its own, and writes each one's number into the output lane, with a commit after every
 * second. Output and end of an item stand in the same commit: a kill that tears them apart shows as an item twice or never.
 *
 * One line per preset on stdout. Exit: 0 no violation, 1 violations, 77 this machine can't trace. With --expect-violations (builds with a
 * planted error) 0 and 1 change places.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/flow/done_bits.h"
#include "common/flow/repair.h"
#include "common/observe/ledger.h"
#include "tests/crash/step.h"

#define LANE_SIZE UINT64_C(4096)
#define ITEMS 7u
#define WIDTH_MAX 5u
#define STEPS_MAX 1000000u
#define KILLS 8u /* real ones, a preset */
#define EXIT_SKIP 77

struct preset {
	const char *name;
	uint64_t position, ordinal; /* where the input lane and its numbers stand */
	uint32_t width;             /* records that the victim has at a time */
};

static const struct preset presets[] = {
	{ .name = "async-turn", .ordinal = 0, .width = 5 },
	{ .name = "async-word", .position = 4000, .ordinal = 62, .width = 3 },
	{ .name = "async-window", .position = UINT64_MAX - 127, .ordinal = 4094, .width = 4 },
	{ .name = "async-wrap", .position = (UINT64_C(1) << 32) - 64, .ordinal = UINT64_MAX - 2, .width = 5 },
};

enum slot { PRODUCER, VICTIM, CONSUMER, N_SLOTS };

struct world {
	struct segment slots[N_SLOTS];
	int fds[N_SLOTS];
	uint64_t offsets[N_SLOTS];
	unsigned char *data[N_SLOTS]; /* the producer's and the victim's lane */
	uint32_t got[ITEMS];          /* by a consumer that has acted already */
};

struct worker {
	struct segment *own;
	struct lane_in in;
	struct lane_out out;
	struct done_window window;
	struct cursor cursor;
	struct commit commit;
};

struct tally {
	const char *name;
	uint64_t points, images, repair_points, repair_images, kills, violations;
};

static struct world live, last, replica, scratch;
static const struct preset *preset;
static bool expected;

/* ---- memory ---- */

static void demand(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "crash: %s: %s\n", what, r < 0 ? strerror(-r) : "refused");
	exit(2);
}

static void world_init(struct world *world)
{
	static const uint64_t size = LANE_SIZE;

	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		struct segment_geometry geometry;

		(slot == VICTIM ? segment_plan_asynchronous : segment_plan)(
			&geometry, slot, slot != PRODUCER, slot != CONSUMER, &size, &world->offsets[slot]);
		demand(segment_create(&geometry, "weir-crash", &world->fds[slot]), "segment_create");
		demand(segment_attach(&world->slots[slot], world->fds[slot], &geometry, SEGMENT_WRITE), "attach");
		if (slot != CONSUMER)
			demand(lane_map(world->fds[slot], world->offsets[slot], LANE_SIZE, SEGMENT_WRITE, true,
					&world->data[slot]),
			       "lane_map");
	}
}

static unsigned char *words_of(const struct segment *segment)
{
	return segment->base + SEGMENT_PAGE_SIZE; /* the header never changes */
}

static size_t words_size(const struct segment *segment)
{
	return segment->geometry.control_size_bytes - SEGMENT_PAGE_SIZE;
}

static void world_copy(struct world *to, const struct world *from)
{
	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		memcpy(words_of(&to->slots[slot]), words_of(&from->slots[slot]), words_size(&to->slots[slot]));
		if (to->data[slot])
			memcpy(to->data[slot], from->data[slot], LANE_SIZE);
	}
	memcpy(to->got, from->got, sizeof(to->got));
}

static bool world_same(const struct world *a, const struct world *b)
{
	return !memcmp(words_of(&a->slots[VICTIM]), words_of(&b->slots[VICTIM]), words_size(&a->slots[VICTIM])) &&
	       !memcmp(a->data[VICTIM], b->data[VICTIM], LANE_SIZE);
}

/* Of everything that the repair reads. */
static uint64_t repair_key(const struct world *world)
{
	const struct segment *victim = &world->slots[VICTIM];
	uint64_t n = load_relaxed(&victim->record->state), key = hash_mix(0, n);

	key = hash_bytes(key, victim->hand, sizeof(*victim->hand));
	key = hash_bytes(key, victim->cursor_switch, sizeof(*victim->cursor_switch));
	key = hash_bytes(key, victim->readers, sizeof(*victim->readers));
	key = hash_bytes(key, victim->writers, sizeof(*victim->writers));
	key = hash_bytes(key, victim->done_bits, sizeof(*victim->done_bits));
	return n && n <= segment_operations_max(&victim->geometry) ?
		       hash_bytes(key, victim->record->operations, n * sizeof(struct commit_operation)) :
		       key;
}

/* ITEMS records wait for the victim, each with its number. */
static void world_reset(struct world *world)
{
	struct lane_out out = { .writer = world->slots[PRODUCER].writers,
				.peer = world->slots[VICTIM].readers,
				.data = world->data[PRODUCER],
				.capacity_bytes = LANE_SIZE };
	struct commit commit;

	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		memset(words_of(&world->slots[slot]), 0, words_size(&world->slots[slot]));
		if (world->data[slot])
			memset(world->data[slot], 0, LANE_SIZE);
	}
	memset(world->got, 0, sizeof(world->got));
	store_release(&out.writer->tail, preset->position);
	store_release(&world->slots[VICTIM].readers->done, preset->position);
	store_release(&world->slots[VICTIM].readers->free, preset->position);
	store_release(&world->slots[VICTIM].done_bits->ordinal, preset->ordinal);
	lane_out_rewind(&out);
	for (uint32_t i = 0; i < ITEMS; i++) {
		struct item_header header = { .size_bytes = 8 + i % 3 * 8, .kind = ITEM_DATA, .sequence = i };
		void *payload;

		demand(lane_out_reserve(&out, header.size_bytes, &payload), "reserve");
		memset(payload, (int)i, header.size_bytes);
		lane_out_push(&out, &header);
	}
	commit_init(&commit, &world->slots[PRODUCER]);
	commit_add_tail(&commit, &out);
	commit_publish(&commit);
}

/* ---- the worker ---- */

static void bind(struct worker *worker, struct segment *slots, unsigned char *const *data)
{
	*worker = (struct worker){ .own = &slots[VICTIM] };
	worker->in = (struct lane_in){ .reader = slots[VICTIM].readers,
				       .peer = slots[PRODUCER].writers,
				       .data = data[PRODUCER],
				       .capacity_bytes = LANE_SIZE };
	worker->out = (struct lane_out){ .writer = slots[VICTIM].writers,
					 .peer = slots[CONSUMER].readers,
					 .data = data[VICTIM],
					 .capacity_bytes = LANE_SIZE };
}

static int start(struct worker *worker)
{
	lane_in_rewind(&worker->in);
	lane_out_rewind(&worker->out);
	worker->cursor = *cursor_current(worker->own);
	commit_init(&worker->commit, worker->own);
	return done_window_rewind(&worker->window, &worker->in, worker->own->done_bits);
}

static void commit_turn(struct worker *worker)
{
	memset(worker->cursor.stage, (int)(worker->cursor.ledger[LEDGER_TAKEN] & 0xff), sizeof(worker->cursor.stage));
	commit_add_tail(&worker->commit, &worker->out);
	commit_add_cursor(&worker->commit, &worker->cursor);
	done_window_collect_bits(&worker->window, &worker->commit);
	done_window_collect_done(&worker->window, &worker->commit);
	commit_publish(&worker->commit);
	worker->out.tail = worker->out.built;
	if (done_window_settle(&worker->window))
		lane_in_release(&worker->in);
}

struct taken {
	uint64_t number, sequence;
};

/* Takes up to `width` records that have not ended; returns how many. */
static uint32_t take(struct worker *worker, uint32_t width, struct taken *ret)
{
	struct item_header header;
	const void *payload;
	uint32_t n = 0;

	while (n < width && lane_in_peek(&worker->in, &header, &payload) == 0) {
		ret[n] = (struct taken){ done_window_take(&worker->window, &header), header.sequence };
		store_relaxed(&worker->own->done_bits->given, worker->in.next);
		n += !done_window_ended(&worker->window, ret[n].number);
	}
	return n;
}

static int end(struct worker *worker, const struct taken *item)
{
	const struct item_header header = { .size_bytes = 8, .kind = ITEM_DATA, .sequence = item->sequence };
	void *payload;
	int r = lane_out_reserve(&worker->out, header.size_bytes, &payload);

	if (r)
		return r;
	memcpy(payload, &item->sequence, sizeof(item->sequence));
	lane_out_push(&worker->out, &header);
	worker->cursor.ledger[LEDGER_TAKEN]++;
	worker->cursor.ledger[LEDGER_EMITTED]++;
	done_window_end(&worker->window, item->number);
	return 0;
}

/* Until nothing is left: takes `width`, ends the last, the first, the last but one ... and commits after every second. */
static int run(struct worker *worker, uint32_t width)
{
	struct taken items[WIDTH_MAX];
	uint32_t n;

	while ((n = take(worker, width, items)) != 0)
		for (uint32_t i = 0; i < n; i++) {
			int r = end(worker, &items[i % 2 ? i / 2 : n - 1 - i / 2]);

			if (r)
				return r;
			if (i % 2 || i + 1 == n)
				commit_turn(worker);
		}
	commit_turn(worker); /* what was only stepped over */
	return 0;
}

/* ---- the judge ---- */

/* The consumer takes all that is visible, and the producer overwrites all room that it sees: before anybody repairs. */
static void disturb(struct world *world)
{
	uint64_t tail = load_acquire(&world->slots[PRODUCER].writers->tail),
		 at = load_acquire(&world->slots[VICTIM].readers->free);
	struct lane_in got = { .reader = world->slots[CONSUMER].readers,
			       .peer = world->slots[VICTIM].writers,
			       .data = world->data[VICTIM],
			       .capacity_bytes = LANE_SIZE };
	struct item_header header;
	const void *payload;

	lane_in_rewind(&got);
	while (lane_in_peek(&got, &header, &payload) == 0) {
		if (header.sequence < ITEMS)
			world->got[header.sequence]++;
		lane_in_advance(&got, &header);
	}
	store_release(&world->slots[CONSUMER].readers->done, got.next);
	store_release(&world->slots[CONSUMER].readers->free, got.next);
	for (uint64_t room = tail; room != at + LANE_SIZE; room++)
		world->data[PRODUCER][room & (LANE_SIZE - 1)] = 0xee;
}

static const char *check_repaired(const struct world *world)
{
	const struct segment *victim = &world->slots[VICTIM];
	const struct cursor *cursor = cursor_current(victim);
	uint64_t in = 0, out = 0, got = 0;

	if (census_lane_with_bits(world->data[PRODUCER], LANE_SIZE, load_relaxed(&victim->readers->done),
				  load_relaxed(&world->slots[PRODUCER].writers->tail), victim->done_bits, &in) ||
	    census_lane(world->data[VICTIM], LANE_SIZE, load_relaxed(&world->slots[CONSUMER].readers->done),
			load_relaxed(&victim->writers->tail), &out))
		return "a lane is no chain of records";
	for (uint32_t i = 0; i < ITEMS; i++)
		got += world->got[i];
	if (cursor->ledger[LEDGER_TAKEN] + in != ITEMS)
		return "ledger: ended and waiting are not what was put in";
	if (cursor->ledger[LEDGER_EMITTED] != got + out ||
	    cursor->ledger[LEDGER_EMITTED] != cursor->ledger[LEDGER_TAKEN])
		return "ledger: outputs and ends are not of the same commits";
	for (uint32_t i = 0; i < CURSOR_STAGE_SIZE; i++)
		if (cursor->stage[i] != (cursor->ledger[LEDGER_TAKEN] & 0xff))
			return "the stage's cursor is torn, or of another turn than the ledger";
	return NULL;
}

static const char *check_end(struct world *world)
{
	const struct segment *victim = &world->slots[VICTIM];

	disturb(world); /* the consumer takes the rest */
	for (uint32_t i = 0; i < ITEMS; i++)
		if (world->got[i] != 1)
			return world->got[i] ? "an item came twice" : "an item never came";
	if (load_relaxed(&victim->readers->done) != load_relaxed(&world->slots[PRODUCER].writers->tail) ||
	    load_relaxed(&victim->done_bits->ordinal) != preset->ordinal + ITEMS)
		return "all is done and done does not stand at the end";
	for (uint32_t i = 0; i < DONE_BITS_WORDS; i++)
		if (load_relaxed(&victim->done_bits->words[i]))
			return "all is done and a bit is left";
	return NULL;
}

static const char *judge(struct world *world, uint32_t width)
{
	static struct worker worker;
	struct repair_report report;
	const char *wrong;

	if (repair_run(&world->slots[VICTIM], &report))
		return "repair calls the record corrupt";
	wrong = check_repaired(world);
	if (wrong)
		return wrong;
	bind(&worker, world->slots, world->data);
	if (start(&worker))
		return "the next generation finds bits without records";
	if (run(&worker, width))
		return "the next generation can't finish";
	return check_end(world);
}

static void violation(struct tally *tally, const char *where, uint64_t point, const char *what)
{
	if (tally->violations++ < 5 && !expected)
		fprintf(stderr, "crash: %s: %s at instruction %" PRIu64 ": %s\n", tally->name, where, point, what);
}

static void judge_image(struct tally *tally, const struct world *image, const char *where, uint64_t point)
{
	for (uint32_t variant = 0; variant < 4; variant++) {
		const char *wrong;

		world_copy(&replica, image);
		if (variant & 1)
			disturb(&replica);
		wrong = judge(&replica, variant & 2 ? 1 : WIDTH_MAX);
		if (wrong)
			violation(tally, where, point, wrong);
	}
}

/* ---- the walk ---- */

static void run_victim(void *argument)
{
	static struct segment slots[N_SLOTS];
	static unsigned char *data[N_SLOTS];
	static struct worker worker;

	(void)argument;
	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		enum segment_access access = slot == VICTIM ? SEGMENT_WRITE : SEGMENT_READ;

		demand(segment_attach(&slots[slot], live.fds[slot], &live.slots[slot].geometry, access), "attach");
		if (slot != CONSUMER)
			demand(lane_map(live.fds[slot], live.offsets[slot], LANE_SIZE, access, false, &data[slot]),
			       "map");
	}
	bind(&worker, slots, data);
	step_mark();
	if (start(&worker) == 0)
		run(&worker, preset->width);
	step_mark();
}

static void run_repairer(void *argument)
{
	const struct world *world = argument;
	struct segment segment = SEGMENT_NULL;
	struct repair_report report;

	demand(segment_attach(&segment, world->fds[VICTIM], &world->slots[VICTIM].geometry, SEGMENT_WRITE), "attach");
	for (;;) {
		step_mark();
		repair_run(&segment, &report);
	}
}

static void walk_repair(struct tally *tally, pid_t repairer)
{
	enum step step = STEP_DONE;
	uint64_t key, steps = 0;

	world_copy(&scratch, &live);
	key = repair_key(&scratch);
	while (step == STEP_DONE && steps++ < STEPS_MAX) {
		step = step_once(repairer);
		tally->repair_points++;
		if (repair_key(&scratch) == key)
			continue;
		key = repair_key(&scratch);
		tally->repair_images++;
		judge_image(tally, &scratch, "victim killed, then the repair,", tally->points);
	}
	if (step != STEP_MARK)
		violation(tally, "repair", tally->points, "the repairer does not come to its end");
}

static int walk_images(struct tally *tally, pid_t repairer)
{
	enum step step = STEP_DONE;
	uint64_t key = 0;
	pid_t victim;

	world_reset(&live);
	world_copy(&last, &live);
	victim = step_spawn(run_victim, NULL);
	if (victim < 0)
		return victim;
	judge_image(tally, &live, "victim killed", 0);
	while (step == STEP_DONE && tally->points < STEPS_MAX) {
		step = step_once(victim);
		tally->points++;
		if (world_same(&live, &last))
			continue;
		world_copy(&last, &live);
		tally->images++;
		judge_image(tally, &live, "victim killed", tally->points);
		if (repair_key(&live) == key)
			continue;
		key = repair_key(&live);
		walk_repair(tally, repairer);
	}
	if (step != STEP_MARK)
		violation(tally, "victim", tally->points, "does not come to its end");
	else
		judge_image(tally, &live, "at its end", tally->points);
	if (step != STEP_GONE)
		step_kill(victim);
	return 0;
}

/* That a copy is as good as a corpse. */
static int walk_kills(struct tally *tally)
{
	for (uint64_t at = tally->points / (KILLS + 1); at < tally->points; at += tally->points / (KILLS + 1)) {
		enum step step = STEP_DONE;
		const char *wrong;
		pid_t victim;

		world_reset(&live);
		victim = step_spawn(run_victim, NULL);
		if (victim < 0)
			return victim;
		for (uint64_t i = 0; i < at && step == STEP_DONE; i++)
			step = step_once(victim);
		if (step != STEP_GONE)
			step_kill(victim);
		tally->kills++;
		wrong = judge(&live, 1 + (uint32_t)(at % WIDTH_MAX));
		if (wrong)
			violation(tally, "real kill", at, wrong);
	}
	return 0;
}

static int walk(struct tally *tally)
{
	pid_t repairer = step_spawn(run_repairer, &scratch);
	int r;

	if (repairer < 0)
		return repairer;
	r = walk_images(tally, repairer);
	step_kill(repairer);
	return r ? r : walk_kills(tally);
}

int main(int argc, char **argv)
{
	uint64_t violations = 0;

	expected = argc > 1 && !strcmp(argv[1], "--expect-violations");
	world_init(&live);
	world_init(&last);
	world_init(&replica);
	world_init(&scratch);
	for (size_t i = 0; i < (expected ? 1 : sizeof(presets) / sizeof(presets[0])); i++) {
		struct tally tally = { .name = presets[i].name };
		uint64_t start_ns = clock_now_ns();
		int r;

		preset = &presets[i];
		r = walk(&tally);
		if (r) {
			printf("crash name=%s skipped=\"can't trace: %s\"\n", tally.name, strerror(-r));
			return EXIT_SKIP;
		}
		printf("crash name=%s build=%s points=%" PRIu64 " images=%" PRIu64 " repair_points=%" PRIu64
		       " repair_images=%" PRIu64 " kills=%" PRIu64 " violations=%" PRIu64 " ms=%" PRIu64 "\n",
		       tally.name, CRASH_BUILD, tally.points, tally.images, tally.repair_points, tally.repair_images,
		       tally.kills, tally.violations, (clock_now_ns() - start_ns) / NS_PER_MS);
		fflush(stdout);
		violations += tally.violations;
		/* an error may well leave the repairer nothing to do */
		if (!tally.images || (!tally.repair_images && !expected) || !tally.kills) {
			fprintf(stderr, "crash: %s: a walk that saw nothing proves nothing\n", tally.name);
			return 1;
		}
	}
	return (violations > 0) != expected;
}
