/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table's sink: what becomes of items, and that each takes effect once. A stage runs in a process of its own, which is killed between any
 * two of the runtime's calls; this process looks into the table with another.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/store/table_store.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void sink_init(struct fake_host *host, const char *name, const char *key)
{
	fake_host_init(host, &table_sink_callbacks);
	fake_host_option_string(host, "path", folder_path(name));
	fake_host_option_string(host, "key", key);
	fake_host_option_string(host, "existing", "update");
	fake_host_option_number(host, "size", 65536);
	fake_host_option_number(host, "every", 10000000);
}

static int put(struct fake_host *host, const char *item)
{
	return fake_host_process_item(host, item, strlen(item));
}

/* As the worker does at the end of the stream. */
static void end(struct fake_host *host)
{
	int r = fake_host_finish(host);

	assert_int_equal(fake_host_turn_end(host), 0);
	if (r == WEIR_MORE) {
		assert_int_equal(fake_host_produce(host), 0);
		assert_int_equal(fake_host_turn_end(host), 0);
		assert_int_equal(fake_host_finish(host), 0);
	} else {
		assert_int_equal(r, 0);
	}
	fake_host_close(host);
}

/* "key=msgpack key=msgpack", by a process of its own: this one may have the table open. */
static void assert_table_is(const char *name, const char *expected)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct table_bytes key = { NULL, 0 }, value;
		struct table_store *store;
		char text[1024] = "";
		size_t n = 0;

		if (table_store_open(folder_path(name), TABLE_STORE_READ, 0, &store))
			_exit(2);
		while (table_store_next(store, key, &key, &value) == 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s=%.*s", n ? " " : "",
					      (int)key.size_bytes, (const char *)key.data, (int)value.size_bytes,
					      (const char *)value.data);
		if (strcmp(text, expected) != 0)
			fprintf(stderr, "the table holds '%s', not '%s'\n", text, expected);
		_exit(strcmp(text, expected) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_changes(void **state)
{
	struct fake_host host;

	(void)state;
	sink_init(&host, "changes", ".k");
	fake_host_option_string(&host, "delete", ".gone");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_produce(&host), 0);
	assert_int_equal(put(&host, "{\"k\":1}"), WEIR_HELD);
	assert_int_equal(put(&host, "\x81\xa1k\x02"), WEIR_HELD); /* {"k":2} in msgpack */
	assert_int_equal(put(&host, "{\"k\":\"1\",\"v\":[]}"), WEIR_HELD);
	assert_int_equal(put(&host, "{\"k\":\"a b\",\"gone\":false}"), WEIR_HELD);
	assert_int_equal(put(&host, "{\"k\":3,\"gone\":null}"), WEIR_HELD);
	assert_int_equal(put(&host, "{\"k\":2,\"gone\":true}"), WEIR_HELD);
	assert_int_equal(put(&host, "{\"k\":99,\"gone\":1}"), WEIR_HELD); /* was not there: fine */
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_true(host.watch_wake_ns > 0);
	assert_table_is("changes", ""); /* seen by nobody yet */
	assert_int_equal(host.n_settled, 0);
	assert_int_equal(fake_host_produce(&host), 0);
	assert_int_equal(host.n_settled, 7);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_table_is("changes", "1=\x82\xa1k\xa1"
				   "1\xa1v\x90 3=\x82\xa1k\x03\xa4gone\xc0 a b=\x82\xa1k\xa3"
				   "a b\xa4gone\xc2");
	end(&host);
	fake_host_deinit(&host);
}

static void assert_rejected(struct fake_host *host, const char *item, const char *words)
{
	assert_int_equal(put(host, item), WEIR_REJECTED);
	if (!strstr(host->reason, words))
		fail_msg("'%s' does not say '%s'", host->reason, words);
}

/* The table of docs/tables.md. */
static void test_bad_items(void **state)
{
	char large[2000], item[70000];
	struct fake_host host;
	int n = 0;

	(void)state;
	sink_init(&host, "bad", ".k");
	assert_int_equal(fake_host_open(&host), 0);
	assert_rejected(&host, "{}", "it has no key (.k)");
	assert_rejected(&host, "{\"k\":null}", "it has no key (.k)");
	assert_rejected(&host, "no JSON", "it has no key (.k)");
	assert_rejected(&host, "{\"k\":\"\"}", "its key (.k) has 0 bytes, and a table's keys have 1 to 511");
	memset(large, 'x', sizeof(large));
	snprintf(item, sizeof(item), "{\"k\":\"%.512s\"}", large);
	assert_rejected(&host, item, "its key (.k) has 512 bytes");
	snprintf(item, sizeof(item), "{\"k\":\"%.511s\"}", large);
	assert_int_equal(put(&host, item), WEIR_HELD);
	do {
		snprintf(item, sizeof(item), "{\"k\":%d,\"v\":\"%.1000s\"}", n++, large);
	} while (put(&host, item) == WEIR_HELD);
	assert_rejected(&host, item, "no room for it: the table");
	assert_true(n > 50 && n < 66);
	assert_int_equal(put(&host, "{\"k\":0}"), WEIR_HELD); /* smaller than what was there */
	assert_int_equal(put(&host, item), WEIR_HELD);
	end(&host);
	assert_int_equal(host.n_settled, n + 2);
	fake_host_deinit(&host);
	sink_init(&host, "lines", "field(1)");
	assert_int_equal(fake_host_open(&host), 0);
	assert_rejected(&host, "a line", "it is no value for a table: ");
	fake_host_deinit(&host);
}

