/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/broker/supervise/fake_worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <weir/status.h>

#include "common/base/clock.h"
#include "common/flow/commit.h"
#include "common/memory/board.h"
#include "common/memory/segment.h"
#include "common/observe/ledger.h"
#include "common/observe/worker_state.h"
#include "common/scope/cause.h"
#include "common/wire/heritage.h"
#include "common/wire/message.h"

#define EXIT_BROKEN 99 /* the fake itself does not work: no test expects this */
#define FLOOD_LINES 20000
#define EMITTED_ITEMS 3
#define POISON_POSITION 640
#define POISON_LETTER 7u /* number of its mark */
#define POISON_SEQUENCE 20
#define WAIT_STEP_NS (2 * NS_PER_MS)

struct fake {
	struct heritage heritage;
	struct segment segment;
	const struct board *board;
	const char *act;
	int socket;
};

static void demand(bool condition)
{
	if (!condition)
		_exit(EXIT_BROKEN);
}

static bool acts(const struct fake *fake, const char *act)
{
	return strcmp(fake->act, act) == 0;
}

static void wait_a_bit(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)WAIT_STEP_NS }, NULL);
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void say(const struct fake *fake, const struct message *message)
{
	size_t size_bytes;
	char *data;

	demand(message_encode(message, &data, &size_bytes) == 0);
	demand(send(fake->socket, data, size_bytes, 0) == (ssize_t)size_bytes);
	free(data);
}

static void say_hello(const struct fake *fake, unsigned char spoil)
{
	unsigned char token[HERITAGE_TOKEN_SIZE];
	struct message message = { .type = MESSAGE_HELLO };

	memcpy(token, fake->heritage.token, sizeof(token));
	token[0] ^= spoil;
	message.hello.slot = fake->heritage.slot;
	message.hello.generation = fake->heritage.generation;
	message.hello.pid = (uint64_t)getpid();
	message.hello.token = (struct message_bytes){ (const char *)token, sizeof(token) };
	say(fake, &message);
}

static void say_ready(const struct fake *fake)
{
	struct message message = { .type = MESSAGE_READY };

	message.ready.slot = fake->heritage.slot;
	say(fake, &message);
}

static void say_bye(const struct fake *fake, uint64_t status, const char *reason, const char *option)
{
	struct message message = { .type = MESSAGE_BYE };

	message.bye.slot = fake->heritage.slot;
	message.bye.status = status;
	message.bye.reason = (struct message_bytes){ reason, strlen(reason) };
	message.bye.option = (struct message_bytes){ option, strlen(option) };
	say(fake, &message);
}

static void say_seen(const struct fake *fake)
{
	struct message message = { .type = MESSAGE_ACK };

	message.ack.slot = fake->heritage.slot;
	message.ack.order = load_relaxed(&fake->segment.status->seen_order);
	message.ack.seen_ns = load_relaxed(&fake->segment.status->seen_ns);
	say(fake, &message);
}

static void set_state(const struct fake *fake, enum worker_state state)
{
	store_relaxed(&fake->segment.status->since_ns, clock_now_ns());
	store_release(&fake->segment.status->state, (uint32_t)state);
}

static enum board_order order_of(const struct fake *fake)
{
	return (enum board_order)board_order_of(fake->board, fake->heritage.slot);
}

static void note_seen(const struct fake *fake)
{
	store_relaxed(&fake->segment.status->seen_order, order_of(fake));
	store_release(&fake->segment.status->seen_ns, clock_now_ns());
}

static void wait_for_order(const struct fake *fake, enum board_order order)
{
	while (order_of(fake) < order)
		wait_a_bit();
}

static void attach_peer(const struct heritage_peer *from, enum segment_access access, struct segment *peer,
			bool expected)
{
	const struct segment_geometry geometry = {
		.slot = from->slot,
		.n_readers = from->n_readers,
		.n_writers = from->n_writers,
		.off_readers = from->off_readers,
		.off_writers = from->off_writers,
		.off_record = from->off_record,
		.off_data = from->off_data,
		.control_size_bytes = from->control_size,
		.size_bytes = from->segment_size,
		.off_done_bits = from->off_done_bits,
	};

	demand((segment_attach(peer, from->segment_fd, &geometry, access) == 0) == expected);
}

/* ---- getting there ---- */

