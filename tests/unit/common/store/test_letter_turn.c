/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the turn to write, and not for ever: who has a bound comes back, with nothing done, and knows whose turn it was. */
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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/store/letter_store.h"
#include "common/store/letter_store_priv.h"
#include "tests/unit/common/store/letters.h"

/* Stands still in the middle of its turn. Returns its pid. */
static pid_t stop_in_turn(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct letter_store *store;
		MDB_txn *txn;

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody standing */
		store = letters_open(LETTER_STORE_WRITE, 0);
		if (letter_store_begin_write(store, &txn))
			_exit(1);
		raise(SIGSTOP);
		_exit(letter_store_end_write(store, txn, 0));
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static struct letter_holder said;
static int n_said;

static void note_said(const struct letter_holder *holder)
{
	said = *holder;
	n_said++;
}

static void assert_explained(int r, const char *fragment)
{
	struct text text = TEXT_NULL;

	letter_store_explain(letters_path, r, &text);
	if (!strstr(text_get(&text), fragment))
		fail_msg("'%s' not in '%s'", fragment, text_get(&text));
	text_deinit(&text);
}

/* Who has a bound comes back with nothing done, knows whose turn it was, and reads meanwhile. */
static void test_nobody_waits_past_his_bound(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0), *mine = NULL;
	struct dead_letter letter = letters_letter(0, 2, "b");
	char command[64];
	pid_t holder;
	int status;

	(void)state;
	alarm(60); /* who waits past it waits for ever */
	letters_put(store, 0, 1, "a");
	letter_store_close(store);
	holder = stop_in_turn();
	n_said = 0;
	mine = letters_open(LETTER_STORE_TEND, 0); /* without a turn, as there is a store */
	letter_store_bound(clock_now_ns() + NS_PER_S / 10, note_said);
	assert_int_equal(letter_store_put(mine, &letter, NULL), LETTER_STORE_E_HELD);
	assert_int_equal(n_said, 0); /* not even a second */
	assert_int_equal(letter_store_held_by()->pid, holder);
	assert_true(letter_store_held_by()->stopped);
	assert_true(strlen(letter_store_held_by()->command) > 0);
	snprintf(command, sizeof(command), "(kill -CONT %d)", (int)holder);
	assert_explained(LETTER_STORE_E_HELD, command);
	letter_store_bound(clock_now_ns() + 2 * NS_PER_S, note_said);
	assert_int_equal(letter_store_remove(mine, (uint64_t[]){ 1 }, 1, NULL), LETTER_STORE_E_HELD);
	assert_int_equal(n_said, 1);
	assert_int_equal(said.pid, holder);
	letters_assert_listing(mine, "1:a ");
	/* A word about who has it, then as long as it takes. */
	n_said = 0;
	letter_store_bound(0, note_said);
	kill(holder, SIGCONT);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	letter_store_bound(0, NULL);
	assert_int_equal(letter_store_put(mine, &letter, NULL), 0);
	letters_assert_listing(mine, "1:a 2:b ");
	letter_store_close(mine);
	alarm(0);
}

/* Of whom the kernel gives no number. Closing gives it on. */
static int turn_of_another(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	char name[128];
	int fd;

	snprintf(name, sizeof(name), "%s/holder", letters_path);
	fd = open(name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	return fd;
}

/* The first one to write makes the tables, and that is a turn as well. */
static void test_nobody_waits_past_his_bound_for_tables(void **state)
{
	struct letter_store *store;
	char name[128];
	int fd;

	(void)state;
	letter_store_close(letters_open(LETTER_STORE_WRITE, 0));
	snprintf(name, sizeof(name), "%s/data.mdb", letters_path);
	assert_int_equal(unlink(name), 0);
	fd = turn_of_another();
	store = NULL;
	letter_store_bound(clock_now_ns() + NS_PER_S / 10, NULL);
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_WRITE, 0, &store), LETTER_STORE_E_HELD);
	letter_store_bound(0, NULL);
	assert_explained(LETTER_STORE_E_HELD, "another process has the turn to write into");
	close(fd);
}

/* Where nobody can be named there is no turn, and who has a bound does not go for the mutex, behind which anybody may stand. */
static void test_no_turn_no_bound(void **state)
{
	struct letter_store *store;
	char name[128];

	(void)state;
	letter_store_close(letters_open(LETTER_STORE_WRITE, 0));
	snprintf(name, sizeof(name), "%s/holder", letters_path);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(mkdir(name, 0700), 0);
	store = letters_open(LETTER_STORE_WRITE, 0);
	letter_store_bound(clock_now_ns() + 60 * NS_PER_S, NULL);
	assert_int_equal(letter_store_remove(store, (uint64_t[]){ 1 }, 1, NULL), -EISDIR);
	letter_store_bound(0, NULL);
	letters_put(store, 0, 1, "a");
	letter_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_waits_past_his_bound, letters_setup, letters_teardown),
		cmocka_unit_test_setup_teardown(test_nobody_waits_past_his_bound_for_tables, letters_setup,
						letters_teardown),
		cmocka_unit_test_setup_teardown(test_no_turn_no_bound, letters_setup, letters_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
