/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the turn to write, and not for ever. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/store/letter_store.h"
#include "common/store/letter_store_priv.h"

static char folder[64], path[96];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/weir-letters-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/orders/dead-letters", folder);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct dead_letter letter_of(uint32_t producer, uint64_t sequence, const char *payload)
{
	return (struct dead_letter){
		.pipeline = "orders",
		.stage = "price",
		.cause = DEAD_LETTER_REJECTED,
		.reason = "not wanted",
		.input = "read",
		.run = 1,
		.producer = producer,
		.sequence = sequence,
		.data = payload,
		.size_bytes = strlen(payload),
	};
}

static struct letter_store *open_store(enum letter_store_mode mode, uint64_t size_bytes)
{
	struct letter_store *store = NULL;

	assert_int_equal(letter_store_open(path, mode, size_bytes, &store), 0);
	assert_non_null(store);
	return store;
}

static uint64_t put(struct letter_store *store, uint32_t producer, uint64_t sequence, const char *payload)
{
	struct dead_letter letter = letter_of(producer, sequence, payload);
	uint64_t id = 0;

	assert_int_equal(letter_store_put(store, &letter, &id), 0);
	return id;
}

/* Takes the turn to write when it is told to, and keeps it. Made before this process has a store open. */
static pid_t make_holder(int go_fd, int held_fd)
{
	pid_t holder = fork();
	char byte;

	if (holder == 0) {
		struct letter_store *store;
		MDB_txn *txn;

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the test */
		if (read(go_fd, &byte, 1) != 1)
			_exit(1);
		store = open_store(LETTER_STORE_WRITE, 0);
		if (letter_store_begin_write(store, &txn) || write(held_fd, "h", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	return holder;
}

/* Somebody who never gives his turn on: who has set himself a limit gets an answer, with nothing changed. */
static void test_a_limit_to_waiting(void **state)
{
	const uint64_t ids[] = { 1 };
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	struct letter_store *store, *other = NULL;
	int go_fds[2], held_fds[2];
	size_t removed = 7;
	char begin[64], byte;
	pid_t holder;

	(void)state;
	assert_int_equal(pipe(go_fds) | pipe(held_fds), 0);
	holder = make_holder(go_fds[0], held_fds[1]);
	store = open_store(LETTER_STORE_WRITE, 0);
	put(store, 0, 1, "a");
	assert_int_equal(write(go_fds[1], "g", 1), 1);
	assert_int_equal(read(held_fds[0], &byte, 1), 1);
	letter_store_limit_wait(20 * NS_PER_MS);
	alarm(60); /* else it is no limit */
	assert_int_equal(letter_store_remove(store, ids, 1, &removed), -ETIMEDOUT);
	letter_store_close(store);
	assert_int_equal(letter_store_open(path, LETTER_STORE_TEND, 0, &other), -ETIMEDOUT);
	assert_null(other);
	letter_store_explain(path, -ETIMEDOUT, &words);
	snprintf(begin, sizeof(begin), "process %d writes into", (int)holder);
	assert_memory_equal(text_get(&words), begin, strlen(begin));
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	store = open_store(LETTER_STORE_TEND, 0);
	assert_int_equal(letter_store_remove(store, ids, 1, &removed), 0);
	assert_int_equal(removed, 1);
	letter_store_close(store);
	letter_store_limit_wait(0);
	alarm(0);
	for (int i = 0; i < 2; i++) {
		close(go_fds[i]);
		close(held_fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_limit_to_waiting, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
