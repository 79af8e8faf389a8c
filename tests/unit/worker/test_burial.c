/* SPDX-License-Identifier: Apache-2.0 */
/* Letters of a turn: when they are durable, what that costs, and what becomes of the turn when there is no room for them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/store/letter_store.h"
#include "rig.h"
#include "worker/burial.h"
#include "worker/host.h"
#include "worker/turn.h"

#define RELAY_SLOT 1u

static char folder[64], path[96];
static struct rig rig;

static unsigned n_fsyncs, n_fdatasyncs; /* of a file of lines; of the store: one a transaction */
static unsigned n_letters_at_flush;
static bool flushes, flush_refuses;
static bool fsync_fails;               /* once */
static unsigned room_for = UINT32_MAX; /* so many syncs of the store, then: */
static int room_errno = ENOSPC;
static uint32_t busy_at_sync, busy_at_flush;

/* Seen by the library of the store, too. */
#define SEEN __attribute__((visibility("default")))
SEEN int fsync(int fd)
{
	n_fsyncs++;
	if (fsync_fails) {
		fsync_fails = false;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

SEEN int fdatasync(int fd)
{
	n_fdatasyncs++;
	busy_at_sync = rig.relay.segment.hand ? load_relaxed(&rig.relay.segment.hand->busy) : 0;
	if (!room_for) {
		errno = room_errno;
		return -1;
	}
	room_for--;
	return (int)syscall(SYS_fdatasync, fd);
}

static jmp_buf end_of_process;
static bool catches_end;

/* What the process leaves behind is looked at from here. */
SEEN void _exit(int code)
{
	if (catches_end)
		longjmp(end_of_process, 1);
	syscall(SYS_exit_group, code);
	__builtin_unreachable();
}

/* ---- the stage: what begins with '!' is refused ---- */

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (*(const char *)item->data != '!')
		return weir_emit(context, 0, item->data, item->size_bytes);
	weir_reject(context, "it says so");
	return WEIR_REJECTED;
}

static int count_one(void *data, const struct dead_letter *letter)
{
	(void)letter;
	++*(unsigned *)data;
	return 0;
}

static unsigned count_letters(struct worker *worker)
{
	struct letter_store *store;
	unsigned n = 0;

	assert_int_equal(burial_open(worker, &store), 0);
	assert_int_equal(letter_store_each(store, count_one, &n), 0);
	return n;
}

static int flush(struct weir_context *context, void *state)
{
	struct letter_store *store;

	(void)state;
	flushes = true;
	busy_at_flush = busy_at_flush ? busy_at_flush : load_relaxed(&rig.relay.segment.hand->busy);
	if (flush_refuses)
		assert_int_equal(weir_accept_rejected(context, "late", 4, "by flush()"), 0);
	n_letters_at_flush = 0;
	if (burial_open((struct worker *)context, &store) == 0) /* else there is no room for it */
		assert_int_equal(letter_store_each(store, count_one, &n_letters_at_flush), 0);
	return 0;
}

static const struct weir_stage refusing = { .role = WEIR_OPERATOR, .process = process };
static const struct weir_stage flushing = { .role = WEIR_OPERATOR, .process = process, .flush = flush };

/* ---- a relay, and what comes to it ---- */

static void hire(const char *store, const char *file)
{
	struct worker *relay = &rig.relay;

	relay->heritage.pipeline = strdup("p");
	relay->heritage.stage = strdup("relay");
	relay->heritage.run = 1000;
	relay->heritage.batch = 64;
	relay->heritage.dead_letter_store = store ? strdup(store) : NULL;
	relay->heritage.dead_letter_path = file ? strdup(file) : NULL;
}

static void begin(const struct weir_stage *stage, const char *store, const char *file)
{
	rig_init_chain(&rig, stage);
	hire(store, file);
	n_fsyncs = n_fdatasyncs = n_letters_at_flush = 0;
}

static void bring(unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rig_push(&rig.producers[0], text), 0);
	rig_commit(&rig.producers[0]);
}

static void no_more(void)
{
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
}

/* What counts: the ledger that the next generation would find. */
static uint64_t committed(enum ledger line)
{
	const struct segment *segment = &rig.relay.segment;

	return segment->cursors[load_relaxed(&segment->cursor_switch->flips) & 1].ledger[line];
}

