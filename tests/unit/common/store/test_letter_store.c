/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what it keeps, through kills inside of a transaction, several writers, a full map, a full disk and foreign folders. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
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

#include "common/store/letter_store.h"
#include "common/store/letter_store_priv.h"
#include "tests/unit/common/store/letters.h"

static size_t count(struct letter_store *store)
{
	struct letters_listing listing = { 0 };

	assert_int_equal(letter_store_each(store, letters_list, &listing), 0);
	text_deinit(&listing.text);
	return listing.n;
}

static void test_write_read_purge(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	struct letters_listing listing = { 0 };
	size_t removed;
	struct stat st;

	(void)state;
	assert_int_equal(letters_put(store, 0, 10, "a"), 1);
	assert_int_equal(letters_put(store, 0, 11, "b"), 2);
	assert_int_equal(letters_put(store, 1, 10, ""), 3);
	assert_int_equal(letters_put(store, 0, 11, "b again"), 2); /* the same item, written twice */
	letters_assert_listing(store, "1:a 2:b again 3: ");
	assert_int_equal(letter_store_get(store, 2, letters_list, &listing), 0);
	assert_string_equal(text_get(&listing.text), "2:b again ");
	text_deinit(&listing.text);
	assert_int_equal(letter_store_get(store, 4, letters_list, &listing), LETTER_STORE_E_NONE);
	letter_store_close(store);

	assert_int_equal(stat(letters_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	store = letters_open(LETTER_STORE_TEND, 0);
	assert_int_equal(letter_store_remove(store, (uint64_t[]){ 3, 2, 99 }, 3, &removed), 0);
	assert_int_equal(removed, 2);
	letters_assert_listing(store, "1:a ");
	letter_store_close(store);

	/* No id is given twice; a purged item that comes again is a new letter. */
	store = letters_open(LETTER_STORE_WRITE, 0);
	assert_int_equal(letters_put(store, 0, 11, "b"), 4);
	assert_int_equal(letters_put(store, 0, 12, "c"), 5);
	letters_assert_listing(store, "1:a 4:b 5:c ");
	letter_store_close(store);
}

static int stop_at_two(void *data, const struct dead_letter *letter)
{
	(void)data;
	return letter->id == 2 ? 17 : 0;
}

/* Programs that a stage starts must not get hold of it. */
static void test_children_inherit_nothing(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	char name[64], target[256];
	unsigned n = 0;

	(void)state;
	for (int fd = 3; fd < 64; fd++) {
		ssize_t length;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		length = readlink(name, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		if (!strstr(target, "dead-letters"))
			continue;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		n++;
	}
	assert_true(n >= 2);
	letter_store_close(store);
}

static void test_visit_stops(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);

	(void)state;
	letters_put(store, 0, 1, "a");
	letters_put(store, 0, 2, "b");
	letters_put(store, 0, 3, "c");
	assert_int_equal(letter_store_each(store, stop_at_two, NULL), 17);
	letter_store_close(store);
}

static void test_large(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	struct dead_letter letter = letters_letter(0, 1, "");

	(void)state;
	letter.size_bytes = 32u << 20;
	letter.data = calloc(1, letter.size_bytes);
	assert_non_null(letter.data);
	assert_int_equal(letter_store_put(store, &letter, NULL), 0);
	free((void *)(uintptr_t)letter.data);
	assert_int_equal(count(store), 1);
	letter_store_close(store);
}

static void test_nothing_there(void **state)
{
	struct letter_store *store = NULL;
	char file[128];
	struct stat st;

	(void)state;
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_READ, 0, &store), LETTER_STORE_E_NONE);
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_TEND, 0, &store), LETTER_STORE_E_NONE);
	assert_int_equal(stat(letters_path, &st), -1); /* looking creates nothing */
	letter_store_close(letters_open(LETTER_STORE_WRITE, 0));
	snprintf(file, sizeof(file), "%s/data.mdb", letters_path);
	assert_int_equal(truncate(file, 0), 0); /* as a full disk leaves it */
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_READ, 0, &store), LETTER_STORE_E_NONE);
}

/* ---- deaths ---- */

/* Holds the writer's lock with a page already changed, says so, and is killed. */
static void die_in_transaction(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		MDB_env *env;
		MDB_txn *txn;
		MDB_dbi table;
		MDB_val key = { 8, (void *)(uintptr_t) "\0\0\0\0\0\0\0\1" },
			value = { 6, (void *)(uintptr_t) "broken" };

		if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 3) || mdb_env_set_mapsize(env, 1u << 30) ||
		    mdb_env_open(env, letters_path, 0, 0600) || mdb_txn_begin(env, NULL, 0, &txn) ||
		    mdb_dbi_open(txn, "letters", 0, &table) || mdb_put(txn, table, &key, &value, 0) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_killed_in_transaction(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);

	(void)state;
	letters_put(store, 0, 1, "a");
	letter_store_close(store);
	for (uint64_t i = 0; i < 3; i++) {
		die_in_transaction(); /* nobody else is there: the next one makes the lock anew */
		store = letters_open(LETTER_STORE_WRITE, 0);
		letters_put(store, 1, i, "b");
		letter_store_close(store);
	}
	store = letters_open(LETTER_STORE_READ, 0);
	letters_assert_listing(store, "1:a 2:b 3:b 4:b ");
	letter_store_close(store);
}

