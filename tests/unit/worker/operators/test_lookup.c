/* SPDX-License-Identifier: Apache-2.0 */
/* What a table has for items of all sorts, whether there is one, and that no view is held over a turn's end or a wait. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/stage/host.h"
#include "common/store/table_store.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

/* By a process of its own: LMDB wants one opening of a table in each. Each entry is a key and a value in msgpack. */
static void write_table(const char *name, const char *const *entries)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct table_store *store;
		int r = table_store_open(folder_path(name), TABLE_STORE_WRITE, 1 << 20, &store);

		for (; r == 0 && entries[0]; entries += 2)
			r = table_store_put(store, (struct table_bytes){ entries[0], strlen(entries[0]) },
					    (struct table_bytes){ entries[1], strlen(entries[1]) });
		if (r == 0)
			r = table_store_commit(store, (struct table_mark){ 1, 1 });
		_exit(r != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int count(void *data, const struct table_reader *reader)
{
	(void)reader;
	++*(int *)data;
	return 0;
}

/* How many processes look at it now. */
static int views(const char *name)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct table_store *store;
		int n = 0;

		if (table_store_open(folder_path(name), TABLE_STORE_READ, 0, &store) ||
		    table_store_readers(store, count, &n))
			_exit(100);
		_exit(n);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void init(struct fake_host *host, const char *name, const char *missing, enum weir_form form)
{
	fake_host_init(host, &lookup_operator_callbacks);
	fake_host_option_string(host, "path", folder_path(name));
	fake_host_option_string(host, "key", ".k");
	fake_host_option_string(host, "into", "found");
	fake_host_option_string(host, "missing", missing);
	fake_host_option_string(host, "absent", "fail");
	fake_host_option_number(host, HOST_OPTION_FORM, form);
}

static int give(struct fake_host *host, const char *item)
{
	return fake_host_process_item(host, item, strlen(item));
}

static const char *const people[] = { "1",
				      "\xa3"
				      "Ann",
				      "a b",
				      "\x92\x01\x02",
				      "bad",
				      "\x92\x01",
				      NULL,
				      NULL };

static void test_items(void **state)
{
	struct fake_host host;

	(void)state;
	write_table("people", people);
	init(&host, "people", "pass", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "{\"k\":1}"), 0);
	assert_int_equal(give(&host, " {\"found\":0, \"k\":\"1\"} "), 0);
	assert_int_equal(give(&host, "{\"k\":\"a\\u0020b\"}"), 0);
	assert_int_equal(give(&host, "{\"k\":2 }"), 0);
	assert_int_equal(give(&host, "{}"), 0);
	assert_true(fake_host_item_is(&host, 0, "{\"k\":1,\"found\":\"Ann\"}"));
	assert_true(fake_host_item_is(&host, 1, "{\"k\":\"1\",\"found\":\"Ann\"}"));
	assert_true(fake_host_item_is(&host, 2, "{\"k\":\"a b\",\"found\":[1,2]}"));
	assert_true(fake_host_item_is(&host, 3, "{\"k\":2 }")); /* as it is */
	assert_true(fake_host_item_is(&host, 4, "{}"));
	assert_int_equal(give(&host, "{\"k\":\"bad\"}"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "what the table has for it is no value"));
	fake_host_deinit(&host);

	init(&host, "people", "pass", WEIR_FORM_UNKNOWN);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "\x81\xa1k\x01"), 0);
	assert_int_equal(give(&host, "{\"k\":1}"), 0);
	assert_true(fake_host_item_is(&host, 0,
				      "\x82\xa1k\x01\xa5"
				      "found\xa3"
				      "Ann"));
	assert_true(fake_host_item_is(&host, 1, "{\"k\":1,\"found\":\"Ann\"}"));
	fake_host_deinit(&host);
}

static void test_missing(void **state)
{
	struct fake_host host;

	(void)state;
	write_table("people", people);
	init(&host, "people", "reject", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "{\"k\":2}"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "its key (.k) is not in the table"));
	assert_int_equal(give(&host, "{\"k\":null}"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "it has no key (.k) for the table"));
	assert_int_equal(give(&host, "no JSON"), WEIR_REJECTED);
	fake_host_deinit(&host);
	init(&host, "people", "drop", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "{\"k\":2}"), 0);
	assert_int_equal(give(&host, "{}"), 0);
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
}

static void test_too_large(void **state)
{
	struct fake_host host;

	(void)state;
	write_table("people", people);
	init(&host, "people", "pass", WEIR_FORM_TEXT);
	host.item_size_max = 16;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "{\"k\":1}"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "does not fit a lane"));
	fake_host_deinit(&host);
}

static void test_views(void **state)
{
	static const char *const other[] = { "1",
					     "\xa3"
					     "Bob",
					     NULL, NULL };
	unsigned char window[4096];
	struct fake_host host;

	(void)state;
	write_table("views", people);
	init(&host, "views", "pass", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(views("views"), 0);
	host.context.next = window; /* the runtime has room: nobody will wait */
	host.context.limit = window + sizeof(window);
	assert_int_equal(give(&host, "{\"k\":1}"), 0);
	assert_int_equal(views("views"), 1);
	write_table("views", other);
	assert_int_equal(give(&host, "{\"k\":1}"), 0); /* the same turn: the same view */
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(views("views"), 0);
	host.context.next = host.context.limit = window;
	assert_int_equal(give(&host, "{\"k\":1}"), 0);
	assert_int_equal(views("views"), 0); /* who may wait holds none */
	assert_true(fake_host_item_is(&host, fake_host_items(&host) - 1, "{\"k\":1,\"found\":\"Bob\"}"));
	fake_host_deinit(&host);
}

static void test_absent(void **state)
{
	struct fake_host host;

	(void)state;
	init(&host, "absent", "pass", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "there is no table in "));
	fake_host_deinit(&host);
	init(&host, "absent", "pass", WEIR_FORM_TEXT);
	fake_host_option_string(&host, "absent", "empty");
	host.now_ns = 1000000000;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "{\"k\":1}"), 0);
	assert_true(fake_host_item_is(&host, 0, "{\"k\":1}"));
	write_table("absent", people);
	host.now_ns += 200000000;
	assert_int_equal(give(&host, "{\"k\":1}"), 0);
	assert_true(fake_host_item_is(&host, 1, "{\"k\":1,\"found\":\"Ann\"}"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items), cmocka_unit_test(test_missing), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_views), cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