static bool kept_singly(void)
{
	return load_relaxed(&rig.relay.segment.hand->letters_singly);
}

/* The store has been made by then. */
static void fill_disk(void)
{
	assert_int_equal(count_letters(&rig.relay), 0);
	room_for = 0;
}

static int commit_complete(struct worker *worker)
{
	turn_commit_complete(worker);
	return 0;
}

/* ---- what holds ---- */

static void test_a_turn_is_one_transaction(void **state)
{
	(void)state;
	begin(&refusing, path, NULL);
	assert_int_equal(count_letters(&rig.relay), 0); /* makes the store, which is a transaction, too */
	n_fdatasyncs = 0;
	bring(10, "!no");
	no_more();
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_fdatasyncs, 1);
	assert_int_equal(count_letters(&rig.relay), 10);
	assert_int_equal(committed(LEDGER_REJECTED_IN), 10);
	rig_deinit(&rig);
}

/* An effect outside would be repeated if there were no room for the letters after it. */
static void test_letters_come_before_the_flush(void **state)
{
	(void)state;
	begin(&flushing, path, NULL);
	bring(2, "yes");
	bring(3, "!no");
	no_more();
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_letters_at_flush, 3);
	rig_deinit(&rig);
}

static void test_letters_of_the_flush(void **state)
{
	(void)state;
	begin(&flushing, path, NULL);
	flush_refuses = true;
	bring(1, "yes");
	no_more();
	assert_int_equal(turn_loop(&rig.relay), 0);
	flush_refuses = false;
	assert_int_equal(committed(LEDGER_REJECTED_OUT), count_letters(&rig.relay));
	assert_true(count_letters(&rig.relay) > 0);
	rig_deinit(&rig);
}

/* An item that is in hand when the worker dies is the suspect; a worker that dies while it writes letters has no suspect. */
static void test_no_item_is_in_hand_meanwhile(void **state)
{
	(void)state;
	begin(&flushing, path, NULL);
	bring(2, "!no");
	no_more();
	busy_at_sync = HAND_BUSY;
	busy_at_flush = HAND_EMPTY;
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(busy_at_sync, HAND_EMPTY);
	assert_int_equal(busy_at_flush, HAND_BUSY); /* as without letters: a flush() that dies has one */
	rig_deinit(&rig);
}

static void test_lines_of_a_turn_are_synced_once(void **state)
{
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/lines", folder);
	begin(&refusing, NULL, file);
	bring(10, "!no");
	no_more();
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_fsyncs, 1);
	assert_int_equal(committed(LEDGER_REJECTED_IN), 10);
	rig_deinit(&rig);
}

/* Returns whether the process would have ended. */
static bool ends_at(int (*turn)(struct worker *worker))
{
	bool ended = setjmp(end_of_process);

	catches_end = !ended;
	if (!ended)
		(void)turn(&rig.relay);
	catches_end = false;
	return ended;
}

/* No turn is committed whose letters are not kept; the next generation keeps what comes before the one for which there is no room. */
static void test_no_room(void **state)
{
	(void)state;
	begin(&flushing, path, NULL);
	fill_disk();
	bring(2, "yes");
	bring(3, "!no");
	no_more();
	assert_true(ends_at(turn_loop));
	assert_int_equal(committed(LEDGER_TAKEN), 0);
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), 0); /* no item is to blame */
	assert_true(kept_singly());

	rig_replace_relay(&rig, 1);
	hire(path, NULL);
	room_for = 1;
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "cannot keep a dead letter"));
	assert_int_equal(committed(LEDGER_TAKEN), 3);
	assert_int_equal(committed(LEDGER_REJECTED_IN), 1);
	assert_true(kept_singly());

	/* There is room again: one after the other, and from the next turn on together. */
	rig_replace_relay(&rig, 2);
	hire(path, NULL);
	room_for = UINT32_MAX;
	n_fdatasyncs = 0;
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_fdatasyncs, 2);
	assert_int_equal(count_letters(&rig.relay), 3);
	assert_int_equal(committed(LEDGER_TAKEN), 5);
	assert_int_equal(committed(LEDGER_REJECTED_IN), 3);
	assert_false(kept_singly());
	rig_deinit(&rig);
}

