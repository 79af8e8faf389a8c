/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: whose they are, that each is used once, and what is left of letter and mark after every step and every kill between two. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/store/letter_replay.h"

enum { RUN = 1000, LATER_RUN = 2000 };

static char folder[64], path[96];
static struct letter_store *store;

static struct dead_letter letter_of(uint64_t sequence, const char *payload)
{
	return (struct dead_letter){
		.pipeline = "orders",
		.stage = "price",
		.cause = DEAD_LETTER_REJECTED,
		.reason = "not wanted",
		.input = "read",
		.run = RUN,
		.producer = 1,
		.sequence = sequence,
		.data = payload,
		.size_bytes = strlen(payload),
	};
}

static uint64_t put(uint64_t sequence, const char *payload)
{
	struct dead_letter letter = letter_of(sequence, payload);
	uint64_t id = 0;

	assert_int_equal(letter_store_put(store, &letter, &id), 0);
	return id;
}

/* Three letters, with the ids 1, 2 and 3. */
static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/weir-letters-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dead-letters", folder);
	assert_int_equal(letter_store_open(path, LETTER_STORE_WRITE, 0, &store), 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(put(i, "payload"), i);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	store = letter_store_close(store);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static size_t mark(uint64_t id, uint64_t run, uint32_t slot)
{
	const struct letter_mark one = { .id = id, .run = run, .slot = slot };
	size_t n = 0;

	assert_int_equal(letter_store_mark(store, &one, 1, &n), 0);
	return n;
}

/* "id/number ..." of the marks above `above`. */
static void assert_marks(uint64_t run, uint32_t slot, uint64_t above, const char *expected)
{
	struct letter_mark *marks;
	struct text text = TEXT_NULL;
	size_t n;

	assert_int_equal(letter_store_marks(store, run, slot, above, &marks, &n), 0);
	for (size_t i = 0; i < n; i++)
		text_printf(&text, "%llu/%llu ", (unsigned long long)marks[i].id, (unsigned long long)marks[i].number);
	assert_string_equal(text.length ? text_get(&text) : "", expected);
	text_deinit(&text);
	free(marks);
}

static int add_letter(void *data, const struct dead_letter *letter)
{
	text_printf(data, "%llu:%.*s ", (unsigned long long)letter->id, (int)letter->size_bytes,
		    (const char *)letter->data);
	return 0;
}

static void assert_letters(const char *expected)
{
	struct text text = TEXT_NULL;

	assert_int_equal(letter_store_each(store, add_letter, &text), 0);
	assert_string_equal(text.length ? text_get(&text) : "", expected);
	text_deinit(&text);
}

static void test_a_mark_is_of_one_slot_of_one_run(void **state)
{
	(void)state;
	assert_marks(RUN, 4, 0, "");
	assert_int_equal(mark(3, RUN, 4), 1);
	assert_int_equal(mark(1, RUN, 4), 1);
	assert_int_equal(mark(2, RUN, 5), 1);
	assert_marks(RUN, 4, 0, "3/1 1/2 "); /* as they were marked */
	assert_marks(RUN, 4, 1, "1/2 ");
	assert_marks(RUN, 5, 0, "2/3 ");
	assert_marks(RUN, LETTER_MARK_ANY_SLOT, 0, "3/1 1/2 2/3 ");
	assert_marks(LATER_RUN, LETTER_MARK_ANY_SLOT, 0, "");
	/* Asking again changes nothing; a later run takes over what is left of an earlier one. */
	assert_int_equal(mark(1, RUN, 5), 1);
	assert_marks(RUN, 4, 0, "3/1 1/2 ");
	assert_int_equal(mark(1, LATER_RUN, 0), 1);
	assert_marks(RUN, 4, 0, "3/1 ");
	assert_marks(LATER_RUN, 0, 0, "1/4 ");
	assert_int_equal(mark(17, RUN, 4), 0);
}

static int order_fd;

static void let_the_other_go_first(void *data, bool waits)
{
	(void)data;
	if (waits)
		assert_int_equal(write(order_fd, "g", 1), 1);
}

/* Has the turn to write; told so, marks letter 1 for a later run, and gives the turn on. */
static pid_t mark_when_told(int ready, int told)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	pid_t pid = fork();
	char name[128], byte;

	if (pid)
		return pid;
	snprintf(name, sizeof(name), "%s/holder", path);
	if (fcntl(open(name, O_RDWR), F_SETLK, &lock) || write(ready, "r", 1) != 1 || read(told, &byte, 1) != 1 ||
	    letter_store_open(path, LETTER_STORE_WRITE, 0, &store))
		_exit(1);
	_exit(mark(1, LATER_RUN, 0) == 1 ? 0 : 1);
}