static unsigned n_waits;
static int waited_fd;

static void on_wait(void *data, bool waits)
{
	assert_ptr_equal(data, &n_waits);
	assert_int_equal(waits, n_waits++ % 2 == 0);
	if (waits && write(waited_fd, "w", 1) != 1)
		_exit(1);
}

/* Waits for its turn, and says when it begins to. */
static void wait_for_turn(int fd)
{
	struct letter_store *store;

	waited_fd = fd;
	letter_store_watch(on_wait, &n_waits);
	store = letters_open(LETTER_STORE_WRITE, 0);
	letters_put(store, 0, 7, "late");
	letter_store_close(store);
	_exit(n_waits == 2 ? 0 : 1);
}

/* Whose turn it is the kernel tells anybody; who waits for it says so; and a killed one has it no more. */
static void test_whose_turn_it_is(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	int pipe_fds[2], status;
	pid_t holder, waiter;
	char byte;

	(void)state;
	letters_put(store, 0, 1, "a");
	letter_store_close(store);
	assert_int_equal(letter_store_holder(letters_path), 0);
	assert_int_equal(letter_store_holder("/nowhere"), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	holder = fork();
	if (holder == 0) {
		MDB_txn *txn;

		store = letters_open(LETTER_STORE_WRITE, 0);
		if (letter_store_begin_write(store, &txn) || write(pipe_fds[1], "h", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(letter_store_holder(letters_path), holder);
	waiter = fork();
	if (waiter == 0)
		wait_for_turn(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'w');
	assert_int_equal(letter_store_holder(letters_path), holder);
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_int_equal(waitpid(waiter, &status, 0), waiter);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(letter_store_holder(letters_path), 0);
	store = letters_open(LETTER_STORE_READ, 0);
	letters_assert_listing(store, "1:a 2:late ");
	letter_store_close(store);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* The other one has the store open all the time, so the lock itself must know that its owner is dead. */
static void test_killed_beside_another(void **state)
{
	int order[2], answer[2];
	char byte = 'x';
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(pipe(order), 0);
	assert_int_equal(pipe(answer), 0);
	pid = fork();
	if (pid == 0) {
		struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);

		for (uint64_t i = 1; i <= 3; i++) {
			letters_put(store, 0, i, "a");
			if (write(answer[1], "x", 1) != 1 || read(order[0], &byte, 1) != 1)
				_exit(1);
		}
		letters_put(store, 0, 4, "z");
		letter_store_close(store);
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read(answer[0], &byte, 1), 1);
		die_in_transaction();
		assert_int_equal(write(order[1], "x", 1), 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int i = 0; i < 2; i++) {
		close(order[i]);
		close(answer[i]);
	}
	struct letter_store *store = letters_open(LETTER_STORE_READ, 0);
	letters_assert_listing(store, "1:a 2:a 3:a 4:z ");
	letter_store_close(store);
}

enum { WRITERS = 4, LETTERS_EACH = 40 };

static void write_many(uint32_t producer)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);

	for (uint64_t i = 0; i < LETTERS_EACH; i++)
		letters_put(store, producer, i, "many");
	letter_store_close(store);
	_exit(0);
}

/* Each is killed once on its way, and begins anew: what it had written becomes no second letter. */
static void test_several_writers(void **state)
{
	struct letter_store *store;
	pid_t pids[WRITERS];
	int status;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < WRITERS; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				write_many(i);
		}
		for (uint32_t i = 0; i < WRITERS && round == 0; i++) {
			usleep(5000);
			kill(pids[i], SIGKILL);
		}
		for (uint32_t i = 0; i < WRITERS; i++) {
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(round == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
		}
	}
	store = letters_open(LETTER_STORE_READ, 0);
	assert_int_equal(count(store), WRITERS * LETTERS_EACH);
	letter_store_close(store);
}

/* ---- no room, no right, no sense ---- */

static void test_full_map(void **state)
{
	static char big[10000];
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 1u << 20);
	struct text why = TEXT_NULL;
	static uint64_t ids[10000];
	uint64_t n = 0;
	size_t removed;
	int r = 0;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	/* Smaller and smaller ones, until not a page is left. */
	for (size_t size = sizeof(big) - 1; size; size /= 10) {
		big[size] = '\0';
		for (r = 0; r == 0 && n < 10000; n += r == 0) {
			struct dead_letter letter = letters_letter(0, n, big);

			r = letter_store_put(store, &letter, &ids[n]);
		}
		assert_int_equal(r, LETTER_STORE_E_FULL);
	}
	assert_true(n > 10);
	assert_int_equal(count(store), n); /* nothing half */
	letter_store_explain(letters_path, r, &why);
	assert_non_null(strstr(text_get(&why), "purge"));
	assert_non_null(strstr(text_get(&why), letters_path));
	text_deinit(&why);
	letter_store_close(store);

	/* A full store can be emptied, and then takes letters again. */
	store = letters_open(LETTER_STORE_TEND, 1u << 20);
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(letter_store_remove(store, &ids[n - 1 - i], 1, &removed), 0);
		assert_int_equal(removed, 1);
	}
	assert_int_equal(letter_store_remove(store, ids, n, &removed), 0);
	assert_int_equal(removed, n - 20);
	letter_store_close(store);
	store = letters_open(LETTER_STORE_WRITE, 1u << 20);
	for (uint64_t i = 0; i < n / 2; i++)
		letters_put(store, 1, i, "again");
	assert_int_equal(count(store), n / 2);
	letter_store_close(store);
}

