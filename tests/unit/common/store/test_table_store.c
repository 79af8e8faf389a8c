/* SPDX-License-Identifier: Apache-2.0 */
/* Entries, views, commits that are whole or not at all, and readers that die or dawdle. Readers are processes of their own. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/store/table_store.h"

#define SIZE_BYTES (64U << 10)

static char folder[64], path[96];
static struct table_store *store;

static void open_to_write(void)
{
	assert_int_equal(table_store_open(path, TABLE_STORE_WRITE, SIZE_BYTES, &store), 0);
}

static void open_to_read(void)
{
	assert_int_equal(table_store_open(path, TABLE_STORE_READ, 0, &store), 0);
}

static void close_it(void)
{
	store = table_store_close(store);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/weir-table-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a/b.table", folder);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	close_it();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct table_bytes bytes(const char *text)
{
	return (struct table_bytes){ text, strlen(text) };
}

static int put(const char *key, const char *value)
{
	return table_store_put(store, bytes(key), bytes(value));
}

static int commit(uint64_t position)
{
	return table_store_commit(store, (struct table_mark){ 7, position });
}

static const char *get(const char *key)
{
	static char text[256];
	struct table_bytes value;
	int r = table_store_get(store, bytes(key), &value);

	if (r == TABLE_STORE_E_NONE)
		return "-";
	assert_int_equal(r, 0);
	snprintf(text, sizeof(text), "%.*s", (int)value.size_bytes, (const char *)value.data);
	return text;
}

/* "key=value key=value" */
static const char *all(void)
{
	static char text[256];
	struct table_bytes key = { NULL, 0 }, value;
	size_t n = 0;

	text[0] = '\0';
	while (table_store_next(store, key, &key, &value) == 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s=%.*s", n ? " " : "", (int)key.size_bytes,
				      (const char *)key.data, (int)value.size_bytes, (const char *)value.data);
	return text;
}

static void test_entries(void **state)
{
	struct table_usage usage;

	(void)state;
	open_to_write();
	assert_int_equal(table_store_mark(store).run, 0);
	assert_int_equal(put("b", "1"), 0);
	assert_int_equal(put("a", ""), 0);
	assert_int_equal(put("ab", "333"), 0);
	assert_int_equal(put("b", "22"), 0);
	assert_int_equal(commit(100), 0);
	assert_int_equal(put("c", "lost"), 0); /* not committed */
	close_it();
	open_to_read();
	assert_string_equal(all(), "a= ab=333 b=22");
	assert_string_equal(get("b"), "22");
	assert_string_equal(get("c"), "-");
	assert_string_equal(get(""), "-");
	assert_int_equal(table_store_usage(store, &usage), 0);
	assert_int_equal(usage.n_entries, 3);
	assert_int_equal(usage.used_bytes, 3 * 16 + 1 + 5 + 3);
	close_it();
	open_to_write();
	assert_int_equal(table_store_mark(store).run, 7);
	assert_int_equal(table_store_mark(store).position, 100);
	assert_int_equal(table_store_remove(store, bytes("ab")), 0);
	assert_int_equal(table_store_remove(store, bytes("ab")), TABLE_STORE_E_NONE);
	table_store_forget(store);
	assert_int_equal(table_store_remove(store, bytes("a")), 0);
	assert_int_equal(commit(200), 0);
	close_it();
	open_to_read();
	assert_string_equal(all(), "ab=333 b=22");
	close_it();
	open_to_write();
	assert_int_equal(table_store_clear(store), 0);
	assert_int_equal(put("z", "1"), 0);
	assert_int_equal(commit(300), 0);
	close_it();
	open_to_read();
	assert_string_equal(all(), "z=1");
}

static void test_full(void **state)
{
	char key[16], value[1001] = { 0 };
	int n = 0, r;

	(void)state;
	open_to_write();
	memset(value, 'x', 1000);
	do {
		snprintf(key, sizeof(key), "key%06d", n++);
		r = put(key, value);
	} while (r == 0);
	assert_int_equal(r, TABLE_STORE_E_FULL);
	assert_int_equal(n, SIZE_BYTES / 1025 + 1);
	assert_int_equal(put("key000000", "less"), 0); /* what is there goes on */
	assert_int_equal(put(key, "little"), 0);
	assert_int_equal(commit(1), 0);
	close_it();
	open_to_read();
	assert_string_equal(get("key000000"), "less");
	assert_string_equal(get(key), "little");
	assert_string_equal(get("key000001"), value + 745); /* 255 of them are shown */
}