/* Between our look at the marks and our turn somebody else has marked the letter: neither it nor that mark is ours any more. */
static void test_a_mark_that_has_moved_is_not_ours(void **state)
{
	(void)state;
	for (int gives_up = 0; gives_up < 2; gives_up++) {
		int ready[2], told[2], status;
		char byte;
		pid_t pid;

		mark(1, RUN + (uint64_t)gives_up, 4);
		store = letter_store_close(store);
		assert_int_equal(pipe(ready) || pipe(told), 0);
		pid = mark_when_told(ready[1], told[0]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(letter_store_open(path, LETTER_STORE_WRITE, 0, &store), 0);
		order_fd = told[1];
		letter_store_watch(let_the_other_go_first, NULL);
		if (gives_up)
			assert_int_equal(letter_store_give_up(store, RUN + 1, 4, 0), 0);
		else
			assert_int_equal(letter_store_taken(store, RUN, 4, 9), 0);
		letter_store_watch(NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		assert_letters("1:payload 2:payload 3:payload ");
		assert_marks(LATER_RUN, 0, 0, gives_up ? "1/4 " : "1/2 ");
		for (size_t i = 0; i < 2; i++) {
			close(ready[i]);
			close(told[i]);
		}
	}
}

/* Nobody can say what a slot has taken whose memory makes no sense: what it was about to take is in doubt, the rest is not. */
static void test_given_up_by_a_slot_that_makes_no_sense(void **state)
{
	uint64_t *ids;
	size_t n;

	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	assert_int_equal(letter_store_taking(store, RUN, 4, (uint64_t[]){ 1 }, 1), 0);
	assert_int_equal(letter_store_give_up(store, RUN, 4, LETTER_TAKEN_UNKNOWN), 0);
	assert_letters("1:payload 2:payload 3:payload ");
	assert_marks(RUN, 4, 0, "1/1 ");
	assert_int_equal(letter_store_doubtful(store, LATER_RUN, &ids, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], 1);
	free(ids);
	/* Of one that makes sense, what it was about to take and has not is free. */
	mark(2, RUN, 5);
	assert_int_equal(letter_store_taking(store, RUN, 5, (uint64_t[]){ 2 }, 1), 0);
	assert_int_equal(letter_store_give_up(store, RUN, 5, 0), 0);
	assert_marks(RUN, 5, 0, "");
}

static void test_what_is_taken_leaves_the_store(void **state)
{
	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	mark(3, RUN, 5);
	assert_int_equal(letter_store_taken(store, RUN, 4, 0), 0);
	assert_letters("1:payload 2:payload 3:payload ");
	assert_int_equal(letter_store_taken(store, RUN, 4, 1), 0);
	assert_letters("2:payload 3:payload ");
	assert_int_equal(letter_store_taken(store, RUN, 4, 1), 0); /* again, by the next generation */
	assert_int_equal(letter_store_taken(store, LATER_RUN, 4, 9), 0);
	assert_int_equal(letter_store_taken(store, RUN, 5, 2), 0); /* its mark is number 3 */
	assert_letters("2:payload 3:payload ");
	assert_marks(RUN, LETTER_MARK_ANY_SLOT, 0, "2/2 3/3 ");
}

/* The number of a mark is never given twice: what was taken can't be taken for what is to be taken. */
static void test_numbers_rise(void **state)
{
	(void)state;
	mark(1, RUN, 4);
	assert_int_equal(letter_store_taken(store, RUN, 4, 1), 0);
	mark(2, RUN, 4);
	assert_marks(RUN, 4, 1, "2/2 ");
	assert_int_equal(letter_store_unmark(store, 2), 0);
	mark(2, RUN, 4);
	assert_marks(RUN, 4, 2, "2/3 ");
	store = letter_store_close(store);
	assert_int_equal(letter_store_open(path, LETTER_STORE_TEND, 0, &store), 0);
	mark(3, RUN, 4);
	assert_marks(RUN, 4, 3, "3/4 ");
}

static void test_a_slot_that_is_over_leaves_its_letters(void **state)
{
	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	mark(3, RUN, 5);
	assert_int_equal(letter_store_give_up(store, RUN, 4, 1), 0);
	assert_letters("2:payload 3:payload ");
	assert_marks(RUN, LETTER_MARK_ANY_SLOT, 0, "3/3 ");
	assert_int_equal(mark(2, RUN, 5), 1);
	assert_marks(RUN, 5, 0, "3/3 2/4 ");
}

static void test_a_letter_that_comes_back(void **state)
{
	struct dead_letter again = letter_of(2, "failed again"), other = letter_of(3, "of another stage now");

	(void)state;
	mark(2, RUN, 4);
	mark(3, RUN, 4);
	again.id = 2;
	assert_int_equal(letter_store_return(store, &again), 0);
	assert_letters("1:payload 2:failed again 3:payload ");
	assert_marks(RUN, 4, 0, "3/2 ");
	assert_int_equal(letter_store_taken(store, RUN, 4, 1), 0); /* the commit that goes with it */
	assert_letters("1:payload 2:failed again 3:payload ");

	/* Another identity under the same id: the old one is free, the new one is this letter's. */
	other.id = 3;
	other.stage = "write";
	assert_int_equal(letter_store_return(store, &other), 0);
	assert_int_equal(put(3, "the old identity"), 4);
	other.data = "once more";
	other.size_bytes = 9;
	assert_int_equal(letter_store_put(store, &other, NULL), 0);
	assert_letters("1:payload 2:failed again 3:once more 4:the old identity ");

	/* Purged meanwhile. */
	again.id = 1;
	again.sequence = 1;
	assert_int_equal(letter_store_remove(store, (const uint64_t[]){ 1 }, 1, NULL), 0);
	assert_int_equal(letter_store_return(store, &again), 0);
	assert_letters("2:failed again 3:once more 4:the old identity 5:failed again ");
}

/* Each step of giving it again fits a store in which not a letter more does: also where it comes back, and is longer. */
static void test_a_full_store_has_room_for_it(void **state)
{
	static char big[10000], longer[12000];
	struct dead_letter again = letter_of(1, longer);
	uint64_t n = 3, id = 1;
	int r = 0;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	memset(longer, 'y', sizeof(longer) - 1);
	again = letter_of(1, longer);
	store = letter_store_close(store);
	assert_int_equal(letter_store_open(path, LETTER_STORE_WRITE, 1u << 20, &store), 0);
	for (size_t size = sizeof(big) - 1; size; size /= 10) {
		big[size] = '\0';
		for (r = 0; r == 0; n += r == 0) {
			struct dead_letter letter = letter_of(n + 1, big);

			r = letter_store_put(store, &letter, NULL);
		}
		assert_int_equal(r, LETTER_STORE_E_FULL);
	}
	store = letter_store_close(store);
	assert_int_equal(letter_store_open(path, LETTER_STORE_TEND, 1u << 20, &store), 0);
	for (; id <= 3; id++)
		assert_int_equal(mark(id, RUN, 4), 1);
	store = letter_store_close(store);
	assert_int_equal(letter_store_open(path, LETTER_STORE_WRITE, 1u << 20, &store), 0);
	again.id = 1;
	assert_int_equal(letter_store_return(store, &again), 0);
	assert_marks(RUN, 4, 0, "2/2 3/3 ");
	assert_int_equal(letter_store_taking(store, RUN, 4, (const uint64_t[]){ 2 }, 1), 0);
	assert_int_equal(letter_store_taken(store, RUN, 4, 2), 0);
	assert_int_equal(letter_store_give_up(store, RUN, 4, 2), 0);
	assert_marks(RUN, LETTER_MARK_ANY_SLOT, 0, "");
}

/* A disk without room says so to who asks, and nothing is marked; what was marked has its room. */
static void test_a_full_disk_is_told_to_who_asks(void **state)
{
	static char big[100000], longer[101000];
	const struct letter_mark marks[] = { { .id = 1, .run = RUN, .slot = 4 }, { .id = 4, .run = RUN, .slot = 4 } };
	struct rlimit before, small;
	struct dead_letter again;
	char file[128];
	struct stat st;
	size_t n = 9;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	memset(longer, 'y', sizeof(longer) - 1);
	assert_int_equal(put(4, big), 4);
	snprintf(file, sizeof(file), "%s/data.mdb", path);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	assert_int_equal(stat(file, &st), 0);
	small.rlim_cur = (rlim_t)st.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(letter_store_mark(store, marks, 2, &n), -EFBIG);
	assert_int_equal(n, 0);
	assert_marks(RUN, 4, 0, "");

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(letter_store_mark(store, marks, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(stat(file, &st), 0);
	small.rlim_cur = (rlim_t)st.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(letter_store_taking(store, RUN, 4, (const uint64_t[]){ 1 }, 1), 0);
	assert_int_equal(letter_store_taken(store, RUN, 4, 1), 0);
	again = letter_of(4, longer);
	again.id = 4;
	assert_int_equal(letter_store_return(store, &again), 0);
	assert_marks(RUN, 4, 0, "");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* Whoever replaces or removes a letter takes its mark away: no mark is without a letter, or for another one. */
static void test_a_mark_goes_with_its_letter(void **state)
{
	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	assert_int_equal(put(1, "written again"), 1);
	assert_int_equal(letter_store_remove(store, (const uint64_t[]){ 2 }, 1, NULL), 0);
	assert_marks(RUN, 4, 0, "");
}

/* A replayer that is killed between two letters of one request has marked all of them or none. */
static void assert_doubtful(uint64_t run, const char *expected)
{
	char got[64] = "";
	uint64_t *ids;
	size_t n;

	assert_int_equal(letter_store_doubtful(store, run, &ids, &n), 0);
	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), i ? " %d" : "%d", (int)ids[i]);
	free(ids);
	assert_string_equal(got, expected);
}

/* Whoever was about to take it and is gone may have taken it: no later run gives it by itself. For its own run nothing changes. */
static void test_about_to_be_taken(void **state)
{
	const uint64_t ids[] = { 3, 1 };
	const struct letter_mark again = { .id = 1, .run = LATER_RUN, .slot = 0, .again = true };
	size_t n;

	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	mark(3, RUN, 4);
	assert_int_equal(letter_store_taking(store, RUN, 4, ids, 0), 0);
	assert_doubtful(LATER_RUN, "");
	assert_int_equal(letter_store_taking(store, RUN, 4, ids, 2), 0);
	assert_doubtful(RUN, "");
	assert_doubtful(LATER_RUN, "1 3");
	assert_marks(RUN, 4, 0, "1/1 2/2 3/3 ");
	assert_int_equal(mark(1, RUN, 4), 1); /* marked: it is there */

	assert_int_equal(mark(1, LATER_RUN, 0), 0);
	assert_int_equal(mark(2, LATER_RUN, 0), 1);
	assert_int_equal(letter_store_mark(store, &again, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_doubtful(LATER_RUN, "3");
	assert_marks(RUN, 4, 0, "3/3 ");

	assert_int_equal(letter_store_taken(store, RUN, 4, 3), 0); /* it lives after all, and says so */
	assert_doubtful(LATER_RUN, "");
	assert_letters("1:payload 2:payload ");
}

/* A worker whose supervisor has died, and which has not noticed: what a later run has been given is that run's. */
static void test_another_run_has_it_now(void **state)
{
	const uint64_t ids[] = { 1, 2 }, purged[] = { 3 };

	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	mark(3, RUN, 4);
	mark(2, LATER_RUN, 4);
	assert_int_equal(letter_store_taking(store, RUN, 4, ids, 2), LETTER_REPLAY_E_ELSEWHERE);
	assert_doubtful(LATER_RUN, ""); /* all or nothing */
	assert_int_equal(letter_store_taking(store, RUN, 5, ids, 1), LETTER_REPLAY_E_ELSEWHERE);
	assert_int_equal(letter_store_remove(store, purged, 1, NULL), 0);
	assert_int_equal(letter_store_taking(store, RUN, 4, purged, 1), 0);
}

static void test_given_up_or_back_is_no_doubt(void **state)
{
	const uint64_t ids[] = { 1, 2 };
	struct dead_letter letter = letter_of(2, "payload");

	(void)state;
	mark(1, RUN, 4);
	mark(2, RUN, 4);
	assert_int_equal(letter_store_taking(store, RUN, 4, ids, 2), 0);
	letter.id = 2;
	assert_int_equal(letter_store_return(store, &letter), 0);
	assert_doubtful(LATER_RUN, "1");
	assert_int_equal(letter_store_give_up(store, RUN, 4, 0), 0);
	assert_doubtful(LATER_RUN, "");
	assert_letters("1:payload 2:payload 3:payload ");
}

static void test_killed_while_it_marks(void **state)
{
	(void)state;
	store = letter_store_close(store);
	for (unsigned round = 0; round < 20; round++) {
		struct letter_mark *marks;
		pid_t pid = fork();
		size_t n;

		if (pid == 0) {
			struct letter_mark all[3] = { { .id = 1 }, { .id = 2 }, { .id = 3 } };
			struct letter_store *own = NULL;

			if (letter_store_open(path, LETTER_STORE_TEND, 0, &own))
				_exit(1);
			for (uint64_t run = 1;; run++) {
				for (unsigned i = 0; i < 3; i++)
					all[i].run = run;
				if (letter_store_mark(own, all, 3, &n))
					_exit(1);
			}
		}
		assert_true(pid > 0);
		usleep(2000 + 500 * round);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(letter_store_open(path, LETTER_STORE_TEND, 0, &store), 0);
		n = 0;
		for (uint64_t run = 0; run < 100000 && n == 0; run++) {
			assert_int_equal(letter_store_marks(store, run, LETTER_MARK_ANY_SLOT, 0, &marks, &n), 0);
			free(marks);
			assert_true(n == 0 || n == 3);
		}
		store = letter_store_close(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_mark_is_of_one_slot_of_one_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_mark_that_has_moved_is_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up_by_a_slot_that_makes_no_sense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_taken_leaves_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_rise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_slot_that_is_over_leaves_its_letters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_letter_that_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_store_has_room_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_disk_is_told_to_who_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_mark_goes_with_its_letter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_about_to_be_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_run_has_it_now, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up_or_back_is_no_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_it_marks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