static void test_full_disk(void **state)
{
	static char big[300000];
	struct rlimit before, small;
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	struct dead_letter letter;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	letters_put(store, 0, 1, "before");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 200000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	letter = letters_letter(0, 2, big);
	assert_true(letter_store_put(store, &letter, NULL) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	letter_store_close(store);
	store = letters_open(LETTER_STORE_WRITE, 0);
	letters_assert_listing(store, "1:before ");
	letters_put(store, 0, 2, "after");
	letters_assert_listing(store, "1:before 2:after ");
	letter_store_close(store);
}

static void test_foreign_folder(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	char file[128];

	(void)state;
	letter_store_close(store);
	assert_int_equal(chmod(letters_path, 0777), 0);
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_WRITE, 0, &store), LETTER_STORE_E_FOREIGN);
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_READ, 0, &store), LETTER_STORE_E_FOREIGN);
	snprintf(file, sizeof(file), "%s/file", letters_folder);
	fclose(fopen(file, "we"));
	strcat(file, "/below");
	assert_int_equal(letter_store_open(file, LETTER_STORE_WRITE, 0, &store), -ENOTDIR);
	assert_int_equal(letter_store_open("/proc/weir/letters", LETTER_STORE_WRITE, 0, &store), -ENOENT);
}

static void test_damaged_letter(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	struct letters_listing listing = { 0 };
	MDB_val key = { 8, (void *)(uintptr_t) "\0\0\0\0\0\0\0\2" }, value = { 6, (void *)(uintptr_t) "\0\1ibad" };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
	size_t removed;

	(void)state;
	letters_put(store, 0, 1, "a");
	letters_put(store, 0, 2, "b");
	letters_put(store, 0, 3, "c");
	letter_store_close(store);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 3), 0);
	assert_int_equal(mdb_env_open(env, letters_path, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "letters", 0, &table), 0);
	assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);

	store = letters_open(LETTER_STORE_TEND, 0);
	assert_int_equal(letter_store_each(store, letters_list, &listing), LETTER_STORE_E_DAMAGED);
	assert_string_equal(text_get(&listing.text), "1:a 3:c ");
	text_deinit(&listing.text);
	assert_int_equal(letter_store_get(store, 2, letters_list, &listing), LETTER_STORE_E_DAMAGED);
	assert_int_equal(letter_store_remove(store, (uint64_t[]){ 2 }, 1, &removed), 0);
	assert_int_equal(removed, 1);
	letters_assert_listing(store, "1:a 3:c ");
	letter_store_close(store);
}

/* A file that is no store at all. */
static void test_no_store(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	char file[128];
	FILE *data;

	(void)state;
	letter_store_close(store);
	snprintf(file, sizeof(file), "%s/data.mdb", letters_path);
	data = fopen(file, "r+e");
	assert_non_null(data);
	for (int i = 0; i < 16384; i++)
		fputc('x', data);
	fclose(data);
	assert_int_equal(letter_store_open(letters_path, LETTER_STORE_WRITE, 0, &store), LETTER_STORE_E_DAMAGED);
}

int main(void)
{
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, letters_setup, letters_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_write_read_purge),
		TEST(test_visit_stops),
		TEST(test_children_inherit_nothing),
		TEST(test_large),
		TEST(test_nothing_there),
		TEST(test_killed_in_transaction),
		TEST(test_whose_turn_it_is),
		TEST(test_killed_beside_another),
		TEST(test_several_writers),
		TEST(test_full_map),
		TEST(test_full_disk),
		TEST(test_foreign_folder),
		TEST(test_damaged_letter),
		TEST(test_no_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