static void attach(struct fake *fake)
{
	const struct heritage *heritage = &fake->heritage;
	const struct segment_geometry geometry = {
		.slot = heritage->slot,
		.n_readers = heritage->n_readers,
		.n_writers = heritage->n_writers,
		.off_readers = heritage->off_readers,
		.off_writers = heritage->off_writers,
		.off_record = heritage->off_record,
		.off_data = heritage->off_data,
		.control_size_bytes = heritage->control_size,
		.size_bytes = heritage->segment_size,
		.off_done_bits = heritage->off_done_bits,
	};

	demand(segment_attach(&fake->segment, heritage->segment_fd, &geometry, SEGMENT_WRITE) == 0);
	demand(board_attach(heritage->board_fd, heritage->n_slots, &fake->board) == 0);
	store_relaxed(&fake->segment.status->heartbeat, 0);
	store_release(&fake->segment.status->generation, heritage->generation);
	set_state(fake, WORKER_STATE_OPENING);
	for (uint32_t i = 0; i < heritage->n_options; i++)
		if (strcmp(heritage->options[i].name, "act") == 0)
			fake->act = heritage->options[i].string;
}

/* Abstract name: nothing to clean up. */
static void connect_control(struct fake *fake)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(fake->heritage.control_endpoint);

	demand(length < sizeof(address.sun_path));
	memcpy(address.sun_path + 1, fake->heritage.control_endpoint, length);
	fake->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	demand(connect(fake->socket, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == 0);
}