/* ---- a reader, which does what it is told: b(egin), e(nd), or a key's letter, whose value it writes ---- */

static struct {
	pid_t pid;
	int to, from;
} reader;

static void read_as_told(int in, int out)
{
	char word;

	if (table_store_open(path, TABLE_STORE_READ, 0, &store))
		_exit(1);
	while (read(in, &word, 1) == 1) {
		char key[2] = { word, '\0' };
		const char *value = "ok";

		if (word == 'b' && table_store_begin(store))
			value = "??";
		else if (word == 'e')
			table_store_end(store);
		else if (word != 'b')
			value = get(key);
		if (write(out, value, strlen(value) + 1) < 0)
			_exit(1);
	}
	close_it();
	_exit(0);
}

static void start_reader(void)
{
	int to[2], from[2];

	assert_int_equal(pipe(to) | pipe(from), 0);
	reader.pid = fork();
	assert_true(reader.pid >= 0);
	if (!reader.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		read_as_told(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	reader.to = to[1];
	reader.from = from[0];
}

static const char *tell(char word)
{
	static char answer[64];
	size_t n = 0;

	assert_int_equal(write(reader.to, &word, 1), 1);
	while (read(reader.from, answer + n, 1) == 1 && answer[n])
		n++;
	answer[n] = '\0';
	return answer;
}

static void end_reader(int signal)
{
	close(reader.to);
	if (signal)
		kill(reader.pid, signal);
	assert_int_equal(waitpid(reader.pid, NULL, 0), reader.pid);
	close(reader.from);
}

static struct table_reader seen;

static int see(void *data, const struct table_reader *found)
{
	seen = *found;
	++*(int *)data;
	return 0;
}

static int n_readers(void)
{
	int n = 0;

	assert_int_equal(table_store_readers(store, see, &n), 0);
	return n;
}

static void begin_with(const char *value)
{
	open_to_write();
	assert_int_equal(put("x", value), 0);
	assert_int_equal(commit(1), 0);
	close_it();
	start_reader();
	assert_string_equal(tell('b'), "ok");
	open_to_write();
}

static void test_view(void **state)
{
	(void)state;
	begin_with("1");
	assert_string_equal(tell('x'), "1");
	assert_int_equal(put("x", "2"), 0);
	assert_int_equal(commit(2), 0);
	assert_int_equal(put("x", "3"), 0);
	assert_int_equal(commit(3), 0);
	assert_string_equal(tell('x'), "1"); /* as it was at one moment */
	assert_int_equal(n_readers(), 1);
	assert_int_equal(seen.pid, reader.pid);
	assert_int_equal(seen.behind, 2);
	assert_false(seen.stopped);
	assert_string_equal(tell('e'), "ok");
	assert_int_equal(n_readers(), 0); /* it has a seat, and no view */
	assert_string_equal(tell('x'), "3");
	end_reader(0);
	assert_int_equal(n_readers(), 0);
}

/* Each commit replaces a page that the reader still sees, so that room runs out. Returns how many there were. */
static int fill(int n_max)
{
	char value[1001] = { 0 };
	int n, r = 0;

	memset(value, 'y', 1000);
	for (n = 0; n < n_max && r == 0; n++) {
		for (char key = 'k'; key < 'p' && r == 0; key++)
			r = put((char[]){ key, '\0' }, value);
		if (r == 0)
			r = commit((uint64_t)n);
	}
	assert_true(r == 0 || r == TABLE_STORE_E_HELD);
	return r == 0 ? -1 : n;
}

static void test_dead_reader(void **state)
{
	(void)state;
	begin_with("1");
	assert_int_equal(n_readers(), 1);
	end_reader(SIGKILL);
	assert_int_equal(n_readers(), 0); /* it is released by looking */
	assert_int_equal(fill(600), -1);
}

static void test_dawdling_reader(void **state)
{
	char name[128];

	(void)state;
	begin_with("1");
	assert_int_equal(put("x", "2"), 0);
	assert_int_equal(commit(2), 0);
	kill(reader.pid, SIGSTOP);
	assert_int_equal(waitpid(reader.pid, NULL, WUNTRACED), reader.pid);
	assert_int_not_equal(fill(2000), -1);
	assert_int_equal(n_readers(), 1);
	assert_true(seen.stopped);
	snprintf(name, sizeof(name), "process %d (", (int)reader.pid);
	{
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		table_reader_name(&seen, &text);
		assert_int_equal(strncmp(text_get(&text), name, strlen(name)), 0);
		assert_non_null(strstr(text_get(&text), ", which is stopped,"));
	}
	assert_int_not_equal(fill(2000), -1); /* as long as it is there; and nothing has changed by that */
	kill(reader.pid, SIGCONT);
	assert_string_equal(tell('x'), "1");
	assert_string_equal(tell('e'), "ok");
	assert_string_equal(tell('x'), "2");
	assert_string_equal(tell('e'), "ok");
	assert_int_equal(put("x", "3"), 0);
	assert_int_equal(commit(9), 0);
	assert_string_equal(tell('x'), "3");
	end_reader(0);
}

/* The writer is killed anywhere: whoever opens it finds a commit, whole. */
static void write_until_killed(void)
{
	char value[32];

	if (table_store_open(path, TABLE_STORE_WRITE, SIZE_BYTES, &store))
		_exit(1);
	for (uint64_t n = table_store_mark(store).position + 1;; n++) {
		snprintf(value, sizeof(value), "%llu", (unsigned long long)n);
		for (char key = 'a'; key < 'm'; key++)
			if (put((char[]){ key, '\0' }, value))
				_exit(2);
		if (commit(n))
			_exit(3);
	}
}

static void test_killed_writer(void **state)
{
	char expected[32];
	uint64_t before = 0;
	struct table_usage usage;

	(void)state;
	for (int round = 0; round < 30 || (!before && round < 1000); round++) { /* until one has got so far */
		pid_t pid = fork();
		int status;

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			write_until_killed();
		}
		usleep((useconds_t)(2000 + rand() % 20000 + (before ? 0 : 1000 * round)));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (table_store_open(path, TABLE_STORE_READ, 0, &store) != 0)
			continue; /* it had not made it yet */
		assert_int_equal(table_store_usage(store, &usage), 0);
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)usage.mark.position);
		assert_true(usage.mark.position >= before);
		before = usage.mark.position;
		for (char key = 'a'; key < 'm' && before; key++)
			assert_string_equal(get((char[]){ key, '\0' }), expected);
		close_it();
	}
	assert_true(before > 0);
}