static void test_existing(void **state)
{
	struct fake_host host;

	(void)state;
	for (int run = 0; run < 3; run++) {
		sink_init(&host, "existing", ".");
		fake_host_deinit(&host);
		sink_init(&host, "existing", "item");
		if (run)
			fake_host_option_string(&host, "existing", "replace");
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(fake_host_produce(&host), 0);
		if (run == 0)
			assert_int_equal(put(&host, "1"), WEIR_HELD);
		if (run == 1)
			assert_int_equal(put(&host, "2"), WEIR_HELD);
		assert_int_equal(fake_host_turn_end(&host), 0);
		if (run == 1)
			assert_table_is("existing", "1=\x01"); /* as long as the new one is not there */
		end(&host);
		assert_table_is("existing", run == 0 ? "1=\x01" : run == 1 ? "2=\x02" : "");
		fake_host_deinit(&host);
	}
}

/* ---- kills ---- */

#define ITEMS 60
#define KEYS 7

static struct {
	int step, last; /* the process is killed before its so many-th call */
} fate;

static void live_on(void)
{
	if (fate.step++ == fate.last)
		raise(SIGKILL);
}

static int turn(struct fake_host *host)
{
	int r;

	live_on();
	r = fake_host_flush(host);
	live_on();
	fake_host_commit(host);
	return r;
}

static void produce(struct fake_host *host)
{
	live_on();
	if (fake_host_produce(host) != 0 || turn(host) != 0)
		_exit(3);
}

/* One worker: what has been committed is behind it. Item n puts n under its key, in the order of n. */
static void work(struct fake_host *host, uint64_t n)
{
	char item[64];

	if (fake_host_open(host) != 0)
		_exit(2);
	produce(host);
	for (; n < ITEMS; n++) {
		snprintf(item, sizeof(item), "{\"k\":%d,\"n\":%d}", (int)n % KEYS, (int)n);
		live_on();
		if (fake_host_process(host, item, strlen(item)) != WEIR_HELD)
			_exit(4);
		host->n_taken = n + 1;
		if (n % 3 == 2 && turn(host) != 0)
			_exit(5);
		if (n % 12 == 11)
			produce(host);
	}
	if (fake_host_finish(host) == WEIR_MORE) {
		if (turn(host) != 0)
			_exit(6);
		produce(host);
	}
	fake_host_close(host);
	_exit(0);
}

/* What the table has of a key; -1: nothing. */
static int number_of(struct table_store *store, int key)
{
	char name[16];
	struct table_bytes value;

	snprintf(name, sizeof(name), "%d", key);
	if (table_store_get(store, (struct table_bytes){ name, strlen(name) }, &value) != 0)
		return -1;
	return ((const unsigned char *)value.data)[value.size_bytes - 1];
}

/* No key goes back, and all of them are of one commit. */
static void look(int last[KEYS])
{
	struct table_store *store;
	int highest = -1, now[KEYS];

	if (table_store_open(folder_path("kills"), TABLE_STORE_READ, 0, &store) != 0)
		return;
	for (int key = 0; key < KEYS; key++) {
		now[key] = number_of(store, key);
		highest = now[key] > highest ? now[key] : highest;
		assert_true(now[key] >= last[key]);
		last[key] = now[key];
	}
	for (int key = 0; key < KEYS && highest >= 0; key++)
		if (highest >= key)
			assert_int_equal(now[key], highest - (highest - key) % KEYS);
	table_store_close(store);
}

static int run_until_dead(struct fake_host *host)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(host, host->n_taken);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
	return WIFSIGNALED(status);
}

static void test_kills(void **state)
{
	(void)state;
	for (int first = 0; first < 130; first += 3) {
		int last[KEYS] = { -1, -1, -1, -1, -1, -1, -1 }, deaths = 0;
		struct fake_host host;
		char command[256];

		snprintf(command, sizeof(command), "rm -rf %s", folder_path("kills"));
		assert_int_equal(system(command), 0);
		sink_init(&host, "kills", ".k");
		fate.step = 0;
		fate.last = first;
		while (run_until_dead(&host)) {
			fake_host_inherit(&host);
			look(last);
			fate.last = 5 + (first * 7 + deaths * 11) % 40;
			if (++deaths > 60)
				fate.last = 1000;
		}
		fake_host_inherit(&host);
		look(last);
		for (int key = 0; key < KEYS; key++)
			assert_int_equal(last[key], (ITEMS - 1) - (ITEMS - 1 - key) % KEYS);
		assert_int_equal(host.n_settled, ITEMS); /* each is delivered, once */
		fake_host_deinit(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_bad_items),
		cmocka_unit_test(test_existing),
		cmocka_unit_test(test_kills),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
