/* SPDX-License-Identifier: Apache-2.0 */
/* Entries, their bound, and that a fold is whole or not at all: by what is forgotten, by kills, and by files that somebody has been at. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/store/state_store.h"

#define SIZE_BYTES (1U << 20)

static char folder[64], path[96];
static struct state_store *store;

static void open_store(bool fresh)
{
	assert_int_equal(state_store_open(path, SIZE_BYTES, fresh, &store), 0);
}

static void reopen(void)
{
	store = state_store_close(store);
	open_store(false);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/weir-state-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/p/state/count.0", folder);
	open_store(true);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	store = state_store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct state_bytes bytes(const char *text)
{
	return (struct state_bytes){ text, strlen(text) };
}

static int put(const char *key, const char *value)
{
	return state_store_put(store, bytes(key), bytes(value));
}

static const char *get(const char *key)
{
	static char text[256];
	struct state_bytes value;
	int r = state_store_get(store, bytes(key), &value);

	if (r == STATE_STORE_E_NONE)
		return "-";
	assert_int_equal(r, 0);
	snprintf(text, sizeof(text), "%.*s", (int)value.size_bytes, (const char *)value.data);
	return text;
}

/* The key that a seek finds. */
static const char *seek(const char *from, bool after)
{
	static char text[256];
	struct state_bytes key, value;
	int r = state_store_seek(store, bytes(from), after, &key, &value);

	if (r == STATE_STORE_E_NONE)
		return "-";
	assert_int_equal(r, 0);
	snprintf(text, sizeof(text), "%.*s", (int)key.size_bytes, (const char *)key.data);
	return text;
}

static void test_entries(void **state)
{
	(void)state;
	assert_string_equal(get("a"), "-");
	assert_int_equal(put("b", "1"), 0);
	assert_int_equal(put("a", ""), 0);
	assert_int_equal(put("ab", "3"), 0);
	assert_int_equal(put("b", "22"), 0);
	assert_string_equal(get("a"), "");
	assert_string_equal(get("b"), "22");
	assert_string_equal(seek("", false), "a");
	assert_string_equal(seek("a", true), "ab");
	assert_string_equal(seek("aa", false), "ab");
	assert_string_equal(seek("aa", true), "ab");
	assert_string_equal(seek("ab", true), "b");
	assert_string_equal(seek("b", true), "-");
	assert_int_equal(state_store_remove(store, bytes("ab")), 0);
	assert_int_equal(state_store_remove(store, bytes("ab")), STATE_STORE_E_NONE);
	assert_string_equal(seek("a", true), "b");
}

static void test_what_is_not_folded_is_gone(void **state)
{
	(void)state;
	put("a", "1");
	assert_int_equal(state_store_fold(store, 17), 0);
	put("a", "2");
	put("b", "2");
	assert_string_equal(get("a"), "2");
	state_store_forget(store);
	assert_string_equal(get("a"), "1");
	assert_string_equal(get("b"), "-");
	state_store_remove(store, bytes("a"));
	reopen();
	assert_string_equal(get("a"), "1");
	assert_int_equal(state_store_position(store), 17);
	assert_int_equal(state_store_used_bytes(store), 2 + STATE_STORE_ENTRY_BYTES);
	store = state_store_close(store);
	open_store(true);
	assert_string_equal(get("a"), "-");
	assert_int_equal(state_store_position(store), 0);
	assert_int_equal(state_store_used_bytes(store), 0);
}

/* To the byte, and what is there may always become less. */
static void test_the_bound(void **state)
{
	static char large[SIZE_BYTES];
	struct state_bytes value = { large, SIZE_BYTES - 1 - STATE_STORE_ENTRY_BYTES };

	(void)state;
	assert_int_equal(state_store_put(store, bytes("a"), value), 0);
	assert_int_equal(state_store_used_bytes(store), SIZE_BYTES);
	value.size_bytes++;
	assert_int_equal(state_store_put(store, bytes("a"), value), STATE_STORE_E_FULL);
	assert_int_equal(put("b", ""), STATE_STORE_E_FULL);
	assert_string_equal(get("b"), "-");
	value.size_bytes = SIZE_BYTES - 2 * (1 + STATE_STORE_ENTRY_BYTES);
	assert_int_equal(state_store_put(store, bytes("a"), value), 0);
	assert_int_equal(put("b", ""), 0);
	assert_int_equal(put("c", ""), STATE_STORE_E_FULL);
	assert_int_equal(state_store_remove(store, bytes("a")), 0);
	assert_int_equal(put("c", ""), 0);
	assert_int_equal(state_store_used_bytes(store), 2 * (1 + STATE_STORE_ENTRY_BYTES));
}

/* A thousand full fillings in pieces of all sizes: the file stays within its map. */
static void test_full_again_and_again(void **state)
{
	static char large[70000];
	uint64_t random = 88172645463325252U;

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		char key[16];
		struct state_bytes value = { large, 0 };
		int r;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		snprintf(key, sizeof(key), "%03u", (unsigned)(random % 700));
		value.size_bytes = random % 5 ? (random >> 20) % 300 : (random >> 20) % sizeof(large);
		r = (random >> 10) % 3 ? state_store_put(store, bytes(key), value) :
					 state_store_remove(store, bytes(key));
		assert_true(r == 0 || r == STATE_STORE_E_FULL || r == STATE_STORE_E_NONE);
		if (i % 500 == 0)
			assert_int_equal(state_store_fold(store, i), 0);
	}
	assert_true(state_store_used_bytes(store) > SIZE_BYTES / 2);
}

#define MODEL_KEYS 50u