/* ---- what is wrong ---- */

static void assert_says(int r, const char *words)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	table_store_explain(path, r, &text);
	if (!strstr(text_get(&text), words) || !strstr(text_get(&text), path))
		fail_msg("'%s' does not say '%s'", text_get(&text), words);
}

static int try_open(enum table_store_mode mode)
{
	int r = table_store_open(path, mode, SIZE_BYTES, &store);

	if (r == 0)
		close_it();
	return r;
}

static void scribble(const char *name, const char *text)
{
	char file[128];
	FILE *out;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	out = fopen(file, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void test_what_is_wrong(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(try_open(TABLE_STORE_READ), TABLE_STORE_E_NONE);
	assert_says(TABLE_STORE_E_NONE, "there is no table");
	open_to_write();
	pid = fork(); /* another process */
	if (!pid) {
		int r = try_open(TABLE_STORE_WRITE);

		_exit(r == TABLE_STORE_E_BUSY && table_store_writer(path) == getppid() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close_it();
	assert_int_equal(table_store_writer(path), 0);
	chmod(path, 0777);
	assert_int_equal(try_open(TABLE_STORE_READ), TABLE_STORE_E_FOREIGN);
	assert_int_equal(try_open(TABLE_STORE_WRITE), TABLE_STORE_E_FOREIGN);
	assert_says(TABLE_STORE_E_FOREIGN, "chmod 700");
	chmod(path, 0700);
	scribble("data.mdb", "this was a table once, and then somebody wrote a letter into it");
	assert_int_not_equal(try_open(TABLE_STORE_READ), 0);
	assert_int_not_equal(try_open(TABLE_STORE_WRITE), 0);
	strcat(path, "/holder");
	assert_int_equal(try_open(TABLE_STORE_WRITE), -ENOTDIR);
	assert_says(-ENOTDIR, "a table is one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_view, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dawdling_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_wrong, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