/* It is the worker that has none left: it dies of the item in hand, which is an attempt, and the next one has some. */
static void test_no_memory(void **state)
{
	(void)state;
	begin(&refusing, path, NULL);
	fill_disk();
	room_errno = ENOMEM;
	bring(2, "yes");
	bring(3, "!no");
	no_more();
	assert_true(ends_at(turn_loop));
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), 0); /* of all that the turn remembers */

	rig_replace_relay(&rig, 1);
	hire(path, NULL);
	assert_true(ends_at(turn_loop));
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), HAND_BUSY);
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->sequence), 2);
	assert_int_equal(count_letters(&rig.relay), 0);
	assert_non_null(strstr(rig.relay.reason, "there is no memory left"));
	assert_non_null(strstr(rig.relay.reason, "resources: memory"));
	assert_true(kept_singly());

	rig_replace_relay(&rig, 2);
	hire(path, NULL);
	room_for = UINT32_MAX;
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(count_letters(&rig.relay), 3);
	assert_int_equal(committed(LEDGER_TAKEN), 5);
	rig_deinit(&rig);
}

/* What would be repeated if there is no room comes after the letters. */
static void test_no_flush_without_room(void **state)
{
	(void)state;
	begin(&flushing, path, NULL);
	fill_disk();
	bring(1, "!no");
	no_more();
	flushes = false;
	assert_true(ends_at(turn_loop));
	assert_false(flushes);
	rig_deinit(&rig);
}

/* In the middle of an item what came before it is committed: not without its letters. */
static void test_no_room_in_the_middle(void **state)
{
	(void)state;
	begin(&refusing, path, NULL);
	fill_disk();
	assert_int_equal(weir_accept_rejected(&rig.relay.context, "no", 2, "counted"), 0);
	assert_true(ends_at(commit_complete));
	assert_int_equal(committed(LEDGER_REJECTED_OUT), 0);
	rig_deinit(&rig);
}

/* The kernel says once that it could not write what it had taken. */
static void test_lines_that_are_not_synced(void **state)
{
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/lines", folder);
	begin(&refusing, NULL, file);
	assert_int_equal(weir_accept_rejected(&rig.relay.context, "no", 2, "counted"), 0);
	fsync_fails = true;
	assert_int_equal(turn_commit(&rig.relay), WEIR_FAILED);
	assert_int_equal(turn_commit(&rig.relay), WEIR_FAILED);
	assert_int_equal(committed(LEDGER_REJECTED_OUT), 0);
	rig_deinit(&rig);
}

/* A store that can't be opened is known at the first letter: what came before that is committed. */
static void test_no_store(void **state)
{
	(void)state;
	begin(&refusing, "/proc/self/status/letters", NULL);
	bring(2, "yes");
	bring(3, "!no");
	no_more();
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "cannot keep a dead letter"));
	assert_int_equal(committed(LEDGER_TAKEN), 2);
	rig_deinit(&rig);
}

/* A source that refuses all that it reads comes to no commit by itself. */
static void test_not_all_memory(void **state)
{
	static char big[1 << 20];
	unsigned n = 0;

	(void)state;
	begin(&refusing, path, NULL);
	while (count_letters(&rig.relay) == 0 && n < 100) {
		assert_int_equal(weir_accept_rejected(&rig.relay.context, big, sizeof(big), "number %u", n), 0);
		n++;
	}
	assert_in_range(n, 2, 99);
	assert_int_equal(turn_commit(&rig.relay), 0);
	assert_int_equal(count_letters(&rig.relay), n);
	rig_deinit(&rig);
}

static int setup(void **state)
{
	(void)state;
	room_for = UINT32_MAX;
	room_errno = ENOSPC;
	strcpy(folder, "/tmp/weir-test-burial-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/letters", folder);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

int main(void)
{
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_turn_is_one_transaction),
		TEST(test_letters_come_before_the_flush),
		TEST(test_letters_of_the_flush),
		TEST(test_no_item_is_in_hand_meanwhile),
		TEST(test_lines_of_a_turn_are_synced_once),
		TEST(test_no_room),
		TEST(test_no_memory),
		TEST(test_no_flush_without_room),
		TEST(test_no_room_in_the_middle),
		TEST(test_lines_that_are_not_synced),
		TEST(test_no_store),
		TEST(test_not_all_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
