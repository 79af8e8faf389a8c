/* SPDX-License-Identifier: Apache-2.0 */
/* A source's program in frame mode: what is taken in a turn, what is committed, and what the next program is told. */
#include "tests/unit/worker/exec/exec_test.h"

#include <errno.h>
#include <fcntl.h>

#include "worker/exec/frame_feed.h"

/* In the words of printf(1). */
#define READY "\\000\\000\\000\\010\\222\\245ready\\001"
#define GIVE(id_) "\\000\\000\\000\\024\\224\\244item\\00" id_ "\\241" id_ "\\201\\250position\\00" id_
#define OVER "\\000\\000\\000\\005\\221\\243end"
#define BYE "\\000\\000\\000\\005\\221\\243bye"
#define SAY(frames_) "printf '" frames_ "' >&4; "
#define LISTEN "exec cat <&3 >dump"

static char folder[] = "/tmp/weir-test-feed.XXXXXX";
static int before;

static int enter_folder(void **state)
{
	before = open(".", O_PATH | O_DIRECTORY);
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	return exec_test_group(state) || !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
	(void)state;
	unlink("dump");
	return fchdir(before) || close(before) || rmdir(folder);
}

static void feed_host_init(struct fake_host *host, const char *const *command, int64_t at_once)
{
	unlink("dump");
	exec_init(host, &exec_frame_source_callbacks, command);
	fake_host_option_number(host, "at_once", at_once);
	fake_host_option_number(host, "grace", 200 * (int64_t)NS_PER_MS);
	fake_host_option_string(host, "items", "bytes");
	assert_int_equal(fake_host_open(host), 0);
}

/* One call of produce(), without a commit. Sleeps before it if it is to be called later. */
static int step(struct fake_host *host)
{
	struct pollfd fd = { .fd = host->watch_fd, .events = host->watch_events };

	if (host->watch_fd >= 0 || host->watch_wake_ns)
		poll(&fd, 1, deadline_poll_ms(host->watch_wake_ns, clock_now_ns(), 10000));
	host->watch_fd = -1;
	host->watch_wake_ns = 0;
	return fake_host_produce(host);
}

/* Turns until so many items are there, the last one not yet committed. */
static void give_until(struct fake_host *host, uint64_t n)
{
	int r = 0;

	for (unsigned i = 0; i < 10000 && fake_host_items(host) < n; i++) {
		if (i)
			assert_int_equal(fake_host_turn_end(host), 0);
		r = step(host);
		assert_true(r == WEIR_MORE || r == WEIR_WAIT);
	}
	assert_int_equal(fake_host_items(host), n);
}

static int run_to_its_end(struct fake_host *host)
{
	int r = WEIR_MORE;

	for (unsigned i = 0; i < 10000 && (r == WEIR_MORE || r == WEIR_WAIT); i++) {
		assert_int_equal(fake_host_turn_end(host), 0);
		r = step(host);
	}
	assert_int_equal(fake_host_turn_end(host), 0);
	return r;
}

/* What the program has been told contains these bytes; waits for them, so many hundredths of a second. */
static bool was_told(const void *bytes, size_t n, unsigned n_looks)
{
	for (unsigned i = 0; i < n_looks; i++) {
		char dump[4096];
		int fd = open("dump", O_RDONLY);
		ssize_t got = fd < 0 ? 0 : read(fd, dump, sizeof(dump));

		fd = fd_close(fd);
		if (got > 0 && memmem(dump, (size_t)got, bytes, n))
			return true;
		usleep(10000);
	}
	return false;
}
#define WAS_TOLD_WITHIN(text_, n_looks_) was_told(text_, sizeof(text_) - 1, n_looks_)
#define WAS_TOLD(text_) WAS_TOLD_WITHIN(text_, 1000)

static const struct feed_cursor *cursor_of(struct fake_host *host)
{
	return weir_cursor(&host->context);
}

/* No more are taken than its credit, and they are told when that is committed; the position goes along. */
static void test_credit(void **state)
{
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY GIVE("1") GIVE("2") GIVE("3")) LISTEN), 2);
	give_until(&host, 2);
	assert_int_equal(cursor_of(&host)->position_bytes, 1);
	assert_int_equal(cursor_of(&host)->position[0], 2);
	assert_false(WAS_TOLD_WITHIN("accepted", 10));
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(step(&host), WEIR_WAIT);
	assert_int_equal(fake_host_items(&host), 3);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(step(&host), WEIR_WAIT);
	assert_true(WAS_TOLD("\x92\xa8"
			     "accepted\x92\x01\x02"));
	assert_true(WAS_TOLD("\x92\xa8"
			     "accepted\x91\x03"));
	fake_host_close(&host);
	exec_deinit(&host);
}

