/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers whose turns and sleeps are the real ones. worker/turn.c is included, because two of the functions that matter are
 * its own (turn_note_hand, turn_close); worker/wait.c, input.c, output.c, admission.c and worker.c are compiled beside this. The rest of
 * a worker (messages, children, dead letters) takes no part, and is answered for here.
 */
#include "worker/turn.c"

#include "common/base/must.h"
#include "common/base/text.h"
#include "tests/explore/real.h"
#include "tests/explore/world.h"
#include "worker/children.h"
#include "worker/key.h"

struct place {
	struct worker worker;
	struct peer peer;
	struct input_lane input_lane;
	struct output_lane output_lane;
	struct input_edge input;
	struct output_edge output;
	uint64_t generation;
};

static struct place places[SLOTS];
static const struct heritage_edge edge = { .peer_stage = (char *)(uintptr_t) "peer" };
static union {
	struct board board;
	unsigned char bytes[sizeof(struct board) + SLOTS * sizeof(struct board_slot)];
} board;

void real_reset(void)
{
	memset(places, 0, sizeof(places));
}

/* Neighbours: 0 <-> 1. Doorbell of a slot: its number. */
static struct worker *attach(unsigned slot)
{
	struct place *place = &places[slot];
	struct worker *worker = &place->worker;

	place->peer = (struct peer){ .doorbell = { .armed = world_segments[!slot].armed, .fd = !slot } };
	place->input_lane = (struct input_lane){ .peer = &place->peer };
	place->output_lane = (struct output_lane){ .peer = &place->peer };
	place->input = (struct input_edge){ .heritage = &edge, .lanes = &place->input_lane, .n_lanes = 1 };
	place->output = (struct output_edge){
		.heritage = &edge, .lanes = &place->output_lane, .n_lanes = 1, .turn_lane = NO_LANE
	};
	*worker = (struct worker){
		.heritage = { .slot = slot, .doorbell_fd = (int)slot, .lifeline_fd = -1, .attempts = 3 },
		.segment = world_segments[slot],
		.board = &board.board,
		.peers = &place->peer,
		.n_peers = 1,
		.inputs = &place->input,
		.n_inputs = slot ? 1 : 0,
		.outputs = &place->output,
		.n_outputs = slot ? 0 : 1,
		.item_number = 1,
		.watch = { .fd = -1 },
		.armed_epoch = ++place->generation << 32,
	};
	if (slot)
		place->input_lane.lane = world_lane_in(slot);
	else
		place->output_lane.lane = world_lane_out(slot);
	worker->cursor = *cursor_current(&worker->segment);
	commit_init(&worker->commit, &worker->segment);
	return worker;
}

static void stage_cursor(struct worker *worker)
{
	memset(worker->cursor.stage, (int)worker->cursor.sequence, sizeof(worker->cursor.stage));
}

void real_produce(unsigned slot)
{
	struct worker *worker = attach(slot);
	uint64_t payload[WORDS_OF_PAYLOAD];

	while (worker->cursor.sequence < world_settings.items) {
		item_fill(payload, worker->cursor.sequence);
		if (output_push(worker, 0, payload, sizeof(payload)) == OUTPUT_E_FULL) {
			stage_cursor(worker);
			turn_commit(worker);
			wait_sleep(worker, ARM_SPACE, worker->need_bytes);
			continue;
		}
		output_item_end(worker);
		if (worker->cursor.sequence % world_settings.batch == 0) {
			stage_cursor(worker);
			turn_commit(worker);
		}
	}
	stage_cursor(worker);
	turn_commit(worker);
	turn_close(worker);
}

void real_consume(unsigned slot)
{
	struct worker *worker = attach(slot);
	struct input input;
	int r;

	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		if (r == INPUT_E_BROKEN)
			explore_fail("the consumer finds its lane broken");
		if (r == INPUT_E_EMPTY) {
			wait_sleep(worker, ARM_DATA, 0);
			continue;
		}
		item_check(&input.header, input.payload, worker->cursor.sequence);
		input_take(worker, &input);
		worker->cursor.ledger[LEDGER_TAKEN]++;
		worker->cursor.sequence++;
		stage_cursor(worker);
		turn_commit(worker);
	}
	worker->cursor.expected[0] = 0;
}

void real_supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(3)) >= 0) {
		struct repair_report report;

		if (repair_run(&world_segments[dead], &report))
			explore_fail("the repair finds the record corrupt");
		world_check_repaired((unsigned)dead);
		doorbell_ring(!dead);
		explore_spawn((unsigned)dead);
	}
}

/* ---- the item in hand ---- */

static unsigned n_noted; /* notes that are whole */
static bool noting;

static uint64_t hand_position(uint64_t note)
{
	return world_settings.base + note * RECORD_SIZE;
}

/* Three notes over one another, no two with a field in common. */
void real_note(unsigned slot)
{
	struct worker *worker = attach(slot);

	n_noted = 0;
	for (uint64_t note = 1; note <= 3; note++) {
		struct input input = { .header = { .sequence = 100 + note } };

		noting = true;
		worker->inputs[0].lanes[0].lane.index = note & 1;
		turn_note_hand(worker, &input, hand_position(note));
		noting = false;
		n_noted++;
	}
	world_segments[slot].hand->pad[0] = 1; /* a last point for a kill */
}

void real_judge_note(unsigned thread)
{
	struct repair_report report;
	int dead = explore_wait_death(7);

	(void)thread;
	if (dead < 0)
		return;
	if (repair_run(&world_segments[dead], &report))
		explore_fail("the repair finds the record corrupt");
	if (!report.in_hand) {
		if (explore_kill_was_whole() && !noting)
			explore_fail("an item was in hand and is not the suspect");
		return;
	}
	for (uint64_t note = 1; note <= 3; note++)
		if (report.suspect_sequence == 100 + note && report.suspect_position == hand_position(note) &&
		    report.suspect_lane == (note & 1))
			return;
	explore_fail("the suspect is named by halves of two notes");
}

/* ---- what the real files call besides ---- */

void children_kill_all(void)
{
}

bool client_unread(const struct client *client)
{
	(void)client;
	return false;
}

int client_receive(struct client *client, struct message *ret_message)
{
	(void)client;
	(void)ret_message;
	return WIRE_E_NOTHING;
}

int client_send_status(struct client *client, const char *state, const char *detail)
{
	(void)client;
	(void)state;
	(void)detail;
	return 0;
}

int client_send_ack(struct client *client, uint32_t order)
{
	(void)client;
	(void)order;
	return 0;
}

int client_fd(const struct client *client)
{
	(void)client;
	return -1;
}

void client_rang(struct client *client)
{
	(void)client;
}

bool key_hash(const struct key *key, const void *data, size_t size_bytes, uint64_t *ret_hash)
{
	(void)key;
	(void)data;
	(void)size_bytes;
	*ret_hash = 0;
	explore_fail("an edge without a key looks for one");
	return false;
}

int dead_letter_write(const char *path, const struct dead_letter *letter)
{
	(void)path;
	(void)letter;
	return 0;
}

void weir_log(enum weir_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void text_printf(struct text *text, const char *format, ...)
{
	(void)text;
	(void)format;
}

void must_failed(const char *what, const char *file, int line, const char *function)
{
	static char text[256];

	snprintf(text, sizeof(text), "must(%s) failed in %s, %s:%d", what, function, file, line);
	explore_fail(text);
}

const char *weir_status_name(int status)
{
	(void)status;
	return "";
}