/* Against an array, with folds, forgetting and reopening at random. */
static void test_like_an_array(void **state)
{
	unsigned now[MODEL_KEYS] = { 0 }, folded[MODEL_KEYS] = { 0 };

	(void)state;
	srand(42);
	for (unsigned i = 1; i < 20000; i++) {
		unsigned at = (unsigned)rand() % MODEL_KEYS, what = (unsigned)rand() % 100;
		char key[16], value[16];

		snprintf(key, sizeof(key), "%u", at);
		snprintf(value, sizeof(value), "%u", i);
		if (what < 60) {
			assert_int_equal(put(key, value), 0);
			now[at] = i;
		} else if (what < 95) {
			assert_int_equal(state_store_remove(store, bytes(key)), now[at] ? 0 : STATE_STORE_E_NONE);
			now[at] = 0;
		} else if (what < 97) {
			assert_int_equal(state_store_fold(store, i), 0);
			memcpy(folded, now, sizeof(now));
		} else {
			if (what == 97)
				reopen();
			else
				state_store_forget(store);
			memcpy(now, folded, sizeof(now));
		}
		at = (unsigned)rand() % MODEL_KEYS;
		snprintf(key, sizeof(key), "%u", at);
		snprintf(value, sizeof(value), "%u", now[at]);
		assert_string_equal(get(key), now[at] ? value : "-");
	}
}

/* In a child: fold after fold, in each of which all entries say the position. */
static void fold_for_ever(void)
{
	open_store(false);
	for (uint64_t position = state_store_position(store) + 1;; position++) {
		for (unsigned i = 0; i < 100; i++) {
			char key[16], value[32];

			snprintf(key, sizeof(key), "%u", i);
			snprintf(value, sizeof(value), "%llu", (unsigned long long)position);
			if (put(key, value))
				_exit(1);
		}
		if (state_store_fold(store, position))
			_exit(1);
	}
}

static void test_killed_anywhere(void **state)
{
	uint64_t before = 0, moved = 0;

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		pid_t pid;
		int status;

		store = state_store_close(store);
		pid = fork();
		if (pid == 0)
			fold_for_ever();
		usleep((unsigned)rand() % 8000 + 500);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		open_store(false);
		for (unsigned i = 0; i < 100 && state_store_position(store); i++) {
			char key[16], value[32];

			snprintf(key, sizeof(key), "%u", i);
			snprintf(value, sizeof(value), "%llu", (unsigned long long)state_store_position(store));
			assert_string_equal(get(key), value);
		}
		assert_true(state_store_position(store) >= before);
		moved += state_store_position(store) > before;
		before = state_store_position(store);
	}
	assert_true(moved > 10);
}

/* Another process asks for what this one has open. */
static void test_one_at_a_time(void **state)
{
	struct state_store *other;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		bool ok = state_store_open(path, SIZE_BYTES, true, &other) == STATE_STORE_E_BUSY &&
			  state_store_destroy(path) == 0;

		_exit(!ok);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	put("a", "1");
	assert_int_equal(state_store_fold(store, 1), 0); /* nobody has touched it */
	reopen();
	assert_string_equal(get("a"), "1");
}

static void data_file(char name[128])
{
	snprintf(name, 128, "%s/data.mdb", path);
}

static void test_not_our_file(void **state)
{
	char name[128];
	FILE *file;

	(void)state;
	put("a", "1");
	assert_int_equal(state_store_fold(store, 1), 0);
	store = state_store_close(store);
	data_file(name);
	assert_int_equal(truncate(name, 6000), 0);
	assert_int_equal(state_store_open(path, SIZE_BYTES, false, &store), STATE_STORE_E_DAMAGED);
	file = fopen(name, "w");
	assert_non_null(file);
	for (int i = 0; i < 10000; i++)
		fputc('x', file);
	fclose(file);
	assert_int_equal(state_store_open(path, SIZE_BYTES, false, &store), STATE_STORE_E_DAMAGED);
	open_store(true); /* who begins anew does not care */
	store = state_store_close(store);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(state_store_open(path, SIZE_BYTES, false, &store), STATE_STORE_E_FOREIGN);
	assert_int_equal(state_store_destroy(path), 0);
	assert_int_equal(access(name, F_OK), 0); /* what is not ours stays */
}

static void test_destroyed(void **state)
{
	(void)state;
	store = state_store_close(store);
	assert_int_equal(state_store_destroy(path), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(state_store_destroy(path), 0);
}

static void test_words(void **state)
{
	static const struct {
		int r;
		const char *says;
	} words[] = {
		{ STATE_STORE_E_FULL, "a smaller `state:`" },
		{ STATE_STORE_E_FOREIGN, "chmod 700 it" },
		{ STATE_STORE_E_BUSY, "does this pipeline run twice?" },
		{ STATE_STORE_E_DAMAGED, "did somebody change it?" },
		{ -ENOSPC, "make room on that disk" },
		{ -EACCES, "let weir write there" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct text text = TEXT_NULL;

		state_store_explain("/there", words[i].r, &text);
		assert_non_null(strstr(text_get(&text), words[i].says));
		assert_non_null(strstr(text_get(&text), "/there"));
		text_deinit(&text);
	}
}

/* A thread may make folders while another one has the process's umask changed for a socket. */
static void test_its_folder_is_ours_whatever_the_umask(void **state)
{
	char other[128], made[80];
	struct stat st;
	mode_t before;

	(void)state;
	snprintf(made, sizeof(made), "%s/q", folder);
	snprintf(other, sizeof(other), "%s/state/count.0", made);
	store = state_store_close(store);
	before = umask(0177);
	assert_int_equal(state_store_open(other, SIZE_BYTES, true, &store), 0);
	umask(before);
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_folded_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_again_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_like_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_our_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_destroyed, setup, teardown),
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup_teardown(test_its_folder_is_ours_whatever_the_umask, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