/* Killed before the commit: as if the item had never come. Behind it: the next program is told. */
static void test_kill(void **state)
{
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY GIVE("1") GIVE("2")) LISTEN), 1);
	give_until(&host, 1);
	exec_kill(&host);
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(cursor_of(&host)->position_bytes, 0);
	give_until(&host, 1);
	assert_int_equal(fake_host_turn_end(&host), 0);
	exec_kill(&host);
	unlink("dump");
	assert_int_equal(fake_host_open(&host), 0);
	give_until(&host, 2);
	assert_true(WAS_TOLD("\xa8position\x01"));
	fake_host_close(&host);
	exec_deinit(&host);
}

static void test_no_room(void **state)
{
	struct pollfd fd = { .events = POLLIN };
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY GIVE("1") GIVE("2")) "{ sleep 0.3; " SAY(GIVE("3") OVER) "} & " LISTEN),
		       100);
	host.room = 1;
	give_until(&host, 1);
	assert_int_equal(fake_host_turn_end(&host), 0);
	fd.fd = ((const struct feed *)host.state)->frame.out;
	assert_int_equal(poll(&fd, 1, 10000), 1);
	for (unsigned i = 0; i < 3; i++) { /* with more in its pipe; it does not spin meanwhile */
		assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
		assert_int_equal(fake_host_turn_end(&host), 0);
	}
	fd.fd = host.watch_fd;
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_true(WAS_TOLD("accepted\x91\x01"));
	host.room = UINT64_MAX;
	host.watch_fd = -1;
	assert_int_equal(run_to_its_end(&host), WEIR_CLOSED);
	exec_assert_output(&host, "1\n2\n3\n");
	assert_true(WAS_TOLD("\x91\xa3"
			     "end"));
	fake_host_close(&host);
	exec_deinit(&host);
}

/* The program has said its end, and all is committed: a process that comes after that has nothing to do. */
static void test_the_end_is_committed(void **state)
{
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY GIVE("1") OVER) LISTEN), 100);
	give_until(&host, 1);
	for (unsigned i = 0; i < 1000 && !cursor_of(&host)->ended; i++) {
		assert_int_equal(fake_host_turn_end(&host), 0);
		assert_true(step(&host) != WEIR_CLOSED);
	}
	assert_int_equal(fake_host_turn_end(&host), 0);
	exec_kill(&host);
	unlink("dump");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_produce(&host), WEIR_CLOSED);
	assert_int_equal(access("dump", F_OK), -1);
	fake_host_close(&host);
	host.run++; /* the next run: from the position */
	assert_int_equal(fake_host_open(&host), 0);
	give_until(&host, 2);
	assert_true(WAS_TOLD("\xa8position\x01"));
	fake_host_close(&host);
	exec_deinit(&host);
}

static void test_drain(void **state)
{
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY GIVE("1")) LISTEN), 100);
	give_until(&host, 1);
	assert_int_equal(fake_host_turn_end(&host), 0);
	host.draining = true;
	assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
	assert_true(WAS_TOLD("\x91\xa5"
			     "drain"));
	host.draining = false;
	assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
	assert_true(WAS_TOLD("\x91\xa6resume"));
	fake_host_close(&host);
	assert_true(WAS_TOLD("\x91\xa3"
			     "end"));
	exec_deinit(&host);
}

static void test_what_lies_there_is_another_kinds(void **state)
{
	struct fake_host host;

	(void)state;
	unlink("dump");
	exec_init(&host, &exec_frame_source_callbacks, SHELL(SAY(READY GIVE("1")) LISTEN));
	*(struct feed_cursor *)weir_cursor(&host.context) = (struct feed_cursor){
		.magic = 4711, .run = weir_run(&host.context), .n_items = 7, .position_bytes = 5
	};
	fake_host_commit(&host);
	fake_host_option_number(&host, "at_once", 1);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(cursor_of(&host)->position_bytes, 0);
	assert_int_equal(cursor_of(&host)->n_items, 0);
	give_until(&host, 1);
	fake_host_close(&host);
	exec_deinit(&host);
}