/* With a stopped worker's SIGCONT comes a SIGHUP when the supervisor dies: it must not end the worker before its SIGTERM does. */
static void check_signals(void)
{
	struct sigaction action;

	demand(sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	demand(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	demand(sigaction(SIGTERM, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
}

/* Every descriptor that the document names is what it says; nothing else is open. */
static void check_descriptors(const struct fake *fake)
{
	const struct heritage *heritage = &fake->heritage;
	int highest = heritage->scopes_fd;

	for (uint32_t i = 0; i < heritage->n_peers; i++) {
		struct segment peer = SEGMENT_NULL;

		attach_peer(&heritage->peers[i], SEGMENT_READ, &peer, true);
		segment_detach(&peer);
		attach_peer(&heritage->peers[i], SEGMENT_WRITE, &peer, false);
		highest = heritage->peers[i].doorbell_fd;
	}
	for (int fd = highest + 1; fd < highest + 64; fd++)
		demand(lseek(fd, 0, SEEK_CUR) == -1 && close(fd) == -1);
	demand(getpgrp() == getpid());
}

/* ---- acts before the stage is open ---- */

/* A child and a grandchild, in a session of their own; both are there when it returns. */
static void leave_somebody_behind(void)
{
	int fds[2];
	char byte;

	demand(pipe(fds) == 0);
	if (fork() == 0) {
		setsid();
		signal(SIGTERM, SIG_IGN);
		if (fork() == 0)
			demand(write(fds[1], "x", 1) == 1);
		sleep_for_ever();
	}
	demand(read(fds[0], &byte, 1) == 1);
}

static void act_early(const struct fake *fake)
{
	if (acts(fake, "silent") || (acts(fake, "die-never-ready") && fake->heritage.generation == 1))
		sleep_for_ever();
	if (acts(fake, "liar")) {
		say_hello(fake, 0xff);
		sleep_for_ever();
	}
	if (acts(fake, "die-early") || (acts(fake, "die-early-once") && fake->heritage.generation == 0))
		raise(SIGKILL);
	say_hello(fake, 0);
	if (acts(fake, "late-deaf"))
		wait_for_order(fake, BOARD_CANCEL);
	if (acts(fake, "fail-open") || acts(fake, "fail-plugin")) {
		say_bye(fake, WEIR_FAILED, "there is no such file: /nowhere",
			acts(fake, "fail-plugin") ? "plugin" : "act");
		_exit(1);
	}
}

/* ---- acts while running ---- */

/* Three items into the first lane, by the book. */
static void emit(struct fake *fake)
{
	const struct heritage_lane *lane = &fake->heritage.outputs[0].lanes[0];
	struct lane_out out = { .capacity_bytes = lane->capacity_bytes, .index = lane->own_index };
	struct cursor cursor = *cursor_current(&fake->segment);
	struct segment peer = SEGMENT_NULL;
	struct commit commit;
	void *payload;

	attach_peer(&fake->heritage.peers[lane->peer], SEGMENT_READ, &peer, true);
	out.writer = &fake->segment.writers[lane->own_index];
	out.peer = &peer.readers[lane->peer_index];
	demand(lane_map(fake->heritage.segment_fd, lane->off_data, lane->capacity_bytes, SEGMENT_WRITE, false,
			&out.data) == 0);
	lane_out_rewind(&out);
	for (unsigned i = 0; i < EMITTED_ITEMS; i++) {
		demand(lane_out_reserve(&out, 5, &payload) == 0);
		memcpy(payload, "hello", 5);
		lane_out_push(&out, &(struct item_header){ .size_bytes = 5, .kind = ITEM_DATA, .sequence = i });
	}
	cursor.ledger[LEDGER_ACCEPTED] += EMITTED_ITEMS;
	cursor.ledger[LEDGER_EMITTED] += EMITTED_ITEMS;
	commit_init(&commit, &fake->segment);
	commit_add_tail(&commit, &out);
	commit_add_cursor(&commit, &cursor);
	commit_publish(&commit);
	store_relaxed(&fake->segment.status->heartbeat, 1);
}

/* A turn that moves the cursor. */
static void get_on(struct fake *fake)
{
	struct cursor cursor = *cursor_current(&fake->segment);
	struct commit commit;

	cursor.stage[0]++;
	commit_init(&commit, &fake->segment);
	commit_add_cursor(&commit, &cursor);
	commit_publish(&commit);
	store_relaxed(&fake->segment.status->heartbeat, 1);
}

static void die_with_item_in_hand(const struct fake *fake)
{
	const struct board_slot *slot = &fake->board->slots[fake->heritage.slot];
	struct segment_hand *hand = fake->segment.hand;

	if (slot->suspect_attempts >= fake->heritage.attempts) {
		demand(slot->suspect_lane == 0 && slot->suspect_position == POISON_POSITION);
		return;
	}
	store_relaxed(&hand->position, POISON_POSITION);
	store_relaxed(&hand->sequence, POISON_SEQUENCE);
	store_relaxed(&hand->lane, 0);
	store_release(&hand->busy, 1);
	raise(SIGKILL);
}

/* Of two items in turn, as if its stage postponed the one while the other is in hand; each is given up when it has cost its attempts. */
static void die_of_two_items(struct fake *fake)
{
	static const uint64_t positions[] = { POISON_POSITION, POISON_POSITION + 32 };
	const struct board_slot *slot = &fake->board->slots[fake->heritage.slot];
	struct segment_hand *hand = fake->segment.hand;
	uint32_t generation = fake->heritage.generation;

	if (generation && generation < 7) {
		demand(slot->suspect_position == positions[(generation - 1) % 2] &&
		       slot->suspect_attempts == (generation + 1) / 2);
		demand(fake->heritage.n_deaths == slot->suspect_attempts);
		demand(fake->heritage.deaths[0].generation == (generation - 1) % 2);
	}
	if (generation >= 7)
		demand(slot->suspect_attempts == 1); /* what was taken, and dies again in this story, begins anew */
	if (generation == 6)                         /* both have cost three lives; now they are taken */
		store_relaxed(&fake->segment.readers[0].done, POISON_POSITION + 64);
	if (generation == 7)
		store_relaxed(&fake->segment.readers[0].done, 0);
	if (generation == 8)
		return;
	get_on(fake);
	store_relaxed(&hand->position, generation == 6 ? POISON_POSITION + 64 :
				       generation == 7 ? POISON_POSITION : /* which was aside when it was taken */
							 positions[generation % 2]);
	store_relaxed(&hand->sequence, POISON_SEQUENCE);
	store_relaxed(&hand->lane, 0);
	store_release(&hand->busy, 1);
	raise(SIGKILL);
}

/* Dies of a dead letter that is given again; the next one takes it, and dies of something else; then nothing is suspected any more. */
static void die_of_a_letter(struct fake *fake)
{
	const struct board_slot *slot = &fake->board->slots[fake->heritage.slot];
	struct segment_hand *hand = fake->segment.hand;
	struct commit commit;

	if (fake->heritage.generation == 0) {
		store_relaxed(&hand->position, POISON_LETTER);
		store_relaxed(&hand->lane, HAND_LETTER);
		store_release(&hand->busy, 1);
		raise(SIGKILL);
	}
	if (fake->heritage.generation == 1) {
		demand(slot->suspect_attempts == 1 && slot->suspect_lane == HAND_LETTER &&
		       slot->suspect_position == POISON_LETTER);
		commit_init(&commit, &fake->segment);
		commit_add_letter(&commit, POISON_LETTER);
		commit_publish(&commit);
		raise(SIGKILL);
	}
	demand(slot->suspect_attempts == 0);
}

/* As an asynchronous stage does with as many items in flight as it may have, until it may have one. */
static void die_with_many_in_flight(const struct fake *fake)
{
	uint32_t limit = fake->board->slots[fake->heritage.slot].in_flight_limit;

	demand(fake->heritage.in_flight == 100 && fake->segment.done_bits);
	if (limit == 1)
		return;
	store_relaxed(&fake->segment.hand->position, POISON_POSITION);
	store_relaxed(&fake->segment.hand->in_flight, limit ? limit : fake->heritage.in_flight);
	store_release(&fake->segment.hand->busy, 1);
	raise(SIGKILL);
}

/*
 * Takes an item in hand and keeps it: until it is cancelled; for ever, hearing nothing ("hold-deaf"); or it is done after all when the cancel
 * comes ("hold-done"). Once it has cost its attempts it is passed over.
 */
static void hold_an_item(struct fake *fake)
{
	const struct board_slot *slot = &fake->board->slots[fake->heritage.slot];
	struct segment_hand *hand = fake->segment.hand;

	demand(load_relaxed(&slot->order) == BOARD_HOLD && load_relaxed(&slot->cause) == CAUSE_NONE);
	if (slot->suspect_attempts >= fake->heritage.attempts || load_relaxed(&fake->segment.readers[0].done)) {
		demand(!slot->suspect_attempts || fake->heritage.deaths[0].overrun);
		store_relaxed(&fake->segment.readers[0].done,
			      0); /* nothing lies there: the census must not find more */
		return;
	}
	store_relaxed(&hand->position, POISON_POSITION);
	store_relaxed(&hand->sequence, POISON_SEQUENCE);
	store_relaxed(&hand->lane, 0);
	store_release(&hand->busy, HAND_BUSY);
	if (acts(fake, "hold-deaf"))
		sleep_for_ever();
	wait_for_order(fake, BOARD_CANCEL);
	demand(load_relaxed(&slot->cause) == CAUSE_ITEM_DEADLINE);
	demand(load_relaxed(&slot->due_position) == POISON_POSITION && load_relaxed(&slot->due_ns) <= clock_now_ns());
	if (acts(fake, "hold-done"))
		store_relaxed(&fake->segment.readers[0].done, POISON_POSITION + 8);
}

/* As an asynchronous stage that sleeps beside an item which it has put aside. */
static void hold_a_pending_item(struct fake *fake)
{
	const struct board_slot *slot = &fake->board->slots[fake->heritage.slot];
	struct segment_hand *hand = fake->segment.hand;

	if (slot->suspect_attempts >= fake->heritage.attempts) {
		demand(slot->suspect_position == POISON_POSITION && slot->in_flight_limit == 0);
		return;
	}
	store_relaxed(&hand->in_flight, 50);
	store_relaxed(&hand->position, POISON_POSITION + 400); /* which is not to blame */
	store_release(&hand->busy, HAND_ASIDE);
	store_relaxed(&hand->due_position, POISON_POSITION);
	store_relaxed(&hand->due_sequence, POISON_SEQUENCE);
	store_release(&hand->due_ns, clock_now_ns() + 20 * NS_PER_MS);
	set_state(fake, WORKER_STATE_WAIT_OUTSIDE);
	wait_for_order(fake, BOARD_CANCEL);
}

/* Waits for room with an item in hand, for longer than its deadline. */
static void wait_for_room(struct fake *fake)
{
	struct segment_hand *hand = fake->segment.hand;

	set_state(fake, WORKER_STATE_WAIT_SPACE); /* first: between the two its time would run */
	store_relaxed(&hand->position, POISON_POSITION);
	store_release(&hand->busy, HAND_BUSY);
	usleep(300 * 1000);
	demand(order_of(fake) < BOARD_CANCEL);
	store_release(&hand->busy, HAND_EMPTY);
	set_state(fake, WORKER_STATE_BUSY);
}

static void flood(void)
{
	for (unsigned i = 0; i < FLOOD_LINES; i++)
		dprintf(STDERR_FILENO, "flood %u\n", i);
}

static void act_once(struct fake *fake)
{
	bool first = fake->heritage.generation == 0;

	if (fake->heritage.stands_in && !acts(fake, "fail-run-too"))
		return;
	if (acts(fake, "crash-once") && first) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer has its own handler */
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		raise(SIGSEGV);
	}
	if (acts(fake, "crash-always"))
		raise(SIGKILL);
	if (acts(fake, "crash-after-turns") && fake->heritage.generation < 12) {
		get_on(fake);
		raise(SIGKILL);
	}
	if (acts(fake, "crash-after-idle-turns")) {
		store_relaxed(&fake->segment.status->heartbeat, 1);
		raise(SIGKILL);
	}
	if (acts(fake, "killed-asleep") && fake->heritage.generation < 12) {
		set_state(fake, WORKER_STATE_WAIT_DATA);
		raise(SIGKILL);
	}
	if (acts(fake, "exit-0") && first)
		_exit(0);
	if (acts(fake, "exit-9") && first)
		_exit(9);
	if ((acts(fake, "die-once") || acts(fake, "die-never-ready")) && first)
		raise(SIGKILL);
	if (acts(fake, "fail-run") || acts(fake, "fail-run-too") || (acts(fake, "fail-once") && first)) {
		say_bye(fake, WEIR_FAILED, "no space left on device", "");
		_exit(1);
	}
	if (acts(fake, "fail-and-hang") && first) {
		say_bye(fake, WEIR_FAILED, "no space left on device", "");
		sleep_for_ever();
	}
	if (acts(fake, "grandchild") && first) {
		leave_somebody_behind();
		raise(SIGKILL);
	}
	if (acts(fake, "senseless") && first) {
		fake->segment.record->operations[0] = (struct commit_operation){ .kind = COMMIT_TAIL, .word = 77 };
		store_release(&fake->segment.record->state, 1);
		raise(SIGKILL);
	}
	if (acts(fake, "stopped"))
		raise(SIGSTOP);
	if (acts(fake, "last-words") && first) {
		dprintf(STDERR_FILENO, "<4>something is wrong\nI can't go on");
		_exit(7);
	}
}

static void act_longer(struct fake *fake)
{
	if (acts(fake, "poison"))
		die_with_item_in_hand(fake);
	if (acts(fake, "poison-two"))
		die_of_two_items(fake);
	if (acts(fake, "poison-letter"))
		die_of_a_letter(fake);
	if (acts(fake, "crowded"))
		die_with_many_in_flight(fake);
	if (acts(fake, "hold") || acts(fake, "hold-deaf") || acts(fake, "hold-done"))
		hold_an_item(fake);
	if (acts(fake, "hold-pending"))
		hold_a_pending_item(fake);
	if (acts(fake, "wait-for-room"))
		wait_for_room(fake);
	if (acts(fake, "flood"))
		flood();
	if (acts(fake, "emit"))
		emit(fake);
	if (acts(fake, "stay") || acts(fake, "emit")) {
		wait_for_order(fake, BOARD_DRAIN);
		note_seen(fake); /* and gone before it can say so */
	}
	if (acts(fake, "stay-on")) {
		wait_for_order(fake, BOARD_CANCEL);
		note_seen(fake);
		say_seen(fake);
	}
	if (acts(fake, "deaf") || acts(fake, "stopped"))
		sleep_for_ever();
}

int is_fake_worker(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[0], "weir-worker") == 0;
}

int fake_worker_main(void)
{
	struct fake fake = { .act = "good" };

	demand(heritage_read(HERITAGE_FD, &fake.heritage) == 0);
	close(HERITAGE_FD);
	attach(&fake);
	check_descriptors(&fake);
	check_signals();
	connect_control(&fake);
	if (acts(&fake, "deaf") || acts(&fake, "late-deaf") || acts(&fake, "hold-deaf"))
		signal(SIGTERM, SIG_IGN);
	act_early(&fake);
	set_state(&fake, WORKER_STATE_READY);
	say_ready(&fake);
	wait_for_order(&fake, BOARD_RUN);
	set_state(&fake, WORKER_STATE_BUSY);
	if (acts(&fake, "late-deaf"))
		sleep_for_ever();
	if (order_of(&fake) < BOARD_CANCEL) {
		act_once(&fake);
		act_longer(&fake);
	} else {
		note_seen(&fake); /* too late for its act */
	}
	set_state(&fake, order_of(&fake) < BOARD_CANCEL ? WORKER_STATE_ENDED : WORKER_STATE_CANCELLED);
	say_bye(&fake, WEIR_OK, "", "");
	if (acts(&fake, "hang-at-exit"))
		sleep_for_ever();
	_exit(0);
}