/* Who never gets ready is not started for ever. */
static void test_losses(void **state)
{
	static const struct {
		const char *line, *why;
		int64_t ready_within_ns;
	} rows[] = {
		{ "sleep 1000", "has not said 'ready' within 10 ms", 10 * (int64_t)NS_PER_MS },
		{ "exit 4", "(exit status 4) before it said 'ready'", 60 * (int64_t)NS_PER_S },
		{ "exit 4", "3 programs in a row did not get ready", 60 * (int64_t)NS_PER_S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_host host;

		exec_init(&host, &exec_frame_source_callbacks, SHELL(rows[i].line));
		fake_host_option_number(&host, "ready_within", rows[i].ready_within_ns);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(run_to_its_end(&host), WEIR_FAILED);
		assert_non_null(strstr(host.reason, rows[i].why));
		fake_host_close(&host);
		exec_deinit(&host);
	}
}

static const struct feed *feed_of(const struct fake_host *host)
{
	return host->state;
}

/* Turns until it is so, or for a minute. */
static void turn_until(struct fake_host *host, bool (*is_so)(const struct feed *feed))
{
	uint64_t until_ns = clock_now_ns() + 60 * NS_PER_S;

	while (!is_so(feed_of(host)) && clock_now_ns() < until_ns) {
		int r;

		assert_int_equal(fake_host_turn_end(host), 0);
		r = step(host);
		assert_true(r == WEIR_MORE || r == WEIR_WAIT);
	}
	assert_true(is_so(feed_of(host)));
}

static bool has_lost_three(const struct feed *feed)
{
	return feed->frame.n_losses == 3;
}

static bool has_lost_one(const struct feed *feed)
{
	return feed->frame.n_losses == 1;
}

static bool has_lost_none(const struct feed *feed)
{
	return !feed->frame.n_losses;
}

/* Who gives the same item at each start gets no further, though it has a position; a new position is a new beginning. */
static void test_the_same_position(void **state)
{
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY GIVE("1"))), 100);
	turn_until(&host, has_lost_three);
	assert_int_equal(cursor_of(&host)->position[0], 1);
	fake_host_close(&host);
	exec_deinit(&host);
	feed_host_init(&host,
		       SHELL("if [ -e dump ]; then " SAY(READY GIVE("2")) "else " SAY(
			       READY GIVE("1")) ">dump; exit; fi; " LISTEN),
		       100);
	turn_until(&host, has_lost_one);
	turn_until(&host, has_lost_none);
	assert_int_equal(cursor_of(&host)->position[0], 2);
	fake_host_close(&host);
	exec_deinit(&host);
}

static bool has_left_thrice(const struct feed *feed)
{
	return feed->n_idle == 3 && feed->frame.phase == FRAME_DOWN;
}

/* A program that leaves as soon as it has come is started more and more seldom. Nobody is to blame. */
static void test_goodbyes(void **state)
{
	struct fake_host host;

	(void)state;
	feed_host_init(&host, SHELL(SAY(READY BYE)), 100);
	turn_until(&host, has_left_thrice);
	/* 80 ms from when it was released, which is behind `until` less the grace */
	assert_true(feed_of(&host)->frame.start_ns >=
		    feed_of(&host)->frame.until_ns - 200 * NS_PER_MS + 80 * NS_PER_MS);
	assert_int_equal(feed_of(&host)->frame.n_losses, 0);
	fake_host_close(&host);
	exec_deinit(&host);
}

/* While the pipeline drains nobody listens: a program that gets ready meanwhile is not late. */
static void test_ready_in_a_drain(void **state)
{
	struct fake_host host;

	(void)state;
	unlink("dump");
	exec_init(&host, &exec_frame_source_callbacks, SHELL("sleep 0.05; " SAY(READY GIVE("1")) LISTEN));
	fake_host_option_number(&host, "at_once", 100);
	fake_host_option_number(&host, "ready_within", 20 * (int64_t)NS_PER_MS);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
	host.draining = true;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
		assert_int_equal(fake_host_turn_end(&host), 0);
		usleep(10000);
	}
	assert_int_equal(feed_of(&host)->frame.n_unready, 0);
	fake_host_close(&host);
	exec_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_the_end_is_committed),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_the_same_position),
		cmocka_unit_test(test_goodbyes),
		cmocka_unit_test(test_ready_in_a_drain),
		cmocka_unit_test(test_what_lies_there_is_another_kinds),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
